"""Pages of a search show the same customers whether the matches are sorted or the index of the order is followed.

The list chooses by how many customers match and by how many PostgreSQL expects to match; the test varies both.
"""

from itertools import chain
from random import Random
from typing import Any

import pytest
import time_machine
from django.db.models import F
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customers.listing import customer_list, ordering, pagination
from customers.listing.customer_list import CustomerList
from customers.listing.filters import SORTS
from customers.listing.status import Status, requested_flags
from customers.models import Customer
from customers.search import fold
from partnercenter.models import Partner, User
from tests import factories
from tests.pages import follow_links
from tests.sql import run_sql

# The last of them comes late in the order of account names, and many customers have it.
BRANDS = ("Alder", "Garrow", "砚葭网络科技", "Zebra")
NAMES = ("Alder Foods", "Levin", "澜禾网络科技有限公司", "Wick GmbH")
WORDS = ("alder", "zebra", "ZEB", "网络科技", "有限公司", "gmbh", "ra_", "ze", "砚", "a", "nobody", "%%%")


@pytest.fixture
def customers(acme: Partner, ann: User) -> list[Customer]:
    """60 customers, more than half of them of the last brand, a third without a budget, some used up and frozen."""
    rng = Random("crowd")
    customers = []
    with time_machine.travel(factories.moment("2026-09-15 02:00"), tick=False):
        for n in range(60):
            brand = BRANDS[-1] if n % 2 else rng.choice(BRANDS)
            customers += factories.customers(acme, 1, account_name=f"{brand}_{n % 9}", name=rng.choice(NAMES))
        factories.budget(customers[::3], ann, "100")
        factories.budget(customers[1::3], ann, "80.50")
        totals = ("0", "40", "100", "250.01")
        budgeted = [each for n, each in enumerate(customers) if n % 3 < 2]
        factories.report(*[(each, "2026-09", rng.choice(totals)) for each in budgeted])
    return list(Customer.objects.filter(partner=acme))


def matches(customer: Customer, word: str, status: str) -> bool:
    """Whether the list should show the customer, decided by Python."""
    lines, text = customer.search.split("\n"), fold(word)
    is_found = any(text in line if len(text) > 2 else line.startswith(text) for line in lines)
    return is_found and (not status or customer.state in requested_flags(status, "")[False])


def sorted_ids(customers: list[Customer], sort: str) -> list[str]:
    """Their customer IDs as the ORM sorts them, those without a budget last."""
    column, keys = F(SORTS[sort.removeprefix("-")]), [each.pk for each in customers]
    order: list[Any]
    order = [column.desc(nulls_last=True), "-pk"] if sort.startswith("-") else [column.asc(nulls_last=True), "pk"]
    return list(Customer.objects.filter(pk__in=keys).order_by(*order).values_list("customer_id", flat=True))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    word=st.sampled_from(WORDS),
    sort=st.sampled_from([sign + key for key in SORTS for sign in ("", "-")]),
    status=st.sampled_from(["", *Status.values]),
    sort_limit=st.sampled_from([0, 7, 10_000]),
    estimate=st.sampled_from([0, 1_000_000]),
    count_cap=st.sampled_from([3, 1_000]),
)
def test_pages_of_a_search_are_the_same_whichever_query_plan_is_chosen(
    customers, ann, sign_in, word, sort, status, sort_limit, estimate, count_cap
):
    query = f"?q={word.replace('%', '%25')}&sort={sort}&status={status}&size=10"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ordering, "SORT_LIMIT", sort_limit)
        patch.setattr(customer_list, "SORT_LIMIT", sort_limit)
        patch.setattr(customer_list, "estimated_rows", lambda _rows: estimate)
        patch.setattr(customer_list, "COUNT_CAP", count_cap)
        patch.setattr(pagination, "NUMBERED_PAGES", 2)
        client = sign_in(ann)
        expected = [each for each in customers if matches(each, word, status)]
        assert list(chain.from_iterable(follow_links(client, query, "next"))) == sorted_ids(expected, sort)
        frozen = [each for each in expected if each.is_frozen]
        exhausted = [each for each in expected if each.state in requested_flags(Status.EXHAUSTED, "").unrestricted]
        assert counts(client, query) == [min(len(each), count_cap + 1) for each in (expected, frozen, exhausted)]


def counts(client: Client, query: str) -> list[int]:
    counts: Any = client.get(f"/customers/{query}").context["counts"]
    return [counts.customers, counts.frozen, counts.exhausted]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_common_word_is_counted_and_found_by_index_only_scans(acme, ann):
    """No row of a customer is read for it, in any order by columns of the customer."""
    factories.bulk_customers(acme, 3_000, prefix="account")
    run_sql("VACUUM ANALYZE customers_customer")
    for sort in ("account_name", "name", "associated_on"):
        for status in ("", "NORMAL"):
            search = CustomerList({"q": "account", "sort": sort, "status": status}, ann)
            [segment] = search.ordered().segments
            [customers] = segment.parts
            page = customers.order_by(*segment.columns).values("pk")[:51]
            assert f"Index Only Scan using customer_by_{sort}" in page.explain()
    frozen = CustomerList({"q": "account", "status": "FROZEN"}, ann).queryset.values("pk")[:1_001]
    assert "Index Only Scan using customer_state " in frozen.explain()
