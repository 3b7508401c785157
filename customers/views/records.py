"""The tabs of a customer's page: adjustment records, freeze records and notes. Records can be exported."""

from dataclasses import dataclass
from urllib.parse import quote

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_safe

from budgets.actions.billing_month import restore_customer
from budgets.presenters.dialogs import show_customer
from budgets.presenters.records import ADJUSTMENT_FILE, show_records
from budgets.queries.freeze_explanation import explain_freeze
from customers.actions.audit import record_export
from customers.files import FREEZE_FILE, RecordFile
from customers.forms import NoteForm, RecordFilterForm
from customers.models import Customer, ExportRecord, FreezeRecord
from customers.views.reveal import reveal
from partnercenter.lib.csv_files import csv_download
from partnercenter.lib.htmx import page_context
from partnercenter.lib.types import Context
from partnercenter.permissions import EXPORT_FILES
from partnercenter.requests import ConsoleRequest, partner_required

RECORDS_PER_TAB = 10
EXPORT_BATCH = 1_000
ADJUSTMENTS_TAB, NOTES_TAB = "adjustments", "notes"


@dataclass(frozen=True)
class Tab:
    """A tab of a customer's page: its label, the related name of its records, and how they are exported.

    Notes are not exported and have no filters.
    """

    label: Promise
    related_name: str
    exported_as: ExportRecord.What | None = None
    file: RecordFile | None = None

    def records_of(self, customer: Customer) -> QuerySet:
        return getattr(customer, self.related_name).order_by("-pk")


TABS = {
    ADJUSTMENTS_TAB: Tab(_("Adjustment Records"), "adjustment_records", ExportRecord.What.ADJUSTMENTS, ADJUSTMENT_FILE),
    "freezes": Tab(_("Freeze Records"), "freeze_records", ExportRecord.What.FREEZES, FREEZE_FILE),
    NOTES_TAB: Tab(_("Notes"), "notes"),
}


def named_customer(request: ConsoleRequest) -> Customer:
    """Get the customer named in the query string, with budget and partner.

    Restores it first if it is behind the month. Raises Http404 if the person may not see it.
    """
    customers = Customer.objects.visible_to(request.user).select_related(
        "budget", "partner__grant", "partner__distributor"
    )
    customer = get_object_or_404(customers.named(request.GET.get("customer", "")))
    restore_customer(customer, request.month)
    return customer


def tab_context(request: ConsoleRequest, customer: Customer, form: NoteForm | None = None) -> Context:
    """The context of one page of the requested tab. `form` is a note with errors."""
    name = request.GET.get("tab", ADJUSTMENTS_TAB)
    name = name if name in TABS else ADJUSTMENTS_TAB
    records = TABS[name].records_of(customer)
    query = f"?customer={quote(customer.customer_id, safe='')}"
    context: Context = {"customer": customer, "query": query, "tab": name, "tabs": TABS}
    if name == NOTES_TAB:
        # A distributor and its reseller do not see each other's notes.
        records = records.filter(operator__partner=request.partner)
        context["note_form"] = form or NoteForm(label_suffix="")
    else:
        context["filters"] = filters = RecordFilterForm(request.GET, records)
        records = filters.filtered()
    page = Paginator(records, RECORDS_PER_TAB).get_page(request.GET.get("page"))
    rows = list(page.object_list)
    return context | page_context(page, show_records(rows) if name == ADJUSTMENTS_TAB else rows)


@require_GET
@partner_required
def export_records(request: ConsoleRequest) -> HttpResponseBase:
    """Send the filtered records of a tab as CSV, newest first, with masked names even while pages reveal them.

    The export is recorded before anything is sent. See rules 7.1 and 9.4 (docs/rules.md).
    """
    customer, user = named_customer(request), request.user
    tab = TABS.get(request.GET.get("tab", ADJUSTMENTS_TAB))
    if tab is None or tab.file is None or tab.exported_as is None:
        raise Http404
    if not user.has_perm(EXPORT_FILES):
        raise PermissionDenied
    filters = RecordFilterForm(request.GET, tab.records_of(customer))
    filters.refuse_unreadable()
    file, records = tab.file, filters.filtered()
    query, number = request.GET.urlencode(), records.count()
    record_export(tab.exported_as, query=query, rows=number, operator=user, partner=request.partner)
    stream = records.select_related("customer").iterator(chunk_size=EXPORT_BATCH)
    zone = timezone.get_current_timezone()
    return csv_download(
        f"{file.name}-{timezone.localdate():%Y-%m-%d}.csv",
        file.columns,
        (file.as_row(record, zone) for record in stream),
    )


@require_safe
@partner_required
def freeze_record(request: ConsoleRequest, pk: int) -> HttpResponse:
    """Why Frozen: explains a freeze record of a current or former customer: its cause, rule and times."""
    records = FreezeRecord.objects.filter(customer__in=Customer.objects.ever_visible_to(request.user))
    record = get_object_or_404(records.select_related("customer__partner"), pk=pk)
    seconds = reveal(request, [record.customer])
    context = {
        "sheet": explain_freeze(record),
        "record": record,
        "customer": show_customer(record.customer, names_shown=seconds > 0),
        "names_shown_seconds": seconds,
    }
    return render(request, "customers/freeze_record.html", context)
