"""Freezing and unfreezing by hand while reports, batches, the month or a grant change the same (on PostgreSQL)."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from budgets.actions.billing_month import restore_budgets
from budgets.actions.freeze_terms import FreezeRequest
from budgets.actions.manual_freeze import freeze_now, review_freeze
from budgets.actions.review_edits import edit_review
from customers.agreement import CURRENT_VERSION
from customers.models import Customer, CustomerQuerySet, FreezeKind, FreezeOrigin, FreezeRecord
from partnercenter.lib.errors import Conflict, InvalidRequest, OperationFinished, PermissionRefused
from partnercenter.models import BudgetType, Confirmation, Operation, User
from tests import factories
from tests.concurrency.actions import FREEZE_AFTER_REPORT, RECORD_GRANT, confirming, granting, reporting
from tests.concurrency.threads import pause_before, race

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

# Accounts are being frozen or unfrozen: month, grants and customers are locked and read, and nothing is written yet.
FREEZE_OR_UNFREEZE = "budgets.actions.manual_freeze._freeze_or_unfreeze"
# Budgets are being restored: they are written and freezes lifted, and no account is frozen yet.
FREEZE_AFTER_RESTORE = "budgets.actions.billing_month.freeze_exhausted"

FREEZE = FreezeRequest(FreezeKind.ACCOUNT, "Unpaid invoice", freezes=True)
FREEZE_RESOURCES = FreezeRequest(FreezeKind.ACCOUNT_AND_RESOURCE, "Unpaid invoice", CURRENT_VERSION, freezes=True)
UNFREEZE = FreezeRequest(FreezeKind.ACCOUNT, "Unpaid invoice", freezes=False)


def all_of(customers: list[Customer]) -> CustomerQuerySet:
    return Customer.objects.filter(pk__in=[each.pk for each in customers])


def freezing(customer: Customer, operator: User, request: FreezeRequest = FREEZE) -> Callable[[], Any]:
    """Freeze or unfreeze without a review, which is possible where no verification code is required."""
    return lambda: freeze_now(all_of([customer]), request, operator=operator)


def unfreezing(customer: Customer, operator: User) -> Callable[[], Any]:
    return freezing(customer, operator, UNFREEZE)


def reviewed(customers: list[Customer], operator: User, request: FreezeRequest = FREEZE) -> Operation:
    """A review of freezing or unfreezing that waits for its OK."""
    return review_freeze(all_of(customers), request, operator=operator)


def confirming_freeze(operation: Operation, *, only_unchanged: bool = False) -> Callable[[], Any]:
    return lambda: factories.freeze_confirmed(operation, only_unchanged=only_unchanged)


def origins(customers: list[Customer]) -> list[str]:
    return [factories.fresh(customer).freeze_origin for customer in customers]


# --- A report ---------------------------------------------------------------------------------------------------------


def test_a_report_does_not_freeze_an_account_that_is_being_frozen_by_hand(four, ann, monkeypatch):
    pause = pause_before(monkeypatch, FREEZE_OR_UNFREEZE)
    _result, report = race(freezing(four[0], ann), reporting(four[:2], "60"), pause=pause)
    assert report.frozen == 1
    assert origins(four) == [FreezeOrigin.PARTNER, FreezeOrigin.BUDGET_EXHAUSTED, "", ""]


def test_an_account_that_a_report_is_freezing_cannot_be_frozen_by_hand_too(four, ann, monkeypatch):
    pause = pause_before(monkeypatch, FREEZE_AFTER_REPORT)
    _report, error = race(reporting(four[:1], "60"), freezing(four[0], ann), pause=pause)
    assert (type(error), "already frozen in this way" in error.message) == (InvalidRequest, True)
    assert origins(four)[0] == FreezeOrigin.BUDGET_EXHAUSTED
    assert FreezeRecord.objects.filter(customer=four[0], operation="FREEZE").count() == 2


def test_a_batch_confirmed_while_a_report_freezes_a_customer_can_freeze_the_others_only(four, ann, monkeypatch):
    batch, pause = reviewed(four, ann), pause_before(monkeypatch, FREEZE_AFTER_REPORT)
    _report, error = race(reporting(four[:1], "60"), confirming_freeze(batch), pause=pause)
    assert isinstance(error, Conflict)
    assert origins(four) == [FreezeOrigin.BUDGET_EXHAUSTED, "", "", ""]
    assert confirming_freeze(batch, only_unchanged=True)().frozen == 3


def test_a_report_that_uses_up_the_budget_of_an_account_being_unfrozen_freezes_it_again(acme, ann, monkeypatch):
    [customer] = factories.customers(acme, 1)
    factories.budget(customer, ann, "50", unfreeze=False)
    pause = pause_before(monkeypatch, FREEZE_OR_UNFREEZE)
    result, report = race(unfreezing(customer, ann), reporting([customer], "60"), pause=pause)
    assert (result.unfrozen, report.frozen) == (1, 1)
    assert origins([customer]) == [FreezeOrigin.BUDGET_EXHAUSTED]


def test_an_account_whose_budget_a_report_is_using_up_cannot_be_unfrozen(acme, ann, monkeypatch):
    [customer] = factories.customers(acme, 1)
    factories.budget(customer, ann, "50", unfreeze=False)
    pause = pause_before(monkeypatch, FREEZE_AFTER_REPORT)
    _report, error = race(reporting([customer], "60"), unfreezing(customer, ann), pause=pause)
    assert "60.00 is used of a budget of 50.00" in error.message
    assert origins([customer]) == [FreezeOrigin.ASSOCIATION]


# --- Another freeze by hand, a batch of budgets, the month ------------------------------------------------------------


def test_the_later_of_two_overlapping_batches_freezes_nothing_and_raises_a_conflict(four, ann, ben, monkeypatch):
    first, second = reviewed(four[:3], ann), reviewed(four[1:], ben)
    pause = pause_before(monkeypatch, FREEZE_OR_UNFREEZE)
    result, error = race(confirming_freeze(first), confirming_freeze(second), pause=pause)
    assert (result.frozen, type(error)) == (3, Conflict)
    assert not Confirmation.objects.filter(pk=second.pk).exists()
    assert origins(four)[3] == ""


def test_a_batch_confirmed_six_times_at_the_same_time_freezes_once(four, ann, monkeypatch):
    batch = reviewed(four, ann)
    result, *errors = race(*[confirming_freeze(batch)] * 6, pause=pause_before(monkeypatch, FREEZE_OR_UNFREEZE))
    assert result.frozen == FreezeRecord.objects.filter(batch=batch.pk).count() == 4
    assert [type(each) for each in errors] == [OperationFinished] * 5


def test_a_review_that_is_being_confirmed_cannot_be_edited(four, ann, monkeypatch):
    batch, pause = reviewed(four, ann), pause_before(monkeypatch, FREEZE_OR_UNFREEZE)
    edit = partial(edit_review, batch, exclude=[four[0].customer_id])
    _result, error = race(confirming_freeze(batch), edit, pause=pause)
    assert isinstance(error, OperationFinished)
    assert origins(four) == [FreezeOrigin.PARTNER] * 4


def test_a_batch_of_budgets_raises_a_conflict_if_one_of_its_accounts_is_frozen_meanwhile(four, ann, ben, monkeypatch):
    batch, pause = factories.reviewed(four, ann, "100"), pause_before(monkeypatch, FREEZE_OR_UNFREEZE)
    _result, error = race(freezing(four[0], ben), confirming(batch), pause=pause)
    assert isinstance(error, Conflict)
    assert confirming(batch, only_unchanged=True)().changed == 3


@pytest.fixture
def used_up(acme, ann) -> Customer:
    """A customer frozen by its monthly budget of 50, to be unfrozen when the budget restores."""
    customer = factories.customer(acme)
    factories.budget(customer, ann, "50", BudgetType.MONTHLY, unfreeze_on_restore=True)
    factories.report((customer, "2026-09", "60"))
    return customer


def test_the_month_restore_waits_for_an_escalation_and_then_keeps_the_freeze(used_up, ann, clock, monkeypatch):
    pause = pause_before(monkeypatch, FREEZE_OR_UNFREEZE)

    def restore_in_october() -> Any:
        clock.move_to(datetime(2026, 10, 2, tzinfo=UTC))
        return restore_budgets()

    _result, restore = race(freezing(used_up, ann, FREEZE_RESOURCES), restore_in_october, pause=pause)
    assert (restore.restored, restore.unfrozen) == (1, 0)
    record = FreezeRecord.objects.latest("pk")
    assert (record.kind_before, record.kind_after) == (FreezeKind.ACCOUNT, FreezeKind.ACCOUNT_AND_RESOURCE)


def test_an_account_that_the_month_restore_is_unfreezing_is_not_unfrozen_twice(used_up, ann, clock, monkeypatch):
    clock.move_to(datetime(2026, 10, 2, tzinfo=UTC))
    pause = pause_before(monkeypatch, FREEZE_AFTER_RESTORE)
    _restore, error = race(restore_budgets, unfreezing(used_up, ann), pause=pause)
    assert "is not frozen" in error.message
    assert FreezeRecord.objects.filter(customer=used_up, operation="UNFREEZE").count() == 2


# --- The grant --------------------------------------------------------------------------------------------------------

FREEZE_AND_UNFREEZE = pytest.mark.parametrize("freeze_request", [FREEZE, UNFREEZE], ids=["freeze", "unfreeze"])


@FREEZE_AND_UNFREEZE
def test_a_revocation_waits_for_a_freeze_by_hand_in_progress(acme, ann, dora, monkeypatch, freeze_request):
    customers = factories.customers(acme, 3)
    if freeze_request == FREEZE:
        factories.budget(customers, ann, "50")
    batch, pause = reviewed(customers, ann, freeze_request), pause_before(monkeypatch, FREEZE_OR_UNFREEZE)
    result, _budgets = race(confirming_freeze(batch), granting(acme, None, dora), pause=pause)
    assert result.frozen + result.unfrozen == 3
    assert isinstance(factories.fresh(customers[0]).frozen_since, datetime) == (freeze_request == FREEZE)


@FREEZE_AND_UNFREEZE
def test_a_freeze_by_hand_waits_for_a_revocation_and_is_refused(acme, ann, dora, monkeypatch, freeze_request):
    customers = factories.customers(acme, 3)
    if freeze_request == FREEZE:
        factories.budget(customers, ann, "50")
    before = FreezeRecord.objects.count()
    batch, pause = reviewed(customers, ann, freeze_request), pause_before(monkeypatch, RECORD_GRANT)
    actions = [confirming_freeze(batch), freezing(customers[0], ann, freeze_request)]
    _budgets, *errors = race(granting(acme, None, dora), *actions, pause=pause)
    assert [type(each) for each in errors] == [PermissionRefused, PermissionRefused]
    assert FreezeRecord.objects.count() == before
