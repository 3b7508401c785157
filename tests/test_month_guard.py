"""The billing month moves by itself one step only, and only if both clocks agree; the platform can move it further.

See rule 3.14 (docs/rules.md).
"""

from datetime import datetime
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from budgets.actions.billing_month import current_month
from budgets.models import AdjustmentRecord, BillingMonth, Budget, ReportImport
from customers.models import AccountFreezing, Customer, FreezeRecord
from partnercenter.models import BudgetType, Channel
from tests import factories
from tests.commands import run_command
from tests.invariants import check_invariants

pytestmark = pytest.mark.clock("2026-09-20 04:00")

OCTOBER, FEBRUARY = factories.moment("2026-10-01 04:00"), factories.moment("2027-02-10 04:00")
STRIP = "By the clock a later billing month has begun"


@pytest.fixture
def customer(acme, ann) -> Customer:
    """A customer with a monthly budget of 100, of which 30 is used in September."""
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100", BudgetType.MONTHLY)
    factories.report((customer, "2026-09", "30"))
    return customer


def set_database_clock(monkeypatch, at: datetime) -> None:
    monkeypatch.setattr("budgets.actions.billing_month.database_now", lambda: at)


def month_of_budgets() -> set[int]:
    return set(Budget.objects.values_list("counted_from", flat=True))


def test_the_next_month_begins_by_itself(customer, ann, clock, sign_in):
    clock.move_to(OCTOBER)
    assert STRIP not in sign_in(ann).get("/customers/").content.decode()
    assert month_of_budgets() == {202610}


def test_a_clock_months_ahead_restores_nothing_and_the_pages_say_so(customer, ann, clock, sign_in):
    clock.move_to(FEBRUARY)
    page = sign_in(ann).get("/customers/").content.decode()
    assert STRIP in page
    assert current_month() == 202609
    assert month_of_budgets() == {202609}
    assert factories.stored(customer).used == 30


def test_in_the_marked_month_budgets_can_still_be_set_and_reports_imported(customer, ann, clock):
    clock.move_to(FEBRUARY)
    factories.budget(customer, ann, "200", BudgetType.MONTHLY)
    factories.report((customer, "2026-09", "40"), (customer, "2027-02", "7"))
    assert (factories.stored(customer).amount, factories.stored(customer).used) == (200, 40)
    check_invariants()


def test_a_clock_that_runs_ahead_of_the_databases_restores_nothing(customer, clock, monkeypatch):
    set_database_clock(monkeypatch, factories.moment("2026-09-20 04:00"))
    clock.move_to(OCTOBER)
    assert current_month() == 202609
    with pytest.raises(CommandError, match="By the clock it is 2026-10, but the budgets are in 2026-09"):
        run_command("restore_budgets")
    assert month_of_budgets() == {202609}
    set_database_clock(monkeypatch, OCTOBER)
    assert current_month() == 202610


def test_the_command_says_how_to_take_a_longer_step_and_takes_it(customer, clock):
    clock.move_to(FEBRUARY)
    with pytest.raises(CommandError, match="restore_budgets --to 2027-02"):
        run_command("restore_budgets")
    assert run_command("restore_budgets", "--to", "2027-02").startswith("2027-02: 1 budgets restored")
    assert month_of_budgets() == {202702}
    assert factories.stored(customer).used == 0
    check_invariants()


@pytest.mark.parametrize("month", ["2026-10", "2027-01"])
def test_a_month_that_has_not_begun_is_refused(customer, month):
    with pytest.raises(CommandError, match=f"The month {month} has not begun"):
        run_command("restore_budgets", "--to", month)
    assert month_of_budgets() == {202609}


def test_going_back_needs_a_confirmation(customer, clock):
    clock.move_to(OCTOBER)
    current_month()
    with pytest.raises(CommandError, match="add --confirm"):
        run_command("restore_budgets", "--to", "2026-09")
    assert month_of_budgets() == {202610}


def test_going_back_counts_anew_leaves_records_and_freezes_and_lists_what_was_unfrozen(acme, ann, customer, clock):
    one_time, lifted, used_up = factories.customers(acme, 3)
    factories.budget(one_time, ann, "100", BudgetType.ONE_TIME)
    factories.budget(lifted, ann, "100", BudgetType.MONTHLY, unfreeze_on_restore=True)
    factories.report((one_time, "2026-09", "10"), (one_time, "2026-10", "5"), (lifted, "2026-09", "100"))
    factories.report((lifted, "2026-09", "90"))
    # A clock that is wrong by a month.
    clock.move_to(OCTOBER)
    run_command("restore_budgets")
    factories.budget(used_up, ann, "50", BudgetType.MONTHLY, AccountFreezing.AUTOMATIC)
    factories.report((used_up, "2026-09", "60"))
    assert factories.stored(one_time).used == 15
    assert not factories.fresh(used_up).is_frozen
    clock.move_to(factories.moment("2026-09-20 05:00"))
    output = run_command("restore_budgets", "--to", "2026-09", "--confirm")
    assert BillingMonth.objects.get().month == 202609
    assert month_of_budgets() == {202609}
    used = {each: factories.stored(each).used for each in (customer, one_time, lifted, used_up)}
    assert used == {customer: Decimal(30), one_time: Decimal(10), lifted: Decimal(90), used_up: Decimal(60)}
    assert factories.fresh(used_up).is_frozen
    assert not factories.fresh(lifted).is_frozen
    assert "  " + lifted.customer_id in output.splitlines()
    records = AdjustmentRecord.objects.filter(channel=Channel.SYSTEM, counted_from_before=202610)
    assert {record.customer for record in records} == {customer, lifted, used_up}
    assert {(record.counted_from_after, record.operator_name) for record in records} == {(202609, "system")}
    assert FreezeRecord.objects.filter(customer=used_up).latest("pk").channel == Channel.SYSTEM
    check_invariants()


def test_going_back_is_refused_while_a_report_is_being_imported(customer, clock):
    clock.move_to(OCTOBER)
    current_month()
    ReportImport.objects.update(state=ReportImport.State.APPLYING)
    with pytest.raises(CommandError, match="A report is being imported"):
        run_command("restore_budgets", "--to", "2026-09", "--confirm")
    assert month_of_budgets() == {202610}


def test_check_budgets_tells_when_the_month_lies_ahead_of_the_clock(customer, clock):
    clock.move_to(OCTOBER)
    current_month()
    clock.move_to(factories.moment("2026-09-20 05:00"))
    errors = StringIO()
    with pytest.raises(CommandError, match="1 differences"):
        call_command("check_budgets", stderr=errors)
    assert "The billing month is 2026-10, but by the clock it is 2026-09" in errors.getvalue()
