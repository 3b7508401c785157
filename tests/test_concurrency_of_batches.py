"""What happens at once on PostgreSQL: batches, their undo, reports, single edits and grants, in a forced order."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from budgets.actions import Outcome, Terms, apply_budgets, edit_review, review_budgets, review_undo
from budgets.models import AdjustmentRecord, Budget
from customers.models import AccountFreezing, Customer
from partnercenter.models import BudgetType, Confirmation, Grant, Operation, Partner, User
from partnercenter.permissions import give_grant
from partnercenter.refusals import Changed, NotAllowed, Refusal
from partnercenter.verification import Finished, confirm
from tests import make
from tests.books import must_add_up
from tests.threads import emptied_quickly, overtake, stop_before

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

# A batch that stops here holds its locks and has written its records, and nothing else yet.
BATCH_IS_RECORDED = "budgets.actions.setting._write_budgets"
REPORT_HAS_MOVED_USED = "budgets.actions.taking_in.freeze_exhausted"
GRANT_IS_WRITTEN = "partnercenter.permissions._record"
EDIT_HAS_ITS_OPERATOR = "budgets.actions.reviewing.keep"


@pytest.fixture(scope="module", autouse=True)
def flush():
    with emptied_quickly():
        yield


@pytest.fixture(autouse=True)
def september(time_machine):
    time_machine.move_to(datetime(2026, 9, 15, 10, tzinfo=UTC))


@pytest.fixture(autouse=True)
def books(september, transactional_db):
    """Whatever a test does, in the end everything adds up."""
    yield
    must_add_up()


@pytest.fixture
def four(acme: Partner, ann: User) -> list[Customer]:
    """Customers with a budget of 50 each, their accounts not frozen."""
    return with_fifty(acme, ann)


def with_fifty(partner: Partner, operator: User) -> list[Customer]:
    customers = make.customers(partner, 4)
    make.budget(customers, operator, "50")
    return customers


def reviewed(customers: list[Customer], operator: User, amount: str, *, unfreeze: bool = True) -> Operation:
    chosen = Customer.objects.filter(pk__among=[customer.pk for customer in customers])
    terms = Terms(BudgetType.ONE_TIME, Decimal(amount), AccountFreezing.AUTOMATIC)
    return review_budgets(chosen, terms, operator=operator, unfreeze=unfreeze)


def ok(operation: Operation, *, only_unchanged: bool = False) -> Callable[[], Outcome]:
    """Pressing OK, as something to be done by a thread."""
    return lambda: confirm(operation, "", lambda: apply_budgets(operation, only_unchanged=only_unchanged))


def single(customer: Customer, operator: User, amount: str) -> Callable[[], Outcome]:
    return lambda: make.budget(customer, operator, amount)


def reporting(customers: list[Customer], total: str) -> Callable[[], Any]:
    return lambda: make.report(*[(customer, "2026-09", total) for customer in customers])


def granting(partner: Partner, quota: str | None, operator: User) -> Callable[[], int]:
    """Giving this quota of each type, None: revoking; and then telling how many budgets stand at 100."""
    amount = None if quota is None else Decimal(quota)

    def act() -> int:
        give_grant(partner, monthly_quota=amount, one_time_quota=amount, operator=operator)
        return Budget.objects.filter(amount=100).count()

    return act


def amounts(customers: list[Customer]) -> list[int | None]:
    stored: dict[Any, Decimal] = dict(Budget.objects.values_list("customer", "amount"))
    return [int(stored[customer.pk]) if customer.pk in stored else None for customer in customers]


def records(operation: Operation) -> int:
    return AdjustmentRecord.objects.filter(batch=operation.pk).count()


# --- Two batches ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["reseller", "solution provider"])
def two_people(request) -> tuple[Partner, User, User]:
    """A reseller's people queue on its grant; at a solution provider the customers' own rows alone keep them apart."""
    name = "acme" if request.param == "reseller" else "sol_solutions"
    partner = request.getfixturevalue(name)
    one = request.getfixturevalue("ann" if name == "acme" else "sol")
    return partner, one, make.user("another", partner)


def test_of_two_overlapping_batches_the_later_changes_nothing_and_says_so(two_people, monkeypatch):
    partner, one, another = two_people
    four = with_fifty(partner, one)
    first, second = reviewed(four[:3], one, "100"), reviewed(four[1:], another, "200")
    done, told = overtake(ok(first), ok(second), stop=stop_before(monkeypatch, BATCH_IS_RECORDED))
    assert (done.changed, type(told)) == (3, Changed)
    assert amounts(four) == [100, 100, 100, 50]
    assert not Confirmation.objects.filter(pk=second.pk).exists()


def test_of_two_overlapping_batches_the_later_sets_whom_the_former_left_if_asked_to(two_people, monkeypatch):
    partner, one, another = two_people
    four = with_fifty(partner, one)
    first, second = reviewed(four[:3], one, "100"), reviewed(four[1:], another, "200")
    unchanged = ok(second, only_unchanged=True)
    done, rest = overtake(ok(first), unchanged, stop=stop_before(monkeypatch, BATCH_IS_RECORDED))
    assert (done.changed, rest.changed) == (3, 1)
    assert amounts(four) == [100, 100, 100, 200]


def test_two_batches_of_one_operator_and_different_customers_are_both_set(four, ann, monkeypatch):
    first, second = reviewed(four[:2], ann, "100"), reviewed(four[2:], ann, "200")
    overtake(ok(first), ok(second), stop=stop_before(monkeypatch, BATCH_IS_RECORDED))
    assert amounts(four) == [100, 100, 200, 200]


def test_a_batch_confirmed_six_times_at_once_is_applied_once(four, ann, monkeypatch):
    batch = reviewed(four, ann, "100")
    done, *told = overtake(*[ok(batch)] * 6, stop=stop_before(monkeypatch, BATCH_IS_RECORDED))
    assert done.changed == records(batch) == 4
    assert [type(each) for each in told] == [Finished] * 5


def test_a_batch_that_is_being_edited_is_not_confirmed_as_it_was(four, ann, monkeypatch):
    batch, stop = reviewed(four, ann, "100"), stop_before(monkeypatch, EDIT_HAS_ITS_OPERATOR)
    edited, told = overtake(lambda: edit_review(batch, leave_out=[four[0].customer_id]), ok(batch), stop=stop)
    assert isinstance(told, Finished)
    ok(edited)()
    assert amounts(four) == [50, 100, 100, 100]


def test_a_batch_that_is_being_confirmed_is_not_edited(four, ann, monkeypatch):
    batch, stop = reviewed(four, ann, "100"), stop_before(monkeypatch, BATCH_IS_RECORDED)
    _done, told = overtake(ok(batch), lambda: edit_review(batch, leave_out=[four[0].customer_id]), stop=stop)
    assert isinstance(told, Finished)
    assert amounts(four) == [100] * 4


def test_two_batches_that_would_exceed_the_quota_together_are_not_both_set(acme, ann, ben, monkeypatch):
    customers = make.customers(acme, 4)
    first, second = reviewed(customers[:2], ann, "300000"), reviewed(customers[2:], ben, "300000")
    done, told = overtake(ok(first), ok(second), stop=stop_before(monkeypatch, BATCH_IS_RECORDED))
    assert (done.changed, told.field) == (2, "amount")
    assert "600,000.00 of it is allocated; this needs 1,200,000.00" in told.message
    assert amounts(customers) == [300_000, 300_000, None, None]


# --- A batch and a report ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("total", "frozen"), [("30", 0), ("250", 4)])
def test_a_report_that_comes_while_a_batch_is_set_is_counted_and_freezes(four, ann, monkeypatch, total, frozen):
    batch, stop = reviewed(four, ann, "100"), stop_before(monkeypatch, BATCH_IS_RECORDED)
    done, taken = overtake(ok(batch), reporting(four, total), stop=stop)
    assert (done.changed, done.frozen, taken.frozen) == (4, 0, frozen)
    assert Customer.objects.frozen().count() == frozen


def test_a_batch_confirmed_while_a_report_only_moves_what_is_used_is_set(four, ann, monkeypatch):
    batch, stop = reviewed(four, ann, "100"), stop_before(monkeypatch, REPORT_HAS_MOVED_USED)
    _taken, done = overtake(reporting(four, "30"), ok(batch), stop=stop)
    assert done.changed == 4
    assert [make.stored(customer).used for customer in four] == [Decimal(30)] * 4


def test_a_batch_confirmed_while_a_report_uses_up_what_it_gives_is_not_set(four, ann, monkeypatch):
    batch, stop = reviewed(four, ann, "100"), stop_before(monkeypatch, REPORT_HAS_MOVED_USED)
    _taken, told = overtake(reporting(four[:1], "250"), ok(batch), stop=stop)
    assert isinstance(told, Changed)
    assert amounts(four) == [50] * 4


def test_the_unchanged_of_a_batch_are_those_a_report_under_way_leaves_as_they_were(four, ann, ben, monkeypatch):
    batch, stop = reviewed(four, ann, "100"), stop_before(monkeypatch, REPORT_HAS_MOVED_USED)
    make.budget(four[3], ben, "7")
    with pytest.raises(Changed):
        ok(batch)()
    # One is used up by the report, one was set by a colleague: two are as they were reviewed.
    _taken, done = overtake(reporting(four[:2], "250"), ok(batch, only_unchanged=True), stop=stop)
    assert (done.customers, done.changed) == (1, 1)
    assert amounts(four) == [50, 50, 100, 7]


@pytest.mark.parametrize(("total", "frozen"), [("30", 0), ("250", 3)])
def test_a_report_that_comes_while_the_unchanged_are_set_counts_for_all(four, ann, ben, monkeypatch, total, frozen):
    batch = reviewed(four, ann, "100")
    make.budget(four[3], ben, "300")
    stop = stop_before(monkeypatch, BATCH_IS_RECORDED)
    done, taken = overtake(ok(batch, only_unchanged=True), reporting(four, total), stop=stop)
    assert (done.changed, taken.changed, taken.frozen) == (3, 4, frozen)
    assert amounts(four) == [100, 100, 100, 300]


# --- A batch and a single edit ----------------------------------------------------------------------------------------


def test_a_budget_set_while_a_batch_is_set_replaces_what_the_batch_gave(four, ann, ben, monkeypatch):
    batch, stop = reviewed(four, ann, "100"), stop_before(monkeypatch, BATCH_IS_RECORDED)
    overtake(ok(batch), single(four[0], ben, "7"), stop=stop)
    assert amounts(four) == [7, 100, 100, 100]
    last = four[0].adjustment_records.latest("pk")
    assert (last.amount_before, last.amount_after) == (100, 7)


def test_a_batch_confirmed_while_one_of_it_is_set_is_told_so(four, ann, ben, monkeypatch):
    batch, stop = reviewed(four, ann, "100"), stop_before(monkeypatch, BATCH_IS_RECORDED)
    _done, told = overtake(single(four[0], ben, "7"), ok(batch), stop=stop)
    assert isinstance(told, Changed)
    assert amounts(four) == [7, 50, 50, 50]
    assert ok(batch, only_unchanged=True)().changed == 3
    assert amounts(four) == [7, 100, 100, 100]


def test_first_budgets_of_a_batch_and_of_a_single_edit_at_once_are_one_each(sol_solutions, sol, monkeypatch):
    # No budget and no grant stand yet: nothing but the customers' rows can be locked.
    customers = make.customers(sol_solutions, 3)
    batch, stop = reviewed(customers, sol, "100"), stop_before(monkeypatch, BATCH_IS_RECORDED)
    overtake(ok(batch), single(customers[0], sol, "7"), stop=stop)
    assert amounts(customers) == [7, 100, 100]


# --- A batch and its undo ---------------------------------------------------------------------------------------------


@pytest.fixture
def batch(four: list[Customer], ann: User, acme: Partner) -> tuple[Operation, list[Customer]]:
    """A confirmed batch that gave 100: to four that had 50, and to two that had nothing."""
    customers = [*four, *make.customers(acme, 2)]
    operation = reviewed(customers, ann, "100")
    ok(operation)()
    return operation, customers


BEFORE = [50, 50, 50, 50, None, None]


def test_there_is_nothing_to_undo_of_a_batch_that_is_still_being_set(four, ann, ben, monkeypatch):
    operation, stop = reviewed(four, ann, "100"), stop_before(monkeypatch, BATCH_IS_RECORDED)

    def undo() -> Operation:
        return review_undo(operation.pk, operator=ben, unfreeze=False)

    _done, told = overtake(ok(operation), undo, stop=stop)
    assert isinstance(told, Refusal)
    ok(undo())()
    assert amounts(four) == [50] * 4


def test_of_two_undos_of_a_batch_at_once_one_takes_it_back(batch, ann, ben, monkeypatch):
    operation, customers = batch
    one, another = [review_undo(operation.pk, operator=each, unfreeze=False) for each in (ann, ben)]
    done, told = overtake(ok(one), ok(another), stop=stop_before(monkeypatch, BATCH_IS_RECORDED))
    assert (done.changed, type(told)) == (6, Changed)
    assert ok(another, only_unchanged=True)().customers == 0
    assert amounts(customers) == BEFORE


def test_an_undo_confirmed_twice_at_once_takes_back_once(batch, ann, monkeypatch):
    operation, customers = batch
    undo = review_undo(operation.pk, operator=ann, unfreeze=False)
    done, told = overtake(ok(undo), ok(undo), stop=stop_before(monkeypatch, BATCH_IS_RECORDED))
    assert (done.changed, records(undo), type(told)) == (6, 6, Finished)
    assert amounts(customers) == BEFORE


@pytest.mark.parametrize("position", [0, 5])
def test_an_undo_waits_for_an_edit_and_leaves_who_was_edited(batch, ann, ben, monkeypatch, position):
    operation, customers = batch
    undo = review_undo(operation.pk, operator=ann, unfreeze=False)
    edit = single(customers[position], ben, "7")
    _done, told = overtake(edit, ok(undo), stop=stop_before(monkeypatch, BATCH_IS_RECORDED))
    assert isinstance(told, Changed)
    assert ok(undo, only_unchanged=True)().changed == 5
    assert amounts(customers) == [7 if each == position else before for each, before in enumerate(BEFORE)]


@pytest.mark.parametrize("position", [0, 5])
def test_an_edit_waits_for_an_undo_and_sets_anew(batch, ann, ben, monkeypatch, position):
    operation, customers = batch
    undo = review_undo(operation.pk, operator=ann, unfreeze=False)
    edit = single(customers[position], ben, "7")
    overtake(ok(undo), edit, stop=stop_before(monkeypatch, BATCH_IS_RECORDED))
    last = customers[position].adjustment_records.latest("pk")
    assert (last.amount_before, last.amount_after) == (BEFORE[position], 7)


def test_an_undo_and_the_next_batch_of_the_same_customers_do_not_mix(batch, ann, ben, monkeypatch):
    operation, customers = batch
    undo, following = review_undo(operation.pk, operator=ann, unfreeze=False), reviewed(customers[2:], ben, "200")
    done, told = overtake(ok(undo), ok(following), stop=stop_before(monkeypatch, BATCH_IS_RECORDED))
    assert (done.changed, type(told)) == (6, Changed)
    assert amounts(customers) == BEFORE


def test_an_undo_confirmed_while_a_report_uses_up_what_it_goes_back_to_is_not_done(batch, ann, monkeypatch):
    operation, customers = batch
    undo, stop = review_undo(operation.pk, operator=ann, unfreeze=False), stop_before(monkeypatch, REPORT_HAS_MOVED_USED)
    _taken, told = overtake(reporting(customers[:1], "70"), ok(undo), stop=stop)
    assert isinstance(told, Changed)
    assert amounts(customers) == [100] * 6


def test_a_report_that_comes_while_a_batch_is_undone_is_counted_for_what_stands_again(batch, ann, monkeypatch):
    operation, customers = batch
    undo, stop = review_undo(operation.pk, operator=ann, unfreeze=False), stop_before(monkeypatch, BATCH_IS_RECORDED)
    _done, taken = overtake(ok(undo), reporting(customers, "70"), stop=stop)
    assert taken.frozen == 4
    assert amounts(customers) == BEFORE


# --- A batch and the grant --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quota", ["10", None])
def test_a_grant_lowered_or_revoked_waits_for_the_batch_that_is_being_set(four, acme, ann, dora, monkeypatch, quota):
    batch, stop = reviewed(four, ann, "100"), stop_before(monkeypatch, BATCH_IS_RECORDED)
    done, budgets_then = overtake(ok(batch), granting(acme, quota, dora), stop=stop)
    assert (done.changed, budgets_then) == (4, 4)
    assert Grant.objects.get(partner=acme).one_time_allocated == 400


@pytest.mark.parametrize(("quota", "refusal"), [("300", Refusal), (None, NotAllowed)])
def test_a_batch_waits_for_the_grant_that_is_lowered_or_revoked(four, acme, ann, dora, monkeypatch, quota, refusal):
    batch, stop = reviewed(four, ann, "100"), stop_before(monkeypatch, GRANT_IS_WRITTEN)
    _given, told = overtake(granting(acme, quota, dora), ok(batch), stop=stop)
    assert type(told) is refusal
    assert (amounts(four), records(batch)) == ([50] * 4, 0)


@pytest.mark.parametrize(("quota", "refusal"), [("150", Refusal), (None, NotAllowed)])
def test_an_undo_waits_for_the_grant_too(four, acme, ann, dora, monkeypatch, quota, refusal):
    batch = reviewed(four, ann, "25")
    ok(batch)()
    undo, stop = review_undo(batch.pk, operator=ann, unfreeze=False), stop_before(monkeypatch, GRANT_IS_WRITTEN)
    _given, told = overtake(granting(acme, quota, dora), ok(undo), stop=stop)
    assert type(told) is refusal
    assert amounts(four) == [25] * 4
