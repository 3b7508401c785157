"""What happens at once on PostgreSQL: reports, budgets, associations and the month, in a forced order.

Each test stops one action between its reading and its writing and lets another run into it.
"""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import connection

from budgets.actions.account_state import unfreeze_accounts
from budgets.actions.association import associate_customers
from budgets.actions.billing_month import current_month, restore_budgets
from budgets.models import Budget, Expenditure
from customers.files import NewCustomer
from customers.models import Customer, FreezeOrigin, FreezeRecord
from partnercenter.actions.authorship import Author
from partnercenter.lib.errors import LockTimeout
from partnercenter.lib.transactions import lock_keys, write_transaction
from partnercenter.models import BudgetType, Channel
from tests import factories
from tests.concurrency.threads import overtake, stop_after, stop_before

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

BUDGET_IS_READ = "budgets.actions.set_budgets._write_budgets"
REPORT_IS_COMPARED = "budgets.actions.import_report._apply"
REPORT_HAS_MOVED_USED = "budgets.actions.import_report.freeze_exhausted"
IS_ASSOCIATED = "budgets.actions.association._associate"
BUDGETS_ARE_RESTORED = "budgets.actions.billing_month.update_used"
SEPTEMBER = datetime(2026, 9, 15, 10, tzinfo=UTC)
OCTOBER = datetime(2026, 10, 1, 10, tzinfo=UTC)


def thawed(partner) -> Customer:
    """A customer whose account is not frozen, without a budget."""
    customer = factories.customer(partner)
    with write_transaction():
        lock_keys(Customer.objects.filter(pk=customer.pk))
        author = Author(None, Channel.SYSTEM, SEPTEMBER)
        unfreeze_accounts(Customer.objects.filter(pk=customer.pk), author=author)
    return customer


def frozen_by_budget(customer) -> int:
    """How often the customer's account was frozen because a budget was used up."""
    return FreezeRecord.objects.filter(customer=customer, origin_after=FreezeOrigin.BUDGET_EXHAUSTED).count()


def used(customer) -> Decimal:
    return factories.stored(customer).used


def reporting(*lines, **more):
    """Importing a report, as something to be done by a thread."""
    return lambda: factories.report(*lines, **more)


def setting(customers, operator, amount, *args, **more):
    """Setting budgets, as something to be done by a thread."""
    return lambda: factories.budget(customers, operator, amount, *args, **more)


def test_the_same_report_taken_in_twice_at_once_counts_once_and_freezes_once(acme, ann, monkeypatch):
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100")
    factories.report((customer, "2026-09", "60"))
    same = reporting((customer, "2026-09", "150"), at=datetime.now(UTC))
    first, second = overtake(same, same, stop=stop_before(monkeypatch, REPORT_IS_COMPARED))
    assert (first.changed, first.frozen) == (1, 1)
    assert (second.report, second.changed, second.frozen) == (None, 0, 0)
    assert used(customer) == Decimal("150.00")
    assert frozen_by_budget(customer) == 1


def test_an_older_report_that_comes_while_a_newer_is_taken_in_is_ignored(acme, ann, monkeypatch):
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100")
    newer = reporting((customer, "2026-09", "40"), at=factories.moment("2026-09-15 09:00"))
    older = reporting((customer, "2026-09", "30"), at=factories.moment("2026-09-15 08:00"))
    _newer, second = overtake(newer, older, stop=stop_before(monkeypatch, REPORT_IS_COMPARED))
    assert second.older == 1
    assert used(customer) == Decimal("40.00")


@pytest.mark.parametrize("total", ["30", "250"])
def test_a_report_that_comes_while_budgets_are_set_is_not_lost(acme, ann, monkeypatch, total):
    customers = factories.customers(acme, 3)
    factories.budget(customers, ann, "100")
    report = reporting(*[(customer, "2026-09", total) for customer in customers])
    outcome, taken = overtake(setting(customers, ann, "200"), report, stop=stop_before(monkeypatch, BUDGET_IS_READ))
    assert (outcome.changed, taken.changed) == (3, 3)
    assert [used(customer) for customer in customers] == [Decimal(total)] * 3
    assert [frozen_by_budget(customer) for customer in customers] == [int(total == "250")] * 3


@pytest.mark.parametrize("total", ["30", "250"])
def test_budgets_set_while_a_report_is_taken_in_know_what_it_says(acme, ann, monkeypatch, total):
    customers = factories.customers(acme, 3)
    factories.budget(customers, ann, "100")
    report = reporting(*[(customer, "2026-09", total) for customer in customers])
    budgets = setting(customers, ann, "200", BudgetType.MONTHLY, unfreeze=False)
    taken, outcome = overtake(report, budgets, stop=stop_before(monkeypatch, REPORT_HAS_MOVED_USED))
    assert (taken.changed, outcome.changed) == (3, 3)
    assert [used(customer) for customer in customers] == [Decimal(total)] * 3
    assert [frozen_by_budget(customer) for customer in customers] == [int(total == "250")] * 3


def test_of_two_budgets_set_at_once_the_later_replaces_the_former(sol_solutions, sol, monkeypatch):
    # A solution provider has no grant to queue on: only the customer's own row keeps the two apart.
    customer = factories.customer(sol_solutions)
    one, other = setting(customer, sol, "100"), setting(customer, sol, "200")
    overtake(one, other, stop=stop_before(monkeypatch, BUDGET_IS_READ))
    assert factories.stored(customer).amount == Decimal("200.00")
    records = list(customer.adjustment_records.order_by("pk").values_list("amount_before", "amount_after"))
    assert records == [(None, Decimal("100.00")), (Decimal("100.00"), Decimal("200.00"))]


