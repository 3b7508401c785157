"""Set Budget writes each row once, whatever it changes, and works for any customer ID and any number of rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from budgets.actions.billing_month import current_month
from budgets.actions.review_edits import edit_review
from budgets.actions.reviews import review_budgets
from budgets.actions.set_budgets import set_budgets
from budgets.actions.terms import BudgetTerms
from budgets.models import Budget
from budgets.months import month_name
from budgets.queries.integrity import differences
from customers.models import AccountFlags, AccountFreezing, Customer, ExclusionReason, ReviewItem
from partnercenter.lib import sql
from partnercenter.models import BudgetType, Operation, User
from tests import factories
from tests.factories import queryset_of

# In the middle of a month: a month restore writes budgets once more.
pytestmark = pytest.mark.clock("2026-09-20 04:00", tick=True)

MONTHLY = BudgetType.MONTHLY
# IDs that could be mistaken for a path, a pattern, a number or another value of JSON.
ODD_IDS = ["0", "[0]", "$", "$.a", 'a"b', "a'b", "a\\b", "100%", "{select}", "客户", "k", "null"]


@contextmanager
def assert_row_updates(table: str, number: int) -> Iterator[None]:
    """Check that UPDATE statements in this block write this many rows of a table."""

    def updated_rows() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_get_xact_tuples_updated(%s::regclass)", [table])
            return int(cursor.fetchone()[0])

    before = updated_rows()
    yield
    assert updated_rows() - before == number


def set_monthly(
    customers: list[Customer], amount: str, operator: User, *, freezing: str = "MANUAL", unfreeze: bool
) -> None:
    """Set a monthly budget, and check that all stored figures equal the derived ones."""
    terms = BudgetTerms(MONTHLY, Decimal(amount), AccountFreezing(freezing))
    set_budgets(queryset_of(customers), terms, operator=operator, unfreeze=unfreeze)
    assert list(differences()) == []


@pytest.mark.postgres
def test_a_first_budget_that_unfreezes_writes_each_customer_once(acme, ann):
    three = factories.customers(acme, 3)
    with assert_row_updates("customers_customer", 3):
        set_monthly(three, "100", ann, unfreeze=True)


@pytest.mark.postgres
def test_a_budget_that_is_exhausted_immediately_and_freezes_writes_each_customer_once(acme, ann):
    three = factories.customers(acme, 3)
    factories.budget(three, ann, "100")
    factories.report(*[(each, month_name(current_month()), "50") for each in three])
    with assert_row_updates("customers_customer", 3):
        set_monthly(three, "40", ann, freezing="AUTOMATIC", unfreeze=False)
    assert Customer.objects.frozen().count() == 3


@pytest.mark.postgres
def test_another_amount_writes_each_budget_once_and_no_customer(acme, ann):
    three = factories.customers(acme, 3)
    factories.budget(three, ann, "100", MONTHLY)
    with assert_row_updates("customers_customer", 0), assert_row_updates("budgets_budget", 3):
        set_monthly(three, "200", ann, unfreeze=False)


def test_the_exhausted_flag_follows_the_amount_of_the_budget(acme, ann):
    three = factories.customers(acme, 3)
    factories.budget(three, ann, "100", MONTHLY)
    factories.report(*[(each, month_name(current_month()), "50") for each in three])
    for amount, state in (("40", AccountFlags.MONTHLY | AccountFlags.EXHAUSTED), ("60", AccountFlags.MONTHLY)):
        set_monthly(three, amount, ann, unfreeze=False)
        assert set(Customer.objects.values_list("state", flat=True)) == {state}


def test_first_and_later_budgets_are_set_in_one_batch(acme, ann):
    one, two, three, four = factories.customers(acme, 4)
    factories.budget([one, two], ann, "100", MONTHLY)
    factories.budget(three, ann, "100", BudgetType.ONE_TIME)
    set_monthly([one, two, three, four], "200", ann, unfreeze=True)
    assert list(Budget.objects.values_list("amount", "budget_type").distinct()) == [(Decimal(200), MONTHLY)]


def test_edited_amounts_reach_the_right_customer_for_any_customer_id(acme, ann):
    for each in ODD_IDS:
        factories.customer(acme, each)
    batch = review_budgets(Customer.objects.all(), BudgetTerms(MONTHLY, Decimal(1)), operator=ann, unfreeze=False)
    amounts = {each: Decimal(number) for number, each in enumerate(ODD_IDS, 10)}
    edited = edit_review(batch, exclude=["k"], amounts={name: each for name, each in amounts.items() if name != "0"})
    reviewed = dict(edited.reviewed.values_list("customer__customer_id", "amount"))
    assert reviewed == amounts | {"0": Decimal(1)}
    assert [row.customer.customer_id for row in excluded_items(edited)] == ["k"]


def excluded_items(batch: Operation) -> list[ReviewItem]:
    return list(batch.reviewed.filter(left_out=ExclusionReason.BY_OPERATOR).select_related("customer"))


@pytest.mark.postgres
def test_tables_are_analyzed_after_many_new_rows_where_statistics_are_out_of_date(db, monkeypatch):
    def analyzed(number: int) -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            sql.analyze_tables(number, Budget)
        return [each["sql"] for each in captured if each["sql"].startswith("ANALYZE")]

    assert analyzed(sql.ANALYZE_THRESHOLD) == ['ANALYZE "budgets_budget"']
    assert analyzed(sql.ANALYZE_THRESHOLD - 1) == []
    monkeypatch.setattr(sql, "ANALYZE_FACTOR", -1)
    assert analyzed(sql.ANALYZE_THRESHOLD) == []
