"""Disassociating customers while a report, a batch, a grant or another association is in progress (on PostgreSQL)."""

from typing import Any

import pytest

from budgets.actions.association import associate_customers, disassociate_customers
from budgets.models import AdjustmentRecord, Budget, Expenditure
from customers.files import NewCustomer
from customers.models import Customer
from partnercenter.lib.errors import Conflict
from partnercenter.models import Grant, Partner, User
from tests import factories
from tests.concurrency.actions import (
    FREEZE_AFTER_REPORT,
    WRITE_BUDGETS,
    WRITE_REPORT,
    confirming,
    granting,
    reporting,
    setting,
)
from tests.concurrency.threads import pause_after, pause_before, race

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

# Customers are being disassociated: they are locked, and nothing is written yet.
REMOVE_BUDGETS = "budgets.actions.association._remove_budgets"


@pytest.fixture
def four(acme: Partner, ann: User) -> list[Customer]:
    """Four customers with a budget of 50 each, of which 20 is used; their accounts are not frozen."""
    customers = factories.customers(acme, 4)
    factories.budget(customers, ann, "50")
    factories.report(*[(customer, "2026-09", "20") for customer in customers])
    return customers


def disassociating(*customers: Customer):
    return lambda: disassociate_customers(Customer.objects.filter(pk__in=[each.pk for each in customers]))


def september_expenditure(customer: Customer) -> Any:
    """The customer to whom the month's total of this customer ID belongs, and the total."""
    return Expenditure.objects.values_list("customer", "total").get(account=customer.customer_id)


def recorded_operations(customer: Customer) -> list[str]:
    return list(customer.adjustment_records.order_by("pk").values_list("operation", flat=True))


def test_a_report_imported_during_a_disassociation_finds_the_customers_gone(four, monkeypatch):
    pause = pause_before(monkeypatch, REMOVE_BUDGETS)
    number, report = race(disassociating(*four[:2]), reporting(four, "60"), pause=pause)
    assert (number, report.unknown, report.frozen) == (2, 2, 2)
    assert [september_expenditure(each) for each in four[:2]] == [(None, 60)] * 2
    assert [recorded_operations(each) for each in four] == [["SETTING", "DELETE"]] * 2 + [["SETTING"]] * 2


@pytest.mark.parametrize("function", [WRITE_REPORT, FREEZE_AFTER_REPORT])
def test_a_disassociation_during_an_import_records_what_the_report_stated(four, monkeypatch, function):
    pause = pause_before(monkeypatch, function)
    report, number = race(reporting(four, "60"), disassociating(*four[:2]), pause=pause)
    assert (report.unknown, report.frozen, number) == (0, 4, 2)
    assert [september_expenditure(each) for each in four[:2]] == [(None, 60)] * 2
    assert [each.used for each in AdjustmentRecord.objects.filter(operation="DELETE")] == [60, 60]


def test_a_batch_confirmed_during_a_disassociation_of_its_customer_raises_a_conflict(four, ann, monkeypatch):
    batch, pause = factories.reviewed(four, ann, "100"), pause_before(monkeypatch, REMOVE_BUDGETS)
    number, error = race(disassociating(four[0]), confirming(batch), pause=pause)
    assert (number, type(error)) == (1, Conflict)
    assert {budget.amount for budget in Budget.objects.all()} == {50}


def test_a_batch_confirmed_for_the_unchanged_customers_skips_one_being_disassociated(four, ann, monkeypatch):
    batch, pause = factories.reviewed(four, ann, "100"), pause_before(monkeypatch, REMOVE_BUDGETS)
    _number, result = race(disassociating(four[0]), confirming(batch, only_unchanged=True), pause=pause)
    assert (result.changed, result.skipped) == (3, 1)
    assert recorded_operations(four[0]) == ["SETTING", "DELETE"]


def test_customers_disassociated_during_a_batch_lose_the_budget_that_it_sets(four, ann, acme, monkeypatch):
    batch, pause = factories.reviewed(four, ann, "100"), pause_before(monkeypatch, WRITE_BUDGETS)
    result, number = race(confirming(batch), disassociating(*four[:2]), pause=pause)
    assert (result.changed, number) == (4, 2)
    assert recorded_operations(four[0]) == ["SETTING", "SETTING", "DELETE"]
    assert four[0].adjustment_records.last().amount_before == 100
    assert Grant.objects.get(partner=acme).one_time_allocated == 200


def test_a_solution_providers_customer_is_disassociated_after_its_budget_is_set(sol_solutions, sol, monkeypatch):
    # There is no grant to lock, so only the lock of the customer's own row makes the disassociation wait.
    customer = factories.customer(sol_solutions)
    pause = pause_before(monkeypatch, WRITE_BUDGETS)
    _result, number = race(setting(customer, sol, "100"), disassociating(customer), pause=pause)
    assert number == 1
    assert recorded_operations(customer) == ["SETTING", "DELETE"]


def test_a_grant_revoked_during_a_disassociation_keeps_the_quota_that_it_releases(four, acme, dora, monkeypatch):
    pause = pause_before(monkeypatch, REMOVE_BUDGETS)
    race(disassociating(*four[:3]), granting(acme, None, dora), pause=pause)
    grant = Grant.objects.get(partner=acme)
    assert (grant.given, grant.one_time_allocated) == (False, 50)


def test_customers_disassociated_twice_at_the_same_time_are_disassociated_once(four, monkeypatch):
    pause = pause_before(monkeypatch, REMOVE_BUDGETS)
    assert race(disassociating(*four), disassociating(*four), pause=pause) == [4, 0]
    assert [recorded_operations(each) for each in four] == [["SETTING", "DELETE"]] * 4


def test_expenditure_of_an_id_associated_again_during_the_disassociation_is_the_new_customers(
    four, borealis, monkeypatch
):
    newcomer = NewCustomer(four[0].customer_id, "again", "Come Again", borealis)
    pause = pause_after(monkeypatch, REMOVE_BUDGETS)
    race(disassociating(four[0]), lambda: associate_customers([newcomer]), pause=pause)
    new_customer = Customer.objects.get(customer_id=four[0].customer_id, disassociated_on=None)
    assert september_expenditure(new_customer) == (new_customer.pk, 20)
