"""Who may set what, and how much of it: permission and quota pools, in a review and again under lock.

See section 5 (docs/rules.md).
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum, Value
from django.utils.translation import gettext as _

from customers.models import Customer, CustomerQuerySet, ExclusionReason, FreezeEffect, ReviewItem
from partnercenter.lib.errors import InvalidRequest, PermissionRefused
from partnercenter.lib.money import money, show_amount
from partnercenter.models import BudgetType, Grant, Partner, User
from partnercenter.permissions import limiting_grant, why_not_budgets, why_not_unfreeze

QuotaDeltas = dict[int, dict[str, Decimal]]


def not_actionable(operator: User) -> dict[ExclusionReason, Q]:
    """The customers this operator can set no budget for, whatever the terms, by the reason.

    See rules 5.2, 5.6 (docs/rules.md).

    The operator's own role and grant are asked before.
    """
    reasons = {ExclusionReason.REFERRAL: Q(association_type=Customer.AssociationType.REFERRAL)}
    if operator.partner and operator.partner.is_distributor:
        of_reseller = Q(partner__grant__monthly_quota__isnull=False) | Q(partner__grant__one_time_quota__isnull=False)
        reasons[ExclusionReason.GRANTED] = of_reseller & ~Q(partner=operator.partner)
    return reasons


def actionable(customers: CustomerQuerySet, operator: User) -> CustomerQuerySet:
    """The customers without those beyond reach."""
    return customers.exclude(reduce(or_, not_actionable(operator).values()))


@dataclass(frozen=True)
class ReviewTotals:
    """What a review is about: so many customers, of which partners, given which types; to how many what happens.

    `moves` only where it was asked for.
    """

    number: int
    partners: list[Partner]
    types: set[str]
    removes: bool
    exhausted: int
    unfrozen: int
    kept: int
    moves: QuotaDeltas


def review_totals(rows: QuerySet[ReviewItem], operator: User, *, moving: bool = False) -> ReviewTotals:
    """What the rows are about, read once.

    `kept` stay frozen although Unfreeze Now was ticked; see rule 3.9 (docs/rules.md).

    `moving` tells by how much the pools would move, too: for that the budgets that stand are read.
    """
    groups: Any = rows.order_by().annotate(partner=_partner(operator)).values("partner", "budget_type")
    counted = list(groups.annotate(**COUNT_COLUMNS, **(_sums(*AS_REVIEWED) if moving else {})))
    types = {each["budget_type"] for each in counted}
    return ReviewTotals(
        partners=_partners({each["partner"] for each in counted}, operator),
        types=types - {None},
        removes=None in types,
        **{name: sum(each[name] for each in counted) for name in COUNT_COLUMNS},
        moves=_moves(counted) if moving else {},
    )


COUNT_COLUMNS = {
    "number": Count("pk"),
    "exhausted": Count("pk", filter=Q(exhausts=True)),
    "unfrozen": Count("pk", filter=Q(effect=FreezeEffect.UNFROZEN)),
    "kept": Count("pk", filter=Q(effect__in=(FreezeEffect.STAYS_FROZEN, FreezeEffect.ESCALATED), unfreeze=True)),
}
# Where a review has the former type and amount, and the new ones.
AS_REVIEWED = ("customer__budget__", "")


def _partners(keys: set[int], operator: User) -> list[Partner]:
    """Those of the keys; the operator's own company is known with it."""
    company = operator.partner
    if company is not None and keys == {company.pk}:
        return [company]
    return list(Partner.objects.filter(pk__in=keys).select_related("distributor"))


def _partner(operator: User) -> Any:
    """The partner of a customer that the operator acts on: only a distributor's need be looked up one by one."""
    company = operator.partner
    return F("customer__partner") if company is None or company.is_distributor else Value(company.pk)


