"""The order by estimate is exact at any amount and depth, although the database indexes only a rank of the amount."""

from collections.abc import Iterable
from decimal import Decimal
from itertools import chain, pairwise
from math import exp
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from budgets.models import Budget, used_rank_sql
from customers.listing import customer_list, ordering, pagination
from customers.listing.customer_list import CustomerList
from customers.listing.ordering import Segment
from customers.models import AccountFreezing, Customer
from partnercenter.actions.partners import set_partner_status
from partnercenter.lib.money import LARGEST_AMOUNT, from_cents, to_cents
from partnercenter.lib.sql import array_param
from partnercenter.models import BudgetType, Partner, User
from tests import factories
from tests.pages import follow_links, get_page
from tests.sql import run_sql
from tests.test_row_updates import assert_row_updates

pytestmark = pytest.mark.clock("2026-09-15 02:00")

NOW = factories.moment("2026-09-15 02:00")
LARGEST = to_cents(LARGEST_AMOUNT)
# The largest total in cents that a report may state.
LARGEST_TOTAL = 10**15 - 1
RANKS_UP_TO_LARGEST = 7_368
# Few different amounts, amounts in one rank, and any amounts, in cents.
CENTS = st.one_of(
    st.sampled_from([0, 0, 1, -1, 2, 99_99, 100_00, -3_10, LARGEST_TOTAL, LARGEST_TOTAL - 1, -LARGEST_TOTAL]),
    st.integers(1_000_000, 1_000_020),
    st.integers(-1_000_020, -1_000_000),
    st.integers(-LARGEST_TOTAL, LARGEST_TOTAL),
)
BUDGETED = 34


# --- Ranks ------------------------------------------------------------------------------------------------------------


def ranks(amounts: list[int]) -> list[int]:
    """The ranks of amounts in cents, computed by the database."""
    values = "unnest(%s::bigint[]) AS value" if connection.vendor == "postgresql" else "json_each(%s)"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT value, {used_rank_sql('value')} FROM {values}", [array_param(amounts)])
        found = dict(cursor.fetchall())
    return [found[amount] for amount in amounts]


def test_a_higher_amount_never_has_a_lower_rank(db):
    """Around each amount at which a new rank begins, every amount for which the logarithm may round to either side."""
    for first in range(1, RANKS_UP_TO_LARGEST + 1, 500):
        begins = [round(exp(rank / 200)) for rank in range(first, min(first + 500, RANKS_UP_TO_LARGEST + 1))]
        around = (range(each - 3 - each // 10**14, each + 3 + each // 10**14) for each in begins)
        amounts = sorted({min(max(each, 0), LARGEST) for each in chain.from_iterable(around)})
        assert all(lower <= higher for lower, higher in pairwise(ranks(amounts)))
        assert ranks([-each for each in amounts]) == [-rank for rank in ranks(amounts)]


def test_only_the_amount_zero_has_the_rank_zero(db):
    assert ranks([-LARGEST, -2, -1, 0, 1, 2, LARGEST]) == [-RANKS_UP_TO_LARGEST, -219, -138, 0, 138, 219, 7368]


@pytest.mark.postgres
def test_a_report_of_ten_minutes_later_changes_no_rank_of_most_budgets(acme, ann):
    customers = factories.customers(acme, 20)
    factories.budget(customers, ann, "10000")
    factories.report(*[(each, "2026-09", f"{1000 + n}.00") for n, each in enumerate(customers)])
    before = dict(Budget.objects.values_list("pk", "used_rank"))
    with assert_row_updates("budgets_budget", 20):
        factories.report(*[(each, "2026-09", f"{1000 + n}.50") for n, each in enumerate(customers)])
    changed = [pk for pk, rank in Budget.objects.values_list("pk", "used_rank") if rank != before[pk]]
    assert len(changed) <= 4


# --- Pages ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def customers(dora_distribution: Partner, acme: Partner, borealis: Partner, ann: User, carl: User) -> list[Customer]:
    """39 customers of three resellers, of which one is restricted and one frozen; five have no budget."""
    frozen = factories.reseller(dora_distribution, "frozen-reseller")
    olaf = factories.user("olaf", frozen)
    budgeted, without_budget = [], []
    with time_machine.travel(NOW, tick=False):
        for partner, operator, number in ((acme, ann, 22), (borealis, carl, 8), (frozen, olaf, 4)):
            theirs = factories.customers(partner, number)
            factories.budget(theirs[::3], operator, "100", BudgetType.MONTHLY)
            factories.budget(theirs[1::3], operator, "100", account_freezing=AccountFreezing.MANUAL)
            factories.budget(theirs[2::3], operator, "250", account_freezing=AccountFreezing.MANUAL, unfreeze=False)
            budgeted += theirs
        without_budget = [*factories.customers(acme, 4), *factories.customers(borealis, 1)]
        set_partner_status(borealis, status=Partner.Status.RESTRICTED, reason="Unpaid", operator=None)
        set_partner_status(frozen, status=Partner.Status.FROZEN, reason="Unpaid", operator=None)
    assert len(budgeted) == BUDGETED
    return budgeted + without_budget


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cents=st.lists(CENTS, min_size=BUDGETED, max_size=BUDGETED),
    sort=st.sampled_from(["used", "-used"]),
    filters=st.sampled_from(["", "status=FROZEN", "status=NORMAL", "status=EXHAUSTED", "budget_type=MONTHLY", "q=acc"]),
    is_distributor=st.booleans(),
    is_merged=st.booleans(),
    is_collected=st.booleans(),
)
def test_pages_forward_and_backward_are_in_the_order_of_the_amounts(
    customers, ann, dora, sign_in, cents, sort, filters, is_distributor, is_merged, is_collected
):
    set_used(customers, cents)
    client = sign_in(dora if is_distributor else ann)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pagination, "NUMBERED_PAGES", 1)
        patch.setattr(ordering, "MERGE_LIMIT", 100 if is_merged else 1)
        if not is_collected:
            patch.setattr(customer_list, "estimated_rows", lambda _rows: 10**6)
            patch.setattr(customer_list, "COUNT_CAP", 3)
        matching = set(follow_links(client, f"?{filters}&size=100", "next")[0])
        expected = [each for each in sorted_by_used(descending=sort == "-used") if each in matching]
        query = f"?sort={sort}&{filters}&size=10"
        assert joined(follow_links(client, query, "next")) == expected
        assert joined(pages_backward(client, query)) == expected


