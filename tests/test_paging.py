"""Pages of the list at any depth: numbers up to the hundredth, previous and next beyond, every order."""

import re
from collections.abc import Iterable
from datetime import timedelta
from html import unescape
from itertools import chain
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from customers.listing import ordering, pagination
from customers.models import Customer
from customers.search import fold
from partnercenter.models import Partner, User
from tests import factories

pytestmark = pytest.mark.clock("2026-09-15 02:00")

NOW = factories.moment("2026-09-15 02:00")
SHOWN = re.compile(r'<tr data-customer="([^"]*)">')
SORTS = [
    sign + key for key in ("name", "account_name", "usage", "amount", "used", "associated_on") for sign in ("", "-")
]


@pytest.fixture
def two_numbered(monkeypatch) -> None:
    """Numbers up to the second page, so that few customers lead beyond."""
    monkeypatch.setattr(pagination, "NUMBERED_PAGES", 2)


@pytest.fixture
def mixed(acme: Partner, ann: User, clock: Any) -> list[Customer]:
    """37 customers, many equal in each order, a third without a budget."""
    made = []
    for n in range(37):
        made += factories.customers(acme, 1, name=f"Name {n % 5}", account_name=f"account {n % 7}")
        if n % 4 == 0:
            clock.shift(timedelta(minutes=1))
    for amount in ("100", "200", "80.50"):
        chosen = made[int(float(amount)) % 3 :: 5]
        factories.budget(chosen, ann, amount)
    budgeted = Customer.objects.filter(budget__isnull=False).order_by("pk")
    factories.report(
        *[(each, "2026-09", ("0", "-3.10", "40", "100.00", "250.01")[n % 5]) for n, each in enumerate(budgeted)]
    )
    return list(Customer.objects.select_related("budget").order_by("pk"))


def ordered(customers: list[Customer], sort: str) -> list[str]:
    """What the list should show in this order: by Python."""
    descending, key = sort.startswith("-"), sort.removeprefix("-")

    def value(customer: Customer) -> Any:
        return getattr(customer.budget if key in ("usage", "amount", "used") else customer, key)

    last = [each for each in customers if key in ("usage", "amount", "used") and not hasattr(each, "budget")]
    first = [each for each in customers if each not in last]
    first.sort(key=lambda each: (value(each), each.pk), reverse=descending)
    last.sort(key=lambda each: each.pk, reverse=descending)
    return [each.customer_id for each in first + last]


def shown(client: Client, query: str) -> tuple[list[str], Any]:
    response = client.get(f"/customers/{query}")
    assert response.status_code == 200
    return [unescape(each) for each in SHOWN.findall(response.content.decode())], response.context["page"]


def walk(client: Client, query: str, way: str) -> list[list[str]]:
    pages = []
    while query:
        rows, page = shown(client, query)
        pages.append(rows)
        query = getattr(page, way)
        assert len(pages) < 50, "goes round in circles"
    return pages


def joined(pages: Iterable[list[str]]) -> list[str]:
    return list(chain.from_iterable(pages))


@pytest.mark.parametrize("sort", SORTS)
def test_next_leads_through_all_and_previous_back_in_every_order(sort, two_numbered, mixed, client):
    expected = ordered(mixed, sort)
    pages = walk(client, f"?sort={sort}&size=10", "next")
    assert [len(page) for page in pages] == [10, 10, 10, 7]
    assert joined(pages) == expected
    _rows, third = shown(client, _third(client, sort))
    rows, fourth = shown(client, third.next)
    assert rows == expected[30:]
    back = walk(client, fourth.previous, "previous")
    assert joined(reversed(back)) == expected[:30]


def _third(client: Client, sort: str) -> str:
    _rows, second = shown(client, f"?sort={sort}&size=10&page=2")
    assert "after=" in second.next
    return second.next


@pytest.mark.parametrize(
    "query", ["status=FROZEN", "status=NORMAL", "status=EXHAUSTED", "budget_type=ONE_TIME", "q=acc"]
)
@pytest.mark.parametrize("sort", ["usage", "-used", "name"])
def test_filters_hold_on_every_page(query, sort, monkeypatch, mixed, client):
    monkeypatch.setattr(pagination, "NUMBERED_PAGES", 1)
    matching = set(walk(client, f"?{query}&size=100", "next")[0])
    pages = walk(client, f"?{query}&sort={sort}&size=10", "next")
    assert joined(pages) == [each for each in ordered(mixed, sort) if each in matching]


