"""Undoing a batch while Set Budget, a batch, a report, a grant or another undo is in progress (on PostgreSQL)."""

from functools import partial

import pytest

from budgets.models import AdjustmentRecord
from customers.models import Customer
from partnercenter.lib.errors import Conflict, InvalidRequest, OperationFinished, PermissionRefused
from partnercenter.models import Operation, Partner, User
from tests import factories
from tests.concurrency.actions import (
    FREEZE_AFTER_REPORT,
    RECORD_GRANT,
    WRITE_BUDGETS,
    amounts,
    confirming,
    granting,
    reporting,
    reviewed_undo,
    setting,
)
from tests.concurrency.threads import pause_before, race

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

AMOUNTS_BEFORE = [50, 50, 50, 50, None, None]


@pytest.fixture
def batch(four: list[Customer], ann: User, acme: Partner) -> tuple[Operation, list[Customer]]:
    """A confirmed batch that set budgets of 100 for four customers with a budget of 50 and for two without a budget."""
    customers = [*four, *factories.customers(acme, 2)]
    operation = factories.reviewed(customers, ann, "100")
    confirming(operation)()
    return operation, customers


def test_a_batch_in_progress_cannot_be_undone_until_it_is_set(four, ann, ben, monkeypatch):
    operation, pause = factories.reviewed(four, ann, "100"), pause_before(monkeypatch, WRITE_BUDGETS)
    _result, error = race(confirming(operation), partial(reviewed_undo, operation, ben), pause=pause)
    assert isinstance(error, InvalidRequest)
    confirming(reviewed_undo(operation, ben))()
    assert amounts(four) == [50] * 4


def test_only_one_of_two_undos_of_the_same_batch_is_applied(batch, ann, ben, monkeypatch):
    operation, customers = batch
    first, second = [reviewed_undo(operation, each) for each in (ann, ben)]
    result, error = race(confirming(first), confirming(second), pause=pause_before(monkeypatch, WRITE_BUDGETS))
    assert (result.changed, type(error)) == (6, Conflict)
    with pytest.raises(Conflict):
        confirming(second, only_unchanged=True)()
    assert amounts(customers) == AMOUNTS_BEFORE


def test_an_undo_confirmed_twice_at_the_same_time_is_applied_once(batch, ann, monkeypatch):
    operation, customers = batch
    undo = reviewed_undo(operation, ann)
    result, error = race(confirming(undo), confirming(undo), pause=pause_before(monkeypatch, WRITE_BUDGETS))
    assert (result.changed, AdjustmentRecord.objects.filter(batch=undo.pk).count()) == (6, 6)
    assert type(error) is OperationFinished
    assert amounts(customers) == AMOUNTS_BEFORE


@pytest.mark.parametrize("position", [0, 5])
def test_an_undo_waits_for_set_budget_and_can_skip_that_customer(batch, ann, ben, monkeypatch, position):
    operation, customers = batch
    undo = reviewed_undo(operation, ann)
    set_budget = setting(customers[position], ben, "7")
    _result, error = race(set_budget, confirming(undo), pause=pause_before(monkeypatch, WRITE_BUDGETS))
    assert isinstance(error, Conflict)
    assert confirming(undo, only_unchanged=True)().changed == 5
    assert amounts(customers) == [7 if each == position else before for each, before in enumerate(AMOUNTS_BEFORE)]


@pytest.mark.parametrize("position", [0, 5])
def test_set_budget_waits_for_an_undo_and_replaces_the_restored_budget(batch, ann, ben, monkeypatch, position):
    operation, customers = batch
    undo = reviewed_undo(operation, ann)
    set_budget = setting(customers[position], ben, "7")
    race(confirming(undo), set_budget, pause=pause_before(monkeypatch, WRITE_BUDGETS))
    last = customers[position].adjustment_records.latest("pk")
    assert (last.amount_before, last.amount_after) == (AMOUNTS_BEFORE[position], 7)


def test_a_batch_confirmed_during_an_undo_of_the_same_customers_raises_a_conflict(batch, ann, ben, monkeypatch):
    operation, customers = batch
    undo, following = reviewed_undo(operation, ann), factories.reviewed(customers[2:], ben, "200")
    result, error = race(confirming(undo), confirming(following), pause=pause_before(monkeypatch, WRITE_BUDGETS))
    assert (result.changed, type(error)) == (6, Conflict)
    assert amounts(customers) == AMOUNTS_BEFORE


def test_an_undo_confirmed_during_a_report_that_uses_up_a_former_budget_raises_a_conflict(batch, ann, monkeypatch):
    operation, customers = batch
    undo, pause = reviewed_undo(operation, ann), pause_before(monkeypatch, FREEZE_AFTER_REPORT)
    _report, error = race(reporting(customers[:1], "70"), confirming(undo), pause=pause)
    assert isinstance(error, Conflict)
    assert amounts(customers) == [100] * 6


def test_a_report_imported_during_an_undo_counts_for_the_restored_budgets(batch, ann, monkeypatch):
    operation, customers = batch
    undo, pause = reviewed_undo(operation, ann), pause_before(monkeypatch, WRITE_BUDGETS)
    _result, report = race(confirming(undo), reporting(customers, "70"), pause=pause)
    assert report.frozen == 4
    assert amounts(customers) == AMOUNTS_BEFORE


@pytest.mark.parametrize(("quota", "error_type"), [("150", InvalidRequest), (None, PermissionRefused)])
def test_an_undo_waits_for_the_grant_to_be_lowered_or_revoked_and_is_refused(
    four, acme, ann, dora, monkeypatch, quota, error_type
):
    batch = factories.reviewed(four, ann, "25")
    confirming(batch)()
    undo, pause = reviewed_undo(batch, ann), pause_before(monkeypatch, RECORD_GRANT)
    _budgets, error = race(granting(acme, quota, dora), confirming(undo), pause=pause)
    assert type(error) is error_type
    assert amounts(four) == [25] * 4
