"""Reviews as pages show them: how many customers are in which group, and the items of one group.

What differs by the kind of operation, which groups there are and how an item reads, is handed in by budgets.operations.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.paginator import Page, Paginator
from django.db.models import Count, F, Q, QuerySet, Sum
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from budgets.actions.quota import AS_REVIEWED, quota_deltas
from budgets.actions.review_kinds import review_kind
from budgets.actions.reviews import ALWAYS_EXCLUDED, SAME_TERMS, included_items, with_item_terms
from budgets.forms.review_amounts import TypedAmount, amount_text
from budgets.months import month_name, previous_month
from budgets.queries.standing import cause_from, describe_freeze, freeze_cause_columns
from customers.masking import mask_name
from customers.models import AccountFreezing, ExclusionReason, FreezeEffect, FreezeOrigin, ReviewItem
from partnercenter.lib.money import LARGEST_BUDGET, money, show_amount
from partnercenter.models import BudgetType, Operation
from partnercenter.permissions import grant_of

ITEMS_PER_PAGE = 20
BY_NAME = ("customer__account_name", "pk")

# The groups of a review: by key the label, and what the items of the group have in common.
Groups = dict[str, tuple[Any, Q]]
# Items, by their keys, as rows of a page.
ShowItems = Callable[[list[int]], list[dict[str, Any]]]

INCLUDED_ITEMS = Q(left_out=ExclusionReason.NONE)
UNFROZEN = INCLUDED_ITEMS & Q(effect=FreezeEffect.UNFROZEN)
BUDGET_GROUPS: Groups = {
    "TYPE": (
        gettext_lazy("Change type"),
        INCLUDED_ITEMS
        & Q(customer__budget__isnull=False, budget_type__isnull=False)
        & ~Q(customer__budget__budget_type=F("budget_type")),
    ),
    "EXHAUSTED": (gettext_lazy("Used up at once"), INCLUDED_ITEMS & Q(exhausts=True)),
    "FROZEN": (gettext_lazy("Frozen at once"), INCLUDED_ITEMS & Q(effect=FreezeEffect.FROZEN)),
    "UNFROZEN": (gettext_lazy("Unfrozen"), UNFROZEN & ~Q(customer__freeze_origin=FreezeOrigin.PARTNER)),
    "UNFROZEN_PARTNER": (
        gettext_lazy("Unfrozen, although frozen by a person"),
        UNFROZEN & Q(customer__freeze_origin=FreezeOrigin.PARTNER),
    ),
    "ESCALATED": (
        gettext_lazy("Frozen already, now with their resources"),
        INCLUDED_ITEMS & Q(effect=FreezeEffect.ESCALATED),
    ),
    "STAYS_FROZEN": (gettext_lazy("Stay frozen"), INCLUDED_ITEMS & Q(effect=FreezeEffect.STAYS_FROZEN)),
    "UNCHANGED": (gettext_lazy("Nothing changes"), INCLUDED_ITEMS & ~Q(effect=FreezeEffect.UNFROZEN) & SAME_TERMS),
    "MOVED_ON": (gettext_lazy("Moved on: stay as they are"), Q(left_out=ExclusionReason.MOVED_ON)),
    "LEFT_OUT": (gettext_lazy("Left out"), ~INCLUDED_ITEMS & ~Q(left_out=ExclusionReason.MOVED_ON)),
    "ALL": (gettext_lazy("All to be set"), INCLUDED_ITEMS),
}
# Who is in one of these can be left out together.
REMOVABLE_GROUPS = {
    "TYPE",
    "EXHAUSTED",
    "FROZEN",
    "ESCALATED",
    "UNFROZEN",
    "UNFROZEN_PARTNER",
    "STAYS_FROZEN",
    "UNCHANGED",
}


FREEZE_GROUPS: Groups = {
    "FROZEN": (gettext_lazy("Frozen"), INCLUDED_ITEMS & Q(effect=FreezeEffect.FROZEN)),
    "ESCALATED": (
        gettext_lazy("Frozen already, now with their resources"),
        INCLUDED_ITEMS & Q(effect=FreezeEffect.ESCALATED),
    ),
    "UNFROZEN": (gettext_lazy("Unfrozen"), INCLUDED_ITEMS & Q(effect=FreezeEffect.UNFROZEN)),
    "USED_UP": (
        gettext_lazy("Stay frozen: used up under automatic freezing"),
        Q(left_out=ExclusionReason.USED_UP),
    ),
    "FROZEN_SO": (gettext_lazy("Frozen so already: stay as they are"), Q(left_out=ExclusionReason.FROZEN_SO)),
    "OTHER_KIND": (gettext_lazy("Frozen in the other kind: stay as they are"), Q(left_out=ExclusionReason.OTHER_KIND)),
    "NOT_FROZEN": (gettext_lazy("Not frozen: stay as they are"), Q(left_out=ExclusionReason.NOT_FROZEN)),
    "BEYOND": (
        gettext_lazy("Not yours to act on"),
        Q(left_out__in=[ExclusionReason.REFERRAL, ExclusionReason.GRANTED]),
    ),
    "LEFT_OUT": (gettext_lazy("Left out"), Q(left_out=ExclusionReason.BY_OPERATOR)),
    "ALL": (gettext_lazy("All to whom it is done"), INCLUDED_ITEMS),
}


@dataclass(frozen=True)
class Review:
    """A review as its page shows it: `groups` with the number of their items, one of which may be `open`."""

    number: int
    groups: list[dict[str, Any]]
    open: dict[str, Any] | None


def group_condition(groups: Groups, key: str) -> Q:
    """What the items of one group have in common. Http404 for a group that does not exist."""
    if key not in groups:
        raise Http404
    return groups[key][1]


def show_review(
    operation: Operation, groups: Groups, show_items: ShowItems, *, key: str, page: str | None, wrong: Iterable[str]
) -> Review:
    """The review with one group opened: the one of this key, or the one with the first amount typed wrongly.

    `wrong` are the customer IDs whose typed amounts cannot be read.
    """
    # In one statement: each group alone would read all the items and their budgets again.
    counted = {name: Count("pk", filter=condition) for name, (_label, condition) in groups.items()}
    counts = ReviewItem.objects.filter(operation=operation).aggregate(**counted)
    opened = _open_group(operation, groups, show_items, key, page) if counts.get(key) else None
    if wrong and not (opened and any(row["error"] for row in opened["rows"])):
        opened = _open_group(operation, groups, show_items, *_place_of(operation, groups, wrong))
    return Review(
        number=counts["ALL"],
        groups=[
            {
                "key": name,
                "label": groups[name][0],
                "count": count,
                "query": f"?group={name}",
                "open": opened is not None and name == opened["key"],
            }
            for name, count in counts.items()
        ],
        open=opened,
    )


def _open_group(
    operation: Operation, groups: Groups, show_items: ShowItems, key: str, number: str | int | None
) -> dict[str, Any]:
    keys = operation.reviewed.filter(group_condition(groups, key)).order_by(*BY_NAME).values_list("pk", flat=True)
    page: Page = Paginator(keys, ITEMS_PER_PAGE).get_page(number)
    elided = list(page.paginator.get_elided_page_range(page.number, on_each_side=2, on_ends=1))
    page.object_list = show_items(list(page.object_list))
    return {
        "key": key,
        "label": groups[key][0],
        "page": page,
        "elided": elided,
        "rows": page.object_list,
        "can_leave_out": key in REMOVABLE_GROUPS,
    }


def _place_of(operation: Operation, groups: Groups, customer_ids: Iterable[str]) -> tuple[str, int]:
    """The group and the page of the first of these customers."""
    items = operation.reviewed
    first = items.filter(customer__customer_id__in_array=customer_ids).select_related("customer").order_by(*BY_NAME)[0]
    key = "ALL" if not first.left_out else "MOVED_ON" if first.left_out == ExclusionReason.MOVED_ON else "LEFT_OUT"
    name = first.customer.account_name
    before = Q(customer__account_name__lt=name) | Q(customer__account_name=name, pk__lt=first.pk)
    return key, items.filter(group_condition(groups, key) & before).count() // ITEMS_PER_PAGE + 1


def totals(operation: Operation) -> list[dict[str, Any]]:
    """The budgets of who is included together, by type: `label`, and amounts `before` and `after`."""
    sums = {
        f"{side}_{kind}": Sum(f"{path}amount", filter=Q(**{f"{path}budget_type": kind}), default=money(0))
        for side, path in (("before", "customer__budget__"), ("after", ""))
        for kind in BudgetType.values
    }
    found = included_items(operation).aggregate(**sums)
    return [
        {"label": kind.label, "before": found[f"before_{kind}"], "after": found[f"after_{kind}"]} for kind in BudgetType
    ]


def show_pools(operation: Operation) -> list[dict[str, Any]]:
    """The quotas of the operator's own partner, before and after."""
    grant = grant_of(operation.partner)
    if grant is None:
        return []
    by = quota_deltas(included_items(operation), *AS_REVIEWED, operation.operator).get(operation.partner.pk, {})
    shown = []
    for kind in BudgetType.values:
        pool = grant.pool(kind)
        after = pool.allocated + by.get(kind, Decimal(0))
        over = pool.granted is not None and after > pool.granted
        shown.append(
            {"label": pool.label, "granted": pool.granted, "before": pool.allocated, "after": after, "over": over}
        )
    return shown


