"""Adjustment records, freeze records and batches as templates and files show them."""

from collections.abc import Iterable
from datetime import tzinfo
from typing import Any

from django.db.models import Count, Min, QuerySet
from django.utils import timezone

from budgets.models import AdjustmentRecord
from budgets.months import month_name
from customers.files import RecordFile
from customers.masking import mask_name
from customers.models import ExclusionReason, FreezeRecord, ReviewItem
from partnercenter.models import Channel, Confirmation, Operation


def show_records(records: Iterable[AdjustmentRecord]) -> list[dict[str, Any]]:
    """Adjustment records as rows."""
    return [
        {
            "at": record.at,
            "operator": record.operator_name,
            "partner_company": record.partner_company,
            "operation_label": record.get_operation_display(),
            "budget_type_label": record.get_budget_type_after_display() or "--",
            "amount": record.amount_after,
            "amount_before": record.amount_before,
            "account_freezing_label": record.get_account_freezing_after_display() or "--",
            "counted_from": record.counted_from_after and month_name(record.counted_from_after),
            "used": record.used,
            "unfreeze": record.unfreeze,
            "channel_label": record.get_channel_display(),
        }
        for record in records
    ]


def show_batches(confirmations: Iterable[Confirmation]) -> list[dict[str, Any]]:
    """Batches as rows, with how many budgets each changed and accounts it froze and unfroze."""
    listed = list(confirmations)
    keys = [each.pk for each in listed]
    records = AdjustmentRecord.objects.filter(batch__in=keys)
    changed = _numbers(records)
    freezes = FreezeRecord.objects.filter(batch__in=keys)
    channels = _channels(freezes) | _channels(records)
    frozen = _numbers(freezes.filter(operation=FreezeRecord.Operation.FREEZE))
    unfrozen = _numbers(freezes.filter(operation=FreezeRecord.Operation.UNFREEZE))
    return [
        {
            "pk": each.pk,
            "at": each.at,
            "operator": each.operation.operator.username,
            "operation_label": each.operation.get_kind_display(),
            "channel_label": Channel(channels[each.pk]).label if each.pk in channels else "--",
            "confirmed_label": each.get_how_display(),
            "changed": changed.get(each.pk, 0),
            "frozen": frozen.get(each.pk, 0),
            "unfrozen": unfrozen.get(each.pk, 0),
        }
        for each in listed
    ]


def _channels(records: Any) -> dict[Any, str]:
    return dict(records.order_by().values_list("batch").annotate(Min("channel")))


def _numbers(records: Any) -> dict[Any, int]:
    return dict(records.order_by().values_list("batch").annotate(Count("pk")))


def show_records_of_batch(records: Iterable[Any]) -> list[dict[str, Any]]:
    """Adjustment records as rows, with whose they are, and whether the customer still `stands` as they left it.

    `freeze_record` is the key of the one that says what became of the account, None where nothing did.
    """
    listed = list(records)
    return [
        shown
        | {
            "account_name": record.customer.account_name,
            "customer_id": record.customer.customer_id,
            "budget_type_before_label": record.get_budget_type_before_display() or "--",
            "moved_on": not record.stands,
            "freeze_record": record.freeze_record,
        }
        for record, shown in zip(listed, show_records(listed), strict=True)
    ]


TERMS_BEFORE_AND_AFTER = ("budget_type", "amount", "account_freezing", "counted_from")


ADJUSTMENT_COLUMNS = (
    "time",
    "operator",
    "customer_id",
    "account_name",
    "customer_name",
    "operation",
    *(f"{name}_{side}" for name in TERMS_BEFORE_AND_AFTER for side in ("before", "after")),
    "used",
    "unfreeze_now",
    "channel",
)


def record_as_row(record: AdjustmentRecord, zone: tzinfo) -> list[Any]:
    """An adjustment record as a row of `ADJUSTMENT_COLUMNS`, its customer's name masked.

    See rule 7.1 (docs/rules.md).
    """
    return [
        timezone.localtime(record.at, zone).isoformat(" ", "seconds"),
        record.operator_name,
        record.customer.customer_id,
        record.customer.account_name,
        mask_name(record.customer.name),
        record.operation,
        *(getattr(record, f"{name}_{side}") for name in TERMS_BEFORE_AND_AFTER for side in ("before", "after")),
        record.used,
        int(record.unfreeze),
        record.channel,
    ]


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


ADJUSTMENT_FILE = RecordFile("adjustment-records", ADJUSTMENT_COLUMNS, record_as_row)
