"""What happens at once on PostgreSQL to decisions: put off while the budget is raised, or the grant revoked."""

from datetime import timedelta

import pytest
from django.utils import timezone

from budgets.actions.decisions import is_snoozed, snooze_decisions, undecided_budgets
from budgets.months import month_name
from customers.models import AccountFreezing, Customer, Snooze
from partnercenter.lib.errors import PermissionRefused
from partnercenter.models import Partner, User
from tests import factories
from tests.concurrency.acts import BATCH_IS_RECORDED, GRANT_IS_WRITTEN, REPORT_HAS_MOVED_USED, granting, single
from tests.concurrency.threads import overtake, stop_before

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

IS_ABOUT_TO_SNOOZE = "budgets.actions.decisions._record"


@pytest.fixture
def kestwick(acme: Partner, ann: User) -> Customer:
    """A customer who has used up 100 under Manual this month."""
    customer = factories.customer(acme, "kestwick")
    factories.budget(customer, ann, "100", account_freezing=AccountFreezing.MANUAL)
    factories.report((customer, month_name(factories.stored(customer).counted_from), "120"))
    return customer


def snoozing(customer: Customer, operator: User):
    until = timezone.localdate() + timedelta(days=7)
    chosen = Customer.objects.filter(pk=customer.pk)
    return lambda: snooze_decisions(chosen, until=until, reason="Pays on Friday", operator=operator)


def is_open() -> list[bool]:
    return [
        not snoozed
        for snoozed in undecided_budgets().annotate(off=is_snoozed(timezone.now())).values_list("off", flat=True)
    ]


def test_who_is_being_raised_is_not_put_off(kestwick, ann, monkeypatch):
    stop = stop_before(monkeypatch, BATCH_IS_RECORDED)
    raised, snoozed = overtake(single(kestwick, ann, "500"), snoozing(kestwick, ann), stop=stop)
    assert (raised.changed, snoozed) == (1, 0)
    assert not Snooze.objects.exists()
    assert is_open() == []


def test_who_is_being_put_off_is_raised_afterwards_and_used_up_again_is_open(kestwick, ann, monkeypatch):
    stop = stop_before(monkeypatch, IS_ABOUT_TO_SNOOZE)
    snoozed, raised = overtake(snoozing(kestwick, ann), single(kestwick, ann, "500"), stop=stop)
    assert (raised.changed, snoozed) == (1, 1)
    factories.budget(kestwick, ann, "110", account_freezing=AccountFreezing.MANUAL)
    assert is_open() == [True]


def test_a_refund_that_is_being_taken_in_leaves_nothing_to_put_off(kestwick, ann, monkeypatch):
    stop = stop_before(monkeypatch, REPORT_HAS_MOVED_USED)
    refund = (kestwick, month_name(factories.stored(kestwick).counted_from), "20")
    _taken, snoozed = overtake(lambda: factories.report(refund), snoozing(kestwick, ann), stop=stop)
    assert snoozed == 0
    assert not Snooze.objects.exists()


def test_a_revocation_waits_for_the_snooze_and_a_snooze_for_the_revocation(kestwick, ann, acme, dora, monkeypatch):
    stop = stop_before(monkeypatch, IS_ABOUT_TO_SNOOZE)
    snoozed, _revoked = overtake(snoozing(kestwick, ann), granting(acme, None, dora), stop=stop)
    assert snoozed == 1
    granting(acme, "1000", dora)()
    stop = stop_before(monkeypatch, GRANT_IS_WRITTEN)
    _revoked, refused = overtake(granting(acme, None, dora), snoozing(kestwick, ann), stop=stop)
    assert isinstance(refused, PermissionRefused)
    assert Snooze.objects.count() == 1