def set_used(customers: list[Customer], cents: list[int]) -> None:
    """Let a report set what the budgets have used."""
    amounts = [str(from_cents(each)) for each in cents]
    factories.report(*[(each, "2026-09", total) for each, total in zip(customers, amounts, strict=False)])
    assert list(Budget.objects.order_by("pk").values_list("used", flat=True)) == [Decimal(each) for each in amounts]


def sorted_by_used(*, descending: bool) -> list[str]:
    """All customer IDs sorted by Python: by amount and key, then those without a budget by key."""
    customers = list(Customer.objects.select_related("budget").order_by("pk"))
    budgeted = [each for each in customers if hasattr(each, "budget")]
    others = [each for each in customers if not hasattr(each, "budget")]
    budgeted.sort(key=lambda each: (each.budget.used, each.pk), reverse=descending)
    others.sort(key=lambda each: each.pk, reverse=descending)
    return [each.customer_id for each in budgeted + others]


def pages_backward(client: Client, query: str) -> list[list[str]]:
    """The pages that the links lead to from the last page back to the first, in the order of the list."""
    last = query
    while following := get_page(client, last)[1].next:
        last = following
    return follow_links(client, last, "previous")[::-1]


def joined(pages: Iterable[list[str]]) -> list[str]:
    return list(chain.from_iterable(pages))


@pytest.mark.parametrize("value", ["0.01", "0", "-0", "-0.01", "100", "9999999999999.99", "-9999999999999.99"])
@pytest.mark.parametrize("sort", ["used", "-used"])
def test_a_cursor_may_name_an_amount_and_a_key_that_no_customer_has(sort, value, customers, ann, client):
    cents = [0, -1, 1, 100_00, 100_01, LARGEST_TOTAL, -LARGEST_TOTAL] * 5
    set_used(customers, cents[:BUDGETED])
    used = {each.customer_id: (each.budget.used, each.pk) for each in Customer.objects.filter(budget__isnull=False)}
    mine = [each for each in sorted_by_used(descending=sort == "-used") if each.startswith("id-")]
    visible = set(follow_links(client, "?size=100", "next")[0])
    at = (Decimal(value), customers[8].pk)
    later = [
        each
        for each in mine
        if each in visible and (each not in used or (used[each] < at if sort == "-used" else used[each] > at))
    ]
    ids, _page = get_page(client, f"?sort={sort}&size=100&after={value}~{customers[8].pk}")
    assert ids == later


# --- Plans ------------------------------------------------------------------------------------------------------------


@pytest.mark.postgres
@pytest.mark.parametrize("sort", ["used", "-used"])
def test_pages_by_estimate_follow_the_index_and_sort_one_rank_at_a_time(sort, acme, ann):
    factories.bulk_customers(acme, 3_000)
    everyone = Customer.objects.order_by("pk")
    factories.budget(everyone, ann, "300", account_freezing=AccountFreezing.MANUAL)
    totals = [(n - 1_000) / 10 if n < 700 else max(n - 1_300, 0) / 10 for n in range(3_000)]
    factories.report(*[(each, "2026-09", f"{total:.2f}") for each, total in zip(everyone, totals, strict=True)])
    run_sql("ANALYZE budgets_budget")
    key = everyone[1_500].pk
    for segment in CustomerList({"sort": sort}, ann).ordered().segments[:3]:
        value = Decimal(60 * (segment.sign or 0))
        for plan in (plan_of(segment), plan_of(segment, after=segment.values_at(value, key))):
            assert "using budget_state_used_rank" in plan
            assert ("Incremental Sort" in plan) == (segment.sign != 0)


def plan_of(segment: Segment, **position: Any) -> str:
    """The database's plan for a page of the segment."""
    with CaptureQueriesContext(connection) as captured:
        segment.keys(51, **position)
    *_same_amount, query = captured.captured_queries
    return "\n".join(line for (line,) in run_sql(f"EXPLAIN {query['sql']}"))
