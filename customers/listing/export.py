"""The list as a file, names masked (rule 7.1 (docs/rules.md)), and the history of such files."""

from collections.abc import Iterable, Iterator
from datetime import datetime, tzinfo
from itertools import chain, islice
from typing import Any

from django.http import QueryDict
from django.utils import timezone

from customers.listing import rows as listed
from customers.listing.customer_list import CustomerList
from customers.models import ExportRecord
from partnercenter.lib.prepared import PreparedLookup
from partnercenter.models import User

EXPORT_CHUNK = 500
EXPORT_ROWS = PreparedLookup(
    listed.ROW_QUERYSET.values_list(*listed.ROW_COLUMNS, "account_manager", "tags", named=True)
)
# What Import Budgets reads; it ignores the others.
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
    """The names of the columns."""
    return (*TO_IMPORT, *TO_READ, *(("reseller",) if show_reseller else ()))


def export_rows(filters: CustomerList, *, user: User, zone: tzinfo) -> Iterator[list[Any]]:
    """All that match, in the order of the list, as a stream; times in this zone. Two queries for 500 customers."""
    order = filters.ordered()
    keys = chain.from_iterable(run.all_keys() for run in order.runs)
    while chunk := list(islice(keys, EXPORT_CHUNK)):
        # Said again each time: a file is sent after the request, when the person's own zone has ended.
        with timezone.override(zone):
            lines = _rows(chunk, user)
        yield from lines


def _rows(keys: list[int], user: User) -> list[list[Any]]:
    customers = EXPORT_ROWS.in_order(keys)
    shown = listed.customer_rows(customers, user=user, names_shown=False)
    return [_row(customer, row, user) for customer, row in zip(customers, shown, strict=True)]


def _row(customer: Any, row: listed.CustomerRow, user: User) -> list[Any]:
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


def show_exports(records: Iterable[ExportRecord]) -> list[dict[str, Any]]:
    """Export records as rows; `filters` as name and value, `batch` where one was exported."""
    return [
        {
            "at": record.at,
            "operator": record.operator_name,
            "what_label": record.get_what_display(),
            "batch": record.query if record.what == ExportRecord.What.BATCH else "",
            "filters": _filters(record.query) if record.what != ExportRecord.What.BATCH else [],
            "rows": record.rows,
        }
        for record in records
    ]


def _filters(query: str) -> list[str]:
    return [f"{name}: {value}" for name, value in QueryDict(query).items() if value]
