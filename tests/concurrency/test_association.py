"""What happens at once on PostgreSQL: customers leave beside reports, budgets, batches, grants, in a forced order."""

from typing import Any

import pytest

from budgets.actions.association import associate_customers, disassociate_customers
from budgets.models import AdjustmentRecord, Budget, Expenditure
from customers.files import NewCustomer
from customers.models import Customer
from partnercenter.lib.errors import Conflict
from partnercenter.models import Grant, Partner, User
from tests import factories
from tests.concurrency.acts import BATCH_IS_RECORDED, REPORT_HAS_MOVED_USED, granting, ok, reporting, single
from tests.concurrency.threads import overtake, stop_after, stop_before

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

REPORT_IS_COMPARED = "budgets.actions.import_report._apply"
# Whoever leaves is locked, and nothing is written yet.
LEAVING_IS_LOCKED = "budgets.actions.association._remove_budgets"


@pytest.fixture
def four(acme: Partner, ann: User) -> list[Customer]:
    """Customers with a budget of 50 each, of which 20 is used; their accounts not frozen."""
    customers = factories.customers(acme, 4)
    factories.budget(customers, ann, "50")
    factories.report(*[(customer, "2026-09", "20") for customer in customers])
    return customers


def leaving(*customers: Customer):
    return lambda: disassociate_customers(Customer.objects.filter(pk__in=[each.pk for each in customers]))


def september_of(customer: Customer) -> Any:
    """Whose the month's total is, and how much."""
    return Expenditure.objects.values_list("customer", "total").get(account=customer.customer_id)


def operations(customer: Customer) -> list[str]:
    return list(customer.adjustment_records.order_by("pk").values_list("operation", flat=True))


def test_a_report_that_comes_while_customers_leave_finds_them_gone(four, monkeypatch):
    stop = stop_before(monkeypatch, LEAVING_IS_LOCKED)
    number, taken = overtake(leaving(*four[:2]), reporting(four, "60"), stop=stop)
    assert (number, taken.unknown, taken.frozen) == (2, 2, 2)
    assert [september_of(each) for each in four[:2]] == [(None, 60)] * 2
    assert [operations(each) for each in four] == [["SETTING", "DELETE"]] * 2 + [["SETTING"]] * 2


@pytest.mark.parametrize("stopped_at", [REPORT_IS_COMPARED, REPORT_HAS_MOVED_USED])
def test_customers_who_leave_while_a_report_is_taken_in_take_along_what_it_said(four, monkeypatch, stopped_at):
    taken, number = overtake(reporting(four, "60"), leaving(*four[:2]), stop=stop_before(monkeypatch, stopped_at))
    assert (taken.unknown, taken.frozen, number) == (0, 4, 2)
    assert [september_of(each) for each in four[:2]] == [(None, 60)] * 2
    assert [each.used for each in AdjustmentRecord.objects.filter(operation="DELETE")] == [60, 60]


def test_a_batch_that_is_confirmed_while_customers_leave_is_outdated(four, ann, monkeypatch):
    batch, stop = factories.reviewed(four, ann, "100"), stop_before(monkeypatch, LEAVING_IS_LOCKED)
    number, told = overtake(leaving(four[0]), ok(batch), stop=stop)
    assert (number, type(told)) == (1, Conflict)
    assert {budget.amount for budget in Budget.objects.all()} == {50}


def test_a_batch_of_the_unchanged_passes_over_who_leaves_meanwhile(four, ann, monkeypatch):
    batch, stop = factories.reviewed(four, ann, "100"), stop_before(monkeypatch, LEAVING_IS_LOCKED)
    _number, done = overtake(leaving(four[0]), ok(batch, only_unchanged=True), stop=stop)
    assert (done.changed, done.skipped) == (3, 1)
    assert operations(four[0]) == ["SETTING", "DELETE"]


def test_customers_who_leave_while_a_batch_is_set_leave_with_what_it_set(four, ann, acme, monkeypatch):
    batch, stop = factories.reviewed(four, ann, "100"), stop_before(monkeypatch, BATCH_IS_RECORDED)
    done, number = overtake(ok(batch), leaving(*four[:2]), stop=stop)
    assert (done.changed, number) == (4, 2)
    assert operations(four[0]) == ["SETTING", "SETTING", "DELETE"]
    assert four[0].adjustment_records.last().amount_before == 100
    assert Grant.objects.get(partner=acme).one_time_allocated == 200


def test_a_solution_providers_customer_who_leaves_while_its_budget_is_set(sol_solutions, sol, monkeypatch):
    # Without a grant to queue on, only the customer's own row keeps the two apart.
    customer = factories.customer(sol_solutions)
    stop = stop_before(monkeypatch, BATCH_IS_RECORDED)
    _outcome, number = overtake(single(customer, sol, "100"), leaving(customer), stop=stop)
    assert number == 1
    assert operations(customer) == ["SETTING", "DELETE"]


def test_a_grant_that_is_revoked_while_customers_leave_keeps_what_they_gave_back(four, acme, dora, monkeypatch):
    stop = stop_before(monkeypatch, LEAVING_IS_LOCKED)
    overtake(leaving(*four[:3]), granting(acme, None, dora), stop=stop)
    grant = Grant.objects.get(partner=acme)
    assert (grant.given, grant.one_time_allocated) == (False, 50)


def test_of_two_who_disassociate_the_same_one_does(four, monkeypatch):
    stop = stop_before(monkeypatch, LEAVING_IS_LOCKED)
    assert overtake(leaving(*four), leaving(*four), stop=stop) == [4, 0]
    assert [operations(each) for each in four] == [["SETTING", "DELETE"]] * 4


def test_an_id_that_is_associated_anew_while_its_customer_leaves_is_the_newcomers(four, borealis, monkeypatch):
    newcomer = NewCustomer(four[0].customer_id, "again", "Come Again", borealis)
    stop = stop_after(monkeypatch, LEAVING_IS_LOCKED)
    overtake(leaving(four[0]), lambda: associate_customers([newcomer]), stop=stop)
    again = Customer.objects.get(customer_id=four[0].customer_id, disassociated_on=None)
    assert september_of(again) == (again.pk, 20)
