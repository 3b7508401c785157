"""What is no longer as an operator saw it, in a form or in a review: what it was and what it is now, in words."""

from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
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
from partnercenter.models import Operation

CONFLICTS_SHOWN = 50
BY_ACCOUNT = ("customer__account_name", "pk")


def changes_since(version: str, customer: Customer) -> list[str]:
    """What of a customer is no longer as a form of this version showed it, before and now, in words."""
    seen, now = VERSION_PATTERN.fullmatch(version), VERSION_PATTERN.fullmatch(form_version(customer))
    if seen is None or now is None:
        return []
    changes = []
    if seen["record"] != now["record"]:
        records = customer.adjustment_records.order_by("-pk")
        changes += _of_budget(records.filter(pk=int(seen["record"] or 0)).first(), records.first())
    if (seen["kind"], seen["since"]) != (now["kind"], now["since"]):
        changes.append(_of_freeze(customer))
    return changes


def _of_budget(former: AdjustmentRecord | None, newest: AdjustmentRecord | None) -> list[str]:
    figures = {"before": _terms_after(former), "now": _terms_after(newest)}
    changes = [_("Budget: %(before)s before, %(now)s now.") % figures]
    if newest:
        at = format_minute(newest.at)
        changes.append(_("Changed by %(operator)s at %(at)s.") % {"operator": newest.operator_name, "at": at})
    return changes


def _terms_after(record: AdjustmentRecord | None) -> str:
    """The terms a record left: type, amount and policy; none where it left no budget."""
    if record is None or record.amount_after is None:
        return _("none")
    labels = (record.get_budget_type_after_display(), record.get_account_freezing_after_display())
    return f"{labels[0]} {show_amount(record.amount_after)} ({labels[1]})"


def _of_freeze(customer: Customer) -> str:
    if not customer.is_frozen:
        return _("The account was unfrozen meanwhile.")
    return _("The account was frozen meanwhile: %(why)s.") % {"why": why_frozen(customer)}


def conflict_summary(operation: Operation, month: int) -> dict[str, Any]:
    """Who is not as reviewed any more (409), and how many still are; of the first fifty what differs."""
    rows = included_items(operation)
    changed = conflicting_items(rows, operation, month)
    count = changed.count()
    first = changed.order_by(*BY_ACCOUNT).values_list("pk", flat=True)[:CONFLICTS_SHOWN]
    return {
        "count": count,
        "unchanged": rows.count() - count,
        "others": max(count - CONFLICTS_SHOWN, 0),
        "changed": _differences(list(first), operation, month),
    }


def _differences(keys: list[int], operation: Operation, month: int) -> list[dict[str, Any]]:
    """Of each of these rows what it was when reviewed and what it is now, by account."""
    rows = list(_rows(keys, operation, month))
    mine = Customer.objects.visible_to(operation.operator).filter(pk__in=[row.customer_id for row in rows])
    still_mine = set(mine.values_list("pk", flat=True))
    pairs = [(row.adjustment_record, row.newest_record) for row in rows]
    records = AdjustmentRecord.objects.in_bulk([key for pair in pairs for key in pair if key is not None])
    return [
        {
            "account_name": row.customer.account_name,
            "name": mask_name(row.customer.name),
            "changes": _of_row(row, records)
            if row.customer_id in still_mine
            else [_("No longer a customer of yours.")],
        }
        for row in rows
    ]


def _rows(keys: list[int], operation: Operation, month: int) -> QuerySet[Any]:
    """The rows with the record that each customer's last change left, and what would happen now."""
    newest = AdjustmentRecord.objects.filter(customer=OuterRef("customer")).order_by("-pk")
    rows = with_item_terms(ReviewItem.objects.filter(pk__in=keys)).select_related("customer__budget")
    rows = rows.annotate(newest_record=Subquery(newest.values("pk")[:1]))
    return review_kind(operation).with_effects(rows, month).order_by(*BY_ACCOUNT)


def _of_row(row: Any, records: dict[int, AdjustmentRecord]) -> list[str]:
    customer, changes = row.customer, []
    budget = getattr(customer, "budget", None)
    if row.adjustment_record != (budget.record_id if budget else None):
        changes += _of_budget(records.get(row.adjustment_record), records.get(row.newest_record))
    if (row.freeze_kind, row.frozen_since) != (customer.freeze_kind, customer.frozen_since):
        changes.append(_of_freeze(customer))
    return changes + _of_outlook(row)


def _of_outlook(row: Any) -> list[str]:
    """What the terms would do now and were not said to do, or the other way round."""
    changes = []
    if row.exhausts_after != row.exhausts:
        would = _("The new budget would be used up at once: %(used)s is used.")
        would_not = _("The new budget would no longer be used up at once: %(used)s is used.")
        changes.append((would if row.exhausts_after else would_not) % {"used": show_amount(row.used_after)})
    if row.effect_after != row.effect:
        figures = {"before": _effect(row.effect), "now": _effect(row.effect_after)}
        changes.append(_("Effect: %(before)s before, %(now)s now.") % figures)
    return changes


def _effect(effect: str) -> str:
    return str(FreezeEffect(effect).label) if effect else _("none")
