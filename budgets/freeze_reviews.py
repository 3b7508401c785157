"""Reviews of freezing and unfreezing by hand, as pages and mails show them: to whom it applies, to whom not and why."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from budgets.actions.freeze_terms import FreezeRequest, freeze_request_from
from budgets.actions.reviews import included_items, is_batch
from budgets.queries.standing import cause_from, describe_freeze
from customers.masking import mask_name
from customers.models import ExclusionReason, FreezeEffect, FreezeRecord, ReviewItem
from partnercenter.lib.money import show_number
from partnercenter.models import Operation

INCLUDED = Q(left_out=ExclusionReason.NONE)
FREEZE_GROUPS: dict[str, tuple[Any, Q]] = {
    "FROZEN": (gettext_lazy("Frozen"), INCLUDED & Q(effect=FreezeEffect.FROZEN)),
    "ESCALATED": (
        gettext_lazy("Frozen already, now with their resources"),
        INCLUDED & Q(effect=FreezeEffect.ESCALATED),
    ),
    "UNFROZEN": (gettext_lazy("Unfrozen"), INCLUDED & Q(effect=FreezeEffect.UNFROZEN)),
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
    "ALL": (gettext_lazy("All to whom it is done"), INCLUDED),
}


def show_row(row: Any) -> dict[str, Any]:
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


Facts = list[tuple[str, str]]


def freeze_summary(operation: Operation) -> Facts:
    """What is to be confirmed, line by line, with masked names: for the page and for the mail with the code."""
    return confirmed_freeze_summary(operation) + _deadline(freeze_request_from(operation.kind, operation.terms))


def confirmed_freeze_summary(operation: Operation) -> Facts:
    """The same without what depends on the day: what was confirmed."""
    asked = freeze_request_from(operation.kind, operation.terms)
    label = _("Freeze") if asked.freezes else _("Unfreeze")
    facts = [*_who(operation), (label, str(asked.kind.label)), (_("Reason"), asked.reason)]
    if asked.freezes_resources:
        facts.append((_("Agreement"), _("accepted, version %(version)s") % {"version": asked.agreement}))
    return facts


def _who(operation: Operation) -> Facts:
    if is_batch(operation):
        return [(_("Customers"), show_number(included_items(operation).count()))]
    customer = operation.reviewed.select_related("customer").get().customer
    return [(_("Account Name"), customer.account_name), (_("Customer Name"), mask_name(customer.name))]


def _deadline(asked: FreezeRequest) -> Facts:
    """With resources: until when data is kept if it is confirmed today."""
    if not asked.freezes_resources:
        return []
    return [(_("Data kept until"), f"{retention_deadline():%Y-%m-%d}")]


def retention_deadline() -> date:
    """Until when data is kept of resources that are frozen today (domain 4.6)."""
    return timezone.localdate(timezone.now() + timedelta(days=settings.RESOURCE_RETENTION_DAYS))


def excluded_items(operation: Operation) -> QuerySet[ReviewItem]:
    """The customers of a review to whom it was not done."""
    return operation.reviewed.exclude(left_out=ExclusionReason.NONE)


def show_excluded(rows: Iterable[Any]) -> list[dict[str, Any]]:
    """Those as rows, each with the reason."""
    return [
        {
            "account_name": row.customer.account_name,
            "customer_id": row.customer.customer_id,
            "name": mask_name(row.customer.name),
            "why": row.get_left_out_display(),
        }
        for row in rows
    ]


def show_freezes(records: Iterable[FreezeRecord]) -> list[dict[str, Any]]:
    """Freeze records as rows: whose, what it was before and is after."""
    return [
        {
            "pk": record.pk,
            "account_name": record.customer.account_name,
            "customer_id": record.customer.customer_id,
            "name": mask_name(record.customer.name),
            "before_label": record.get_kind_before_display(),
            "after_label": record.get_kind_after_display(),
            "origin_label": record.get_origin_after_display() if record.kind_after else "--",
            "retention_until": record.retention_until,
        }
        for record in records
    ]