def items_with_figures(operation: Operation, keys: list[int], month: int) -> QuerySet[Any]:
    """The rows of one page with what would be used and the figures of a freeze: looked up for these alone."""
    rows = with_item_terms(ReviewItem.objects.filter(pk__in=keys)).annotate(**freeze_cause_columns("customer"))
    return review_kind(operation).with_effects(rows, month).select_related("customer__budget").order_by(*BY_NAME)


def show_budget_item(row: Any) -> dict[str, Any]:
    """An item that sets a budget: terms before and after, and what becomes of the account."""
    budget = getattr(row.customer, "budget", None)
    return {
        "key": row.customer.pk,
        "customer_id": row.customer.customer_id,
        "account_name": row.customer.account_name,
        "name": mask_name(row.customer.name),
        "type_before": budget.get_budget_type_display() if budget else "--",
        "amount_before": budget and budget.amount,
        "type_after": row.get_budget_type_display() or "--",
        "amount_after": row.amount,
        "used_after": row.used_after if row.budget_type else None,
        "freezing_after": row.get_account_freezing_display() or "--",
        "effect_label": row.get_effect_display(),
        "left_out": row.left_out != ExclusionReason.NONE,
        "why_left_out": row.get_left_out_display(),
    }


def show_edits(row: ReviewItem, typed: TypedAmount | None) -> dict[str, Any]:
    """What can be edited of an item: only what an edit would change; and the amount that was typed, right or wrong."""
    is_complete = row.budget_type is not None and row.amount is not None and 0 < row.amount <= LARGEST_BUDGET
    return {
        "can_leave_out": row.left_out == ExclusionReason.NONE,
        "can_take_in": row.left_out == ExclusionReason.BY_OPERATOR and is_complete,
        "can_change": row.budget_type is not None and row.left_out not in ALWAYS_EXCLUDED,
        "typed": typed.text if typed else amount_text(row.amount),
        "error": typed.error if typed else "",
    }


