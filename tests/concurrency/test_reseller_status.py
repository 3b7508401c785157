"""Restricting or freezing a reseller while a batch, a report or another status change is in progress (on PostgreSQL).

See rules 4.7 and 5.7 (docs/rules.md).
"""

from collections.abc import Callable

import pytest

from customers.models import Customer, FreezeRecord
from partnercenter.actions.partners import set_partner_status
from partnercenter.lib.errors import PermissionRefused
from partnercenter.models import Partner, PartnerStatusRecord, User
from tests import factories
from tests.concurrency.actions import WRITE_BUDGETS, amounts, confirming, reporting
from tests.concurrency.threads import pause_before, race

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

NORMAL, RESTRICTED, FROZEN = Partner.Status
# The status is being changed: the present one is read, and nothing is written yet.
RECORD_STATUS = "partnercenter.actions.partners.operator_name"


@pytest.fixture
def four(acme: Partner) -> list[Customer]:
    """Four customers as association leaves them: frozen, without a budget."""
    return factories.customers(acme, 4)


def changing_status(partner: Partner, status: Partner.Status, operator: User | None) -> Callable[[], int]:
    """Set this status of the reseller; then return how many accounts have been unfrozen by then."""

    def set_status_and_count() -> int:
        set_partner_status(partner, status=status, reason="Unpaid", operator=operator)
        return FreezeRecord.objects.filter(operation=FreezeRecord.Operation.UNFREEZE).count()

    return set_status_and_count


@pytest.mark.parametrize("status", [RESTRICTED, FROZEN])
def test_restricting_a_reseller_waits_until_the_whole_batch_in_progress_is_set(
    status, acme, ann, dora, four, monkeypatch
):
    batch = factories.reviewed(four, ann, "100")
    pause = pause_before(monkeypatch, WRITE_BUDGETS)
    result, unfrozen_before = race(confirming(batch), changing_status(acme, status, dora), pause=pause)
    assert (result.changed, result.unfrozen, unfrozen_before) == (4, 4, 4)
    assert Partner.objects.get(pk=acme.pk).status == status


def test_a_batch_that_unfreezes_waits_for_the_freeze_of_its_reseller_and_is_refused(acme, ann, dora, four, monkeypatch):
    batch = factories.reviewed(four, ann, "100")
    pause = pause_before(monkeypatch, RECORD_STATUS)
    _unfrozen, error = race(changing_status(acme, FROZEN, dora), confirming(batch), pause=pause)
    assert isinstance(error, PermissionRefused)
    assert amounts(four) == [None] * 4
    assert Customer.objects.frozen().count() == 4


def test_a_batch_confirmed_while_its_reseller_is_being_restricted_is_set(acme, ann, dora, four, monkeypatch):
    batch = factories.reviewed(four, ann, "100")
    pause = pause_before(monkeypatch, RECORD_STATUS)
    _unfrozen, result = race(changing_status(acme, RESTRICTED, dora), confirming(batch), pause=pause)
    assert (result.changed, result.unfrozen) == (4, 4)


def test_an_import_does_not_wait_for_a_change_of_status(acme, ann, dora, four, monkeypatch):
    factories.budget(four, ann, "50")
    pause = pause_before(monkeypatch, RECORD_STATUS)
    change = changing_status(acme, RESTRICTED, dora)
    _unfrozen, report = race(change, reporting(four, "60"), pause=pause, until_others_end=True)
    assert report.frozen == 4


def test_each_of_two_simultaneous_changes_of_status_records_the_status_before_it(acme, dora, monkeypatch):
    pause = pause_before(monkeypatch, RECORD_STATUS)
    race(changing_status(acme, RESTRICTED, dora), changing_status(acme, FROZEN, dora), pause=pause)
    statuses = PartnerStatusRecord.objects.order_by("pk").values_list("status_before", "status_after")
    assert list(statuses) == [("", "RESTRICTED"), ("RESTRICTED", "FROZEN")]


def test_the_same_status_set_twice_at_the_same_time_is_recorded_once(acme, dora, monkeypatch):
    pause = pause_before(monkeypatch, RECORD_STATUS)
    race(changing_status(acme, FROZEN, dora), changing_status(acme, FROZEN, dora), pause=pause)
    assert PartnerStatusRecord.objects.count() == 1
