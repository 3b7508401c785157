"""Adjustment records as rows of a page and of a file."""

from collections.abc import Iterable
from datetime import tzinfo

from django.utils import timezone

from budgets.models import AdjustmentRecord
from budgets.months import month_name
from customers.files import RecordFile
from customers.masking import mask_name
from partnercenter.lib.types import Context

TERMS_BEFORE_AND_AFTER = tuple(
    f"{term}_{side}"
    for term in ("budget_type", "amount", "account_freezing", "counted_from")
    for side in ("before", "after")
)
ADJUSTMENT_COLUMNS = (
    "time",
    "operator",
    "customer_id",
    "account_name",
    "customer_name",
    "operation",
    *TERMS_BEFORE_AND_AFTER,
    "used",
    "unfreeze_now",
    "channel",
)


def show_records(records: Iterable[AdjustmentRecord]) -> list[Context]:
    """Turn adjustment records into rows of a page."""
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


def record_as_row(record: AdjustmentRecord, zone: tzinfo) -> list[object]:
    """Convert a record to the cells of `ADJUSTMENT_COLUMNS`, with the name masked; see rule 7.1 (docs/rules.md)."""
    return [
        timezone.localtime(record.at, zone).isoformat(" ", "seconds"),
        record.operator_name,
        record.customer.customer_id,
        record.customer.account_name,
        mask_name(record.customer.name),
        record.operation,
        *(getattr(record, name) for name in TERMS_BEFORE_AND_AFTER),
        record.used,
        int(record.unfreeze),
        record.channel,
    ]


ADJUSTMENT_FILE = RecordFile("adjustment-records", ADJUSTMENT_COLUMNS, record_as_row)
