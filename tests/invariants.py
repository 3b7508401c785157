"""Whether all that is stored adds up, computed anew from the rows behind it; for tests of what happens at once."""

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
LEFT = Customer.objects.exclude(disassociated_on=None)


def must_add_up() -> None:
    """Used equals the expenditure behind it, allocated the budgets behind it, and records follow on each other.

    A confirmed batch has set what was reviewed, each customer once.
    """
    month = current_month()
    for customer in Customer.objects.select_related("budget"):
        _adjustment_records_follow(customer)
        if hasattr(customer, "budget"):
            _budget_adds_up(customer.budget, month)
        _freeze_records_follow(customer)
        _expenditure_is_theirs(customer)
    for grant in Grant.objects.all():
        _grant_adds_up(grant)
    for partner in Partner.objects.all():
        _status_records_follow(partner)
    _batches_are_as_reviewed()
    assert list(differences()) == []


def _adjustment_records_follow(customer: Customer) -> None:
    """Each finds the budget as the one before left it, and the last left it as it stands; none: no budget."""
    records = list(AdjustmentRecord.objects.filter(customer=customer).order_by("pk"))
    _follow(records, TERMS)
    stands = getattr(customer, "budget", None)
    assert (records[-1].pk if stands else None) == (stands and stands.record_id)
    assert (_after(records[-1], TERMS) if records else [None] * 3) == _terms(stands)


def _budget_adds_up(budget: Budget, month: int) -> None:
    counted = range(budget.counted_from, month + 1)
    spent = Expenditure.objects.filter(account=budget.customer.customer_id).exclude(customer__in=LEFT)
    assert budget.used == sum((each.total for each in spent if each.month in counted), Decimal(0))
    assert budget.budget_type == BudgetType.ONE_TIME or budget.counted_from == month
    if budget.exhausted and budget.account_freezing in FREEZE_KIND_BY_POLICY:
        assert budget.customer.is_frozen


def _freeze_records_follow(customer: Customer) -> None:
    """Each freezing finds the account as the one before left it: none is frozen twice."""
    records = list(FreezeRecord.objects.filter(customer=customer).order_by("pk"))
    _follow(records, FREEZE)
    assert all(record.kind_before != record.kind_after for record in records)
    assert _after(records[-1], FREEZE) == [customer.freeze_kind, customer.freeze_origin]


def _expenditure_is_theirs(customer: Customer) -> None:
    """All of it, but for the months of those who had the ID before."""
    stated = Expenditure.objects.filter(account=customer.customer_id).exclude(customer__in=LEFT)
    assert customer.disassociated_on or not stated.exclude(customer=customer).exists()


def _grant_adds_up(grant: Grant) -> None:
    for kind in BudgetType.values:
        budgets = Budget.objects.filter(customer__partner=grant.partner_id, budget_type=kind)
        assert grant.pool(kind).allocated == sum((budget.amount for budget in budgets), Decimal(0))
    records = list(GrantRecord.objects.filter(partner=grant.partner_id).order_by("pk"))
    _follow(records, QUOTAS)
    if records:
        assert _after(records[-1], QUOTAS) == [getattr(grant, name) for name in QUOTAS]


def _batches_are_as_reviewed() -> None:
    once = AdjustmentRecord.objects.order_by().values("batch", "customer").annotate(times=Count("pk"))
    assert {each["times"] for each in once} <= {1}
    for confirmed in Confirmation.objects.select_related("operation"):
        reviewed = {row.customer_id: _terms(row) for row in included_items(confirmed.operation)}
        for record in AdjustmentRecord.objects.filter(batch=confirmed.pk):
            assert reviewed[record.customer_id] == _after(record, TERMS)


def _terms(row: object) -> list:
    """Of a budget or a reviewed customer; of None: three times None."""
    return [getattr(row, name, None) for name in TERMS]


def _follow(records: list, names: tuple[str, ...]) -> None:
    for former, latter in pairwise(records):
        assert [getattr(latter, f"{name}_before") for name in names] == _after(former, names)


def _after(record: object, names: tuple[str, ...]) -> list:
    return [getattr(record, f"{name}_after") for name in names]


def _status_records_follow(partner: Partner) -> None:
    """Each finds the reseller as the one before left it, and the last left it as it stands, since then and why."""
    records = list(partner.status_records.order_by("pk"))
    _follow(records, ("status",))
    last = records[-1] if records and records[-1].status_after else None
    stands = (last.status_after, last.at, last.reason) if last else ("", None, "")
    assert (partner.status, partner.status_since, partner.status_reason) == stands
