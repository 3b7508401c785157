"""Describing what has changed since an operator opened a form or reviewed an operation: before and now."""

from typing import Any

from django.db.models import OuterRef, Subquery
from django.utils.translation import gettext as _

from budgets.actions.form_versions import VERSION_PATTERN, form_version
from budgets.actions.review_kinds import review_kind
from budgets.actions.reviews import conflicting_items, included_items, with_item_terms
from budgets.models import AdjustmentRecord
from budgets.queries.standing import why_frozen
from customers.masking import mask_name
from customers.models import Customer, FreezeEffect, ReviewItem
from partnercenter.lib.dates import format_minute
from partnercenter.lib.money import show_amount
from partnercenter.lib.types import Context
from partnercenter.models import Operation

CONFLICTS_SHOWN = 50
BY_ACCOUNT = ("customer__account_name", "pk")


def changes_since(version: str, customer: Customer) -> list[str]:
    """Describe what has changed about a customer since a form of this version was opened."""
    before, now = VERSION_PATTERN.fullmatch(version), VERSION_PATTERN.fullmatch(form_version(customer))
    if before is None or now is None:
        return []
    changes = []
    if before["record"] != now["record"]:
        records = customer.adjustment_records.order_by("-pk")
        changes += _budget_changes(records.filter(pk=int(before["record"] or 0)).first(), records.first())
    if (before["kind"], before["since"]) != (now["kind"], now["since"]):
        changes.append(_freeze_change(customer))
    return changes


def _budget_changes(before: AdjustmentRecord | None, now: AdjustmentRecord | None) -> list[str]:
    changes = [_("Budget: %(before)s before, %(now)s now.") % {"before": _terms(before), "now": _terms(now)}]
    if now:
        values = {"operator": now.operator_name, "at": format_minute(now.at)}
        changes.append(_("Changed by %(operator)s at %(at)s.") % values)
    return changes


def _terms(record: AdjustmentRecord | None) -> str:
    """The budget after an adjustment record, in words: type, amount and policy."""
    if record is None or record.amount_after is None:
        return _("none")
    return _("%(type)s %(amount)s (%(policy)s)") % {
        "type": record.get_budget_type_after_display(),
        "amount": show_amount(record.amount_after),
        "policy": record.get_account_freezing_after_display(),
    }


def _freeze_change(customer: Customer) -> str:
    if not customer.is_frozen:
        return _("The account is no longer frozen.")
    return _("The account is now frozen: %(why)s.") % {"why": why_frozen(customer)}


def conflict_summary(operation: Operation, month: int) -> Context:
    """How many customers of a review have changed since, how many have not, and the changes of the first fifty."""
    items = included_items(operation)
    changed = conflicting_items(items, operation, month)
    count = changed.count()
    first = list(changed.order_by(*BY_ACCOUNT).values_list("pk", flat=True)[:CONFLICTS_SHOWN])
    return {
        "count": count,
        "unchanged": items.count() - count,
        "others": max(count - CONFLICTS_SHOWN, 0),
        "changed": _describe_items(first, operation, month),
    }


def _describe_items(keys: list[int], operation: Operation, month: int) -> list[Context]:
    """Describe what changed for each of these items, sorted by account name."""
    newest = AdjustmentRecord.objects.filter(customer=OuterRef("customer")).order_by("-pk")
    rows = with_item_terms(ReviewItem.objects.filter(pk__in=keys)).select_related("customer__budget")
    rows = rows.annotate(newest_record=Subquery(newest.values("pk")[:1]))
    items: list[Any] = list(review_kind(operation).with_effects(rows, month).order_by(*BY_ACCOUNT))
    visible = Customer.objects.visible_to(operation.operator).filter(pk__in=[item.customer_id for item in items])
    visible_keys = set(visible.values_list("pk", flat=True))
    pairs = [(item.adjustment_record, item.newest_record) for item in items]
    records = AdjustmentRecord.objects.in_bulk([key for pair in pairs for key in pair if key is not None])
    return [
        {
            "account_name": item.customer.account_name,
            "name": mask_name(item.customer.name),
            "changes": _item_changes(item, records)
            if item.customer_id in visible_keys
            else [_("No longer your customer.")],
        }
        for item in items
    ]


def _item_changes(item: Any, records: dict[int, AdjustmentRecord]) -> list[str]:
    """Describe what is no longer as reviewed. The item is annotated with `newest_record` and its effects now."""
    customer, changes = item.customer, []
    budget = getattr(customer, "budget", None)
    if item.adjustment_record != (budget.record_id if budget else None):
        changes += _budget_changes(records.get(item.adjustment_record), records.get(item.newest_record))
    if (item.freeze_kind, item.frozen_since) != (customer.freeze_kind, customer.frozen_since):
        changes.append(_freeze_change(customer))
    if item.exhausts_after != item.exhausts:
        used = {"used": show_amount(item.used_after)}
        if item.exhausts_after:
            changes.append(_("The new budget would be used up immediately: %(used)s is used.") % used)
        else:
            changes.append(_("The new budget would no longer be used up immediately: %(used)s is used.") % used)
    if item.effect_after != item.effect:
        effects = {"before": _effect_label(item.effect), "now": _effect_label(item.effect_after)}
        changes.append(_("Effect: %(before)s before, %(now)s now.") % effects)
    return changes


def _effect_label(effect: str) -> str:
    return str(FreezeEffect(effect).label) if effect else _("none")
