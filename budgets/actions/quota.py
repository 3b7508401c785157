"""Who may set budgets, of which type, and for how much: permissions and quotas, at review and again under lock.

See section 5 (docs/rules.md).
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from operator import or_

from django.db.models import Count, F, Q, QuerySet, Sum, Value
from django.db.models.expressions import Combinable
from django.utils.translation import gettext as _

from customers.models import Customer, CustomerQuerySet, ExclusionReason, FreezeEffect, ReviewItem
from partnercenter.lib.errors import InvalidRequest, PermissionRefused
from partnercenter.lib.money import money, show_amount
from partnercenter.lib.types import Context
from partnercenter.models import BudgetType, Grant, Partner, User
from partnercenter.permissions import limiting_grant, why_not_budgets, why_not_unfreeze

QuotaDeltas = dict[int, dict[str, Decimal]]
"""By how much the allocated amounts change: key of the partner -> budget type -> amount."""


def not_actionable(operator: User) -> dict[ExclusionReason, Q]:
    """By reason, the condition for customers whose budget this operator cannot set, whatever the terms.

    Only what differs between customers is considered here; the operator's own role and grant are checked before.
    See rules 5.2, 5.6 (docs/rules.md).
    """
    reasons = {ExclusionReason.REFERRAL: Q(association_type=Customer.AssociationType.REFERRAL)}
    if operator.partner and operator.partner.is_distributor:
        is_granted = Q(partner__grant__monthly_quota__isnull=False) | Q(partner__grant__one_time_quota__isnull=False)
        reasons[ExclusionReason.GRANTED] = is_granted & ~Q(partner=operator.partner)
    return reasons


def actionable(customers: CustomerQuerySet, operator: User) -> CustomerQuerySet:
    """Keep only the customers that this operator may act on."""
    return customers.exclude(reduce(or_, not_actionable(operator).values()))


@dataclass(frozen=True)
class ReviewTotals:
    """Totals of a review: its customers, their partners and budget types, and how many get each effect.

    `removes` says whether any budget is removed. `stay_frozen` counts the accounts that stay frozen although Unfreeze
    Now is ticked; see rule 3.9 (docs/rules.md). `quota_deltas` is empty unless it was requested.
    """

    customers: int
    partners: list[Partner]
    types: set[str]
    removes: bool
    exhausted: int
    unfrozen: int
    stay_frozen: int
    quota_deltas: QuotaDeltas


# The totals that are plain counts of items.
REVIEW_COUNTS = {
    "customers": Count("pk"),
    "exhausted": Count("pk", filter=Q(exhausts=True)),
    "unfrozen": Count("pk", filter=Q(effect=FreezeEffect.UNFROZEN)),
    "stay_frozen": Count("pk", filter=Q(effect__in=(FreezeEffect.STAYS_FROZEN, FreezeEffect.ESCALATED), unfreeze=True)),
}
# Prefixes of the old and the new type and amount in the items of a review.
AS_REVIEWED = ("customer__budget__", "")


def review_totals(items: QuerySet[ReviewItem], operator: User, *, with_deltas: bool = False) -> ReviewTotals:
    """Compute the totals of items in one query. `with_deltas` also reads current budgets, for `quota_deltas`."""
    columns = REVIEW_COUNTS | (_sums(*AS_REVIEWED) if with_deltas else {})
    groups: QuerySet = items.order_by().annotate(partner=_partner_key(operator)).values("partner", "budget_type")
    rows = list(groups.annotate(**columns))
    own, keys = operator.partner, {row["partner"] for row in rows}
    if own is not None and keys == {own.pk}:
        partners = [own]
    else:
        partners = list(Partner.objects.filter(pk__in=keys).select_related("distributor"))
    types = {row["budget_type"] for row in rows}
    return ReviewTotals(
        partners=partners,
        types=types - {None},
        removes=None in types,
        **{name: sum(row[name] for row in rows) for name in REVIEW_COUNTS},
        quota_deltas=_deltas(rows) if with_deltas else {},
    )


def _partner_key(operator: User) -> Combinable:
    """The partner of an item's customer, as an expression: a constant if all customers have the same partner."""
    own = operator.partner
    return F("customer__partner") if own is None or own.is_distributor else Value(own.pk)


