"""What happens at once on PostgreSQL: batches beside batches, reports, single edits and grants, in a forced order."""

from decimal import Decimal

import pytest

from budgets.actions.review_edits import edit_review
from budgets.models import AdjustmentRecord
from customers.models import Customer
from partnercenter.lib.errors import Conflict, InvalidRequest, OperationFinished, PermissionRefused
from partnercenter.models import Confirmation, Grant, Operation, Partner, User
from tests import factories
from tests.concurrency.acts import (
    BATCH_IS_RECORDED,
    GRANT_IS_WRITTEN,
    REPORT_HAS_MOVED_USED,
    amounts,
    granting,
    ok,
    reporting,
    single,
)
from tests.concurrency.threads import overtake, stop_before

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

EDIT_HAS_ITS_OPERATOR = "budgets.actions.review_edits.store_items"


def with_fifty(partner: Partner, operator: User) -> list[Customer]:
    customers = factories.customers(partner, 4)
    factories.budget(customers, operator, "50")
    return customers


def records(operation: Operation) -> int:
    return AdjustmentRecord.objects.filter(batch=operation.pk).count()


# --- Two batches ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["reseller", "solution provider"])
def two_people(request) -> tuple[Partner, User, User]:
    """A reseller's people queue on its grant; at a solution provider the customers' own rows alone keep them apart."""
    name = "acme" if request.param == "reseller" else "sol_solutions"
    partner = request.getfixturevalue(name)
    one = request.getfixturevalue("ann" if name == "acme" else "sol")
    return partner, one, factories.user("another", partner)


def test_of_two_overlapping_batches_the_later_changes_nothing_and_says_so(two_people, monkeypatch):
    partner, one, another = two_people
    four = with_fifty(partner, one)
    first, second = factories.reviewed(four[:3], one, "100"), factories.reviewed(four[1:], another, "200")
    done, told = overtake(ok(first), ok(second), stop=stop_before(monkeypatch, BATCH_IS_RECORDED))
    assert (done.changed, type(told)) == (3, Conflict)
    assert amounts(four) == [100, 100, 100, 50]
    assert not Confirmation.objects.filter(pk=second.pk).exists()


def test_of_two_overlapping_batches_the_later_sets_whom_the_former_left_if_asked_to(two_people, monkeypatch):
    partner, one, another = two_people
    four = with_fifty(partner, one)
    first, second = factories.reviewed(four[:3], one, "100"), factories.reviewed(four[1:], another, "200")
    unchanged = ok(second, only_unchanged=True)
    done, rest = overtake(ok(first), unchanged, stop=stop_before(monkeypatch, BATCH_IS_RECORDED))
    assert (done.changed, rest.changed) == (3, 1)
    assert amounts(four) == [100, 100, 100, 200]


def test_two_batches_of_one_operator_and_different_customers_are_both_set(four, ann, monkeypatch):
    first, second = factories.reviewed(four[:2], ann, "100"), factories.reviewed(four[2:], ann, "200")
    overtake(ok(first), ok(second), stop=stop_before(monkeypatch, BATCH_IS_RECORDED))
    assert amounts(four) == [100, 100, 200, 200]


def test_a_batch_confirmed_six_times_at_once_is_applied_once(four, ann, monkeypatch):
    batch = factories.reviewed(four, ann, "100")
    done, *told = overtake(*[ok(batch)] * 6, stop=stop_before(monkeypatch, BATCH_IS_RECORDED))
    assert done.changed == records(batch) == 4
    assert [type(each) for each in told] == [OperationFinished] * 5


def test_a_batch_that_is_being_edited_is_not_confirmed_as_it_was(four, ann, monkeypatch):
    batch, stop = factories.reviewed(four, ann, "100"), stop_before(monkeypatch, EDIT_HAS_ITS_OPERATOR)
    edited, told = overtake(lambda: edit_review(batch, leave_out=[four[0].customer_id]), ok(batch), stop=stop)
    assert isinstance(told, OperationFinished)
    ok(edited)()
    assert amounts(four) == [50, 100, 100, 100]


def test_a_batch_that_is_being_confirmed_is_not_edited(four, ann, monkeypatch):
    batch, stop = factories.reviewed(four, ann, "100"), stop_before(monkeypatch, BATCH_IS_RECORDED)
    _done, told = overtake(ok(batch), lambda: edit_review(batch, leave_out=[four[0].customer_id]), stop=stop)
    assert isinstance(told, OperationFinished)
    assert amounts(four) == [100] * 4


def test_two_batches_that_would_exceed_the_quota_together_are_not_both_set(acme, ann, ben, monkeypatch):
    customers = factories.customers(acme, 4)
    first, second = factories.reviewed(customers[:2], ann, "300000"), factories.reviewed(customers[2:], ben, "300000")
    done, told = overtake(ok(first), ok(second), stop=stop_before(monkeypatch, BATCH_IS_RECORDED))
    assert (done.changed, told.field) == (2, "amount")
    assert "600,000.00 of it is allocated. This change would raise that to 1,200,000.00" in told.message
    assert amounts(customers) == [300_000, 300_000, None, None]


