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
from budgets.actions.billing_month import current_month
from budgets.actions.freeze_terms import BY_HAND, is_by_hand
from budgets.actions.undo import STANDS, STILL_STANDS, records_of, review_undo
from budgets.freeze_reviews import facts_confirmed, left_out_of, show_freezes, show_left_out
from budgets.models import AdjustmentRecord
from budgets.presenters import RECORD_COLUMNS, record_as_row
from customers.actions import record_export
from customers.models import ExportRecord, FreezeRecord
from customers.records import FREEZE_COLUMNS, freeze_record_as_row
from partnercenter.actions import jobs
from partnercenter.lib.csv_files import csv_download
from partnercenter.lib.errors import PermissionRefused
from partnercenter.lib.htmx import ConsoleRequest, for_partner, paged
from partnercenter.models import Confirmation, Operation
from partnercenter.permissions import EXPORT, grant_of, refusal

OF_BUDGETS = (Operation.Kind.SET_BUDGET, Operation.Kind.UNDO_BATCH)
BATCHES_PER_PAGE = 20
RECORDS_PER_PAGE = 50
RECORDS_AT_ONCE = 1_000
# What the batch of an adjustment record did to the account last, if anything.
FREEZE_RECORD = Subquery(
    FreezeRecord.objects.filter(customer=OuterRef("customer"), batch=OuterRef("batch")).order_by("-pk").values("pk")[:1]
)


def _confirmed(request: ConsoleRequest) -> Any:
    """The batches of the person's own company, newest first."""
    mine = Confirmation.objects.filter(
        operation__partner=request.user.partner, operation__kind__in=(*OF_BUDGETS, *BY_HAND)
    )
    return mine.select_related("operation__operator").order_by("-at", "pk")


@require_safe
@for_partner
def batches(request: ConsoleRequest) -> HttpResponse:
    """Budget Batches: each with operator, time and counts."""
    # What changed nothing wrote nothing (domain 3.1).
    written = (records.filter(batch=OuterRef("pk")) for records in (AdjustmentRecord.objects, FreezeRecord.objects))
    listed = _confirmed(request).filter(reduce(or_, map(Exists, written)))
    page = Paginator(listed, BATCHES_PER_PAGE).get_page(request.GET.get("page"))
    context = paged(page, presenters.show_batches(page.object_list)) | {"jobs": jobs.recent(request.user)}
    return render(request, "budgets/batches.html", context)


def _batch(request: ConsoleRequest, pk: uuid.UUID, kinds: Iterable[str] = (*OF_BUDGETS, *BY_HAND)) -> Confirmation:
    """A batch of these kinds; 404 for any other."""
    found = _confirmed(request).filter(pk=pk, operation__kind__in=kinds).first()
    if found is None:
        raise Http404
    return found


@require_safe
@for_partner
def batch(request: ConsoleRequest, pk: uuid.UUID) -> HttpResponse:
    """One batch: its adjustment records, with `moved_on=1` of those alone that stand otherwise since, and Undo.

    Of freezing by hand its freeze records, with `left_out=1` to whom it was not done, and why.
    """
    current_month()
    confirmed, records = _batch(request, pk), records_of(pk, request.user)
    if is_by_hand(confirmed.operation):
        return _batch_by_hand(request, confirmed)
    number, standing = records.count(), records.filter(STILL_STANDS).count()
    only_moved_on = request.GET.get("moved_on") == "1"
    marked = records.annotate(stands=STANDS, freeze_record=FREEZE_RECORD)
    listed = marked.filter(stands=False) if only_moved_on else marked
    listed = listed.select_related("customer").order_by("pk")
    page = Paginator(listed, RECORDS_PER_PAGE).get_page(request.GET.get("page"))
    user = request.user
    context = paged(page, presenters.show_records_of_batch(page.object_list)) | {
        "batch": presenters.show_batches([confirmed])[0],
        "standing": standing,
        "moved_on": number - standing,
        "only_moved_on": only_moved_on,
        "may_undo": bool(standing) and not refusal(user, user.partner, grant_of(user.partner)),
    }
    return render(request, "budgets/batch.html", context)


def _batch_by_hand(request: ConsoleRequest, confirmed: Confirmation) -> HttpResponse:
    left_out, only_left_out = left_out_of(confirmed.operation), request.GET.get("left_out") == "1"
    records = FreezeRecord.objects.filter(batch=confirmed.pk)
    listed: Any = (left_out if only_left_out else records).select_related("customer").order_by("pk")
    page = Paginator(listed, RECORDS_PER_PAGE).get_page(request.GET.get("page"))
    show = show_left_out if only_left_out else show_freezes
    context = paged(page, show(page.object_list)) | {
        "batch": presenters.show_batches([confirmed])[0],
        "facts": facts_confirmed(confirmed.operation),
        "left_out": left_out.count(),
        "only_left_out": only_left_out,
    }
    return render(request, "budgets/freeze_batch.html", context)


@require_GET
@for_partner
def export_batch(request: ConsoleRequest, pk: uuid.UUID) -> HttpResponseBase:
    """The records of a batch as CSV, of freezing by hand its freeze records, names masked; recorded before that."""
    confirmed = _batch(request, pk)
    if not request.user.has_perm(EXPORT):
        raise PermissionDenied
    by_hand = is_by_hand(confirmed.operation)
    records: Any = FreezeRecord.objects.filter(batch=pk) if by_hand else records_of(pk, request.user)
    columns, as_row = (FREEZE_COLUMNS, freeze_record_as_row) if by_hand else (RECORD_COLUMNS, record_as_row)
    user, number = request.user, records.count()
    record_export(ExportRecord.What.BATCH, query=str(pk), rows=number, operator=user, partner=user.partner)
    stream = records.select_related("customer").order_by("pk").iterator(chunk_size=RECORDS_AT_ONCE)
    zone = timezone.get_current_timezone()
    name = f"{'freeze' if by_hand else 'budget'}-batch-{timezone.localtime(confirmed.at):%Y-%m-%d-%H%M}.csv"
    return csv_download(name, columns, (as_row(record, zone) for record in stream))


@require_POST
@for_partner
def undo(request: ConsoleRequest, pk: uuid.UUID) -> HttpResponse:
    """Review the undo of a batch; nothing is undone before its OK."""
    current_month()
    confirmed, user = _batch(request, pk, OF_BUDGETS), request.user
    if why_not := refusal(user, user.partner, grant_of(user.partner)):
        raise PermissionRefused(why_not)
    unfreeze = BooleanField(required=False).clean(request.POST.get("unfreeze"))
    operation = review_undo(confirmed.pk, operator=user, unfreeze=unfreeze)
    return redirect("operation", pk=operation.pk)
