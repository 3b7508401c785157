"""The tabs of the customer's page: its records, in the page and as a file, and the notes about it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from budgets import presenters
from customers.actions import record_export
from customers.models import Customer, ExportRecord
from customers.records import FREEZE_COLUMNS, NoteForm, RecordFilterForm, freeze_record_as_row
from partnercenter.lib.csv_files import csv_download
from partnercenter.lib.htmx import ConsoleRequest, for_partner, paged
from partnercenter.permissions import EXPORT

PER_PAGE = 10
AT_ONCE = 1_000
FIRST, NOTES = "adjustments", "notes"


@dataclass(frozen=True)
class File:
    """The records of a tab as a file: its name, its columns, and what makes a row of a record and a zone."""

    what: ExportRecord.What
    name: str
    columns: Sequence[str]
    as_row: Callable[..., list[Any]]


@dataclass(frozen=True)
class Tab:
    """One list below a customer: its name, where it comes from, and its file; notes have none and no filters."""

    label: Any
    related: str
    file: File | None = None

    def all_of(self, customer: Customer) -> QuerySet[Any]:
        records: QuerySet[Any] = getattr(customer, self.related).order_by("-pk")
        return records


TABS = {
    FIRST: Tab(
        _("Adjustment Records"),
        "adjustment_records",
        File(ExportRecord.What.ADJUSTMENTS, "adjustment-records", presenters.RECORD_COLUMNS, presenters.record_as_row),
    ),
    "freezes": Tab(
        _("Freeze Records"),
        "freeze_records",
        File(ExportRecord.What.FREEZES, "freeze-records", FREEZE_COLUMNS, freeze_record_as_row),
    ),
    NOTES: Tab(_("Notes"), "notes"),
}


def customer_named(request: ConsoleRequest) -> Customer:
    """The customer that is named, its budget and partner read with it; 404 for any but one's own."""
    customers = Customer.objects.of(request.user).select_related("budget", "partner__grant", "partner__distributor")
    return get_object_or_404(customers.named(request.GET.get("customer", "")))


def records_of(request: ConsoleRequest, customer: Customer, form: NoteForm | None = None) -> dict[str, Any]:
    """One page of the tab that is asked for; `form` is a note that was refused."""
    name = request.GET.get("tab", FIRST)
    name = name if name in TABS else FIRST
    listed = TABS[name].all_of(customer)
    query = f"?customer={quote(customer.customer_id, safe='')}"
    context: dict[str, Any] = {"customer": customer, "query": query, "tab": name, "tabs": TABS}
    if name == NOTES:
        # What people of another company noted is theirs.
        listed = listed.filter(operator__partner=request.user.partner)
        context["note_form"] = form or NoteForm(label_suffix="")
    else:
        context["filters"] = filters = RecordFilterForm(request.GET, listed)
        listed = filters.narrowed()
    page = Paginator(listed, PER_PAGE).get_page(request.GET.get("page"))
    rows = list(page.object_list)
    return context | paged(page, presenters.show_records(rows) if name == FIRST else rows)


@require_GET
@for_partner
def export_records(request: ConsoleRequest) -> HttpResponseBase:
    """The records of a tab as CSV, as its filters narrow them, newest first; names masked whatever the eye says.

    Recorded before anything of it is sent (domain 7.1).
    """
    customer, user = customer_named(request), request.user
    tab = TABS.get(request.GET.get("tab", FIRST))
    if tab is None or tab.file is None:
        raise Http404
    if not user.has_perm(EXPORT):
        raise PermissionDenied
    filters = RecordFilterForm(request.GET, tab.all_of(customer))
    filters.refuse_unreadable()
    file, records = tab.file, filters.narrowed()
    query, number = request.GET.urlencode(), records.count()
    record_export(file.what, query=query, rows=number, operator=user, partner=user.partner)
    stream = records.select_related("customer").iterator(chunk_size=AT_ONCE)
    zone = timezone.get_current_timezone()
    return csv_download(
        f"{file.name}-{timezone.localdate():%Y-%m-%d}.csv",
        file.columns,
        (file.as_row(record, zone) for record in stream),
    )
