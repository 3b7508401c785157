"""What happens at once on PostgreSQL while a reseller is restricted or frozen: it waits for the actions under way."""

from collections.abc import Callable

import pytest

from customers.models import Customer, FreezeRecord
from partnercenter.actions.partners import set_partner_status
from partnercenter.lib.errors import PermissionRefused
from partnercenter.models import Partner, PartnerStatusRecord, User
from tests import factories
from tests.concurrency.acts import BATCH_IS_RECORDED, amounts, ok, reporting
from tests.concurrency.threads import overtake, stop_before

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

NORMAL, RESTRICTED, FROZEN = Partner.Status
STATUS_IS_READ = "partnercenter.actions.partners.operator_name"


@pytest.fixture
def four(acme: Partner) -> list[Customer]:
    """Customers as association leaves them: frozen, without a budget."""
    return factories.customers(acme, 4)


def changing(partner: Partner, status: Partner.Status, operator: User | None) -> Callable[[], int]:
    """Making this of the reseller; and then telling how many freezes were lifted before."""

    def act() -> int:
        set_partner_status(partner, status=status, reason="Unpaid", operator=operator)
        return FreezeRecord.objects.filter(operation=FreezeRecord.Operation.UNFREEZE).count()

    return act


@pytest.mark.parametrize("status", [RESTRICTED, FROZEN])
def test_a_reseller_is_restricted_once_the_batch_under_way_is_set_as_a_whole(
    status, acme, ann, dora, four, monkeypatch
):
    batch = factories.reviewed(four, ann, "100")
    stop = stop_before(monkeypatch, BATCH_IS_RECORDED)
    outcome, unfrozen_before = overtake(ok(batch), changing(acme, status, dora), stop=stop)
    assert (outcome.changed, outcome.unfrozen, unfrozen_before) == (4, 4, 4)
    assert Partner.objects.get(pk=acme.pk).status == status


def test_a_batch_that_unfreezes_waits_for_its_reseller_to_be_frozen_and_is_not_allowed(
    acme, ann, dora, four, monkeypatch
):
    batch = factories.reviewed(four, ann, "100")
    stop = stop_before(monkeypatch, STATUS_IS_READ)
    _frozen, refused = overtake(changing(acme, FROZEN, dora), ok(batch), stop=stop)
    assert isinstance(refused, PermissionRefused)
    assert amounts(four) == [None] * 4
    assert Customer.objects.frozen().count() == 4


def test_a_batch_of_a_reseller_restricted_meanwhile_is_set(acme, ann, dora, four, monkeypatch):
    batch = factories.reviewed(four, ann, "100")
    stop = stop_before(monkeypatch, STATUS_IS_READ)
    _restricted, outcome = overtake(changing(acme, RESTRICTED, dora), ok(batch), stop=stop)
    assert (outcome.changed, outcome.unfrozen) == (4, 4)


def test_a_report_neither_waits_nor_is_waited_for(acme, ann, dora, four, monkeypatch):
    factories.budget(four, ann, "50")
    stop = stop_before(monkeypatch, STATUS_IS_READ)
    _restricted, taken = overtake(
        changing(acme, RESTRICTED, dora), reporting(four, "60"), stop=stop, until_they_end=True
    )
    assert taken.frozen == 4


def test_of_two_changes_of_status_at_once_each_records_what_it_found(acme, dora, monkeypatch):
    stop = stop_before(monkeypatch, STATUS_IS_READ)
    overtake(changing(acme, RESTRICTED, dora), changing(acme, FROZEN, dora), stop=stop)
    statuses = PartnerStatusRecord.objects.order_by("pk").values_list("status_before", "status_after")
    assert list(statuses) == [("", "RESTRICTED"), ("RESTRICTED", "FROZEN")]


def test_the_same_status_twice_at_once_is_recorded_once(acme, dora, monkeypatch):
    stop = stop_before(monkeypatch, STATUS_IS_READ)
    overtake(changing(acme, FROZEN, dora), changing(acme, FROZEN, dora), stop=stop)
    assert PartnerStatusRecord.objects.count() == 1
