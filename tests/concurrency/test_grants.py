"""What happens at once on PostgreSQL: quotas, grants, codes and confirmations, in a forced order."""

from decimal import Decimal
from functools import partial
from itertools import pairwise

import pytest

from budgets.actions.reviews import review_budgets
from budgets.actions.set_budgets import BatchResult, apply_budgets, set_budgets
from budgets.actions.terms import BudgetTerms
from budgets.models import Budget
from customers.models import AccountFreezing, Customer
from partnercenter.actions.operations import confirm_operation, send_code
from partnercenter.actions.partners import give_grant
from partnercenter.lib.errors import InvalidRequest, OperationFinished, PermissionRefused
from partnercenter.models import BudgetType, Confirmation, Grant, GrantRecord
from tests import factories
from tests.concurrency.threads import Stop, overtake, stop_after, stop_before

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

GRANT_IS_READ_BY_BUDGET = "budgets.actions.set_budgets._record"
GRANT_IS_READ_BY_GRANTING = "partnercenter.permissions.Grant.save"
GRANT_IS_WRITTEN = "partnercenter.actions.partners.operator_name"


def granting(partner, quota: str | None, operator=None):
    """Giving this quota of each type, None: revoking; and then telling how many budgets stand."""
    amount = None if quota is None else Decimal(quota)

    def act() -> int:
        give_grant(partner, monthly_quota=amount, one_time_quota=amount, operator=operator)
        return Budget.objects.count()

    return act


def setting(customer, operator, amount: str):
    return lambda: factories.budget(customer, operator, amount)


def test_of_twelve_budgets_racing_for_the_last_of_a_quota_one_wins(acme, ann, monkeypatch):
    customers = factories.customers(acme, 13)
    granting(acme, "100")()
    factories.budget(customers.pop(), ann, "40")
    racing = [setting(customer, ann, "60") for customer in customers]
    won, *lost = overtake(*racing, stop=stop_before(monkeypatch, GRANT_IS_READ_BY_BUDGET))
    assert won.changed == 1
    assert [(type(each), each.field) for each in lost] == [(InvalidRequest, "amount")] * 11
    assert Grant.objects.get(partner=acme).one_time_allocated == Decimal("100.00")
    assert Budget.objects.count() == 2


def test_a_revocation_waits_for_the_budget_that_is_being_set(acme, ann, dora, monkeypatch):
    customer = factories.customer(acme)
    stop = stop_before(monkeypatch, GRANT_IS_READ_BY_BUDGET)
    outcome, budgets_then = overtake(setting(customer, ann, "100"), granting(acme, None, dora), stop=stop)
    assert outcome.changed == 1
    assert budgets_then == 1, "set after the grant was revoked"
    assert not Grant.objects.get(partner=acme).given


def test_a_budget_waits_for_the_revocation_and_is_not_allowed(acme, ann, dora, monkeypatch):
    customer = factories.customer(acme)
    stop = stop_before(monkeypatch, GRANT_IS_WRITTEN)
    _revoked, refused = overtake(granting(acme, None, dora), setting(customer, ann, "100"), stop=stop)
    assert isinstance(refused, PermissionRefused)
    assert not Budget.objects.exists()


def test_a_grant_given_anew_waits_for_the_distributor_who_acts(ungranted, dora, monkeypatch):
    customer = factories.customer(ungranted)
    stop = stop_before(monkeypatch, GRANT_IS_READ_BY_BUDGET)
    outcome, budgets_then = overtake(setting(customer, dora, "100"), granting(ungranted, "50", dora), stop=stop)
    assert outcome.changed == 1
    assert budgets_then == 1, "set by the distributor after the reseller was granted"
    grant = Grant.objects.get(partner=ungranted)
    assert (grant.one_time_quota, grant.one_time_allocated) == (Decimal("50.00"), Decimal("100.00"))


def test_a_distributor_waits_for_the_grant_given_anew_and_is_not_allowed(ungranted, dora, monkeypatch):
    customer = factories.customer(ungranted)
    stop = stop_before(monkeypatch, GRANT_IS_WRITTEN)
    _given, refused = overtake(granting(ungranted, "50", dora), setting(customer, dora, "100"), stop=stop)
    assert isinstance(refused, PermissionRefused)
    assert not Budget.objects.exists()


def test_of_two_changes_of_a_grant_at_once_each_records_what_it_found(acme, dora, monkeypatch):
    stop = stop_before(monkeypatch, GRANT_IS_READ_BY_GRANTING)
    overtake(granting(acme, "10", dora), granting(acme, "20", dora), stop=stop)
    quotas = GrantRecord.objects.order_by("pk").values_list("one_time_quota_before", "one_time_quota_after")
    amounts = [None, factories.MILLION, Decimal("10.00"), Decimal("20.00")]
    assert list(quotas) == list(pairwise(amounts))


def test_a_customer_who_comes_between_the_locks_of_grants_and_customers_is_not_meant(
    acme, ungranted, dora, monkeypatch
):
    # All of the distributor's, when only the reseller without a grant has any: acme's grant is looked at by nobody.
    factories.customer(ungranted)
    everybody = Customer.objects.all()
    terms = BudgetTerms(BudgetType.ONE_TIME, Decimal(100), AccountFreezing.AUTOMATIC)
    stop = stop_after(monkeypatch, "budgets.actions.locks.lock_grants")
    outcome, _late = overtake(
        lambda: set_budgets(everybody, terms, operator=dora), lambda: factories.customer(acme), stop=stop
    )
    assert outcome.customers == 1
    assert not Budget.objects.filter(customer__partner=acme).exists()


def reviewed(customer: Customer, operator, amount: str):
    """An operation that sets this budget, reviewed and waiting for its confirmation."""
    customers = Customer.objects.filter(pk=customer.pk)
    terms = BudgetTerms(BudgetType.ONE_TIME, Decimal(amount), AccountFreezing.AUTOMATIC)
    return review_budgets(customers, terms, operator=operator, unfreeze=True)


@pytest.mark.parametrize("with_code", [True, False])
def test_an_operation_confirmed_twice_at_once_is_applied_once(borealis, carl, mailoutbox, with_code):
    borealis.verification_required = with_code
    borealis.save()
    customer = factories.customer(borealis)
    operation = reviewed(customer, carl, "100")
    send_code(operation, [])
    carl.refresh_from_db()
    code, stop = carl.emaildevice_set.get().token, Stop()

    def press_ok() -> BatchResult:
        return confirm_operation(operation, code, apply)

    def apply() -> BatchResult:
        stop.here()
        return apply_budgets(operation)

    said, told = overtake(press_ok, press_ok, stop=stop)
    assert said.changed == 1
    assert isinstance(told, OperationFinished)
    assert "already been completed" in told.message
    assert Confirmation.objects.get().operation == operation
    assert customer.adjustment_records.count() == 1


def test_of_two_codes_asked_for_at_once_one_is_sent(borealis, carl, mailoutbox, monkeypatch):
    operation = reviewed(factories.customer(borealis), carl, "100")
    stop = stop_before(monkeypatch, "partnercenter.actions.operations._ensure_not_too_many_codes")
    get_code = partial(send_code, operation, [])
    _sent, refused = overtake(get_code, get_code, stop=stop)
    assert isinstance(refused, InvalidRequest)
    assert len(mailoutbox) == 1
