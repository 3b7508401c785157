"""The customers of a review as rows of its page: terms, effect on the account, and what can be edited.

Items come from `annotated_items`, annotated with the effects that their terms would have now and the cause of a freeze.
"""

from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from budgets.actions.review_kinds import review_kind
from budgets.actions.reviews import ALWAYS_EXCLUDED, with_item_terms
from budgets.forms.review_amounts import TypedAmount, amount_text
from budgets.months import month_name, previous_month
from budgets.queries.standing import cause_from, describe_freeze, freeze_cause_columns
from customers.masking import mask_name
from customers.models import AccountFreezing, ExclusionReason, FreezeEffect, ReviewItem
from partnercenter.lib.money import LARGEST_BUDGET, show_amount
from partnercenter.lib.types import Context
from partnercenter.models import BudgetType, Operation

BY_NAME = ("customer__account_name", "pk")


def annotated_items(operation: Operation, keys: list[int], month: int) -> QuerySet[Any]:
    """The items with these keys, annotated, in page order. Call it for one page only: annotations are costly."""
    items = with_item_terms(ReviewItem.objects.filter(pk__in=keys)).annotate(**freeze_cause_columns("customer"))
    return review_kind(operation).with_effects(items, month).select_related("customer__budget").order_by(*BY_NAME)


def show_budget_item(item: Any, month: int, why_not_unfrozen: str) -> Context:
    """The row of an item that sets a budget: terms before and after, the effect, and notes on it."""
    budget = getattr(item.customer, "budget", None)
    return {
        "key": item.customer.pk,
        "customer_id": item.customer.customer_id,
        "account_name": item.customer.account_name,
        "name": mask_name(item.customer.name),
        "type_before": budget.get_budget_type_display() if budget else "--",
        "amount_before": budget and budget.amount,
        "type_after": item.get_budget_type_display() or "--",
        "amount_after": item.amount,
        "used_after": item.used_after if item.budget_type else None,
        "freezing_after": item.get_account_freezing_display() or "--",
        "effect_label": item.get_effect_display(),
        "left_out": item.left_out != ExclusionReason.NONE,
        "why_left_out": item.get_left_out_display(),
        "notes": [*forgotten_months(item, month), *why_stays_frozen(item, why_not_unfrozen), *retention_notes(item)],
    }


def show_freeze_item(item: Any) -> Context:
    """The row of an item that freezes or unfreezes by hand: the account now, its budget, and the effect."""
    customer, budget = item.customer, getattr(item.customer, "budget", None)
    return {
        "key": customer.pk,
        "customer_id": customer.customer_id,
        "account_name": customer.account_name,
        "name": mask_name(customer.name),
        "kind_label": customer.get_freeze_kind_display(),
        "frozen_why": describe_freeze(customer, cause_from(item)),
        "amount": budget and budget.amount,
        "used": budget and budget.used,
        "freezing_label": budget.get_account_freezing_display() if budget else "--",
        "left_out": item.left_out != ExclusionReason.NONE,
        "effect_label": item.get_left_out_display() if item.left_out else item.get_effect_display(),
        "can_exclude": item.left_out == ExclusionReason.NONE,
        "can_include": item.left_out == ExclusionReason.BY_OPERATOR,
    }


def edit_options(item: ReviewItem, typed: TypedAmount | None) -> Context:
    """How the operator can edit an item that sets a budget, and the amount in its field: as typed, if it was."""
    is_complete = item.budget_type is not None and item.amount is not None and 0 < item.amount <= LARGEST_BUDGET
    return {
        "can_exclude": item.left_out == ExclusionReason.NONE,
        "can_include": item.left_out == ExclusionReason.BY_OPERATOR and is_complete,
        "can_change": item.budget_type is not None and item.left_out not in ALWAYS_EXCLUDED,
        "typed": typed.text if typed else amount_text(item.amount),
        "error": typed.error if typed else "",
    }


def forgotten_months(item: ReviewItem, month: int) -> list[str]:
    """The months that no longer count after a change of type, as a note; see rule 3.3 (docs/rules.md)."""
    budget = getattr(item.customer, "budget", None)
    if budget is None or budget.counted_from >= month:
        return []
    if (budget.budget_type, item.budget_type) != (BudgetType.ONE_TIME, BudgetType.MONTHLY):
        return []
    months = {"first": month_name(budget.counted_from), "last": month_name(previous_month(month))}
    return [_("%(first)s to %(last)s no longer count.") % months]


def why_stays_frozen(item: Any, why_not_unfrozen: str) -> list[str]:
    """For an account that stays frozen: since when and why it is frozen, and why it is not unfrozen.

    The reason `why_not_unfrozen` is given unless the budget forbids unfreezing; see rules 3.9, 4.5 (docs/rules.md).
    """
    if item.effect not in (FreezeEffect.STAYS_FROZEN, FreezeEffect.ESCALATED) or item.left_out:
        return []
    freeze = describe_freeze(item.customer, cause_from(item))
    if not freeze:
        return []
    if item.unfreeze:
        figures = {"used": show_amount(item.used_after), "amount": show_amount(item.amount)}
        why_not_unfrozen = _("%(used)s is used of a budget of %(amount)s with automatic freezing.") % figures
    return [_("Frozen %(since)s.") % {"since": freeze}, why_not_unfrozen]


def retention_notes(item: ReviewItem) -> list[str]:
    """If resources will be frozen, until when their data is kept; see rule 4.6 (docs/rules.md)."""
    if item.left_out or item.account_freezing != AccountFreezing.AUTOMATIC_WITH_RESOURCES:
        return []
    if item.effect not in (FreezeEffect.FROZEN, FreezeEffect.ESCALATED):
        return []
    return [_("Frozen with its resources: data is kept until %(date)s.") % {"date": retention_deadline().isoformat()}]


def retention_deadline() -> date:
    """Until when data is kept if resources are frozen today; see rule 4.6 (docs/rules.md)."""
    return timezone.localdate(timezone.now() + timedelta(days=settings.RESOURCE_RETENTION_DAYS))
