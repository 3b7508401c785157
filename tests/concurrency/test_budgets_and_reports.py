"""Setting budgets, importing reports, associating and restoring the month at the same time (on PostgreSQL)."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import connection

from budgets.actions.account_state import unfreeze_accounts
from budgets.actions.association import associate_customers
from budgets.actions.billing_month import current_month, restore_budgets
from budgets.actions.derived_figures import fill_derived
from budgets.models import Budget, Expenditure
from budgets.queries.integrity import differences
from customers.files import NewCustomer
from customers.models import Customer, FreezeOrigin, FreezeRecord
from partnercenter.actions.authorship import Author
from partnercenter.lib.errors import LockTimeout
from partnercenter.lib.transactions import lock_keys, write_transaction
from partnercenter.models import BudgetType, Channel, Partner
from tests import factories
from tests.concurrency.actions import FREEZE_AFTER_REPORT, WRITE_BUDGETS, WRITE_REPORT, reporting, setting
from tests.concurrency.threads import Action, pause_after, pause_before, race

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

# To pause after: the customers are associated, and the transaction is not committed yet.
ASSOCIATE = "budgets.actions.association._associate"
# Budgets are being restored. Paused before: no budget is restored yet. Paused after: monthly budgets are restored, and
# the month is not moved on yet.
RESTORE = "budgets.actions.billing_month.update_used"
SEPTEMBER = datetime(2026, 9, 15, 10, tzinfo=UTC)
OCTOBER = datetime(2026, 10, 1, 10, tzinfo=UTC)


def unfrozen_customer(partner: Partner) -> Customer:
    """A customer whose account is not frozen, without a budget."""
    customer = factories.customer(partner)
    with write_transaction():
        lock_keys(Customer.objects.filter(pk=customer.pk))
        author = Author(None, Channel.SYSTEM, SEPTEMBER)
        unfreeze_accounts(Customer.objects.filter(pk=customer.pk), author=author)
    return customer


def count_freezes_by_budget(customer: Customer) -> int:
    """How often the customer's account was frozen because its budget was used up."""
    return FreezeRecord.objects.filter(customer=customer, origin_after=FreezeOrigin.BUDGET_EXHAUSTED).count()


def used(customer: Customer) -> Decimal:
    return factories.stored(customer).used


# --- Reports and budgets ----------------------------------------------------------------------------------------------


def test_a_report_imported_twice_at_the_same_time_counts_once_and_freezes_once(acme, ann, monkeypatch):
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100")
    factories.report((customer, "2026-09", "60"))
    same = reporting([customer], "150", at=datetime.now(UTC))
    first, second = race(same, same, pause=pause_before(monkeypatch, WRITE_REPORT))
    assert (first.changed, first.frozen) == (1, 1)
    assert (second.report, second.changed, second.frozen) == (None, 0, 0)
    assert used(customer) == Decimal("150.00")
    assert count_freezes_by_budget(customer) == 1


def test_an_older_report_imported_during_the_import_of_a_newer_one_is_ignored(acme, ann, monkeypatch):
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100")
    newer = reporting([customer], "40", at=factories.moment("2026-09-15 09:00"))
    older = reporting([customer], "30", at=factories.moment("2026-09-15 08:00"))
    _newer_result, older_result = race(newer, older, pause=pause_before(monkeypatch, WRITE_REPORT))
    assert older_result.older == 1
    assert used(customer) == Decimal("40.00")


@pytest.mark.parametrize("total", ["30", "250"])
def test_a_report_imported_while_budgets_are_set_is_counted(acme, ann, monkeypatch, total):
    customers = factories.customers(acme, 3)
    factories.budget(customers, ann, "100")
    pause = pause_before(monkeypatch, WRITE_BUDGETS)
    result, report = race(setting(customers, ann, "200"), reporting(customers, total), pause=pause)
    assert (result.changed, report.changed) == (3, 3)
    assert [used(customer) for customer in customers] == [Decimal(total)] * 3
    assert [count_freezes_by_budget(customer) for customer in customers] == [int(total == "250")] * 3


