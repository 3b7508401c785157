"""Pages of a search: the same whether those found were gathered and sorted or the order was followed to them.

Which way is taken is a matter of how many there are, and of how many PostgreSQL expected: both are drawn here.
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
from tests.test_paging import walk
from tests.test_search import many, run

# The last of them stands far behind in the order of account names, and many have it.
BRANDS = ("Alder", "Garrow", "砚葭网络科技", "Zebra")
NAMES = ("Alder Foods", "Levin", "澜禾网络科技有限公司", "Wick GmbH")
WORDS = ("alder", "zebra", "ZEB", "网络科技", "有限公司", "gmbh", "ra_", "ze", "砚", "a", "nobody", "%%%")


@pytest.fixture
def crowd(acme: Partner, ann: User) -> list[Customer]:
    """60 customers, half of them of the last brand, a third without a budget, some used up and frozen."""
    dice = Random("crowd")
    made = []
    with time_machine.travel(factories.moment("2026-09-15 02:00"), tick=False):
        for n in range(60):
            brand = BRANDS[-1] if n % 2 else dice.choice(BRANDS)
            made += factories.customers(acme, 1, account_name=f"{brand}_{n % 9}", name=dice.choice(NAMES))
        factories.budget(made[::3], ann, "100")
        factories.budget(made[1::3], ann, "80.50")
        totals = ("0", "40", "100", "250.01")
        budgeted = [each for n, each in enumerate(made) if n % 3 < 2]
        factories.report(*[(each, "2026-09", dice.choice(totals)) for each in budgeted])
    return list(Customer.objects.filter(partner=acme))


def matches(customer: Customer, word: str, status: str) -> bool:
    """Whether the list shows it: by Python."""
    lines, text = customer.search.split("\n"), fold(word)
    found = any(text in line if len(text) > 2 else line.startswith(text) for line in lines)
    return found and (not status or customer.state in requested_flags(status, "")[False])


def in_order(customers: list[Customer], sort: str) -> list[str]:
    """Their IDs as the ORM sorts them by itself; those without a budget last."""
    column, keys = F(SORTS[sort.removeprefix("-")]), [each.pk for each in customers]
    order: list[Any]
    order = [column.desc(nulls_last=True), "-pk"] if sort.startswith("-") else [column.asc(nulls_last=True), "pk"]
    return list(Customer.objects.filter(pk__in=keys).order_by(*order).values_list("customer_id", flat=True))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    word=st.sampled_from(WORDS),
    sort=st.sampled_from([sign + key for key in SORTS for sign in ("", "-")]),
    status=st.sampled_from(["", *Status.values]),
    gathered=st.sampled_from([0, 7, 10_000]),
    expected=st.sampled_from([0, 1_000_000]),
    told_apart=st.sampled_from([3, 1_000]),
)
def test_pages_of_a_search_are_the_same_whichever_way_they_are_found(
    crowd, ann, sign_in, word, sort, status, gathered, expected, told_apart
):
    asked = f"?q={word.replace('%', '%25')}&sort={sort}&status={status}&size=10"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ordering, "SORT_LIMIT", gathered)
        patch.setattr(customer_list, "SORT_LIMIT", gathered)
        patch.setattr(customer_list, "estimated_rows", lambda _rows: expected)
        patch.setattr(customer_list, "COUNT_CAP", told_apart)
        patch.setattr(pagination, "NUMBERED_PAGES", 2)
        client = sign_in(ann)
        should = [each for each in crowd if matches(each, word, status)]
        assert list(chain.from_iterable(walk(client, asked, "next"))) == in_order(should, sort)
        frozen = [each for each in should if each.is_frozen]
        exhausted = [each for each in should if each.state in requested_flags(Status.EXHAUSTED, "").unrestricted]
        assert counted(client, asked) == [min(len(each), told_apart + 1) for each in (should, frozen, exhausted)]


def counted(client: Client, asked: str) -> list[int]:
    counts: Any = client.get(f"/customers/{asked}").context["counts"]
    return [counts.customers, counts.frozen, counts.exhausted]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_common_word_is_counted_and_found_in_indexes_alone(acme, ann):
    """No customer is looked at for it, in any order that the customers themselves have."""
    many(acme, 3_000)
    run("VACUUM ANALYZE customers_customer")
    for sort in ("account_name", "name", "associated_on"):
        for status in ("", "NORMAL"):
            asked = CustomerList({"q": "account", "sort": sort, "status": status}, ann)
            [found] = asked.ordered().segments
            [customers] = found.parts
            page = customers.order_by(*found.columns).values("pk")[:51]
            assert f"Index Only Scan using customer_by_{sort}" in page.explain()
    frozen = CustomerList({"q": "account", "status": "FROZEN"}, ann).queryset.values("pk")[:1_001]
    assert "Index Only Scan using customer_state " in frozen.explain()
