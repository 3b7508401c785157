"""The current month: when it begins, how the platform moves it, and how budgets follow it in steps.

See rule 3.14 (docs/rules.md).
"""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from budgets.actions import billing_month
from budgets.actions.association import disassociate_customers
from budgets.actions.billing_month import current_month, current_month_state, restore_customers
from budgets.actions.freeze_terms import FreezeRequest
from budgets.actions.manual_freeze import freeze_now, review_freeze
from budgets.models import AdjustmentRecord, Budget
from customers.models import Customer, FreezeKind, FreezeRecord
from partnercenter.lib.transactions import lock_keys, write_transaction
from partnercenter.models import BudgetType
from tests import factories
from tests.commands import run_command
from tests.invariants import check_invariants

pytestmark = pytest.mark.clock("2026-09-20 04:00")

MONTHLY = BudgetType.MONTHLY
OCTOBER, DECEMBER = "2026-10-01T04:00:00Z", "2026-12-05T04:00:00Z"


def monthly_customer(acme: Any, ann: Any, used: str = "60") -> Customer:
    """A customer with a monthly budget of 100, of which this is used in September, and 7 of the one of October."""
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100", MONTHLY, unfreeze_on_restore=True)
    factories.report((customer, "2026-09", used), (customer, "2026-10", "7"))
    return customer


def counts(customer: Customer) -> tuple[Any, ...]:
    budget = factories.stored(customer)
    return budget.counted_from, budget.counted_to, budget.used


def failed_command(*args: Any) -> str:
    """What a command says that ends with exit status 1."""
    errors = StringIO()
    with pytest.raises(CommandError) as error:
        call_command(*args, stdout=StringIO(), stderr=errors)
    assert error.value.returncode == 1
    return f"{errors.getvalue()}{error.value}"


# --- The month begins -------------------------------------------------------------------------------------------------


def test_the_month_begins_only_when_the_clocks_of_console_and_database_agree(acme, ann, clock, sign_in, monkeypatch):
    customer = monthly_customer(acme, ann)
    september = timezone.now()
    clock.move_to(OCTOBER)
    client = sign_in(ann)
    with monkeypatch.context() as patch:
        patch.setattr(billing_month, "database_now", lambda: september)
        page = client.get("/customers/").content.decode()
        assert "the clock of the database does not" in page
        assert "--to 2026-10" in failed_command("restore_budgets")
        assert counts(customer) == (202609, 202609, 60)
    assert "clock" not in client.get("/customers/").context["month_notice"]
    assert counts(customer) == (202610, 202610, 7)


def test_a_console_whose_clock_jumps_ahead_leaves_the_month_and_budgets_can_be_set(acme, ann, clock, sign_in):
    customer = monthly_customer(acme, ann)
    clock.jump_to(DECEMBER)
    client = sign_in(ann)
    for path in ("/customers/", "/", f"/budgets/set/?customer={customer.customer_id}"):
        assert "more than one month after 2026-09" in client.get(path).content.decode()
    factories.budget(customer, ann, "200", MONTHLY)
    assert counts(customer) == (202609, 202609, 60)
    check_invariants()


def test_a_longer_step_waits_for_the_platform_and_goes_forward_in_one(acme, ann, clock):
    customer = monthly_customer(acme, ann, "120")
    clock.jump_to(DECEMBER)
    said = failed_command("restore_budgets")
    assert "more than one month after 2026-09" in said
    assert "manage.py restore_budgets --to 2026-12" in said
    assert run_command("restore_budgets", "--to", "2026-12").startswith("2026-12: 1 budgets restored")
    assert counts(customer) == (202612, 202612, 0)
    assert FreezeRecord.objects.filter(customer=customer, operation="UNFREEZE", operator_name="system").count() == 1
    assert run_command("restore_budgets").startswith("2026-12: 0 budgets restored")
    check_invariants()


