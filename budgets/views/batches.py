"""Budget Batches: what was set in one go, by whom, as a file, and taking it back."""

from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.forms import BooleanField
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST, require_safe

from budgets.actions.undo import IS_UNCHANGED, UNCHANGED_SINCE_BATCH, review_undo
from budgets.models import AdjustmentRecord
from budgets.operations import CustomerOperation
from budgets.presenters.records import (
    excluded_items,
    show_batches,
    show_excluded,
    show_freezes,
    show_records_of_batch,
)
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

# What a batch's page lists, what makes rows of it, and what else the page shows.
BatchPage = tuple[QuerySet[Any], Callable[[Any], list[dict[str, Any]]], dict[str, Any]]

BATCHES_PER_PAGE = 20
BATCH_RECORDS_PER_PAGE = 50
EXPORTED_AT_ONCE = 1_000
# What the batch of an adjustment record did to the account last, if anything.
FREEZE_RECORD_OF_BATCH = Subquery(
    FreezeRecord.objects.filter(customer=OuterRef("customer"), batch=OuterRef("batch")).order_by("-pk").values("pk")[:1]
)


def _confirmed(request: ConsoleRequest) -> QuerySet[Confirmation]:
    """What people of the person's own company have confirmed, newest first."""
    mine = Confirmation.objects.filter(operation__partner=request.partner)
    return mine.select_related("operation__operator").order_by("-at", "pk")


@require_safe
@partner_required
def batches(request: ConsoleRequest) -> HttpResponse:
    """Budget Batches: each with operator, time and counts."""
    # Skip operations that left no records.
    written = (records.filter(batch=OuterRef("pk")) for records in (AdjustmentRecord.objects, FreezeRecord.objects))
    listed = _confirmed(request).filter(reduce(or_, map(Exists, written)))
    page = Paginator(listed, BATCHES_PER_PAGE).get_page(request.GET.get("page"))
    context = page_context(page, show_batches(page.object_list)) | {"jobs": jobs.recent_jobs(request.user)}
    return render(request, "budgets/batches.html", context)


def _batch(request: ConsoleRequest, pk: UUID) -> tuple[Confirmation, CustomerOperation]:
    """A batch of the person's own company, and its operation; 404 for any other, and for what is no batch."""
    confirmed = get_object_or_404(_confirmed(request), pk=pk)
    kind = kind_of(confirmed.operation)
    if not isinstance(kind, CustomerOperation):
        raise Http404
    return confirmed, kind


@require_safe
@partner_required
def batch(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """One batch: its records, and what can be done about it.

    Of budgets `moved_on=1` lists only the customers that have changed since; of freezing `left_out=1` lists those that
    were excluded, and why.
    """
    confirmed, kind = _batch(request, pk)
    show_page = _budget_batch if kind.can_be_undone else _freeze_batch
    listed, show, more = show_page(request, kind)
    page = Paginator(listed, BATCH_RECORDS_PER_PAGE).get_page(request.GET.get("page"))
    context = page_context(page, show(page.object_list)) | {"batch": show_batches([confirmed])[0]} | more
    return render(request, kind.batch_template, context)


def _budget_batch(request: ConsoleRequest, kind: CustomerOperation) -> BatchPage:
    records, user = kind.records(), request.user
    number, unchanged = records.count(), records.filter(UNCHANGED_SINCE_BATCH).count()
    only_moved_on = request.GET.get("moved_on") == "1"
    marked = records.annotate(stands=IS_UNCHANGED, freeze_record=FREEZE_RECORD_OF_BATCH)
    listed = marked.filter(stands=False) if only_moved_on else marked
    more = {
        "standing": unchanged,
        "moved_on": number - unchanged,
        "only_moved_on": only_moved_on,
        "may_undo": bool(unchanged) and not why_not_budgets(user, request.partner, grant_of(request.partner)),
    }
    return listed.select_related("customer"), show_records_of_batch, more


def _freeze_batch(request: ConsoleRequest, kind: CustomerOperation) -> BatchPage:
    excluded, only_left_out = excluded_items(kind.operation), request.GET.get("left_out") == "1"
    more = {"facts": kind.confirmed_summary(), "left_out": excluded.count(), "only_left_out": only_left_out}
    if only_left_out:
        return excluded.select_related("customer").order_by("pk"), show_excluded, more
    return kind.records().select_related("customer"), show_freezes, more


@require_GET
@partner_required
def export_batch(request: ConsoleRequest, pk: UUID) -> HttpResponseBase:
    """The records of a batch as CSV, names masked; the export is recorded first."""
    confirmed, kind = _batch(request, pk)
    if not request.user.has_perm(EXPORT_FILES):
        raise PermissionDenied
    file, records, user = kind.record_file, kind.records(), request.user
    record_export(ExportRecord.What.BATCH, query=str(pk), rows=records.count(), operator=user, partner=request.partner)
    stream = records.select_related("customer").iterator(chunk_size=EXPORTED_AT_ONCE)
    zone = timezone.get_current_timezone()
    name = f"{kind.batch_file_name}-{timezone.localtime(confirmed.at):%Y-%m-%d-%H%M}.csv"
    return csv_download(name, file.columns, (file.as_row(record, zone) for record in stream))


@require_POST
@partner_required
def undo(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Review the undo of a batch; nothing is undone before its OK."""
    (confirmed, kind), user = _batch(request, pk), request.user
    if not kind.can_be_undone:
        raise Http404
    if why_not := why_not_budgets(user, request.partner, grant_of(request.partner)):
        raise PermissionRefused(why_not)
    unfreeze = BooleanField(required=False).clean(request.POST.get("unfreeze"))
    operation = review_undo(confirmed.pk, operator=user, unfreeze=unfreeze)
    return redirect("operation", pk=operation.pk)