def test_a_report_that_comes_while_a_first_budget_is_set_is_counted_by_it(acme, ann, monkeypatch):
    customer = thawed(acme)
    report = reporting((customer, "2026-09", "150"))
    overtake(setting(customer, ann, "100"), report, stop=stop_before(monkeypatch, BUDGET_IS_READ))
    assert used(customer) == Decimal("150.00")
    assert frozen_by_budget(customer) == 1


def test_a_first_budget_set_while_a_report_is_taken_in_counts_it(acme, ann, monkeypatch):
    customer = thawed(acme)
    report = reporting((customer, "2026-09", "150"))
    budget = setting(customer, ann, "100", unfreeze=False)
    _taken, outcome = overtake(report, budget, stop=stop_before(monkeypatch, REPORT_HAS_MOVED_USED))
    assert outcome.frozen == 1
    assert used(customer) == Decimal("150.00")
    assert frozen_by_budget(customer) == 1


def associating(partner, customer_id):
    newcomer = NewCustomer(customer_id=customer_id, account_name="late", name="Late Comer", partner=partner)
    return lambda: associate_customers([newcomer])


@pytest.fixture
def settled(db):
    """The month is known before anybody acts: no thread is the first to ask for it."""
    current_month()


def test_expenditure_reported_before_its_customer_is_associated_is_claimed(acme, ann, monkeypatch, settled):
    report, association = reporting(("late", "2026-09", "70")), associating(acme, "late")
    overtake(report, association, stop=stop_before(monkeypatch, REPORT_IS_COMPARED))
    is_theirs_and_counts("70.00", ann)


def test_expenditure_reported_while_its_customer_is_associated_is_theirs(acme, ann, monkeypatch, settled):
    report, association = reporting(("late", "2026-09", "70")), associating(acme, "late")
    _number, taken = overtake(association, report, stop=stop_after(monkeypatch, IS_ASSOCIATED))
    assert (taken.unknown, taken.customers) == (0, 1)
    is_theirs_and_counts("70.00", ann)


def is_theirs_and_counts(total, operator) -> None:
    """What was reported for "late" belongs to that customer, and its first budget counts it."""
    late = Customer.objects.get(customer_id="late")
    assert [each.total for each in Expenditure.objects.filter(customer=late)] == [Decimal(total)]
    factories.budget(late, operator, "100")
    assert used(late) == Decimal(total)


def test_a_first_monthly_budget_set_as_the_month_turns_is_restored_too(acme, ann, monkeypatch, clock):
    customer, stop = factories.customer(acme), stop_before(monkeypatch, BUDGET_IS_READ)
    factories.report((customer, "2026-09", "30"))

    def restore():
        clock.move_to(OCTOBER)
        return restore_budgets()

    _outcome, restored = overtake(setting(customer, ann, "100", BudgetType.MONTHLY), restore, stop=stop)
    assert (restored.month, restored.restored) == (202610, 1)
    assert (factories.stored(customer).counted_from, used(customer)) == (202610, Decimal(0))


def test_a_first_monthly_budget_set_while_budgets_are_restored_counts_the_new_month(acme, ann, monkeypatch, clock):
    customer = factories.customer(acme)
    factories.report((customer, "2026-09", "30"))
    clock.move_to(OCTOBER)

    def set_by_a_slower_clock():
        # Where this action runs it is still September; what counts is the month that budgets are counted for.
        clock.move_to(datetime(2026, 9, 30, 15, 59, tzinfo=UTC))
        return factories.budget(customer, ann, "100", BudgetType.MONTHLY)

    # After the budgets were looked for, before the month is moved on.
    overtake(restore_budgets, set_by_a_slower_clock, stop=stop_after(monkeypatch, BUDGETS_ARE_RESTORED))
    assert (factories.stored(customer).counted_from, used(customer)) == (202610, Decimal(0))


def test_of_twelve_who_ask_first_in_a_new_month_one_restores(acme, ann, monkeypatch, clock):
    monthly, one_time = factories.customers(acme, 2)
    factories.budget(monthly, ann, "100", BudgetType.MONTHLY)
    factories.budget(one_time, ann, "100", BudgetType.ONE_TIME)
    factories.report(*[(each, month, "30") for each in (monthly, one_time) for month in ("2026-09", "2026-10")])
    clock.move_to(OCTOBER)
    stop = stop_before(monkeypatch, BUDGETS_ARE_RESTORED)
    assert overtake(*[current_month] * 12, stop=stop) == [202610] * 12
    assert (used(monthly), used(one_time)) == (Decimal("30.00"), Decimal("60.00"))


def hurried(act):
    """The same action, whose ten seconds of waiting are over at once."""

    def hurry(execute, sql, params, many, context):
        return execute(sql.replace("lock_timeout = '10s'", "lock_timeout = '50ms'"), params, many, context)

    def acting():
        with connection.execute_wrapper(hurry):
            return act()

    return acting


def test_somebody_who_waits_too_long_for_a_report_is_told_so_and_nothing_is_changed(acme, ann, monkeypatch):
    customer = thawed(acme)
    waiting = [
        setting(customer, ann, "100"),
        reporting((customer, "2026-09", "90")),
        associating(acme, "late"),
    ]
    stop = stop_before(monkeypatch, REPORT_HAS_MOVED_USED)
    report = reporting((customer, "2026-09", "30"))
    taken, *told = overtake(report, *map(hurried, waiting), stop=stop, until_they_end=True)
    assert taken.changed == 1
    assert [type(each) for each in told] == [LockTimeout] * 3
    assert all("A report is being imported" in each.message for each in told)
    assert not Budget.objects.exists()
    assert not Customer.objects.filter(customer_id="late").exists()
    assert [each.total for each in Expenditure.objects.all()] == [Decimal("30.00")]


def test_an_action_waits_ten_seconds_for_another():
    with write_transaction(), connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("10s",)
