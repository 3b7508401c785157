"""What a batch costs the database: a row is written once, whatever is set of it; and it may be of any size."""

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

# Not while a month turns: what restores is written once more.
pytestmark = pytest.mark.clock("2026-09-20 04:00", tick=True)

MONTHLY = BudgetType.MONTHLY
# What a path, a pattern, a number or a text of JSON could be taken for.
STRANGE = ["0", "[0]", "$", "$.a", 'a"b', "a'b", "a\\b", "100%", "{select}", "客户", "k", "null"]


@contextmanager
def versions(table: str, number: int) -> Iterator[None]:
    """So many versions of its rows are written by UPDATE meanwhile."""

    def updated() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_get_xact_tuples_updated(%s::regclass)", [table])
            return int(cursor.fetchone()[0])

    before = updated()
    yield
    assert updated() - before == number


def set_to(customers: list[Customer], amount: str, operator: User, *, freezing: str = "MANUAL", unfreeze: bool) -> None:
    chosen = Customer.objects.filter(pk__in_array=[each.pk for each in customers])
    terms = BudgetTerms(MONTHLY, Decimal(amount), AccountFreezing(freezing))
    set_budgets(chosen, terms, operator=operator, unfreeze=unfreeze)
    assert list(differences()) == []


@pytest.mark.postgres
def test_a_first_budget_that_unfreezes_writes_each_customer_once(acme, ann):
    three = factories.customers(acme, 3)
    with versions("customers_customer", 3):
        set_to(three, "100", ann, unfreeze=True)


@pytest.mark.postgres
def test_a_budget_that_is_used_up_at_once_and_freezes_writes_each_customer_once(acme, ann):
    three = factories.customers(acme, 3)
    factories.budget(three, ann, "100")
    factories.report(*[(each, month_name(current_month()), "50") for each in three])
    with versions("customers_customer", 3):
        set_to(three, "40", ann, freezing="AUTOMATIC", unfreeze=False)
    assert Customer.objects.frozen().count() == 3


@pytest.mark.postgres
def test_another_amount_writes_each_budget_once_and_no_customer(acme, ann):
    three = factories.customers(acme, 3)
    factories.budget(three, ann, "100", MONTHLY)
    with versions("customers_customer", 0), versions("budgets_budget", 3):
        set_to(three, "200", ann, unfreeze=False)


def test_a_budget_above_what_is_used_is_no_longer_listed_as_used_up_and_below_it_again(acme, ann):
    three = factories.customers(acme, 3)
    factories.budget(three, ann, "100", MONTHLY)
    factories.report(*[(each, month_name(current_month()), "50") for each in three])
    for amount, state in (("40", AccountFlags.MONTHLY | AccountFlags.EXHAUSTED), ("60", AccountFlags.MONTHLY)):
        set_to(three, amount, ann, unfreeze=False)
        assert set(Customer.objects.values_list("state", flat=True)) == {state}


def test_first_and_former_budgets_are_set_in_one_batch(acme, ann):
    one, two, three, four = factories.customers(acme, 4)
    factories.budget([one, two], ann, "100", MONTHLY)
    factories.budget(three, ann, "100", BudgetType.ONE_TIME)
    set_to([one, two, three, four], "200", ann, unfreeze=True)
    assert list(Budget.objects.values_list("amount", "budget_type").distinct()) == [(Decimal(200), MONTHLY)]


def test_any_customer_id_gets_the_amount_that_was_given_to_it(acme, ann):
    for each in STRANGE:
        factories.customer(acme, each)
    batch = review_budgets(Customer.objects.all(), BudgetTerms(MONTHLY, Decimal(1)), operator=ann, unfreeze=False)
    amounts = {each: Decimal(number) for number, each in enumerate(STRANGE, 10)}
    edited = edit_review(batch, leave_out=["k"], amounts={name: each for name, each in amounts.items() if name != "0"})
    found = dict(edited.reviewed.values_list("customer__customer_id", "amount"))
    assert found == amounts | {"0": Decimal(1)}
    assert [row.customer.customer_id for row in left_out(edited)] == ["k"]


def left_out(batch: Operation) -> list[ReviewItem]:
    return list(batch.reviewed.filter(left_out=ExclusionReason.BY_OPERATOR).select_related("customer"))


@pytest.mark.postgres
def test_the_database_is_told_of_very_many_rows_where_it_knew_of_few(db, monkeypatch):
    def told(number: int) -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            sql.analyze_tables(number, Budget)
        return [each["sql"] for each in captured if each["sql"].startswith("ANALYZE")]

    assert told(sql.ANALYZE_THRESHOLD) == ['ANALYZE "budgets_budget"']
    assert told(sql.ANALYZE_THRESHOLD - 1) == []
    monkeypatch.setattr(sql, "ANALYZE_FACTOR", -1)
    assert told(sql.ANALYZE_THRESHOLD) == []
