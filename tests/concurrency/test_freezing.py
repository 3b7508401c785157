"""What happens at once on PostgreSQL: freezing and unfreezing by hand beside reports, budgets, grants, one another."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from budgets.actions.billing_month import restore_budgets
from budgets.actions.freeze_terms import FreezeRequest
from budgets.actions.manual_freeze import freeze_now, review_freeze
from budgets.actions.review_edits import edit_review
from customers.agreement import CURRENT_VERSION
from customers.models import Customer, FreezeKind, FreezeOrigin, FreezeRecord
from partnercenter.lib.errors import Conflict, InvalidRequest, OperationFinished, PermissionRefused
from partnercenter.models import BudgetType, Confirmation, Operation, User
from tests import factories
from tests.concurrency.acts import GRANT_IS_WRITTEN, REPORT_HAS_MOVED_USED, granting, ok, reporting
from tests.concurrency.threads import overtake, stop_before

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

# Whoever stops here holds month, grants and customers, and has looked at them.
ABOUT_TO_FREEZE = "budgets.actions.manual_freeze._freeze_or_unfreeze"
MONTH_IS_RESTORED = "budgets.actions.billing_month.freeze_exhausted"


def chosen(customers: list[Customer]) -> Any:
    return Customer.objects.filter(pk__in=[each.pk for each in customers])


def asked(act: str) -> FreezeRequest:
    return FreezeRequest(FreezeKind.ACCOUNT, "Unpaid invoice", freezes=act == "FREEZE")


def one(act: str, customer: Customer, operator: User) -> Callable[[], Any]:
    """At once, where no code is asked for."""
    return lambda: freeze_now(chosen([customer]), asked(act), operator=operator)


def reviewed(act: str, customers: list[Customer], operator: User) -> Operation:
    return review_freeze(chosen(customers), asked(act), operator=operator)


def pressed(operation: Operation, *, only_unchanged: bool = False) -> Callable[[], Any]:
    return lambda: factories.freeze_confirmed(operation, only_unchanged=only_unchanged)


def origins(customers: list[Customer]) -> list[str]:
    return [factories.fresh(customer).freeze_origin for customer in customers]


# --- A report ---------------------------------------------------------------------------------------------------------


def test_a_report_that_uses_up_what_is_being_frozen_by_hand_freezes_nothing_twice(four, ann, monkeypatch):
    stop = stop_before(monkeypatch, ABOUT_TO_FREEZE)
    _done, taken = overtake(one("FREEZE", four[0], ann), reporting(four[:2], "60"), stop=stop)
    assert taken.frozen == 1
    assert origins(four) == [FreezeOrigin.PARTNER, FreezeOrigin.BUDGET_EXHAUSTED, "", ""]


def test_whom_a_report_under_way_freezes_is_frozen_so_already(four, ann, monkeypatch):
    stop = stop_before(monkeypatch, REPORT_HAS_MOVED_USED)
    _taken, told = overtake(reporting(four[:1], "60"), one("FREEZE", four[0], ann), stop=stop)
    assert (type(told), "already frozen in this way" in told.message) == (InvalidRequest, True)
    assert origins(four)[0] == FreezeOrigin.BUDGET_EXHAUSTED
    assert FreezeRecord.objects.filter(customer=four[0], operation="FREEZE").count() == 2


def test_a_batch_confirmed_while_a_report_freezes_one_of_it_freezes_the_others_if_asked_to(four, ann, monkeypatch):
    batch, stop = reviewed("FREEZE", four, ann), stop_before(monkeypatch, REPORT_HAS_MOVED_USED)
    _taken, told = overtake(reporting(four[:1], "60"), pressed(batch), stop=stop)
    assert isinstance(told, Conflict)
    assert origins(four) == [FreezeOrigin.BUDGET_EXHAUSTED, "", "", ""]
    assert pressed(batch, only_unchanged=True)().frozen == 3


def test_a_report_that_uses_up_what_is_being_unfrozen_freezes_it_again(acme, ann, monkeypatch):
    [customer] = factories.customers(acme, 1)
    factories.budget(customer, ann, "50", unfreeze=False)
    stop = stop_before(monkeypatch, ABOUT_TO_FREEZE)
    done, taken = overtake(one("UNFREEZE", customer, ann), reporting([customer], "60"), stop=stop)
    assert (done.unfrozen, taken.frozen) == (1, 1)
    assert origins([customer]) == [FreezeOrigin.BUDGET_EXHAUSTED]


def test_whose_budget_a_report_under_way_uses_up_is_not_unfrozen(acme, ann, monkeypatch):
    [customer] = factories.customers(acme, 1)
    factories.budget(customer, ann, "50", unfreeze=False)
    stop = stop_before(monkeypatch, REPORT_HAS_MOVED_USED)
    _taken, told = overtake(reporting([customer], "60"), one("UNFREEZE", customer, ann), stop=stop)
    assert "60.00 is used of a budget of 50.00" in told.message
    assert origins([customer]) == [FreezeOrigin.ASSOCIATION]


# --- Another act by hand, a batch of budgets, the month ---------------------------------------------------------------


def test_of_two_who_freeze_the_same_one_does(four, ann, ben, monkeypatch):
    first, second = reviewed("FREEZE", four[:3], ann), reviewed("FREEZE", four[1:], ben)
    done, told = overtake(pressed(first), pressed(second), stop=stop_before(monkeypatch, ABOUT_TO_FREEZE))
    assert (done.frozen, type(told)) == (3, Conflict)
    assert not Confirmation.objects.filter(pk=second.pk).exists()
    assert origins(four)[3] == ""


def test_confirmed_six_times_at_once_it_is_done_once(four, ann, monkeypatch):
    batch = reviewed("FREEZE", four, ann)
    done, *told = overtake(*[pressed(batch)] * 6, stop=stop_before(monkeypatch, ABOUT_TO_FREEZE))
    assert done.frozen == FreezeRecord.objects.filter(batch=batch.pk).count() == 4
    assert [type(each) for each in told] == [OperationFinished] * 5


def test_what_is_being_confirmed_is_not_edited(four, ann, monkeypatch):
    batch, stop = reviewed("FREEZE", four, ann), stop_before(monkeypatch, ABOUT_TO_FREEZE)
    _done, told = overtake(pressed(batch), lambda: edit_review(batch, leave_out=[four[0].customer_id]), stop=stop)
    assert isinstance(told, OperationFinished)
    assert origins(four) == [FreezeOrigin.PARTNER] * 4


def test_a_batch_of_budgets_reviewed_before_somebody_froze_one_of_it_is_told_so(four, ann, ben, monkeypatch):
    batch, stop = factories.reviewed(four, ann, "100"), stop_before(monkeypatch, ABOUT_TO_FREEZE)
    _done, told = overtake(one("FREEZE", four[0], ben), ok(batch), stop=stop)
    assert isinstance(told, Conflict)
    assert ok(batch, only_unchanged=True)().changed == 3


def test_the_month_waits_for_a_freeze_by_hand_and_then_leaves_what_it_made_worse(acme, ann, clock, monkeypatch):
    [customer] = factories.customers(acme, 1)
    factories.budget(customer, ann, "50", BudgetType.MONTHLY, unfreeze_on_restore=True)
    factories.report((customer, "2026-09", "60"))
    escalation = FreezeRequest(FreezeKind.ACCOUNT_AND_RESOURCE, "Unpaid invoice", CURRENT_VERSION, freezes=True)
    stop = stop_before(monkeypatch, ABOUT_TO_FREEZE)

    def month_turns() -> Any:
        clock.move_to(datetime(2026, 10, 2, tzinfo=UTC))
        return restore_budgets()

    def escalates() -> Any:
        return freeze_now(chosen([customer]), escalation, operator=ann)

    _done, restored = overtake(escalates, month_turns, stop=stop)
    assert (restored.restored, restored.unfrozen) == (1, 0)
    record = FreezeRecord.objects.latest("pk")
    assert (record.kind_before, record.kind_after) == (FreezeKind.ACCOUNT, FreezeKind.ACCOUNT_AND_RESOURCE)


def test_whom_the_month_unfreezes_meanwhile_is_not_unfrozen_twice(acme, ann, clock, monkeypatch):
    [customer] = factories.customers(acme, 1)
    factories.budget(customer, ann, "50", BudgetType.MONTHLY, unfreeze_on_restore=True)
    factories.report((customer, "2026-09", "60"))
    clock.move_to(datetime(2026, 10, 2, tzinfo=UTC))
    stop = stop_before(monkeypatch, MONTH_IS_RESTORED)
    _restored, told = overtake(restore_budgets, one("UNFREEZE", customer, ann), stop=stop)
    assert "is not frozen" in told.message
    assert FreezeRecord.objects.filter(customer=customer, operation="UNFREEZE").count() == 2


# --- The grant --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["FREEZE", "UNFREEZE"])
def test_a_revocation_waits_for_what_is_being_done_by_hand(acme, ann, dora, monkeypatch, act):
    customers = factories.customers(acme, 3)
    if act == "FREEZE":
        factories.budget(customers, ann, "50")
    batch, stop = reviewed(act, customers, ann), stop_before(monkeypatch, ABOUT_TO_FREEZE)
    done, _budgets = overtake(pressed(batch), granting(acme, None, dora), stop=stop)
    assert done.frozen + done.unfrozen == 3
    assert isinstance(factories.fresh(customers[0]).frozen_since, datetime) == (act == "FREEZE")


@pytest.mark.parametrize("act", ["FREEZE", "UNFREEZE"])
def test_what_is_done_by_hand_waits_for_a_revocation_and_is_refused(acme, ann, dora, monkeypatch, act):
    customers = factories.customers(acme, 3)
    if act == "FREEZE":
        factories.budget(customers, ann, "50")
    before = FreezeRecord.objects.count()
    batch, stop = reviewed(act, customers, ann), stop_before(monkeypatch, GRANT_IS_WRITTEN)
    single = one(act, customers[0], ann)
    _given, *told = overtake(granting(acme, None, dora), pressed(batch), single, stop=stop)
    assert [type(each) for each in told] == [PermissionRefused, PermissionRefused]
    assert FreezeRecord.objects.count() == before
