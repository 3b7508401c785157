"""What happens at once on PostgreSQL: the undo of a batch beside edits, reports, grants, itself, in a forced order."""

from functools import partial

import pytest

from budgets.models import AdjustmentRecord
from customers.models import Customer
from partnercenter.lib.errors import Conflict, InvalidRequest, OperationFinished, PermissionRefused
from partnercenter.models import Operation, Partner, User
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
    undo_of,
)
from tests.concurrency.threads import overtake, stop_before

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def batch(four: list[Customer], ann: User, acme: Partner) -> tuple[Operation, list[Customer]]:
    """A confirmed batch that gave 100: to four that had 50, and to two that had nothing."""
    customers = [*four, *factories.customers(acme, 2)]
    operation = factories.reviewed(customers, ann, "100")
    ok(operation)()
    return operation, customers


BEFORE = [50, 50, 50, 50, None, None]


def test_there_is_nothing_to_undo_of_a_batch_that_is_still_being_set(four, ann, ben, monkeypatch):
    operation, stop = factories.reviewed(four, ann, "100"), stop_before(monkeypatch, BATCH_IS_RECORDED)

    _done, told = overtake(ok(operation), partial(undo_of, operation, ben), stop=stop)
    assert isinstance(told, InvalidRequest)
    ok(undo_of(operation, ben))()
    assert amounts(four) == [50] * 4


def test_of_two_undos_of_a_batch_at_once_one_takes_it_back(batch, ann, ben, monkeypatch):
    operation, customers = batch
    one, another = [undo_of(operation, each) for each in (ann, ben)]
    done, told = overtake(ok(one), ok(another), stop=stop_before(monkeypatch, BATCH_IS_RECORDED))
    assert (done.changed, type(told)) == (6, Conflict)
    with pytest.raises(Conflict):
        ok(another, only_unchanged=True)()
    assert amounts(customers) == BEFORE


def test_an_undo_confirmed_twice_at_once_takes_back_once(batch, ann, monkeypatch):
    operation, customers = batch
    undo = undo_of(operation, ann)
    done, told = overtake(ok(undo), ok(undo), stop=stop_before(monkeypatch, BATCH_IS_RECORDED))
    assert (done.changed, AdjustmentRecord.objects.filter(batch=undo.pk).count(), type(told)) == (
        6,
        6,
        OperationFinished,
    )
    assert amounts(customers) == BEFORE


@pytest.mark.parametrize("position", [0, 5])
def test_an_undo_waits_for_an_edit_and_leaves_who_was_edited(batch, ann, ben, monkeypatch, position):
    operation, customers = batch
    undo = undo_of(operation, ann)
    edit = single(customers[position], ben, "7")
    _done, told = overtake(edit, ok(undo), stop=stop_before(monkeypatch, BATCH_IS_RECORDED))
    assert isinstance(told, Conflict)
    assert ok(undo, only_unchanged=True)().changed == 5
    assert amounts(customers) == [7 if each == position else before for each, before in enumerate(BEFORE)]


@pytest.mark.parametrize("position", [0, 5])
def test_an_edit_waits_for_an_undo_and_sets_anew(batch, ann, ben, monkeypatch, position):
    operation, customers = batch
    undo = undo_of(operation, ann)
    edit = single(customers[position], ben, "7")
    overtake(ok(undo), edit, stop=stop_before(monkeypatch, BATCH_IS_RECORDED))
    last = customers[position].adjustment_records.latest("pk")
    assert (last.amount_before, last.amount_after) == (BEFORE[position], 7)


def test_an_undo_and_the_next_batch_of_the_same_customers_do_not_mix(batch, ann, ben, monkeypatch):
    operation, customers = batch
    undo, following = undo_of(operation, ann), factories.reviewed(customers[2:], ben, "200")
    done, told = overtake(ok(undo), ok(following), stop=stop_before(monkeypatch, BATCH_IS_RECORDED))
    assert (done.changed, type(told)) == (6, Conflict)
    assert amounts(customers) == BEFORE


def test_an_undo_confirmed_while_a_report_uses_up_what_it_goes_back_to_is_not_done(batch, ann, monkeypatch):
    operation, customers = batch
    undo, stop = (
        undo_of(operation, ann),
        stop_before(monkeypatch, REPORT_HAS_MOVED_USED),
    )
    _taken, told = overtake(reporting(customers[:1], "70"), ok(undo), stop=stop)
    assert isinstance(told, Conflict)
    assert amounts(customers) == [100] * 6


def test_a_report_that_comes_while_a_batch_is_undone_is_counted_for_what_stands_again(batch, ann, monkeypatch):
    operation, customers = batch
    undo, stop = undo_of(operation, ann), stop_before(monkeypatch, BATCH_IS_RECORDED)
    _done, taken = overtake(ok(undo), reporting(customers, "70"), stop=stop)
    assert taken.frozen == 4
    assert amounts(customers) == BEFORE


@pytest.mark.parametrize(("quota", "refusal"), [("150", InvalidRequest), (None, PermissionRefused)])
def test_an_undo_waits_for_the_grant_too(four, acme, ann, dora, monkeypatch, quota, refusal):
    batch = factories.reviewed(four, ann, "25")
    ok(batch)()
    undo, stop = undo_of(batch, ann), stop_before(monkeypatch, GRANT_IS_WRITTEN)
    _given, told = overtake(granting(acme, quota, dora), ok(undo), stop=stop)
    assert type(told) is refusal
    assert amounts(four) == [25] * 4
