"""The list as a CSV file with masked names (rule 7.1 (docs/rules.md)), and the history of exports."""

from collections.abc import Iterable, Iterator
from datetime import datetime, tzinfo
from itertools import chain, islice
from typing import Any

from django.http import QueryDict
from django.utils import timezone

from customers.listing.customer_list import CustomerList
from customers.listing.rows import ROW_COLUMNS, ROW_QUERYSET, CustomerRow, customer_rows
from customers.models import ExportRecord
from partnercenter.lib.prepared import PreparedLookup
from partnercenter.lib.types import Context
from partnercenter.models import User

EXPORT_CHUNK = 500
EXPORT_ROWS = PreparedLookup(ROW_QUERYSET.values_list(*ROW_COLUMNS, "account_manager", "tags", named=True))
# The columns that Import Budgets reads. It ignores the others.
TO_IMPORT = ("customer_id", "budget_type", "amount", "account_freezing", "unfreeze_now")
TO_READ = (
    "account_name",
    "customer_name",
    "status",
    "frozen",
    "used",
    "usage_percent",
    "as_of",
    "association_type",
    "associated_on",
    "account_manager",
    "tags",
)


def export_columns(*, show_reseller: bool) -> tuple[str, ...]:
    """The column names of the file."""
    return (*TO_IMPORT, *TO_READ, *(("reseller",) if show_reseller else ()))


def export_rows(customers: CustomerList, *, user: User, zone: tzinfo) -> Iterator[list[object]]:
    """Stream the lines of all matching customers in the order of the list. Two queries per 500 customers."""
    keys = chain.from_iterable(segment.all_keys() for segment in customers.ordered().segments)
    while chunk := list(islice(keys, EXPORT_CHUNK)):
        found = EXPORT_ROWS.in_order(chunk)
        # The file is sent after the request, when the user's time zone is no longer active.
        with timezone.override(zone):
            rows = customer_rows(found, user=user, names_shown=False)
            lines = [_line(customer, row, user) for customer, row in zip(found, rows, strict=True)]
        yield from lines


def _line(customer: Any, row: CustomerRow, user: User) -> list[object]:
    return [
        customer.customer_id,
        customer.budget__budget_type,
        customer.budget__amount,
        customer.budget__account_freezing,
        0,
        customer.account_name,
        row.name,
        row.status_label,
        "; ".join(filter(None, (row.frozen_above, row.frozen_why, row.retention))),
        customer.budget__used,
        customer.budget__usage,
        _time(customer.as_of),
        customer.association_type,
        _time(customer.associated_on),
        customer.account_manager,
        customer.tags.strip(";"),
        *([row.reseller] if user.partner and user.partner.is_distributor else []),
    ]


def _time(at: datetime | None) -> str | None:
    return timezone.localtime(at).isoformat(" ", "minutes") if at else None


def show_exports(records: Iterable[ExportRecord]) -> list[Context]:
    """Turn export records into rows for a template. `batch` is the ID of an exported batch, or else "".

    `filters` are the filters of an exported list, as texts.
    """
    rows = []
    for record in records:
        is_batch = record.what == ExportRecord.What.BATCH
        filters = {} if is_batch else QueryDict(record.query)
        row = {
            "at": record.at,
            "operator": record.operator_name,
            "what_label": record.get_what_display(),
            "batch": record.query if is_batch else "",
            "filters": [f"{name}: {value}" for name, value in filters.items() if value],
            "rows": record.rows,
        }
        rows.append(row)
    return rows