def budget_notes(row: Any, month: int, why_not_unfrozen: str) -> list[str]:
    """What is to be known of an item beside its figures."""
    return [*forgotten_months(row, month), *why_stays_frozen(row, why_not_unfrozen), *_retention_note(row)]


def forgotten_months(row: ReviewItem, month: int) -> list[str]:
    """Which months a change of type forgets; see rule 3.3 (docs/rules.md)."""
    budget = getattr(row.customer, "budget", None)
    if budget is None or budget.counted_from >= month:
        return []
    if (budget.budget_type, row.budget_type) != (BudgetType.ONE_TIME, BudgetType.MONTHLY):
        return []
    months = {"first": month_name(budget.counted_from), "last": month_name(previous_month(month))}
    return [_("%(first)s to %(last)s no longer count") % months]


def why_stays_frozen(row: Any, why_not: str) -> list[str]:
    """Since when and why an account that stays frozen is frozen, and `why_not` it is unfrozen (rule 3.9, 4.5)."""
    if row.effect not in (FreezeEffect.STAYS_FROZEN, FreezeEffect.ESCALATED) or row.left_out:
        return []
    frozen = describe_freeze(row.customer, cause_from(row))
    if row.unfreeze:
        figures = {"used": show_amount(row.used_after), "amount": show_amount(row.amount)}
        why_not = _("%(used)s is used of a budget of %(amount)s with automatic freezing") % figures
    return [_("Frozen %(since)s") % {"since": frozen}, why_not] if frozen else []


def _retention_note(row: Any) -> list[str]:
    """That resources are frozen, and until when data is kept then if it is confirmed today.

    See rule 4.6 (docs/rules.md).
    """
    if row.left_out or row.account_freezing != AccountFreezing.AUTOMATIC_WITH_RESOURCES:
        return []
    if row.effect not in (FreezeEffect.FROZEN, FreezeEffect.ESCALATED):
        return []
    return [_("With its resources: data is kept until %(date)s") % {"date": f"{retention_deadline():%Y-%m-%d}"}]


def show_freeze_item(row: Any) -> dict[str, Any]:
    """A customer of such a review: the account as it is now, its budget, and what becomes of it."""
    customer, budget = row.customer, getattr(row.customer, "budget", None)
    return {
        "key": customer.pk,
        "customer_id": customer.customer_id,
        "account_name": customer.account_name,
        "name": mask_name(customer.name),
        "kind_label": customer.get_freeze_kind_display(),
        "frozen_why": describe_freeze(customer, cause_from(row)),
        "amount": budget and budget.amount,
        "used": budget and budget.used,
        "freezing_label": budget.get_account_freezing_display() if budget else "--",
        "left_out": row.left_out != ExclusionReason.NONE,
        "effect_label": row.get_left_out_display() if row.left_out else row.get_effect_display(),
        "can_leave_out": row.left_out == ExclusionReason.NONE,
        "can_take_in": row.left_out == ExclusionReason.BY_OPERATOR,
    }


def retention_deadline() -> date:
    """Until when data is kept of resources that are frozen today; see rule 4.6 (docs/rules.md)."""
    return timezone.localdate(timezone.now() + timedelta(days=settings.RESOURCE_RETENTION_DAYS))