# --- A batch and a report ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("total", "frozen"), [("30", 0), ("250", 4)])
def test_a_report_that_comes_while_a_batch_is_set_is_counted_and_freezes(four, ann, monkeypatch, total, frozen):
    batch, stop = factories.reviewed(four, ann, "100"), stop_before(monkeypatch, BATCH_IS_RECORDED)
    done, taken = overtake(ok(batch), reporting(four, total), stop=stop)
    assert (done.changed, done.frozen, taken.frozen) == (4, 0, frozen)
    assert Customer.objects.frozen().count() == frozen


def test_a_batch_confirmed_while_a_report_only_moves_what_is_used_is_set(four, ann, monkeypatch):
    batch, stop = factories.reviewed(four, ann, "100"), stop_before(monkeypatch, REPORT_HAS_MOVED_USED)
    _taken, done = overtake(reporting(four, "30"), ok(batch), stop=stop)
    assert done.changed == 4
    assert [factories.stored(customer).used for customer in four] == [Decimal(30)] * 4


def test_a_batch_confirmed_while_a_report_uses_up_what_it_gives_is_not_set(four, ann, monkeypatch):
    batch, stop = factories.reviewed(four, ann, "100"), stop_before(monkeypatch, REPORT_HAS_MOVED_USED)
    _taken, told = overtake(reporting(four[:1], "250"), ok(batch), stop=stop)
    assert isinstance(told, Conflict)
    assert amounts(four) == [50] * 4


def test_the_unchanged_of_a_batch_are_those_a_report_under_way_leaves_as_they_were(four, ann, ben, monkeypatch):
    batch, stop = factories.reviewed(four, ann, "100"), stop_before(monkeypatch, REPORT_HAS_MOVED_USED)
    factories.budget(four[3], ben, "7")
    with pytest.raises(Conflict):
        ok(batch)()
    # One is used up by the report, one was set by a colleague: two are as they were reviewed.
    _taken, done = overtake(reporting(four[:2], "250"), ok(batch, only_unchanged=True), stop=stop)
    assert (done.customers, done.changed) == (1, 1)
    assert amounts(four) == [50, 50, 100, 7]


@pytest.mark.parametrize(("total", "frozen"), [("30", 0), ("250", 3)])
def test_a_report_that_comes_while_the_unchanged_are_set_counts_for_all(four, ann, ben, monkeypatch, total, frozen):
    batch = factories.reviewed(four, ann, "100")
    factories.budget(four[3], ben, "300")
    stop = stop_before(monkeypatch, BATCH_IS_RECORDED)
    done, taken = overtake(ok(batch, only_unchanged=True), reporting(four, total), stop=stop)
    assert (done.changed, taken.changed, taken.frozen) == (3, 4, frozen)
    assert amounts(four) == [100, 100, 100, 300]


# --- A batch and a single edit ----------------------------------------------------------------------------------------


def test_a_budget_set_while_a_batch_is_set_replaces_what_the_batch_gave(four, ann, ben, monkeypatch):
    batch, stop = factories.reviewed(four, ann, "100"), stop_before(monkeypatch, BATCH_IS_RECORDED)
    overtake(ok(batch), single(four[0], ben, "7"), stop=stop)
    assert amounts(four) == [7, 100, 100, 100]
    last = four[0].adjustment_records.latest("pk")
    assert (last.amount_before, last.amount_after) == (100, 7)


def test_a_batch_confirmed_while_one_of_it_is_set_is_told_so(four, ann, ben, monkeypatch):
    batch, stop = factories.reviewed(four, ann, "100"), stop_before(monkeypatch, BATCH_IS_RECORDED)
    _done, told = overtake(single(four[0], ben, "7"), ok(batch), stop=stop)
    assert isinstance(told, Conflict)
    assert amounts(four) == [7, 50, 50, 50]
    assert ok(batch, only_unchanged=True)().changed == 3
    assert amounts(four) == [7, 100, 100, 100]


def test_first_budgets_of_a_batch_and_of_a_single_edit_at_once_are_one_each(sol_solutions, sol, monkeypatch):
    # No budget and no grant stand yet: nothing but the customers' rows can be locked.
    customers = factories.customers(sol_solutions, 3)
    batch, stop = factories.reviewed(customers, sol, "100"), stop_before(monkeypatch, BATCH_IS_RECORDED)
    overtake(ok(batch), single(customers[0], sol, "7"), stop=stop)
    assert amounts(customers) == [7, 100, 100]


# --- A batch and the grant --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quota", ["10", None])
def test_a_grant_lowered_or_revoked_waits_for_the_batch_that_is_being_set(four, acme, ann, dora, monkeypatch, quota):
    batch, stop = factories.reviewed(four, ann, "100"), stop_before(monkeypatch, BATCH_IS_RECORDED)
    done, budgets_then = overtake(ok(batch), granting(acme, quota, dora), stop=stop)
    assert (done.changed, budgets_then) == (4, 4)
    assert Grant.objects.get(partner=acme).one_time_allocated == 400


@pytest.mark.parametrize(("quota", "refusal"), [("300", InvalidRequest), (None, PermissionRefused)])
def test_a_batch_waits_for_the_grant_that_is_lowered_or_revoked(four, acme, ann, dora, monkeypatch, quota, refusal):
    batch, stop = factories.reviewed(four, ann, "100"), stop_before(monkeypatch, GRANT_IS_WRITTEN)
    _given, told = overtake(granting(acme, quota, dora), ok(batch), stop=stop)
    assert type(told) is refusal
    assert (amounts(four), records(batch)) == ([50] * 4, 0)
