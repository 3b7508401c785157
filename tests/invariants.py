"""Check that all stored data is consistent: figures are computed again from their rows, and records form chains."""

from decimal import Decimal
from itertools import pairwise

from django.db.models import Count

from budgets.actions.billing_month import current_month
from budgets.actions.reviews import included_items
from budgets.models import FREEZE_KIND_BY_POLICY, AdjustmentRecord, Budget, Expenditure
from budgets.queries.integrity import differences
from customers.models import Customer, FreezeRecord
from partnercenter.models import BudgetType, Confirmation, Grant, GrantRecord, Partner

TERMS = ("budget_type", "amount", "account_freezing")
FREEZE = ("kind", "origin")
QUOTAS = ("monthly_quota", "one_time_quota")
DISASSOCIATED = Customer.objects.exclude(disassociated_on=None)


def check_invariants() -> None:
    """Check every customer, grant and partner, every confirmed batch, and what `manage.py check_budgets` checks.

    The used part of a budget is the sum of its expenditure, the allocated part of a quota the sum of its budgets. Each
    record begins with the state in which the one before it ended, and the last one ends with the present state. A
    confirmed batch has set the budgets that were reviewed, once per customer.
    """
    month = current_month()
    for customer in Customer.objects.select_related("budget"):
        _check_adjustment_records(customer)
        if hasattr(customer, "budget"):
            _check_budget(customer.budget, month)
        _check_freeze_records(customer)
        _check_expenditure(customer)
    for grant in Grant.objects.all():
        _check_grant(grant)
    for partner in Partner.objects.all():
        _check_status_records(partner)
    _check_batches()
    assert list(differences()) == []


def _check_adjustment_records(customer: Customer) -> None:
    """The records form a chain that ends with the present budget, or with no budget."""
    records = list(AdjustmentRecord.objects.filter(customer=customer).order_by("pk"))
    _check_chain(records, TERMS)
    budget = getattr(customer, "budget", None)
    assert (records[-1].pk if budget else None) == (budget and budget.record_id)
    assert (_after(records[-1], TERMS) if records else [None] * 3) == _terms(budget)


def _check_budget(budget: Budget, month: int) -> None:
    counted = range(budget.counted_from, month + 1)
    spent = Expenditure.objects.filter(account=budget.customer.customer_id).exclude(customer__in=DISASSOCIATED)
    assert budget.used == sum((each.total for each in spent if each.month in counted), Decimal(0))
    assert budget.budget_type == BudgetType.ONE_TIME or budget.counted_from == month
    if budget.exhausted and budget.account_freezing in FREEZE_KIND_BY_POLICY:
        assert budget.customer.is_frozen


def _check_freeze_records(customer: Customer) -> None:
    """The records form a chain that ends with the present freeze state, and each of them changes the kind."""
    records = list(FreezeRecord.objects.filter(customer=customer).order_by("pk"))
    _check_chain(records, FREEZE)
    assert all(record.kind_before != record.kind_after for record in records)
    assert _after(records[-1], FREEZE) == [customer.freeze_kind, customer.freeze_origin]


def _check_expenditure(customer: Customer) -> None:
    """All expenditure of the customer ID is this customer's, except that of customers who had the ID before."""
    reported = Expenditure.objects.filter(account=customer.customer_id).exclude(customer__in=DISASSOCIATED)
    assert customer.disassociated_on or not reported.exclude(customer=customer).exists()


def _check_grant(grant: Grant) -> None:
    for budget_type in BudgetType.values:
        budgets = Budget.objects.filter(customer__partner=grant.partner_id, budget_type=budget_type)
        assert grant.pool(budget_type).allocated == sum((budget.amount for budget in budgets), Decimal(0))
    records = list(GrantRecord.objects.filter(partner=grant.partner_id).order_by("pk"))
    _check_chain(records, QUOTAS)
    if records:
        assert _after(records[-1], QUOTAS) == [getattr(grant, name) for name in QUOTAS]


def _check_status_records(partner: Partner) -> None:
    """The records form a chain that ends with the present status, its time and its reason."""
    records = list(partner.status_records.order_by("pk"))
    _check_chain(records, ("status",))
    last = records[-1] if records and records[-1].status_after else None
    expected = (last.status_after, last.at, last.reason) if last else ("", None, "")
    assert (partner.status, partner.status_since, partner.status_reason) == expected


def _check_batches() -> None:
    """No batch has two records of one customer, and each record has the terms that were reviewed."""
    per_customer = AdjustmentRecord.objects.order_by().values("batch", "customer").annotate(records=Count("pk"))
    assert {each["records"] for each in per_customer} <= {1}
    for confirmation in Confirmation.objects.select_related("operation"):
        reviewed = {item.customer_id: _terms(item) for item in included_items(confirmation.operation)}
        for record in AdjustmentRecord.objects.filter(batch=confirmation.pk):
            assert reviewed[record.customer_id] == _after(record, TERMS)


def _terms(row: object) -> list:
    """The terms of a budget or a review item; None for each term if there is neither."""
    return [getattr(row, name, None) for name in TERMS]


def _check_chain(records: list, names: tuple[str, ...]) -> None:
    """Each record begins with the values with which the one before it ended."""
    for former, latter in pairwise(records):
        assert [getattr(latter, f"{name}_before") for name in names] == _after(former, names)


def _after(record: object, names: tuple[str, ...]) -> list:
    return [getattr(record, f"{name}_after") for name in names]
