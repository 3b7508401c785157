"""The eye button reveals complete names for five minutes in one session and records the customers that were shown.

See section 7 (docs/rules.md).
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from customers.models import Customer, RevealRecord
from partnercenter.models import Partner, User
from tests import factories
from tests.pages import htmx

pytestmark = pytest.mark.clock("2026-09-15 02:00")

NAME = "Tianjin Medical 0"
SignIn = Callable[[User | None], Client]


@pytest.fixture
def customer(acme: Partner) -> Customer:
    return factories.customer(acme, "1001", name=NAME, email="owner@tianjin.example", mobile="13800000021")


def press_eye(client: Client, shown: str = "1") -> Any:
    """Press the eye button: "1" reveals names, "0" masks them again."""
    return client.post("/customers/names/", {"shown": shown})


PAGES = ["/customers/", "/customers/?q=1001", "/budgets/set/?customer=1001", "/budgets/records/?customer=1001"]


def shows_name(client: Client, path: str = "/customers/", **headers: str) -> bool:
    """Whether the page shows the complete name; if not, no part of the name may be anywhere in the response."""
    response = client.get(path, headers=headers)
    assert response.status_code == 200
    content = response.content.decode()
    assert "no-store" in response["Cache-Control"]
    assert "owner@" not in content
    assert "13800000021" not in content
    if NAME in content:
        return True
    assert "T****0" in content
    assert "Tianjin" not in content
    assert "Medical" not in content
    return False


@pytest.mark.parametrize("path", PAGES)
def test_pressing_the_eye_reveals_masked_names_and_pressing_it_again_masks_them(path, client, customer):
    assert not shows_name(client, path)
    press_eye(client)
    assert shows_name(client, path)
    press_eye(client, "0")
    assert not shows_name(client, path)


@pytest.mark.parametrize("path", PAGES)
def test_after_five_minutes_names_are_masked_again(path, client, customer, clock):
    press_eye(client)
    clock.shift(timedelta(minutes=4, seconds=59))
    assert shows_name(client, path)
    clock.shift(timedelta(seconds=1))
    assert not shows_name(client, path)


@pytest.mark.parametrize(
    ("path", "target"),
    [("/customers/", "customer-list"), (PAGES[2], "dialog-body"), (PAGES[3], "dialog-body")],
)
def test_fragments_mask_and_reveal_names_as_pages_do(path, target, client, customer, clock):
    headers = htmx(target)
    assert not shows_name(client, path, **headers)
    press_eye(client)
    assert shows_name(client, path, **headers)
    clock.shift(timedelta(minutes=5))
    assert not shows_name(client, path, **headers)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_with_revealed_names_masks_itself_when_the_time_is_over(path, client, customer, clock):
    press_eye(client)
    clock.shift(timedelta(minutes=2))
    content = client.get(path).content.decode()
    assert 'data-names-shown-seconds="180"' in content
    assert '<noscript><meta http-equiv="refresh" content="180"></noscript>' in content
    press_eye(client, "0")
    content = client.get(path).content.decode()
    assert "data-names-shown-seconds" not in content
    assert 'http-equiv="refresh"' not in content


def test_a_form_with_errors_masks_names_too(client, customer):
    response = client.post("/budgets/set/?customer=1001", {"amount": "x"})
    assert response.status_code == 422
    assert "Tianjin" not in response.content.decode()


def test_a_reveal_applies_to_one_session_of_one_operator(client, customer, ann, ben, sign_in):
    press_eye(client)
    assert shows_name(client)
    assert not shows_name(sign_in(ann))
    assert not shows_name(sign_in(ben))


def test_a_reveal_ends_with_the_session(client, customer, ann):
    press_eye(client)
    client.post("/sign-out/")
    client.force_login(ann, "partnercenter.permissions.GrantBackend")
    assert not shows_name(client)


def test_another_operator_in_the_same_browser_does_not_inherit_the_reveal(client, customer, ben):
    press_eye(client)
    client.force_login(ben, "partnercenter.permissions.GrantBackend")
    assert not shows_name(client)


def test_the_eye_button_has_a_label_and_a_pressed_state(client, customer):
    assert 'aria-pressed="false"' in client.get("/customers/").content.decode()
    press_eye(client)
    content = client.get("/customers/").content.decode()
    assert 'aria-pressed="true"' in content
    assert 'aria-label="Show complete customer names"' in content


def reveals() -> list[tuple[str, list[str]]]:
    """The page and the customer IDs of each reveal record."""
    return [(record.page, record.customers) for record in RevealRecord.objects.order_by("pk")]


def test_a_reveal_is_recorded_with_the_customers_actually_shown(client, customer, acme, ann, clock):
    factories.customers(acme, 51)
    press_eye(client)
    assert reveals() == []
    client.get("/customers/", {"q": "1001"})
    client.get("/budgets/records/", {"customer": "1001"})
    client.get("/budgets/set/", {"customer": "1001"})
    assert reveals() == [("/customers/", ["1001"]), ("/budgets/records/", ["1001"]), ("/budgets/set/", ["1001"])]
    client.get("/customers/", {"page": 2})
    page, customer_ids = reveals()[-1]
    assert (page, len(customer_ids)) == ("/customers/", 2)
    record = RevealRecord.objects.latest("pk")
    assert (record.operator, record.at) == (ann, factories.moment("2026-09-15 02:00"))


def test_masked_or_empty_pages_leave_no_reveal_record(client, customer, clock):
    for path in PAGES:
        client.get(path)
    press_eye(client)
    client.get("/customers/", {"q": "nobody"})
    clock.shift(timedelta(minutes=5))
    client.get("/customers/")
    assert reveals() == []


def test_a_reveal_by_the_distributor_is_recorded_too(customer, dora, sign_in):
    client = sign_in(dora)
    press_eye(client)
    assert shows_name(client)
    assert RevealRecord.objects.get().operator == dora


@pytest.mark.parametrize("next_page", ["/customers/?q=1001&page=2", "/budgets/set/?customer=a%2Fb", "/"])
def test_pressing_the_eye_leads_back_to_the_same_page(next_page, client):
    response = client.post("/customers/names/", {"shown": "1", "next": next_page})
    assert (response.status_code, response["Location"]) == (302, next_page)


@pytest.mark.parametrize(
    "next_page",
    [
        "https://evil.example/",
        "//evil.example/",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "http:evil.example",
        "javascript:alert(1)",
        " //evil.example",
        "\thttps://evil.example",
        "evil",
        "healthz",
        "",
        "customers.views.customer_list",
    ],
)
def test_pressing_the_eye_leads_to_no_other_site(next_page, client):
    response = client.post("/customers/names/", {"shown": "1", "next": next_page})
    assert (response.status_code, response["Location"]) == (302, "/customers/")


def test_a_masked_name_is_found_by_search(client, customer):
    assert "T****0" in client.get("/customers/", {"q": "Tianjin"}).content.decode()


@pytest.mark.parametrize("path", [*PAGES, "/", "/partner-information/", "/sign-in/", "/customers/expenditure/"])
def test_no_page_may_be_cached(path, client, customer):
    cache_control = client.get(path)["Cache-Control"]
    assert "no-store" in cache_control
    assert "private" in cache_control
