"""Budget Batches: what was set in one go, by whom, as a file, and taking it back."""

import uuid
from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef, Subquery
from django.forms import BooleanField
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST, require_safe

from budgets import presenters
from budgets.actions.freeze_terms import FREEZE_KINDS_OF_OPERATION, is_freeze
from budgets.actions.undo import IS_UNCHANGED, UNCHANGED_SINCE_BATCH, batch_records, review_undo
from budgets.freeze_reviews import confirmed_freeze_summary, excluded_items, show_excluded, show_freezes
from budgets.models import AdjustmentRecord
from budgets.presenters import ADJUSTMENT_COLUMNS, record_as_row
from customers.actions.audit import record_export
from customers.files import FREEZE_COLUMNS, freeze_record_as_row
from customers.models import ExportRecord, FreezeRecord
from partnercenter.actions import jobs
from partnercenter.lib.csv_files import csv_download
from partnercenter.lib.errors import PermissionRefused
from partnercenter.lib.htmx import page_context
from partnercenter.models import Confirmation, Operation
from partnercenter.permissions import EXPORT_FILES, grant_of, why_not_budgets
from partnercenter.requests import ConsoleRequest, partner_required

BUDGET_KINDS = (Operation.Kind.SET_BUDGET, Operation.Kind.UNDO_BATCH)
BATCHES_PER_PAGE = 20
BATCH_RECORDS_PER_PAGE = 50
EXPORTED_AT_ONCE = 1_000
# What the batch of an adjustment record did to the account last, if anything.
FREEZE_RECORD_OF_BATCH = Subquery(
    FreezeRecord.objects.filter(customer=OuterRef("customer"), batch=OuterRef("batch")).order_by("-pk").values("pk")[:1]
)


def _confirmed(request: ConsoleRequest) -> Any:
    """The batches of the person's own company, newest first."""
    mine = Confirmation.objects.filter(
        operation__partner=request.partner, operation__kind__in=(*BUDGET_KINDS, *FREEZE_KINDS_OF_OPERATION)
    )
    return mine.select_related("operation__operator").order_by("-at", "pk")


@require_safe
@partner_required
def batches(request: ConsoleRequest) -> HttpResponse:
    """Budget Batches: each with operator, time and counts."""
    # What changed nothing wrote nothing (domain 3.1).
    written = (records.filter(batch=OuterRef("pk")) for records in (AdjustmentRecord.objects, FreezeRecord.objects))
    listed = _confirmed(request).filter(reduce(or_, map(Exists, written)))
    page = Paginator(listed, BATCHES_PER_PAGE).get_page(request.GET.get("page"))
    context = page_context(page, presenters.show_batches(page.object_list)) | {"jobs": jobs.recent_jobs(request.user)}
    return render(request, "budgets/batches.html", context)


def _batch(
    request: ConsoleRequest, pk: uuid.UUID, kinds: Iterable[str] = (*BUDGET_KINDS, *FREEZE_KINDS_OF_OPERATION)
) -> Confirmation:
    """A batch of these kinds; 404 for any other."""
    found = _confirmed(request).filter(pk=pk, operation__kind__in=kinds).first()
    if found is None:
        raise Http404
    return found


@require_safe
@partner_required
def batch(request: ConsoleRequest, pk: uuid.UUID) -> HttpResponse:
    """One batch: its adjustment records, with `moved_on=1` of those alone that stand otherwise since, and Undo.

    Of freezing by hand its freeze records, with `left_out=1` to whom it was not done, and why.
    """
    confirmed, records = _batch(request, pk), batch_records(pk, request.user)
    if is_freeze(confirmed.operation):
        return _batch_by_hand(request, confirmed)
    number, standing = records.count(), records.filter(UNCHANGED_SINCE_BATCH).count()
    only_moved_on = request.GET.get("moved_on") == "1"
    marked = records.annotate(stands=IS_UNCHANGED, freeze_record=FREEZE_RECORD_OF_BATCH)
    listed = marked.filter(stands=False) if only_moved_on else marked
    listed = listed.select_related("customer").order_by("pk")
    page = Paginator(listed, BATCH_RECORDS_PER_PAGE).get_page(request.GET.get("page"))
    user = request.user
    context = page_context(page, presenters.show_records_of_batch(page.object_list)) | {
        "batch": presenters.show_batches([confirmed])[0],
        "standing": standing,
        "moved_on": number - standing,
        "only_moved_on": only_moved_on,
        "may_undo": bool(standing) and not why_not_budgets(user, request.partner, grant_of(request.partner)),
    }
    return render(request, "budgets/batch.html", context)


def _batch_by_hand(request: ConsoleRequest, confirmed: Confirmation) -> HttpResponse:
    left_out, only_left_out = excluded_items(confirmed.operation), request.GET.get("left_out") == "1"
    records = FreezeRecord.objects.filter(batch=confirmed.pk)
    listed: Any = (left_out if only_left_out else records).select_related("customer").order_by("pk")
    page = Paginator(listed, BATCH_RECORDS_PER_PAGE).get_page(request.GET.get("page"))
    show = show_excluded if only_left_out else show_freezes
    context = page_context(page, show(page.object_list)) | {
        "batch": presenters.show_batches([confirmed])[0],
        "facts": confirmed_freeze_summary(confirmed.operation),
        "left_out": left_out.count(),
        "only_left_out": only_left_out,
    }
    return render(request, "budgets/freeze_batch.html", context)


@require_GET
@partner_required
def export_batch(request: ConsoleRequest, pk: uuid.UUID) -> HttpResponseBase:
    """The records of a batch as CSV, of freezing by hand its freeze records, names masked; recorded before that."""
    confirmed = _batch(request, pk)
    if not request.user.has_perm(EXPORT_FILES):
        raise PermissionDenied
    by_hand = is_freeze(confirmed.operation)
    records: Any = FreezeRecord.objects.filter(batch=pk) if by_hand else batch_records(pk, request.user)
    columns, as_row = (FREEZE_COLUMNS, freeze_record_as_row) if by_hand else (ADJUSTMENT_COLUMNS, record_as_row)
    user, number = request.user, records.count()
    record_export(ExportRecord.What.BATCH, query=str(pk), rows=number, operator=user, partner=request.partner)
    stream = records.select_related("customer").order_by("pk").iterator(chunk_size=EXPORTED_AT_ONCE)
    zone = timezone.get_current_timezone()
    name = f"{'freeze' if by_hand else 'budget'}-batch-{timezone.localtime(confirmed.at):%Y-%m-%d-%H%M}.csv"
    return csv_download(name, columns, (as_row(record, zone) for record in stream))


@require_POST
@partner_required
def undo(request: ConsoleRequest, pk: uuid.UUID) -> HttpResponse:
    """Review the undo of a batch; nothing is undone before its OK."""
    confirmed, user = _batch(request, pk, BUDGET_KINDS), request.user
    if why_not := why_not_budgets(user, request.partner, grant_of(request.partner)):
        raise PermissionRefused(why_not)
    unfreeze = BooleanField(required=False).clean(request.POST.get("unfreeze"))
    operation = review_undo(confirmed.pk, operator=user, unfreeze=unfreeze)
    return redirect("operation", pk=operation.pk)