def ensure_permitted(totals: ReviewTotals, operator: User) -> dict[int, Grant]:
    """Raise PermissionRefused if the operator may not act on the customers now; return their resellers' grants.

    An action that writes must have locked the grants before. Revoking a grant and freezing a reseller lock them too, so
    no action goes on afterwards as if that had not happened.
    """
    grants = {grant.pk: grant for grant in Grant.objects.filter(partner__in=totals.partners).select_related("partner")}
    for partner in totals.partners:
        grant = grants.get(partner.pk)
        why_not = why_not_budgets(operator, partner, grant)
        if totals.unfrozen and not why_not:
            why_not = why_not_unfreeze(operator, grant.partner if grant else partner)
        if why_not:
            raise PermissionRefused(why_not)
    return grants


def ensure_types_granted(totals: ReviewTotals, operator: User) -> dict[int, Grant]:
    """Do what `ensure_permitted` does, and raise InvalidRequest if a budget type has no quota."""
    grants = ensure_permitted(totals, operator)
    for partner in totals.partners:
        grant = limiting_grant(operator, partner, grants.get(partner.pk))
        for budget_type in totals.types - (grant.types if grant else totals.types):
            raise InvalidRequest(missing_quota_message(budget_type), "budget_type")
    return grants


def missing_quota_message(budget_type: str) -> str:
    """The error message when a reseller sets a budget of a type for which it has no quota."""
    if budget_type == BudgetType.MONTHLY:
        return _("Contact your distributor to be granted a monthly budget quota.")
    return _("Contact your distributor to be granted a one-time budget quota.")


def quota_deltas(rows: QuerySet, before: str, after: str, operator: User) -> QuotaDeltas:
    """By how much these rows change the allocated amounts of each partner.

    `before` and `after` are the prefixes of the old and the new `budget_type` and `amount` in the rows.
    """
    by_partner: QuerySet = rows.order_by().annotate(partner=_partner_key(operator)).values("partner")
    return _deltas(by_partner.annotate(**_sums(before, after)))


def _sums(before: str, after: str) -> dict[str, Sum]:
    return {
        f"{side}_{kind}": Sum(f"{prefix}amount", filter=Q(**{f"{prefix}budget_type": kind}), default=money(0))
        for side, prefix in (("before", before), ("after", after))
        for kind in BudgetType.values
    }


def _deltas(rows: Iterable[Context]) -> QuotaDeltas:
    """Add up the deltas from rows with the columns of `_sums`; a partner may have several rows."""
    deltas: QuotaDeltas = defaultdict(lambda: dict.fromkeys(BudgetType.values, Decimal(0)))
    for row in rows:
        for kind in BudgetType.values:
            deltas[row["partner"]][kind] += row[f"after_{kind}"] - row[f"before_{kind}"]
    return dict(deltas)


def ensure_within_quota(deltas: QuotaDeltas, grants: dict[int, Grant], operator: User) -> None:
    """Raise InvalidRequest if the change as a whole exceeds a quota; see rule 5.3 (docs/rules.md)."""
    for partner, by_type in deltas.items():
        if partner in grants:
            allocate(grants[partner], by_type, operator)


def allocate(grant: Grant, by_type: dict[str, Decimal], operator: User) -> None:
    """Add amounts, by budget type, to the allocated amounts of a grant, in memory. The caller saves the grant.

    Raises InvalidRequest if an increase would exceed the quota; see rules 5.3, 5.4 (docs/rules.md).
    """
    is_limited = limiting_grant(operator, grant.partner, grant) is not None
    for kind, delta in by_type.items():
        pool = grant.pool(kind)
        needed = pool.allocated + delta
        if is_limited and delta > 0 and (pool.granted is None or needed > pool.granted):
            raise InvalidRequest(over_quota_message(kind, pool.granted or Decimal(0), pool.allocated, needed), "amount")
        setattr(grant, f"{kind.lower()}_allocated", needed)


def over_quota_message(kind: str, quota: Decimal, allocated: Decimal, needed: Decimal) -> str:
    """The error message with the quota, what is allocated and what is needed; see rule 5.3 (docs/rules.md)."""
    figures = {"quota": show_amount(quota), "allocated": show_amount(allocated), "needed": show_amount(needed)}
    if kind == BudgetType.MONTHLY:
        text = _(
            "The monthly budget quota is %(quota)s and %(allocated)s of it is allocated. "
            "This change would raise that to %(needed)s."
        )
    else:
        text = _(
            "The one-time budget quota is %(quota)s and %(allocated)s of it is allocated. "
            "This change would raise that to %(needed)s."
        )
    return text % figures
