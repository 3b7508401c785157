"""The month's restore in steps, while people and reports go on."""

from datetime import UTC, datetime

import pytest

from budgets.actions import billing_month
from budgets.actions.billing_month import restore_budgets, restore_budgets_to
from budgets.models import Budget
from customers.models import FreezeRecord
from partnercenter.lib.errors import Conflict
from partnercenter.models import BudgetType
from tests import factories
from tests.concurrency.actions import FREEZE_AFTER_REPORT
from tests.concurrency.threads import pause_after, pause_before, race

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

OCTOBER = datetime(2026, 10, 2, tzinfo=UTC)
# A step has counted its customers anew and still holds its locks.
STEP = "budgets.actions.billing_month.update_used"


@pytest.fixture
def used_up(acme, ann, monkeypatch):
    """Three customers frozen by their monthly budgets, to be unfrozen with the restore; steps of one customer."""
    monkeypatch.setattr(billing_month, "RESTORE_STEP", 1)
    customers = factories.customers(acme, 3)
    factories.budget(customers, ann, "100", BudgetType.MONTHLY, unfreeze_on_restore=True)
    factories.report(*[(each, "2026-09", "120") for each in customers])
    return customers


def lifted(customer) -> int:
    return FreezeRecord.objects.filter(customer=customer, operation="UNFREEZE", operator_name="system").count()


def test_budgets_are_set_while_a_step_goes_on_and_each_customer_is_restored_once(used_up, ann, clock, monkeypatch):
    clock.move_to(OCTOBER)
    restore, result = race(
        restore_budgets,
        lambda: factories.budget(used_up[2], ann, "300", BudgetType.MONTHLY, unfreeze=False),
        pause=pause_after(monkeypatch, STEP),
        until_others_end=True,
    )
    assert (restore.restored, restore.unfrozen, result.changed) == (2, 2, 1)
    assert [lifted(customer) for customer in used_up] == [1, 1, 1]
    assert set(Budget.objects.values_list("counted_from", "counted_to", "used")) == {(202610, 202610, 0)}


def test_two_restores_at_once_restore_each_customer_once(used_up, clock, monkeypatch):
    clock.move_to(OCTOBER)
    results = race(restore_budgets, restore_budgets, pause=pause_after(monkeypatch, STEP))
    assert sum(each.restored for each in results) == 3
    assert [lifted(customer) for customer in used_up] == [1, 1, 1]


def test_going_back_is_refused_at_once_while_a_report_is_imported(used_up, monkeypatch):
    _report, error = race(
        lambda: factories.report((used_up[0], "2026-09", "130")),
        lambda: restore_budgets_to(202608, confirmed=True),
        pause=pause_before(monkeypatch, FREEZE_AFTER_REPORT),
        until_others_end=True,
    )
    assert isinstance(error, Conflict)
    assert "report is being imported" in error.message
    assert billing_month.current_month() == 202609
