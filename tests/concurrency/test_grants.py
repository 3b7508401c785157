"""Quotas, grants, verification codes and OK when several actions run at the same time (on PostgreSQL)."""

from decimal import Decimal
from functools import partial
from itertools import pairwise

import pytest

from budgets.actions.set_budgets import BatchResult, apply_budgets, set_budgets
from budgets.actions.terms import BudgetTerms
from budgets.models import Budget
from customers.models import AccountFreezing, Customer
from partnercenter.actions.operations import confirm_operation, send_code
from partnercenter.lib.errors import InvalidRequest, OperationFinished, PermissionRefused
from partnercenter.models import BudgetType, Confirmation, Grant, GrantRecord
from tests import factories
from tests.concurrency.actions import RECORD_GRANT, granting, setting
from tests.concurrency.threads import PausePoint, pause_after, pause_before, race

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

# Budgets are being set: the grant is locked and read, and nothing is written yet.
RECORD_BUDGETS = "budgets.actions.set_budgets._record"
# A grant is being changed: it is locked and read, and not written yet.
SAVE_GRANT = "partnercenter.permissions.Grant.save"


def test_only_one_of_twelve_simultaneous_budgets_gets_the_rest_of_the_quota(acme, ann, monkeypatch):
    customers = factories.customers(acme, 13)
    granting(acme, "100", None)()
    factories.budget(customers.pop(), ann, "40")
    actions = [setting(customer, ann, "60") for customer in customers]
    result, *errors = race(*actions, pause=pause_before(monkeypatch, RECORD_BUDGETS))
    assert result.changed == 1
    assert [(type(each), each.field) for each in errors] == [(InvalidRequest, "amount")] * 11
    assert Grant.objects.get(partner=acme).one_time_allocated == Decimal("100.00")
    assert Budget.objects.count() == 2


def test_a_revocation_waits_for_the_budget_that_is_being_set(acme, ann, dora, monkeypatch):
    customer = factories.customer(acme)
    pause = pause_before(monkeypatch, RECORD_BUDGETS)
    result, budgets_set_before = race(setting(customer, ann, "100"), granting(acme, None, dora), pause=pause)
    assert result.changed == 1
    assert budgets_set_before == 1, "the budget was set after the grant was revoked"
    assert not Grant.objects.get(partner=acme).given


def test_set_budget_waits_for_a_revocation_and_is_refused(acme, ann, dora, monkeypatch):
    customer = factories.customer(acme)
    pause = pause_before(monkeypatch, RECORD_GRANT)
    _budgets, error = race(granting(acme, None, dora), setting(customer, ann, "100"), pause=pause)
    assert isinstance(error, PermissionRefused)
    assert not Budget.objects.exists()


def test_a_grant_waits_for_the_budget_that_its_distributor_is_setting(ungranted, dora, monkeypatch):
    customer = factories.customer(ungranted)
    pause = pause_before(monkeypatch, RECORD_BUDGETS)
    result, budgets_set_before = race(setting(customer, dora, "100"), granting(ungranted, "50", dora), pause=pause)
    assert result.changed == 1
    assert budgets_set_before == 1, "the distributor set the budget after the grant was given"
    grant = Grant.objects.get(partner=ungranted)
    assert (grant.one_time_quota, grant.one_time_allocated) == (Decimal("50.00"), Decimal("100.00"))


def test_a_distributor_waits_for_the_grant_that_is_being_given_and_cannot_set_a_budget(ungranted, dora, monkeypatch):
    customer = factories.customer(ungranted)
    pause = pause_before(monkeypatch, RECORD_GRANT)
    _budgets, error = race(granting(ungranted, "50", dora), setting(customer, dora, "100"), pause=pause)
    assert isinstance(error, PermissionRefused)
    assert not Budget.objects.exists()


def test_each_of_two_simultaneous_changes_of_a_grant_records_the_quota_before_it(acme, dora, monkeypatch):
    pause = pause_before(monkeypatch, SAVE_GRANT)
    race(granting(acme, "10", dora), granting(acme, "20", dora), pause=pause)
    quotas = GrantRecord.objects.order_by("pk").values_list("one_time_quota_before", "one_time_quota_after")
    assert list(quotas) == list(pairwise([None, factories.MILLION, Decimal("10.00"), Decimal("20.00")]))


def test_a_customer_associated_after_the_grants_are_locked_gets_no_budget(acme, ungranted, dora, monkeypatch):
    # When the grants are locked, only the reseller without a grant has a customer. So acme's grant is not looked at.
    factories.customer(ungranted)
    terms = BudgetTerms(BudgetType.ONE_TIME, Decimal(100), AccountFreezing.AUTOMATIC)
    pause = pause_after(monkeypatch, "budgets.actions.locks.lock_grants")
    set_all = partial(set_budgets, Customer.objects.all(), terms, operator=dora)
    result, _customer = race(set_all, lambda: factories.customer(acme), pause=pause)
    assert result.customers == 1
    assert not Budget.objects.filter(customer__partner=acme).exists()


@pytest.mark.parametrize("with_code", [True, False])
def test_an_operation_confirmed_twice_at_the_same_time_is_applied_once(borealis, carl, mailoutbox, with_code):
    borealis.verification_required = with_code
    borealis.save()
    customer = factories.customer(borealis)
    operation = factories.reviewed([customer], carl, "100")
    send_code(operation, [])
    carl.refresh_from_db()
    code, pause = carl.emaildevice_set.get().token, PausePoint()

    def press_ok() -> BatchResult:
        return confirm_operation(operation, code, pause_and_apply)

    def pause_and_apply() -> BatchResult:
        pause.pause()
        return apply_budgets(operation)

    result, error = race(press_ok, press_ok, pause=pause)
    assert result.changed == 1
    assert isinstance(error, OperationFinished)
    assert "already been completed" in error.message
    assert Confirmation.objects.get().operation == operation
    assert customer.adjustment_records.count() == 1


def test_only_one_of_two_codes_requested_at_the_same_time_is_sent(borealis, carl, mailoutbox, monkeypatch):
    operation = factories.reviewed([factories.customer(borealis)], carl, "100")
    pause = pause_before(monkeypatch, "partnercenter.actions.operations._ensure_not_too_many_codes")
    get_code = partial(send_code, operation, [])
    _code, error = race(get_code, get_code, pause=pause)
    assert isinstance(error, InvalidRequest)
    assert len(mailoutbox) == 1
