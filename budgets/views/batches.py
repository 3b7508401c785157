"""Budget Batches: the list of confirmed changes, each with its records, its export and its undo."""

from functools import reduce
from operator import or_
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef, QuerySet
from django.forms import BooleanField
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST, require_safe

from budgets.actions.undo import review_undo
from budgets.models import AdjustmentRecord
from budgets.operations import CustomerOperation
from budgets.presenters.batches import show_batches
from customers.actions.audit import record_export
from customers.models import ExportRecord, FreezeRecord
from partnercenter.actions import jobs
from partnercenter.lib.csv_files import csv_download
from partnercenter.lib.errors import PermissionRefused
from partnercenter.lib.htmx import page_context
from partnercenter.models import Confirmation
from partnercenter.operation_kinds import kind_of
from partnercenter.permissions import EXPORT_FILES, grant_of, why_not_budgets
from partnercenter.requests import ConsoleRequest, partner_required

BATCHES_PER_PAGE = 20
BATCH_RECORDS_PER_PAGE = 50
EXPORT_CHUNK_SIZE = 1_000


def _own_confirmations(request: ConsoleRequest) -> QuerySet[Confirmation]:
    """The confirmations by users of the same partner, newest first."""
    own = Confirmation.objects.filter(operation__partner=request.partner)
    return own.select_related("operation__operator").order_by("-at", "pk")


@require_safe
@partner_required
def batches(request: ConsoleRequest) -> HttpResponse:
    """Budget Batches: all batches, each with its operator, time and counts."""
    # Operations that left no records are not batches.
    records = (model.objects.filter(batch=OuterRef("pk")) for model in (AdjustmentRecord, FreezeRecord))
    confirmations = _own_confirmations(request).filter(reduce(or_, map(Exists, records)))
    page = Paginator(confirmations, BATCHES_PER_PAGE).get_page(request.GET.get("page"))
    context = page_context(page, show_batches(page.object_list)) | {"jobs": jobs.recent_jobs(request.user)}
    return render(request, "budgets/batches.html", context)


def _own_batch(request: ConsoleRequest, pk: UUID) -> tuple[Confirmation, CustomerOperation]:
    """Get a batch of the person's own partner. Raises Http404 for any other, or if the operation left no batch."""
    confirmation = get_object_or_404(_own_confirmations(request), pk=pk)
    kind = kind_of(confirmation.operation)
    if not isinstance(kind, CustomerOperation):
        raise Http404
    return confirmation, kind


@require_safe
@partner_required
def batch(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """The page of a batch: its records, and for budgets the undo.

    For budgets, `moved_on=1` lists only customers whose budget has changed since. For freezing, `left_out=1` lists the
    customers excluded in the review.
    """
    confirmation, kind = _own_batch(request, pk)
    listing = kind.batch_listing(request.GET)
    page = Paginator(listing.items, BATCH_RECORDS_PER_PAGE).get_page(request.GET.get("page"))
    context = page_context(page, listing.show(page.object_list)) | listing.context
    context["batch"] = show_batches([confirmation])[0]
    context["undoable"] = listing.undoable
    context["may_undo"] = listing.undoable > 0 and not _why_not_undo(request)
    return render(request, kind.batch_template, context)


def _why_not_undo(request: ConsoleRequest) -> str:
    return why_not_budgets(request.user, request.partner, grant_of(request.partner))


@require_GET
@partner_required
def export_batch(request: ConsoleRequest, pk: UUID) -> HttpResponseBase:
    """Send the records of a batch as CSV with masked names; the export is recorded first."""
    confirmation, kind = _own_batch(request, pk)
    if not request.user.has_perm(EXPORT_FILES):
        raise PermissionDenied
    file, records, user = kind.record_file, kind.records(), request.user
    record_export(ExportRecord.What.BATCH, query=str(pk), rows=records.count(), operator=user, partner=request.partner)
    stream = records.select_related("customer").iterator(chunk_size=EXPORT_CHUNK_SIZE)
    zone = timezone.get_current_timezone()
    name = f"{kind.batch_file_name}-{timezone.localtime(confirmation.at):%Y-%m-%d-%H%M}.csv"
    return csv_download(name, file.columns, (file.as_row(record, zone) for record in stream))


@require_POST
@partner_required
def undo(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Make a review that undoes a batch; nothing changes before it is confirmed."""
    confirmation, kind = _own_batch(request, pk)
    if not kind.can_be_undone:
        raise Http404
    if why_not := _why_not_undo(request):
        raise PermissionRefused(why_not)
    unfreeze = BooleanField(required=False).clean(request.POST.get("unfreeze"))
    operation = review_undo(confirmation.pk, operator=request.user, unfreeze=unfreeze)
    return redirect("operation", pk=operation.pk)
