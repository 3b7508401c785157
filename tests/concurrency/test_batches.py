"""Confirming batches of budgets while another batch, a report, Set Budget or a grant is in progress (on PostgreSQL)."""

from decimal import Decimal

import pytest

from budgets.actions.review_edits import edit_review
from budgets.models import AdjustmentRecord
from customers.models import Customer
from partnercenter.lib.errors import Conflict, InvalidRequest, OperationFinished, PermissionRefused
from partnercenter.models import Confirmation, Grant, Operation, Partner, User
from tests import factories
from tests.concurrency.actions import (
    FREEZE_AFTER_REPORT,
    RECORD_GRANT,
    WRITE_BUDGETS,
    amounts,
    confirming,
    granting,
    reporting,
    setting,
)
from tests.concurrency.threads import pause_before, race

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

# A review is being edited: its operator is locked, and the edited items are not stored yet.
STORE_EDITED_ITEMS = "budgets.actions.review_edits.store_items"


def customers_with_budget_of_50(partner: Partner, operator: User) -> list[Customer]:
    customers = factories.customers(partner, 4)
    factories.budget(customers, operator, "50")
    return customers


def count_records(operation: Operation) -> int:
    return AdjustmentRecord.objects.filter(batch=operation.pk).count()


# --- Two batches ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["reseller", "solution provider"])
def two_people(request) -> tuple[Partner, User, User]:
    """A partner and two of its people.

    A reseller's people wait for each other at the lock of the grant. A solution provider has no grant, so only the
    locks of the customers' rows make them wait.
    """
    name = "acme" if request.param == "reseller" else "sol_solutions"
    partner = request.getfixturevalue(name)
    operator = request.getfixturevalue("ann" if name == "acme" else "sol")
    return partner, operator, factories.user("colleague", partner)


def test_the_later_of_two_overlapping_batches_changes_nothing_and_raises_a_conflict(two_people, monkeypatch):
    partner, operator, colleague = two_people
    four = customers_with_budget_of_50(partner, operator)
    first, second = factories.reviewed(four[:3], operator, "100"), factories.reviewed(four[1:], colleague, "200")
    pause = pause_before(monkeypatch, WRITE_BUDGETS)
    result, error = race(confirming(first), confirming(second), pause=pause)
    assert (result.changed, type(error)) == (3, Conflict)
    assert amounts(four) == [100, 100, 100, 50]
    assert not Confirmation.objects.filter(pk=second.pk).exists()


def test_the_later_of_two_overlapping_batches_can_set_the_unchanged_customers_only(two_people, monkeypatch):
    partner, operator, colleague = two_people
    four = customers_with_budget_of_50(partner, operator)
    first, second = factories.reviewed(four[:3], operator, "100"), factories.reviewed(four[1:], colleague, "200")
    pause = pause_before(monkeypatch, WRITE_BUDGETS)
    first_result, second_result = race(confirming(first), confirming(second, only_unchanged=True), pause=pause)
    assert (first_result.changed, second_result.changed) == (3, 1)
    assert amounts(four) == [100, 100, 100, 200]


def test_two_batches_of_one_operator_and_different_customers_are_both_set(four, ann, monkeypatch):
    first, second = factories.reviewed(four[:2], ann, "100"), factories.reviewed(four[2:], ann, "200")
    race(confirming(first), confirming(second), pause=pause_before(monkeypatch, WRITE_BUDGETS))
    assert amounts(four) == [100, 100, 200, 200]


def test_a_batch_confirmed_six_times_at_the_same_time_is_applied_once(four, ann, monkeypatch):
    batch = factories.reviewed(four, ann, "100")
    result, *errors = race(*[confirming(batch)] * 6, pause=pause_before(monkeypatch, WRITE_BUDGETS))
    assert result.changed == count_records(batch) == 4
    assert [type(each) for each in errors] == [OperationFinished] * 5


def test_a_batch_that_is_being_edited_cannot_be_confirmed_as_it_was_before_the_edit(four, ann, monkeypatch):
    batch, pause = factories.reviewed(four, ann, "100"), pause_before(monkeypatch, STORE_EDITED_ITEMS)
    edited, error = race(lambda: edit_review(batch, exclude=[four[0].customer_id]), confirming(batch), pause=pause)
    assert isinstance(error, OperationFinished)
    confirming(edited)()
    assert amounts(four) == [50, 100, 100, 100]


def test_a_batch_that_is_being_confirmed_cannot_be_edited(four, ann, monkeypatch):
    batch, pause = factories.reviewed(four, ann, "100"), pause_before(monkeypatch, WRITE_BUDGETS)
    _result, error = race(confirming(batch), lambda: edit_review(batch, exclude=[four[0].customer_id]), pause=pause)
    assert isinstance(error, OperationFinished)
    assert amounts(four) == [100] * 4


def test_two_batches_that_would_exceed_the_quota_together_are_not_both_set(acme, ann, ben, monkeypatch):
    customers = factories.customers(acme, 4)
    first, second = factories.reviewed(customers[:2], ann, "300000"), factories.reviewed(customers[2:], ben, "300000")
    result, error = race(confirming(first), confirming(second), pause=pause_before(monkeypatch, WRITE_BUDGETS))
    assert (result.changed, error.field) == (2, "amount")
    assert "600,000.00 of it is allocated. This change would raise that to 1,200,000.00" in error.message
    assert amounts(customers) == [300_000, 300_000, None, None]