@pytest.mark.parametrize("total", ["30", "250"])
def test_budgets_set_during_an_import_count_its_totals(acme, ann, monkeypatch, total):
    customers = factories.customers(acme, 3)
    factories.budget(customers, ann, "100")
    budgets = setting(customers, ann, "200", BudgetType.MONTHLY, unfreeze=False)
    report, result = race(reporting(customers, total), budgets, pause=pause_before(monkeypatch, FREEZE_AFTER_REPORT))
    assert (report.changed, result.changed) == (3, 3)
    assert [used(customer) for customer in customers] == [Decimal(total)] * 3
    assert [count_freezes_by_budget(customer) for customer in customers] == [int(total == "250")] * 3


def test_filling_derived_figures_waits_for_a_report_and_uses_its_totals(acme, ann, monkeypatch, clock):
    clock.move_to(SEPTEMBER)
    customers = factories.customers(acme, 3)
    factories.budget(customers, ann, "100")
    factories.report(*[(customer, "2026-09", "30") for customer in customers])
    Budget.objects.update(used_rank=0, runs_out_on=None)
    pause = pause_before(monkeypatch, FREEZE_AFTER_REPORT)
    report, filled = race(reporting(customers, "60"), fill_derived, pause=pause)
    assert (report.changed, filled.corrected) == (3, 0)
    assert list(differences()) == []


def test_a_report_waits_for_the_derived_figures_that_are_being_filled(acme, ann, monkeypatch, clock):
    clock.move_to(SEPTEMBER)
    customers = factories.customers(acme, 3)
    factories.budget(customers, ann, "100")
    factories.report(*[(customer, "2026-09", "30") for customer in customers])
    Budget.objects.update(used_rank=0, runs_out_on=None)
    pause = pause_after(monkeypatch, "budgets.actions.derived_figures.lock_keys")
    filled, report = race(fill_derived, reporting(customers, "60"), pause=pause)
    assert (filled.corrected, report.changed) == (3, 3)
    assert list(differences()) == []


def test_of_two_budgets_set_at_the_same_time_the_later_replaces_the_earlier(sol_solutions, sol, monkeypatch):
    # A solution provider has no grant to lock, so only the lock of the customer's own row makes the later one wait.
    customer = factories.customer(sol_solutions)
    pause = pause_before(monkeypatch, WRITE_BUDGETS)
    race(setting(customer, sol, "100"), setting(customer, sol, "200"), pause=pause)
    assert factories.stored(customer).amount == Decimal("200.00")
    records = list(customer.adjustment_records.order_by("pk").values_list("amount_before", "amount_after"))
    assert records == [(None, Decimal("100.00")), (Decimal("100.00"), Decimal("200.00"))]


def test_a_report_imported_while_a_first_budget_is_set_is_counted(acme, ann, monkeypatch):
    customer = unfrozen_customer(acme)
    pause = pause_before(monkeypatch, WRITE_BUDGETS)
    race(setting(customer, ann, "100"), reporting([customer], "150"), pause=pause)
    assert used(customer) == Decimal("150.00")
    assert count_freezes_by_budget(customer) == 1


def test_a_first_budget_set_during_an_import_counts_its_total(acme, ann, monkeypatch):
    customer = unfrozen_customer(acme)
    budget = setting(customer, ann, "100", unfreeze=False)
    pause = pause_before(monkeypatch, FREEZE_AFTER_REPORT)
    _report, result = race(reporting([customer], "150"), budget, pause=pause)
    assert result.frozen == 1
    assert used(customer) == Decimal("150.00")
    assert count_freezes_by_budget(customer) == 1


# --- A report and an association --------------------------------------------------------------------------------------


def associating(partner: Partner, customer_id: str) -> Action:
    newcomer = NewCustomer(customer_id=customer_id, account_name="late", name="Late Comer", partner=partner)
    return lambda: associate_customers([newcomer])


@pytest.fixture
def month_exists(db):
    """Create the row of the billing month, so that no thread is the first to ask for it."""
    current_month()


def test_an_association_during_an_import_claims_the_expenditure(acme, ann, monkeypatch, month_exists):
    pause = pause_before(monkeypatch, WRITE_REPORT)
    race(reporting(["late"], "70"), associating(acme, "late"), pause=pause)
    assert_late_has_expenditure("70.00", ann)