@pytest.mark.parametrize(("to", "why"), [("2026-10", "has not begun"), ("2026-13", "is not a month")])
def test_the_month_is_not_moved_beyond_the_clock(acme, ann, to, why):
    customer = monthly_customer(acme, ann)
    assert why in failed_command("restore_budgets", "--to", to)
    assert counts(customer) == (202609, 202609, 60)


def test_a_new_installation_begins_in_the_month_of_the_clock_that_is_behind(db, clock, monkeypatch):
    september = timezone.now()
    clock.move_to(OCTOBER)
    monkeypatch.setattr(billing_month, "database_now", lambda: september)
    assert current_month() == 202609


def test_going_back_needs_confirmation_leaves_records_and_lists_lifted_freezes(acme, ann, clock):
    lifted, other = monthly_customer(acme, ann, "120"), monthly_customer(acme, ann)
    one_time = factories.customer(acme)
    factories.budget(one_time, ann, "100")
    factories.report((one_time, "2026-09", "3"), (one_time, "2026-10", "4"))
    clock.move_to(OCTOBER)
    run_command("restore_budgets")
    factories.budget(lifted, ann, "200", MONTHLY)
    assert counts(one_time) == (202609, 202610, 7)
    clock.jump_to("2026-09-20T05:00:00Z")
    assert "lies ahead of the clock" in failed_command("check_budgets")
    assert "Add --confirm" in failed_command("restore_budgets", "--to", "2026-09")
    assert counts(other) == (202610, 202610, 7)
    said = run_command("restore_budgets", "--to", "2026-09", "--confirm")
    assert f"1 freezes that a later month had lifted are not put back:\n{lifted.customer_id}" in said
    assert [counts(each) for each in (lifted, other, one_time)] == [
        (202609, 202609, 120),
        (202609, 202609, 60),
        (202609, 202609, 3),
    ]
    record = AdjustmentRecord.objects.filter(customer=other).latest("pk")
    assert (record.channel, record.operator, record.operator_name) == ("SYSTEM", None, "system")
    assert (record.counted_from_before, record.counted_from_after, record.used) == (202610, 202609, 60)
    assert (record.amount_before, record.amount_after) == (100, 100)
    assert AdjustmentRecord.objects.filter(customer=one_time).count() == 1
    check_invariants()
    run_command("check_budgets")


def test_going_back_freezes_accounts_whose_budgets_are_used_up_again(acme, ann, clock):
    customer = monthly_customer(acme, ann, "120")
    clock.move_to(OCTOBER)
    current_month()
    assert not factories.fresh(customer).is_frozen
    clock.jump_to("2026-09-20T05:00:00Z")
    assert "1 accounts frozen" in run_command("restore_budgets", "--to", "2026-09", "--confirm")
    assert factories.fresh(customer).is_frozen
    check_invariants()


# --- Budgets follow ---------------------------------------------------------------------------------------------------


@pytest.fixture
def begin_october(clock, settings):
    """The month begins where a worker does the steps; the worker does them when the returned function is called."""

    def begin() -> Any:
        settings.TASKS_BACKEND = "database"
        settings.TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
        clock.move_to(OCTOBER)
        assert current_month() == 202610
        return lambda: call_command("db_worker", batch=True, reload=False, startup_delay=False, interval=0, verbosity=0)

    return begin


@pytest.mark.django_db(transaction=True)
def test_a_worker_restores_all_budgets_and_pages_show_the_progress(acme, ann, begin_october, sign_in):
    customers = [monthly_customer(acme, ann, "120"), monthly_customer(acme, ann)]
    work = begin_october()
    client = sign_in(ann)
    assert [counts(each) for each in customers] == [(202609, 202609, 120), (202609, 202609, 60)]
    client.get(f"/customers/detail/?customer={customers[1].customer_id}")
    assert "The new month is being restored: 50%" in client.get("/customers/").content.decode()
    said = run_command("check_budgets")
    assert "1 budgets have not followed the month yet" in said
    work()
    assert [counts(each) for each in customers] == [(202610, 202610, 7)] * 2
    assert not client.get("/customers/").context["month_notice"]
    check_invariants()


