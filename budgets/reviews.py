"""Reviews as pages and mails show them: what will happen to whom, and what came of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Count, F, Q, QuerySet, Sum
from django.http import Http404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from budgets.actions.freeze_terms import is_freeze
from budgets.actions.quota import AS_REVIEWED, quota_deltas
from budgets.actions.reviews import (
    ALWAYS_EXCLUDED,
    SAME_TERMS,
    included_items,
    is_import,
    is_undo,
    with_effects,
    with_item_terms,
)
from budgets.amounts import TypedAmount, amount_text
from budgets.freeze_reviews import FREEZE_GROUPS, retention_deadline, show_row
from budgets.months import month_name, previous_month
from budgets.queries.standing import cause_from, describe_freeze, freeze_cause_columns
from customers.masking import mask_name
from customers.models import AccountFreezing, ExclusionReason, FreezeEffect, FreezeOrigin, ReviewItem
from partnercenter.lib.money import LARGEST_BUDGET, money, show_amount
from partnercenter.models import BudgetType, Operation
from partnercenter.permissions import grant_of

ITEMS_PER_PAGE = 20
BY_NAME = ("customer__account_name", "pk")

INCLUDED_ITEMS = Q(left_out=ExclusionReason.NONE)
UNFROZEN = INCLUDED_ITEMS & Q(effect=FreezeEffect.UNFROZEN)
GROUPS: dict[str, tuple[Any, Q]] = {
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


@dataclass
class Review:
    """A review as its page shows it."""

    number: int
    totals: list[dict[str, Any]]
    pools: list[dict[str, Any]]
    groups: list[dict[str, Any]]
    open: dict[str, Any] | None = field(default=None)


def groups_for(operation: Operation) -> dict[str, tuple[Any, Q]]:
    """The groups of such a review: name, label, and which rows are in it."""
    return FREEZE_GROUPS if is_freeze(operation) else GROUPS


def group_condition(operation: Operation, key: str) -> Q:
    """What the rows of one group of a review have in common. Http404 for a group that does not exist."""
    groups = groups_for(operation)
    if key not in groups:
        raise Http404
    return groups[key][1]


def show_review(
    operation: Operation, month: int, *, key: str = "", number: Any = 1, typed: Mapping[str, TypedAmount] | None = None
) -> Review:
    """The review with its figures, each group counted, and one group opened, with what was typed by customer ID."""
    # In one go: each alone would read all the customers and their budgets again.
    groups, sets_budgets = groups_for(operation), not is_freeze(operation)
    wrong = {customer_id for customer_id, each in (typed or {}).items() if each.error}
    counted = {name: Count("pk", filter=condition) for name, (_label, condition) in groups.items()}
    counts = ReviewItem.objects.filter(operation=operation).aggregate(**counted)
    opened = _opened(operation, month, key, number, typed or {}) if counts.get(key) else None
    if wrong and not (opened and any(row["error"] for row in opened["rows"])):
        opened = _opened(operation, month, *_place_of(operation, wrong), typed or {})
    return Review(
        number=counts["ALL"],
        totals=totals(operation) if sets_budgets else [],
        pools=_pools(operation) if sets_budgets else [],
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


def _pools(operation: Operation) -> list[dict[str, Any]]:
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


def _opened(
    operation: Operation, month: int, key: str, number: Any, typed: Mapping[str, TypedAmount]
) -> dict[str, Any]:
    keys = operation.reviewed.filter(group_condition(operation, key)).order_by(*BY_NAME).values_list("pk", flat=True)
    page: Page = Paginator(keys, ITEMS_PER_PAGE).get_page(number)
    elided = list(page.paginator.get_elided_page_range(page.number, on_each_side=2, on_ends=1))
    rows = rows_with_figures(list(page.object_list), operation, month)
    if is_freeze(operation):
        page.object_list = [show_row(row) for row in rows]
    else:
        page.object_list = [
            _row(row)
            | {"notes": [*forgotten_months(row, month), *why_stays_frozen(row, operation), *_resources(row)]}
            | _edits(row, typed.get(row.customer.customer_id), undoes=is_undo(operation))
            for row in rows
        ]
    return {
        "key": key,
        "label": groups_for(operation)[key][0],
        "page": page,
        "elided": elided,
        "rows": page.object_list,
        "can_leave_out": key in REMOVABLE_GROUPS,
    }


def _place_of(operation: Operation, customer_ids: Iterable[str]) -> tuple[str, int]:
    """The group and the page on which the first of these customers stands."""
    rows = operation.reviewed
    first = rows.filter(customer__customer_id__in_array=customer_ids).select_related("customer").order_by(*BY_NAME)[0]
    key = "ALL" if not first.left_out else "MOVED_ON" if first.left_out == ExclusionReason.MOVED_ON else "LEFT_OUT"
    name = first.customer.account_name
    before = Q(customer__account_name__lt=name) | Q(customer__account_name=name, pk__lt=first.pk)
    return key, rows.filter(group_condition(operation, key) & before).count() // ITEMS_PER_PAGE + 1


def rows_with_figures(keys: list[int], operation: Operation, month: int) -> QuerySet[Any]:
    """The rows of one page with what would be used and the figures of a freeze: looked up for these alone."""
    rows = with_item_terms(ReviewItem.objects.filter(pk__in=keys)).annotate(**freeze_cause_columns("customer"))
    return with_effects(rows, operation, month).select_related("customer__budget").order_by(*BY_NAME)


def _row(row: Any) -> dict[str, Any]:
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


def _edits(row: ReviewItem, typed: TypedAmount | None, *, undoes: bool) -> dict[str, Any]:
    """What can be edited of a row: only what an edit would do."""
    is_complete = row.budget_type is not None and row.amount is not None and 0 < row.amount <= LARGEST_BUDGET
    return {
        "can_leave_out": row.left_out == ExclusionReason.NONE,
        "can_take_in": row.left_out == ExclusionReason.BY_OPERATOR and (undoes or is_complete),
        "can_change": not undoes and row.budget_type is not None and row.left_out not in ALWAYS_EXCLUDED,
        "typed": typed.text if typed else amount_text(row.amount),
        "error": typed.error if typed else "",
    }


def forgotten_months(row: ReviewItem, month: int) -> list[str]:
    """Which months a change of type forgets (domain 3.3)."""
    budget = getattr(row.customer, "budget", None)
    if budget is None or budget.counted_from >= month:
        return []
    if (budget.budget_type, row.budget_type) != (BudgetType.ONE_TIME, BudgetType.MONTHLY):
        return []
    months = {"first": month_name(budget.counted_from), "last": month_name(previous_month(month))}
    return [_("%(first)s to %(last)s no longer count") % months]


def why_stays_frozen(row: Any, operation: Operation) -> list[str]:
    """Since when and by what an account that stays frozen is, and why it stays so (domain 3.9, 4.5)."""
    if row.effect not in (FreezeEffect.STAYS_FROZEN, FreezeEffect.ESCALATED) or row.left_out:
        return []
    frozen = describe_freeze(row.customer, cause_from(row))
    return [_("Frozen %(since)s") % {"since": frozen}, _why_not_unfrozen(row, operation)] if frozen else []


def _resources(row: Any) -> list[str]:
    """That resources are frozen, and until when data is kept then if it is confirmed today (domain 4.6)."""
    if row.left_out or row.account_freezing != AccountFreezing.AUTOMATIC_WITH_RESOURCES:
        return []
    if row.effect not in (FreezeEffect.FROZEN, FreezeEffect.ESCALATED):
        return []
    return [_("With its resources: data is kept until %(date)s") % {"date": f"{retention_deadline():%Y-%m-%d}"}]


def _why_not_unfrozen(row: Any, operation: Operation) -> str:
    if row.unfreeze:
        figures = {"used": show_amount(row.used_after), "amount": show_amount(row.amount)}
        return _("%(used)s is used of a budget of %(amount)s with automatic freezing") % figures
    if is_undo(operation) and operation.terms["unfreeze"]:
        return _("It was not frozen by this batch")
    if is_import(operation):
        return _("The file does not ask to unfreeze it")
    return _("Unfreezing is not ticked")