def test_expenditure_imported_during_an_association_is_the_new_customers(acme, ann, monkeypatch, month_exists):
    pause = pause_after(monkeypatch, ASSOCIATE)
    _number, report = race(associating(acme, "late"), reporting(["late"], "70"), pause=pause)
    assert (report.unknown, report.customers) == (0, 1)
    assert_late_has_expenditure("70.00", ann)


def assert_late_has_expenditure(total, operator) -> None:
    """What was reported for "late" belongs to that customer, and its first budget counts it."""
    late = Customer.objects.get(customer_id="late")
    assert [each.total for each in Expenditure.objects.filter(customer=late)] == [Decimal(total)]
    factories.budget(late, operator, "100")
    assert used(late) == Decimal(total)


# --- The month restore ------------------------------------------------------------------------------------------------


def test_the_month_restore_includes_a_first_monthly_budget_that_is_being_set(acme, ann, monkeypatch, clock):
    customer, pause = factories.customer(acme), pause_before(monkeypatch, WRITE_BUDGETS)
    factories.report((customer, "2026-09", "30"))

    def restore_in_october():
        clock.move_to(OCTOBER)
        return restore_budgets()

    _result, restore = race(setting(customer, ann, "100", BudgetType.MONTHLY), restore_in_october, pause=pause)
    assert (restore.month, restore.restored) == (202610, 1)
    assert (factories.stored(customer).counted_from, used(customer)) == (202610, Decimal(0))


def test_a_first_monthly_budget_set_during_the_month_restore_counts_from_the_new_month(acme, ann, monkeypatch, clock):
    customer, restored = factories.customers(acme, 2)
    factories.budget(restored, ann, "100", BudgetType.MONTHLY)
    factories.report((customer, "2026-09", "30"))
    clock.move_to(OCTOBER)

    def set_with_a_slow_clock():
        # The clock of this process still shows September. What counts is the month of the month restore.
        clock.move_to(datetime(2026, 9, 30, 15, 59, tzinfo=UTC))
        return factories.budget(customer, ann, "100", BudgetType.MONTHLY)

    race(restore_budgets, set_with_a_slow_clock, pause=pause_after(monkeypatch, RESTORE))
    assert (factories.stored(customer).counted_from, used(customer)) == (202610, Decimal(0))


def test_twelve_simultaneous_requests_in_a_new_month_restore_budgets_once(acme, ann, monkeypatch, clock):
    monthly, one_time = factories.customers(acme, 2)
    factories.budget(monthly, ann, "100", BudgetType.MONTHLY)
    factories.budget(one_time, ann, "100", BudgetType.ONE_TIME)
    factories.report(*[(each, month, "30") for each in (monthly, one_time) for month in ("2026-09", "2026-10")])
    clock.move_to(OCTOBER)
    pause = pause_before(monkeypatch, RESTORE)
    assert race(*[current_month] * 12, pause=pause) == [202610] * 12
    assert (used(monthly), used(one_time)) == (Decimal("30.00"), Decimal("60.00"))


# --- Waiting for a lock -----------------------------------------------------------------------------------------------


def with_short_lock_timeout(action: Action) -> Action:
    """The same action, which waits for a lock for 50 milliseconds instead of ten seconds."""

    def shorten(execute: Callable, sql, params, many, context):
        return execute(sql.replace("lock_timeout = '10s'", "lock_timeout = '50ms'"), params, many, context)

    def run():
        with connection.execute_wrapper(shorten):
            return action()

    return run


def test_an_action_that_waits_too_long_for_a_report_is_refused_and_changes_nothing(acme, ann, monkeypatch):
    customer = unfrozen_customer(acme)
    waiting = [setting(customer, ann, "100"), reporting([customer], "90"), associating(acme, "late")]
    pause = pause_before(monkeypatch, FREEZE_AFTER_REPORT)
    report, *errors = race(
        reporting([customer], "30"), *map(with_short_lock_timeout, waiting), pause=pause, until_others_end=True
    )
    assert report.changed == 1
    assert [type(each) for each in errors] == [LockTimeout] * 3
    assert all("A report is being imported" in each.message for each in errors)
    assert not Budget.objects.exists()
    assert not Customer.objects.filter(customer_id="late").exists()
    assert [each.total for each in Expenditure.objects.all()] == [Decimal("30.00")]


def test_an_action_waits_at_most_ten_seconds_for_a_lock():
    with write_transaction(), connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("10s",)