def ensure_permitted(extent: ReviewTotals, operator: User) -> dict[int, Grant]:
    """The grants of the resellers, as they are now.

    Raises PermissionRefused where they, or their standing, do not allow it.

    Where it matters the caller has locked them: so a revocation holds at once, and so does the freezing of a reseller.
    """
    grants = {grant.pk: grant for grant in Grant.objects.filter(partner__in=extent.partners).select_related("partner")}
    for partner in extent.partners:
        grant = grants.get(partner.pk)
        reason = why_not_budgets(operator, partner, grant)
        if extent.unfrozen:
            reason = reason or why_not_unfreeze(operator, grant.partner if grant else partner)
        if reason:
            raise PermissionRefused(reason)
    return grants


def ensure_types_granted(extent: ReviewTotals, operator: User) -> dict[int, Grant]:
    """What `refuse_not_allowed` says; raises InvalidRequest where the grants allow not all the types."""
    grants = ensure_permitted(extent, operator)
    for partner in extent.partners:
        bound = limiting_grant(operator, partner, grants.get(partner.pk))
        for budget_type in extent.types - (bound.types if bound else extent.types):
            raise InvalidRequest(missing_quota_message(budget_type), "budget_type")
    return grants


def missing_quota_message(budget_type: str) -> str:
    """What a reseller is told who has no quota for this type."""
    if budget_type == BudgetType.MONTHLY:
        return _("Contact your distributor to be granted a monthly budget quota.")
    return _("Contact your distributor to be granted a one-time budget quota.")


def quota_deltas(rows: QuerySet[Any], before: str, after: str, operator: User) -> QuotaDeltas:
    """By how much each partner's pools move: partner -> budget type -> sum after less sum before.

    `before` and `after` are where the rows have the former and the new type and amount: `.._type`, `.._amount`.
    """
    by_partner: Any = rows.order_by().annotate(partner=_partner(operator)).values("partner")
    return _moves(by_partner.annotate(**_sums(before, after)))


def _sums(before: str, after: str) -> dict[str, Sum]:
    return {
        f"{side}_{kind}": Sum(f"{path}amount", filter=Q(**{f"{path}budget_type": kind}), default=money(0))
        for side, path in (("before", before), ("after", after))
        for kind in BudgetType.values
    }


def _moves(summed: Iterable[dict[str, Any]]) -> QuotaDeltas:
    """From rows of `_sums`, of which a partner may have several."""
    moved: QuotaDeltas = defaultdict(lambda: dict.fromkeys(BudgetType.values, Decimal(0)))
    for each in summed:
        for kind in BudgetType.values:
            moved[each["partner"]][kind] += each[f"after_{kind}"] - each[f"before_{kind}"]
    return dict(moved)


def ensure_within_quota(by_partner: QuotaDeltas, grants: dict[int, Grant], operator: User) -> None:
    """Raises InvalidRequest where what is set as a whole would exceed a quota; see rule 5.3 (docs/rules.md)."""
    for partner, by_type in by_partner.items():
        if partner in grants:
            allocate(grants[partner], by_type, operator)


def allocate(grant: Grant, by_type: dict[str, Decimal], operator: User) -> None:
    """Allocate so much more of each pool, in memory.

    Refused only above the quota *and* above where the pool stood; see rules 5.3, 5.4 (docs/rules.md).
    """
    is_bound = limiting_grant(operator, grant.partner, grant) is not None
    for kind, by in by_type.items():
        pool = grant.pool(kind)
        needed = pool.allocated + by
        if is_bound and by > 0 and (pool.granted is None or needed > pool.granted):
            raise InvalidRequest(over_quota_message(kind, pool.granted or Decimal(0), pool.allocated, needed), "amount")
        setattr(grant, f"{kind.lower()}_allocated", needed)


def over_quota_message(kind: str, quota: Decimal, allocated: Decimal, needed: Decimal) -> str:
    """The refusal that names quota, allocated and needed."""
    figures = {"quota": show_amount(quota), "allocated": show_amount(allocated), "needed": show_amount(needed)}
    if kind == BudgetType.MONTHLY:
        sentence = _("The monthly budget quota is %(quota)s, %(allocated)s of it is allocated; this needs %(needed)s.")
    else:
        sentence = _("The one-time budget quota is %(quota)s, %(allocated)s of it is allocated; this needs %(needed)s.")
    return sentence % figures