# --- A batch and a report ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("total", "frozen"), [("30", 0), ("250", 4)])
def test_a_report_imported_during_a_batch_counts_for_the_new_budgets_and_freezes(four, ann, monkeypatch, total, frozen):
    batch, pause = factories.reviewed(four, ann, "100"), pause_before(monkeypatch, WRITE_BUDGETS)
    result, report = race(confirming(batch), reporting(four, total), pause=pause)
    assert (result.changed, result.frozen, report.frozen) == (4, 0, frozen)
    assert Customer.objects.frozen().count() == frozen


def test_a_batch_confirmed_during_a_report_that_only_changes_used_amounts_is_set(four, ann, monkeypatch):
    batch, pause = factories.reviewed(four, ann, "100"), pause_before(monkeypatch, FREEZE_AFTER_REPORT)
    _report, result = race(reporting(four, "30"), confirming(batch), pause=pause)
    assert result.changed == 4
    assert [factories.stored(customer).used for customer in four] == [Decimal(30)] * 4


def test_a_batch_confirmed_during_a_report_that_uses_up_its_new_budgets_raises_a_conflict(four, ann, monkeypatch):
    batch, pause = factories.reviewed(four, ann, "100"), pause_before(monkeypatch, FREEZE_AFTER_REPORT)
    _report, error = race(reporting(four[:1], "250"), confirming(batch), pause=pause)
    assert isinstance(error, Conflict)
    assert amounts(four) == [50] * 4


def test_customers_changed_by_a_report_in_progress_do_not_count_as_unchanged(four, ann, ben, monkeypatch):
    batch, pause = factories.reviewed(four, ann, "100"), pause_before(monkeypatch, FREEZE_AFTER_REPORT)
    factories.budget(four[3], ben, "7")
    with pytest.raises(Conflict):
        confirming(batch)()
    # The report uses up the new budgets of the first two, and a colleague has set the last one. The third is unchanged.
    _report, result = race(reporting(four[:2], "250"), confirming(batch, only_unchanged=True), pause=pause)
    assert (result.customers, result.changed) == (1, 1)
    assert amounts(four) == [50, 50, 100, 7]


@pytest.mark.parametrize(("total", "frozen"), [("30", 0), ("250", 3)])
def test_a_report_imported_while_only_unchanged_customers_are_set_counts_for_all(
    four, ann, ben, monkeypatch, total, frozen
):
    batch = factories.reviewed(four, ann, "100")
    factories.budget(four[3], ben, "300")
    pause = pause_before(monkeypatch, WRITE_BUDGETS)
    result, report = race(confirming(batch, only_unchanged=True), reporting(four, total), pause=pause)
    assert (result.changed, report.changed, report.frozen) == (3, 4, frozen)
    assert amounts(four) == [100, 100, 100, 300]


# --- A batch and Set Budget for one customer --------------------------------------------------------------------------


def test_a_budget_set_during_a_batch_replaces_the_budget_that_the_batch_sets(four, ann, ben, monkeypatch):
    batch, pause = factories.reviewed(four, ann, "100"), pause_before(monkeypatch, WRITE_BUDGETS)
    race(confirming(batch), setting(four[0], ben, "7"), pause=pause)
    assert amounts(four) == [7, 100, 100, 100]
    last = four[0].adjustment_records.latest("pk")
    assert (last.amount_before, last.amount_after) == (100, 7)


def test_a_batch_confirmed_while_the_budget_of_one_of_its_customers_is_set_raises_a_conflict(
    four, ann, ben, monkeypatch
):
    batch, pause = factories.reviewed(four, ann, "100"), pause_before(monkeypatch, WRITE_BUDGETS)
    _result, error = race(setting(four[0], ben, "7"), confirming(batch), pause=pause)
    assert isinstance(error, Conflict)
    assert amounts(four) == [7, 50, 50, 50]
    assert confirming(batch, only_unchanged=True)().changed == 3
    assert amounts(four) == [7, 100, 100, 100]


def test_a_batch_and_set_budget_at_the_same_time_create_one_first_budget_per_customer(sol_solutions, sol, monkeypatch):
    # There is no budget and no grant yet, so only the customers' rows can be locked.
    customers = factories.customers(sol_solutions, 3)
    batch, pause = factories.reviewed(customers, sol, "100"), pause_before(monkeypatch, WRITE_BUDGETS)
    race(confirming(batch), setting(customers[0], sol, "7"), pause=pause)
    assert amounts(customers) == [7, 100, 100]


# --- A batch and the grant --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quota", ["10", None])
def test_lowering_or_revoking_a_grant_waits_for_a_batch_in_progress(four, acme, ann, dora, monkeypatch, quota):
    batch, pause = factories.reviewed(four, ann, "100"), pause_before(monkeypatch, WRITE_BUDGETS)
    result, budgets_set_before = race(confirming(batch), granting(acme, quota, dora), pause=pause)
    assert (result.changed, budgets_set_before) == (4, 4)
    assert Grant.objects.get(partner=acme).one_time_allocated == 400


@pytest.mark.parametrize(("quota", "error_type"), [("300", InvalidRequest), (None, PermissionRefused)])
def test_a_batch_waits_for_the_grant_to_be_lowered_or_revoked_and_is_refused(
    four, acme, ann, dora, monkeypatch, quota, error_type
):
    batch, pause = factories.reviewed(four, ann, "100"), pause_before(monkeypatch, RECORD_GRANT)
    _budgets, error = race(granting(acme, quota, dora), confirming(batch), pause=pause)
    assert type(error) is error_type
    assert (amounts(four), count_records(batch)) == ([50] * 4, 0)
