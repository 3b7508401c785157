"""The list as a CSV file with masked names (rule 7.1 (docs/rules.md)), and the history of exports."""

from collections.abc import Callable, Iterable, Iterator
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
# The value of each column for a customer and its row in the list.
Cell = Callable[[Any, CustomerRow], object]


def _time(at: datetime | None) -> str | None:
    return timezone.localtime(at).isoformat(" ", "minutes") if at else None


EXPORT_CELLS: dict[str, Cell] = {
    # The columns that Import Budgets reads. It ignores the others.
    "customer_id": lambda customer, row: customer.customer_id,
    "budget_type": lambda customer, row: customer.budget__budget_type,
    "amount": lambda customer, row: customer.budget__amount,
    "account_freezing": lambda customer, row: customer.budget__account_freezing,
    "unfreeze_now": lambda customer, row: 0,
    # The columns for people.
    "account_name": lambda customer, row: customer.account_name,
    "customer_name": lambda customer, row: row.name,
    "status": lambda customer, row: row.status_label,
    "frozen": lambda customer, row: "; ".join(filter(None, (row.frozen_above, row.frozen_why, row.retention))),
    "used": lambda customer, row: customer.budget__used,
    "usage_percent": lambda customer, row: customer.budget__usage,
    "as_of": lambda customer, row: _time(customer.as_of),
    "association_type": lambda customer, row: customer.association_type,
    "associated_on": lambda customer, row: _time(customer.associated_on),
    "account_manager": lambda customer, row: customer.account_manager,
    "tags": lambda customer, row: customer.tags.strip(";"),
}
RESELLER_CELLS: dict[str, Cell] = {"reseller": lambda customer, row: row.reseller}


def export_cells(*, show_reseller: bool) -> dict[str, Cell]:
    """The columns of the file in order, each with its value; for a distributor with the reseller."""
    return EXPORT_CELLS | RESELLER_CELLS if show_reseller else EXPORT_CELLS


def export_rows(customers: CustomerList, *, user: User, zone: tzinfo) -> Iterator[list[object]]:
    """Stream the lines of all matching customers in the order of the list. Two queries per 500 customers."""
    cells = export_cells(show_reseller=customers.owner.is_distributor).values()
    keys = chain.from_iterable(segment.all_keys() for segment in customers.ordered().segments)
    while chunk := list(islice(keys, EXPORT_CHUNK)):
        found = EXPORT_ROWS.in_order(chunk)
        # The file is sent after the request, when the user's time zone is no longer active.
        with timezone.override(zone):
            rows = customer_rows(found, user=user, names_shown=False)
            lines = [[cell(customer, row) for cell in cells] for customer, row in zip(found, rows, strict=True)]
        yield from lines


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