@pytest.mark.parametrize("sort", SORTS)
def test_numbered_pages_are_the_same_as_those_walked(sort, mixed, client):
    pages = [shown(client, f"?sort={sort}&size=10&page={number}")[0] for number in range(1, 5)]
    assert joined(pages) == ordered(mixed, sort)


def test_a_page_beyond_the_end_shows_the_last(mixed, client):
    for number in (5, 99, 100, 101, 10**17):
        rows, page = shown(client, f"?sort=usage&size=10&page={number}")
        assert (page.number, len(rows), page.next) == (4, 7, "")


def test_a_page_above_the_hundredth_shows_the_hundredth(acme, client):
    _many(acme, 1_020)
    assert shown(client, "?size=10&page=101") == shown(client, "?size=10&page=100")
    rows, page = shown(client, "?size=10&page=5000")
    assert (page.number, len(rows), "after=" in page.next) == (100, 10, True)
    rows, page = shown(client, page.next)
    assert (page.number, page.numbers, len(rows)) == (None, [], 10)


def _many(partner: Partner, number: int) -> None:
    names = [f"many {n:05}" for n in range(number)]
    Customer.objects.bulk_create(
        Customer(partner=partner, customer_id=name, account_name=name, name=name, search=fold(name, name))
        for name in names
    )


def test_no_address_holds_a_name(two_numbered, mixed, client):
    for sort in ("name", "-name", "account_name"):
        _rows, page = shown(client, _third(client, sort))
        assert re.search(r"after=~\d+$", unescape(page.next).replace("%7E", "~"))
        assert "Name" not in page.next


NO_PLACES = ["", "x", "~", "~0", "~x", "1~", "1~1~1", "NaN~1", "1e9~1", "1.234~1", "\0~1", "２~1", "~١"]
NO_PLACES += ["9" * 30 + "~1", "~" + "9" * 30, "2026-99-01T00:00:00+00:00~1"]


@pytest.mark.parametrize("mark", NO_PLACES)
@pytest.mark.parametrize("sort", ["name", "usage", "amount", "associated_on"])
def test_a_place_that_means_nothing_leads_to_no_error(mark, sort, mixed, client):
    for way in ("after", "before"):
        response = client.get("/customers/", {"sort": sort, "size": "10", way: mark})
        assert response.status_code == 200
        assert len(response.context["page"].object_list) == 10


def test_a_strangers_customer_is_no_place_in_my_list(mixed, borealis, client):
    stranger = factories.customer(borealis, "stranger", name="Name 3", account_name="account 3")
    for sort in ("name", "account_name"):
        rows, page = shown(client, f"?sort={sort}&size=10&after=~{stranger.pk}")
        assert (page.number, rows) == (1, ordered(mixed, sort)[:10])


def test_the_next_page_starts_where_the_last_one_ended_though_that_customer_moved(monkeypatch, mixed, client):
    monkeypatch.setattr(pagination, "NUMBERED_PAGES", 1)
    _rows, first = shown(client, "?sort=used&size=10")
    before = ordered(mixed, "used")
    factories.report((before[9], "2026-09", "9999"))
    rows, _page = shown(client, first.next)
    moved = [each for each in before if each != before[9]]
    assert rows[:5] == moved[9:14]


def test_ten_to_a_hundred_a_page_fifty_if_nothing_is_said(acme, client):
    _many(acme, 120)
    sizes = {size: len(shown(client, f"?size={size}")[0]) for size in ("", "10", "20", "50", "100", "7", "1000", "x")}
    assert sizes == {"": 50, "10": 10, "20": 20, "50": 50, "100": 100, "7": 50, "1000": 50, "x": 50}


