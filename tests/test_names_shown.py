"""The eye: complete names for five minutes, in this session, recorded with the customers actually shown.

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

pytestmark = pytest.mark.clock("2026-09-15 02:00")

NAME = "Tianjin Medical 0"
SignIn = Callable[[User | None], Client]


@pytest.fixture
def customer(acme: Partner) -> Customer:
    return factories.customer(acme, "1001", name=NAME, email="owner@tianjin.example", mobile="13800000021")


def press(client: Client, to: str = "1", **more: Any) -> Any:
    return client.post("/customers/names/", {"shown": to}, **more)


PAGES = ["/customers/", "/customers/?q=1001", "/budgets/set/?customer=1001", "/budgets/records/?customer=1001"]


def shows(client: Client, path: str = "/customers/", **headers: str) -> bool:
    """Whether the page shows the complete name; where it does not, no part of it is anywhere in the answer."""
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
def test_names_are_masked_until_the_eye_is_pressed_and_after_it_is_pressed_again(path, client, customer):
    assert not shows(client, path)
    press(client)
    assert shows(client, path)
    press(client, "0")
    assert not shows(client, path)


@pytest.mark.parametrize("path", PAGES)
def test_after_five_minutes_nothing_is_unmasked(path, client, customer, clock):
    press(client)
    clock.shift(timedelta(minutes=4, seconds=59))
    assert shows(client, path)
    clock.shift(timedelta(seconds=1))
    assert not shows(client, path)


@pytest.mark.parametrize(
    ("path", "target"),
    [("/customers/", "customer-list"), (PAGES[2], "dialog-body"), (PAGES[3], "dialog-body")],
)
def test_fragments_mask_and_show_as_pages_do(path, target, client, customer, clock):
    headers = {"HX-Request": "true", "HX-Target": target}
    assert not shows(client, path, **headers)
    press(client)
    assert shows(client, path, **headers)
    clock.shift(timedelta(minutes=5))
    assert not shows(client, path, **headers)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_that_shows_names_knows_when_to_mask_itself(path, client, customer, clock):
    press(client)
    clock.shift(timedelta(minutes=2))
    content = client.get(path).content.decode()
    assert 'data-names-shown-seconds="180"' in content
    assert '<noscript><meta http-equiv="refresh" content="180"></noscript>' in content
    press(client, "0")
    content = client.get(path).content.decode()
    assert "data-names-shown-seconds" not in content
    assert 'http-equiv="refresh"' not in content


def test_a_form_with_errors_masks_too(client, customer):
    response = client.post("/budgets/set/?customer=1001", {"amount": "x"})
    assert response.status_code == 422
    assert "Tianjin" not in response.content.decode()


def test_it_holds_for_one_session_of_one_operator(client, customer, ann, ben, sign_in):
    press(client)
    assert shows(client)
    assert not shows(sign_in(ann))
    assert not shows(sign_in(ben))


def test_it_ends_with_the_session(client, customer, ann):
    press(client)
    client.post("/sign-out/")
    client.force_login(ann, "partnercenter.permissions.GrantBackend")
    assert not shows(client)


def test_another_operator_in_the_same_browser_does_not_inherit_it(client, customer, ben):
    press(client)
    client.force_login(ben, "partnercenter.permissions.GrantBackend")
    assert not shows(client)


def test_the_eye_says_what_it_does(client, customer):
    assert 'aria-pressed="false"' in client.get("/customers/").content.decode()
    press(client)
    content = client.get("/customers/").content.decode()
    assert 'aria-pressed="true"' in content
    assert 'aria-label="Show complete customer names"' in content


def recorded() -> list[tuple[str, list[str]]]:
    return [(record.page, record.customers) for record in RevealRecord.objects.order_by("pk")]


def test_what_is_shown_is_recorded_with_the_customers_actually_shown(client, customer, acme, ann, clock):
    factories.customers(acme, 51)
    press(client)
    assert recorded() == []
    client.get("/customers/", {"q": "1001"})
    client.get("/budgets/records/", {"customer": "1001"})
    client.get("/budgets/set/", {"customer": "1001"})
    assert recorded() == [("/customers/", ["1001"]), ("/budgets/records/", ["1001"]), ("/budgets/set/", ["1001"])]
    client.get("/customers/", {"page": 2})
    page, shown = recorded()[-1]
    assert (page, len(shown)) == ("/customers/", 2)
    record = RevealRecord.objects.latest("pk")
    assert (record.operator, record.at) == (ann, factories.moment("2026-09-15 02:00"))


def test_what_is_masked_or_empty_is_not_recorded(client, customer, clock):
    for path in PAGES:
        client.get(path)
    press(client)
    client.get("/customers/", {"q": "nobody"})
    clock.shift(timedelta(minutes=5))
    client.get("/customers/")
    assert recorded() == []


def test_the_distributor_is_recorded_as_well(customer, dora, sign_in):
    client = sign_in(dora)
    press(client)
    assert shows(client)
    assert RevealRecord.objects.get().operator == dora


@pytest.mark.parametrize("back", ["/customers/?q=1001&page=2", "/budgets/set/?customer=a%2Fb", "/"])
def test_pressing_leads_back_to_the_page_it_was_pressed_on(back, client):
    response = client.post("/customers/names/", {"shown": "1", "next": back})
    assert (response.status_code, response["Location"]) == (302, back)


@pytest.mark.parametrize(
    "back",
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
def test_pressing_leads_nowhere_else(back, client):
    response = client.post("/customers/names/", {"shown": "1", "next": back})
    assert (response.status_code, response["Location"]) == (302, "/customers/")


def test_the_name_is_searched_for_though_it_is_masked(client, customer):
    assert "T****0" in client.get("/customers/", {"q": "Tianjin"}).content.decode()


@pytest.mark.parametrize("path", [*PAGES, "/", "/partner-information/", "/sign-in/", "/customers/expenditure/"])
def test_no_cache_keeps_any_page(path, client, customer):
    kept = client.get(path)["Cache-Control"]
    assert "no-store" in kept
    assert "private" in kept
