"""Snoozing a decision while its budget is raised, a report is imported or the grant is revoked (on PostgreSQL)."""

from datetime import timedelta

import pytest
from django.utils import timezone

from budgets.actions.decisions import is_snoozed, snooze_decisions, undecided_budgets
from budgets.months import month_name
from customers.models import AccountFreezing, Customer, Snooze
from partnercenter.lib.errors import PermissionRefused
from partnercenter.models import Partner, User
from tests import factories
from tests.concurrency.actions import (
    FREEZE_AFTER_REPORT,
    RECORD_GRANT,
    WRITE_BUDGETS,
    granting,
    setting,
)
from tests.concurrency.threads import pause_before, race

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

# A decision is being snoozed: the locks are held, and the snooze is not written yet.
RECORD_SNOOZE = "budgets.actions.decisions._record"


@pytest.fixture
def kestwick(acme: Partner, ann: User) -> Customer:
    """A customer that needs a decision: its budget of 100 under Manual is used up this month."""
    customer = factories.customer(acme, "kestwick")
    factories.budget(customer, ann, "100", account_freezing=AccountFreezing.MANUAL)
    factories.report((customer, month_name(factories.stored(customer).counted_from), "120"))
    return customer


def snoozing(customer: Customer, operator: User):
    until = timezone.localdate() + timedelta(days=7)
    customers = Customer.objects.filter(pk=customer.pk)
    return lambda: snooze_decisions(customers, until=until, reason="Pays on Friday", operator=operator)


def decisions_are_open() -> list[bool]:
    """For each customer that needs a decision, whether it is open; otherwise it is snoozed."""
    snoozed = undecided_budgets().annotate(snoozed=is_snoozed(timezone.now())).values_list("snoozed", flat=True)
    return [not each for each in snoozed]


def test_a_decision_whose_budget_is_being_raised_is_not_snoozed(kestwick, ann, monkeypatch):
    pause = pause_before(monkeypatch, WRITE_BUDGETS)
    raised, snoozed = race(setting(kestwick, ann, "500"), snoozing(kestwick, ann), pause=pause)
    assert (raised.changed, snoozed) == (1, 0)
    assert not Snooze.objects.exists()
    assert decisions_are_open() == []


def test_raising_a_budget_ends_the_snooze_in_progress_so_that_the_next_decision_is_open(kestwick, ann, monkeypatch):
    pause = pause_before(monkeypatch, RECORD_SNOOZE)
    snoozed, raised = race(snoozing(kestwick, ann), setting(kestwick, ann, "500"), pause=pause)
    assert (raised.changed, snoozed) == (1, 1)
    factories.budget(kestwick, ann, "110", account_freezing=AccountFreezing.MANUAL)
    assert decisions_are_open() == [True]


def test_a_refund_that_is_being_imported_leaves_no_decision_to_snooze(kestwick, ann, monkeypatch):
    pause = pause_before(monkeypatch, FREEZE_AFTER_REPORT)
    refund = (kestwick, month_name(factories.stored(kestwick).counted_from), "20")
    _report, snoozed = race(lambda: factories.report(refund), snoozing(kestwick, ann), pause=pause)
    assert snoozed == 0
    assert not Snooze.objects.exists()


def test_a_revocation_waits_for_a_snooze_and_a_snooze_for_a_revocation(kestwick, ann, acme, dora, monkeypatch):
    pause = pause_before(monkeypatch, RECORD_SNOOZE)
    snoozed, _budgets = race(snoozing(kestwick, ann), granting(acme, None, dora), pause=pause)
    assert snoozed == 1
    granting(acme, "1000", dora)()
    pause = pause_before(monkeypatch, RECORD_GRANT)
    _budgets, error = race(granting(acme, None, dora), snoozing(kestwick, ann), pause=pause)
    assert isinstance(error, PermissionRefused)
    assert Snooze.objects.count() == 1