FREEZE = FreezeRequest(FreezeKind.ACCOUNT, "Unpaid invoice", freezes=True)
READ = "/customers/detail/?customer={}"
WRITERS = {
    "set": lambda customer, ann: factories.budget(customer, ann, "300", MONTHLY, unfreeze=False),
    "review": lambda customer, ann: factories.reviewed([customer], ann, "300"),
    "report": lambda customer, ann: factories.report((customer, "2026-10", "8")),
    "freeze": lambda customer, ann: freeze_now(factories.queryset_of(customer), FREEZE, operator=ann),
    "freeze review": lambda customer, ann: review_freeze(factories.queryset_of(customer), FREEZE, operator=ann),
    "standing": lambda customer, ann: run_command("standing", customer.customer_id),
    "may purchase": lambda customer, ann: run_command("may_purchase", customer.customer_id),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_every_writer_and_every_command_about_one_customer_restores_it_first(acme, ann, begin_october, write):
    customer, other = monthly_customer(acme, ann, "120"), monthly_customer(acme, ann, "120")
    begin_october()
    write(customer, ann)
    assert counts(customer)[:2] == (202610, 202610)
    assert factories.stored(customer).used in (7, 8)
    assert FreezeRecord.objects.filter(customer=customer, operation="UNFREEZE", operator_name="system").count() == 1
    assert counts(other) == (202609, 202609, 120)
    run_command("restore_budgets")
    check_invariants()


@pytest.mark.parametrize("path", ["/customers/detail/", "/budgets/set/", "/customers/freeze/"])
def test_every_page_about_one_customer_restores_it_first(acme, ann, begin_october, sign_in, path):
    customer, other = monthly_customer(acme, ann, "120"), monthly_customer(acme, ann, "120")
    begin_october()
    assert sign_in(ann).get(path, {"customer": customer.customer_id}).status_code == 200
    assert (counts(customer), counts(other)) == ((202610, 202610, 7), (202609, 202609, 120))
    assert not factories.fresh(customer).is_frozen


def test_a_customer_that_leaves_is_restored_before_its_budget_is_recorded(acme, ann, begin_october):
    customer = monthly_customer(acme, ann)
    begin_october()
    disassociate_customers(factories.queryset_of(customer))
    record = AdjustmentRecord.objects.filter(customer=customer).latest("pk")
    assert (record.operation, record.counted_from_before, record.used) == ("DELETE", 202610, 7)


def test_restoring_again_changes_nothing(acme, ann, begin_october):
    customer = monthly_customer(acme, ann, "120")
    begin_october()
    results = []
    for _time in range(2):
        with write_transaction():
            results.append(tuple(restore_customers(lock_keys(factories.queryset_of(customer)))))
    assert results == [(1, 0, 1), (0, 0, 0)]


def test_a_budget_written_by_the_former_version_is_recounted_and_lifts_no_freeze(acme, ann, client):
    customer = monthly_customer(acme, ann, "120")
    Budget.objects.update(counted_to=0)
    assert not current_month_state().is_being_restored
    client.get(READ.format(customer.customer_id))
    assert counts(customer) == (202609, 202609, 120)
    assert factories.fresh(customer).is_frozen
    check_invariants()


def test_a_restore_goes_in_steps_and_an_interrupted_one_is_completed_by_the_command(
    acme, ann, begin_october, monkeypatch
):
    monkeypatch.setattr(billing_month, "RESTORE_STEP", 1)
    customers = [monthly_customer(acme, ann, "120") for _each in range(3)]
    begin_october()
    with monkeypatch.context() as patch:
        patch.setattr(billing_month, "freeze_exhausted", lambda *args, **kwargs: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            run_command("restore_budgets")
    assert run_command("restore_budgets").startswith("2026-10: 3 budgets restored, 0 accounts frozen. 3 accounts")
    assert [counts(each) for each in customers] == [(202610, 202610, 7)] * 3
    check_invariants()