def test_the_links_of_pages_keep_what_was_asked_and_drop_the_former_place(two_numbered, mixed, client):
    _rows, third = shown(client, _third(client, "usage") + "&q=acc")
    assert "q=acc" in third.next
    assert third.next.count("after=") == 1
    assert "after=" not in third.previous
    response = client.get(f"/customers/{third.next}")
    links = [header.query for header in response.context["headers"] if header.sortable]
    assert not [link for link in links if "after=" in link or "before=" in link or "page=" in link]
    assert "after=" not in response.context["counts"].frozen_query


# --- Counts that stop -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "said"), [(999, "999"), (1_000, "1,000"), (1_001, "1,000+"), (1_200, "1,000+")])
def test_a_count_is_exact_up_to_a_thousand_and_says_more_beyond(number, said, acme, client):
    _many(acme, number)
    content = client.get("/customers/").content.decode()
    assert f"Total: {said}<" in content
    assert f"<dt>Customers</dt><dd>{said}</dd>" in content


def test_no_count_and_no_page_reads_all_customers(acme, client):
    """Every statement over the customers stops by itself, reads by key, or only asks for a plan."""
    _many(acme, 60)
    client.get("/customers/")
    with CaptureQueriesContext(connection) as captured:
        client.get("/customers/?sort=usage&status=NORMAL&q=man")
    over = [query["sql"] for query in captured if 'FROM "customers_customer"' in query["sql"]]
    assert over
    assert [sql for sql in over if not any(each in sql for each in ("LIMIT", "unnest(", "json_each", "EXPLAIN"))] == []


def test_used_up_is_told_by_whole_percents_exactly(acme, ann, client):
    made = factories.customers(acme, 5)
    factories.budget(made, ann, "100")
    totals = ("99.99", "100.00", "100.01", "-0.01", "99.50")
    factories.report(*[(each, "2026-09", total) for each, total in zip(made, totals, strict=True)])
    rows, _page = shown(client, "?status=EXHAUSTED")
    assert set(rows) == {made[1].customer_id, made[2].customer_id}
    assert client.get("/customers/").context["counts"].exhausted == 2


def test_more_customers_take_no_more_queries(acme, ann, client):
    factories.budget(factories.customers(acme, 3), ann, "100")
    counted = []
    for more in (60, 2_000):
        _many(acme, more) if more == 60 else _many_more(acme, more)
        for query in ("", "?sort=-usage", "?size=100"):
            client.get(f"/customers/{query}")
            with CaptureQueriesContext(connection) as captured:
                client.get(f"/customers/{query}")
            counted.append(len(captured))
    assert counted[:3] == counted[3:]


def _many_more(partner: Partner, number: int) -> None:
    Customer.objects.bulk_create(
        Customer(
            partner=partner, customer_id=f"more {n}", account_name=f"more {n}", name="More", search=fold("More", "")
        )
        for n in range(number)
    )


@pytest.mark.parametrize("merged", [100, 1], ids=["merged", "sorted"])
@pytest.mark.parametrize("narrowed", ["", "status=FROZEN", "status=NORMAL&budget_type=ONE_TIME", "budget_type=NONE"])
@pytest.mark.parametrize("sort", ["name", "-usage", "amount"])
def test_a_distributor_sees_its_resellers_customers_in_one_order(
    sort, narrowed, merged, mixed, acme, ann, dora, sign_in, monkeypatch
):
    monkeypatch.setattr(ordering, "MERGE_LIMIT", merged)
    other = factories.reseller(acme.distributor, "other-reseller")
    theirs = factories.customers(other, 9, name="Name 3")
    factories.budget(theirs[:5], factories.user("olaf", other), "90")
    asked = dict(each.split("=") for each in narrowed.split("&") if each)
    expected = [each for each in Customer.objects.select_related("budget").order_by("pk") if matches(each, **asked)]
    pages = walk(sign_in(dora), f"?sort={sort}&size=10&{narrowed}", "next")
    assert joined(pages) == ordered(expected, sort)


def matches(customer: Customer, status: str = "", budget_type: str = "") -> bool:
    """Whether the list shows it under these filters: by Python."""
    budget = getattr(customer, "budget", None)
    normal = not customer.is_frozen and not (budget and budget.exhausted)
    by_status = {"": True, "FROZEN": customer.is_frozen, "NORMAL": normal}[status]
    return by_status and budget_type in ("", budget.budget_type if budget else "NONE")
