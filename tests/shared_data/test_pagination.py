"""Pagination of the customer list: page numbers up to 100, previous and next beyond, in every order."""

import re
from collections.abc import Iterable
from datetime import timedelta
from html import unescape
from itertools import chain
from typing import Any

import pytest
import time_machine
from django.test import Client

from customers.listing import ordering, pagination
from customers.listing.filters import SORTS as SORT_COLUMNS
from customers.models import Customer
from partnercenter.models import Partner, User
from tests import factories
from tests.pages import follow_links, get_page

pytestmark = pytest.mark.clock("2026-09-15 02:00")

NOW = factories.moment("2026-09-15 02:00")

# The order by the day a budget runs out has tests of its own: most customers have no such day.
SORTS = [sign + key for key in SORT_COLUMNS if key != "runs_out" for sign in ("", "-")]


@pytest.fixture
def two_numbered_pages(monkeypatch) -> None:
    """Number only the first two pages, so that a few customers are enough to go beyond them."""
    monkeypatch.setattr(pagination, "NUMBERED_PAGES", 2)


@pytest.fixture(scope="module")
def customers(acme: Partner, ann: User) -> list[Customer]:
    """37 customers, many equal in each order, a third without a budget."""
    with time_machine.travel(NOW, tick=False) as clock:
        return make_customers(acme, ann, clock)


def make_customers(acme: Partner, ann: User, clock: time_machine.Traveller) -> list[Customer]:
    customers = []
    for n in range(37):
        customers += factories.customers(acme, 1, name=f"Name {n % 5}", account_name=f"account {n % 7}")
        if n % 4 == 0:
            clock.shift(timedelta(minutes=1))
    for amount in ("100", "200", "80.50"):
        factories.budget(customers[int(float(amount)) % 3 :: 5], ann, amount)
    budgeted = Customer.objects.filter(budget__isnull=False).order_by("pk")
    factories.report(
        *[(each, "2026-09", ("0", "-3.10", "40", "100.00", "250.01")[n % 5]) for n, each in enumerate(budgeted)]
    )
    return list(Customer.objects.select_related("budget").order_by("pk"))


def ordered(customers: list[Customer], sort: str) -> list[str]:
    """The customer IDs in this order, sorted by Python."""
    descending, key = sort.startswith("-"), sort.removeprefix("-")

    def value(customer: Customer) -> Any:
        return getattr(customer.budget if key in ("usage", "amount", "used") else customer, key)

    last = [each for each in customers if key in ("usage", "amount", "used") and not hasattr(each, "budget")]
    first = [each for each in customers if each not in last]
    first.sort(key=lambda each: (value(each), each.pk), reverse=descending)
    last.sort(key=lambda each: each.pk, reverse=descending)
    return [each.customer_id for each in first + last]


def joined(pages: Iterable[list[str]]) -> list[str]:
    return list(chain.from_iterable(pages))


@pytest.mark.parametrize("sort", SORTS)
def test_next_and_previous_lead_through_all_customers_in_every_order(sort, two_numbered_pages, customers, client):
    expected = ordered(customers, sort)
    pages = follow_links(client, f"?sort={sort}&size=10", "next")
    assert [len(page) for page in pages] == [10, 10, 10, 7]
    assert joined(pages) == expected
    _ids, third = get_page(client, query_of_third_page(client, sort))
    ids, fourth = get_page(client, third.next)
    assert ids == expected[30:]
    pages_before = follow_links(client, fourth.previous, "previous")
    assert joined(reversed(pages_before)) == expected[:30]


def query_of_third_page(client: Client, sort: str) -> str:
    """The link from the second page to the third, which is the first without a number."""
    _ids, second = get_page(client, f"?sort={sort}&size=10&page=2")
    assert "after=" in second.next
    return second.next


@pytest.mark.parametrize(
    "query", ["status=FROZEN", "status=NORMAL", "status=EXHAUSTED", "budget_type=ONE_TIME", "q=acc"]
)
@pytest.mark.parametrize("sort", ["usage", "-used", "name"])
def test_filters_apply_on_every_page(query, sort, monkeypatch, customers, client):
    monkeypatch.setattr(pagination, "NUMBERED_PAGES", 1)
    matching = set(follow_links(client, f"?{query}&size=100", "next")[0])
    pages = follow_links(client, f"?{query}&sort={sort}&size=10", "next")
    assert joined(pages) == [each for each in ordered(customers, sort) if each in matching]


@pytest.mark.parametrize("sort", SORTS)
def test_numbered_pages_show_the_customers_in_the_same_order(sort, customers, client):
    pages = [get_page(client, f"?sort={sort}&size=10&page={number}")[0] for number in range(1, 5)]
    assert joined(pages) == ordered(customers, sort)


def test_a_page_number_beyond_the_end_shows_the_last_page(customers, client):
    for number in (5, 99, 100, 101, 10**17):
        ids, page = get_page(client, f"?sort=usage&size=10&page={number}")
        assert (page.number, len(ids), page.next) == (4, 7, "")


