"""Who may set what, and how much of it: permission and quota pools, in a review and again under lock (domain 5)."""

from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet, Sum
from django.utils.translation import gettext as _

from customers.models import Customer, LeftOut, ReviewedCustomer
from partnercenter.models import BudgetType, Grant, Partner, User
from partnercenter.money import money, show_amount
from partnercenter.permissions import bound_by, refusal
from partnercenter.refusals import NotAllowed, Refusal

Moves = dict[int, dict[str, Decimal]]


def beyond_reach(operator: User) -> dict[LeftOut, Q]:
    """The customers this operator can set no budget for, whatever the terms, by the reason (domain 5.2, 5.6).

    The operator's own role and grant are asked before.
    """
    reasons = {LeftOut.REFERRAL: Q(association_type=Customer.AssociationType.REFERRAL)}
    if operator.partner and operator.partner.is_distributor:
        of_reseller = Q(partner__grant__monthly_quota__isnull=False) | Q(partner__grant__one_time_quota__isnull=False)
        reasons[LeftOut.GRANTED] = of_reseller & ~Q(partner=operator.partner)
    return reasons


def partners_of(rows: QuerySet[ReviewedCustomer]) -> list[Partner]:
    """The partners of the customers."""
    of_rows = rows.order_by().values("customer__partner")
    return list(Partner.objects.filter(pk__in=of_rows).select_related("distributor"))


def refuse_partners(rows: QuerySet[ReviewedCustomer], operator: User) -> dict[int, Grant]:
    """The grants of the customers' resellers, as they are now; raises NotAllowed or Refusal by them.

    Where it matters the caller has locked them: so a revocation holds at once.
    """
    partners = partners_of(rows)
    grants = {grant.pk: grant for grant in Grant.objects.filter(partner__in=partners).select_related("partner")}
    types = set(rows.order_by().values_list("budget_type", flat=True).distinct()) - {None}
    for partner in partners:
        grant = grants.get(partner.pk)
        if reason := refusal(operator, partner, grant):
            raise NotAllowed(reason)
        bound = bound_by(operator, partner, grant)
        for budget_type in types - (bound.types if bound else types):
            raise Refusal(no_quota(str(budget_type)), "budget_type")
    return grants


def no_quota(budget_type: str) -> str:
    """What a reseller is told who has no quota for this type."""
    if budget_type == BudgetType.MONTHLY:
        return _("Contact your distributor to be granted a monthly budget quota.")
    return _("Contact your distributor to be granted a one-time budget quota.")


def moves(rows: QuerySet[Any], before: str, after: str) -> Moves:
    """By how much each partner's pools move: partner -> budget type -> sum after less sum before.

    `before` and `after` are where the rows have the former and the new type and amount: `.._type`, `.._amount`.
    """
    sums = {
        f"{side}_{kind}": Sum(f"{path}amount", filter=Q(**{f"{path}budget_type": kind}), default=money(0))
        for side, path in (("before", before), ("after", after))
        for kind in BudgetType.values
    }
    moved: Any = rows.order_by().values("customer__partner").annotate(**sums)
    return {
        each["customer__partner"]: {kind: each[f"after_{kind}"] - each[f"before_{kind}"] for kind in BudgetType.values}
        for each in moved
    }


def refuse_over_quota(rows: QuerySet[ReviewedCustomer], grants: dict[int, Grant], operator: User) -> None:
    """Raises Refusal where the rows, set as a whole, would exceed a quota (domain 5.3)."""
    for partner, by_type in moves(rows, "customer__budget__", "").items():
        if partner in grants:
            move_pools(grants[partner], by_type, operator)


def move_pools(grant: Grant, by_type: dict[str, Decimal], operator: User) -> None:
    """Allocate so much more of each pool, in memory.

    Refused only above the quota *and* above where the pool stood (domain 5.3, 5.4).
    """
    is_bound = bound_by(operator, grant.partner, grant) is not None
    for kind, by in by_type.items():
        pool = grant.pool(kind)
        needed = pool.allocated + by
        if is_bound and by > 0 and (pool.granted is None or needed > pool.granted):
            raise Refusal(over_quota(kind, pool.granted or Decimal(0), pool.allocated, needed), "amount")
        setattr(grant, f"{kind.lower()}_allocated", needed)


def over_quota(kind: str, quota: Decimal, allocated: Decimal, needed: Decimal) -> str:
    """The refusal that names quota, allocated and needed."""
    figures = {"quota": show_amount(quota), "allocated": show_amount(allocated), "needed": show_amount(needed)}
    if kind == BudgetType.MONTHLY:
        sentence = _("The monthly budget quota is %(quota)s, %(allocated)s of it is allocated; this needs %(needed)s.")
    else:
        sentence = _("The one-time budget quota is %(quota)s, %(allocated)s of it is allocated; this needs %(needed)s.")
    return sentence % figures
