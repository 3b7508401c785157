"""Adjustment records as rows of a page and of a file."""

from collections.abc import Iterable

from budgets.models import AdjustmentRecord
from budgets.months import month_name
from customers.files import RecordFile, field_cells
from partnercenter.lib.types import Context

TERMS_BEFORE_AND_AFTER = tuple(
    f"{term}_{side}"
    for term in ("budget_type", "amount", "account_freezing", "counted_from")
    for side in ("before", "after")
)
ADJUSTMENT_FILE = RecordFile(
    "adjustment-records",
    field_cells(*TERMS_BEFORE_AND_AFTER, "used")
    | {"unfreeze_now": lambda record: int(record.unfreeze)}
    | field_cells("channel"),
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