def test_a_page_number_above_100_shows_page_100(acme, client):
    factories.bulk_customers(acme, 1_020)
    assert get_page(client, "?size=10&page=101") == get_page(client, "?size=10&page=100")
    ids, page = get_page(client, "?size=10&page=5000")
    assert (page.number, len(ids), "after=" in page.next) == (100, 10, True)
    ids, page = get_page(client, page.next)
    assert (page.number, page.numbers, len(ids)) == (None, [], 10)


def test_links_to_pages_contain_no_names(two_numbered_pages, customers, client):
    for sort in ("name", "-name", "account_name"):
        _ids, page = get_page(client, query_of_third_page(client, sort))
        assert re.search(r"after=~\d+$", unescape(page.next).replace("%7E", "~"))
        assert "Name" not in page.next


BAD_CURSORS = ["", "x", "~", "~0", "~x", "1~", "1~1~1", "NaN~1", "1e9~1", "1.234~1", "\0~1", "２~1", "~١"]
BAD_CURSORS += ["9" * 30 + "~1", "~" + "9" * 30, "2026-99-01T00:00:00+00:00~1"]


@pytest.mark.parametrize("cursor", BAD_CURSORS)
@pytest.mark.parametrize("sort", ["name", "usage", "amount", "associated_on"])
def test_an_unreadable_cursor_is_ignored(cursor, sort, customers, client):
    for parameter in ("after", "before"):
        response = client.get("/customers/", {"sort": sort, "size": "10", parameter: cursor})
        assert response.status_code == 200
        assert len(response.context["page"].object_list) == 10


def test_another_resellers_customer_is_no_valid_cursor(customers, borealis, client):
    stranger = factories.customer(borealis, "stranger", name="Name 3", account_name="account 3")
    for sort in ("name", "account_name"):
        ids, page = get_page(client, f"?sort={sort}&size=10&after=~{stranger.pk}")
        assert (page.number, ids) == (1, ordered(customers, sort)[:10])


def test_the_next_page_starts_where_the_previous_one_ended_even_if_that_customer_has_moved(
    monkeypatch, customers, client
):
    monkeypatch.setattr(pagination, "NUMBERED_PAGES", 1)
    _ids, first = get_page(client, "?sort=used&size=10")
    before = ordered(customers, "used")
    factories.report((before[9], "2026-09", "9999"))
    ids, _page = get_page(client, first.next)
    others = [each for each in before if each != before[9]]
    assert ids[:5] == others[9:14]


def test_a_page_has_10_20_50_or_100_rows_and_50_by_default(acme, client):
    factories.bulk_customers(acme, 120)
    sizes = {
        size: len(get_page(client, f"?size={size}")[0]) for size in ("", "10", "20", "50", "100", "7", "1000", "x")
    }
    assert sizes == {"": 50, "10": 10, "20": 20, "50": 50, "100": 100, "7": 50, "1000": 50, "x": 50}


def test_links_to_pages_keep_the_filters_and_replace_the_cursor(two_numbered_pages, customers, client):
    _ids, third = get_page(client, query_of_third_page(client, "usage") + "&q=acc")
    assert "q=acc" in third.next
    assert third.next.count("after=") == 1
    assert "after=" not in third.previous
    response = client.get(f"/customers/{third.next}")
    links = [header.query for header in response.context["headers"] if header.sortable]
    assert not [link for link in links if "after=" in link or "before=" in link or "page=" in link]
    assert "after=" not in response.context["counts"].frozen_query


@pytest.mark.parametrize("merge_limit", [100, 1], ids=["merged", "sorted"])
@pytest.mark.parametrize("filters", ["", "status=FROZEN", "status=NORMAL&budget_type=ONE_TIME", "budget_type=NONE"])
@pytest.mark.parametrize("sort", ["name", "-usage", "amount"])
def test_a_distributor_sees_the_customers_of_all_its_resellers_in_one_order(
    sort, filters, merge_limit, customers, acme, ann, dora, sign_in, monkeypatch
):
    monkeypatch.setattr(ordering, "MERGE_LIMIT", merge_limit)
    other = factories.reseller(acme.distributor, "other-reseller")
    theirs = factories.customers(other, 9, name="Name 3")
    factories.budget(theirs[:5], factories.user("olaf", other), "90")
    values = dict(each.split("=") for each in filters.split("&") if each)
    expected = [each for each in Customer.objects.select_related("budget").order_by("pk") if matches(each, **values)]
    pages = follow_links(sign_in(dora), f"?sort={sort}&size=10&{filters}", "next")
    assert joined(pages) == ordered(expected, sort)


def matches(customer: Customer, status: str = "", budget_type: str = "") -> bool:
    """Whether these filters should show the customer, decided by Python."""
    budget = getattr(customer, "budget", None)
    is_normal = not customer.is_frozen and not (budget and budget.exhausted)
    has_status = {"": True, "FROZEN": customer.is_frozen, "NORMAL": is_normal}[status]
    return has_status and budget_type in ("", budget.budget_type if budget else "NONE")
