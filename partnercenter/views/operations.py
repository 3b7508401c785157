"""Operations to be confirmed: their page, Get Code, OK, and the edits of a review (domain 6)."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from budgets import tasks
from budgets.actions.freeze_terms import is_freeze
from budgets.actions.manual_freeze import apply_reviewed
from budgets.actions.review_edits import NO_ROWS, edit_review, review_again
from budgets.actions.reviews import ensure_unchanged, included_items, is_batch, is_undo
from budgets.actions.undo import review_undo
from budgets.amounts import InvalidAmounts, ensure_in_review, typed_amounts
from budgets.facts import summary_of
from budgets.freeze_reviews import Facts
from budgets.queries.conflicts import conflict_summary
from budgets.reviews import group_condition, show_review
from budgets.telling import message_for
from customers.masking import mask_email
from partnercenter.actions import jobs, operations
from partnercenter.actions.partners import switch_verification
from partnercenter.forms import CodeForm
from partnercenter.lib.errors import (
    ActionError,
    Conflict,
    InvalidRequest,
    LockTimeout,
    OperationFinished,
    PermissionRefused,
)
from partnercenter.lib.htmx import Link, action_done, page_or_partial
from partnercenter.models import Job, Operation
from partnercenter.permissions import may_switch_verification
from partnercenter.requests import ConsoleRequest, partner_required
from partnercenter.views.jobs import job_response

# The page of the operation says these itself; a missing permission has a page of its own.
SHOWN_BESIDE = (InvalidRequest, Conflict, LockTimeout, OperationFinished)


def _operation(request: ConsoleRequest, pk: Any) -> Operation:
    """The operator's own; anybody else's does not exist."""
    own = Operation.objects.filter(operator=request.user, partner=request.partner)
    return get_object_or_404(own.select_related("operator__partner", "partner"), pk=pk)


def _is_about_customers(operation: Operation) -> bool:
    """Whether customers were reviewed, whose budgets or accounts it changes."""
    return operation.kind != Operation.Kind.TURN_OFF_VERIFICATION


def _facts(operation: Operation) -> Facts:
    if _is_about_customers(operation):
        return summary_of(operation)
    return [(_("Company"), operation.partner.company), (_("Verification code"), _("Turn off for all operators"))]


def _refuse_outdated(operation: Operation) -> None:
    if _is_about_customers(operation):
        ensure_unchanged(operation)
    elif not may_switch_verification(operation.operator):
        raise PermissionRefused(_("Ask an administrator of your company to switch the verification code."))


def _apply(operation: Operation, *, only_unchanged: bool) -> str:
    if _is_about_customers(operation):
        return message_for(apply_reviewed(operation, only_unchanged=only_unchanged), operation)
    switch_verification(operation.partner, on=False, operator=operation.operator)
    return _("The verification code is turned off.")


@require_http_methods(["GET", "HEAD", "POST"])
@partner_required
def operation(request: ConsoleRequest, pk: Any) -> HttpResponse:
    """GET what is to be confirmed; POST confirms, with `verification_code` where the switch is on.

    After a 409 `apply=unchanged` sets those customers of a batch that are still as reviewed. Amounts that were typed
    into its rows and not taken over yet are, first: the review comes back with them.
    """
    reviewed = _operation(request, pk)
    form = CodeForm(request.POST if request.method == "POST" else None, label_suffix="")
    if request.method != "POST":
        return _show(request, reviewed, form)
    form.is_valid()
    only_unchanged = request.POST.get("apply") == "unchanged" and _is_about_customers(reviewed)
    try:
        operations.ensure_not_finished(reviewed)
        if amounts := typed_amounts(request.POST, reviewed):
            jobs.ensure_not_under_way(reviewed)
            return _taken_over(request, edit_review(reviewed, amounts=amounts))
        if not only_unchanged and (operations.needs_code(reviewed) or jobs.uses_worker()):
            # Told before a code is looked at or a worker is waited for; else where it is applied is soon enough.
            _refuse_outdated(reviewed)
        code = request.POST.get("verification_code", "")
        if takes_long(reviewed):
            return _confirm_by_job(request, reviewed, code, only_unchanged=only_unchanged)
        message = operations.confirm_operation(reviewed, code, lambda: _apply(reviewed, only_unchanged=only_unchanged))
    except SHOWN_BESIDE as error:
        if error.field in form.fields:
            form.add_error(error.field, error.message)
        return _show(request, reviewed, form, status=error.status, error=error)
    return action_done(request, message, then=_back(reviewed), selection_done=True, link=_to_batch(reviewed))


def _taken_over(request: ConsoleRequest, again: Operation) -> HttpResponse:
    notice = _("The amounts you typed are in the review now: look at it, then confirm it.")
    if request.htmx:
        return _show(request, again, CodeForm(label_suffix=""), notice=notice)
    messages.info(request, notice)
    return _to_review(request, again)


def _to_review(request: ConsoleRequest, again: Operation) -> HttpResponse:
    """The group that was open stays open."""
    query = request.GET.urlencode()
    return redirect(f"{reverse('operation', args=[again.pk])}{f'?{query}' if query else ''}")


def _to_batch(operation: Operation) -> Link | None:
    """From the message of a batch to what it did."""
    if not (_is_about_customers(operation) and is_batch(operation)):
        return None
    return Link(reverse("batch", args=[operation.pk]), _("Show batch"))


def takes_long(operation: Operation) -> bool:
    """Whether so many customers are set that it is left to a worker, where there is one."""
    return (
        _is_about_customers(operation)
        and included_items(operation)[: jobs.WORKER_THRESHOLD + 1].count() > jobs.WORKER_THRESHOLD
    )


def _confirm_by_job(request: ConsoleRequest, reviewed: Operation, code: str, *, only_unchanged: bool) -> HttpResponse:
    """The code is looked at here, once; the rest is the job's."""
    operations.accept_code(reviewed, code)
    title, terms = reviewed.get_kind_display(), {"only_unchanged": only_unchanged}
    job = jobs.start_job(tasks.confirm, title, operator=reviewed.operator, operation=reviewed, terms=terms)
    if job.state == Job.State.REFUSED:
        raise jobs.job_error(job)
    return job_response(request, job, then=_back(reviewed), selection_done=True, link=_to_batch(reviewed))


def _cancelled(operation: Operation) -> str:
    """Where Cancel leads, as a path: from an undo to the batch that stays as it is."""
    if is_undo(operation):
        return reverse("batch", args=[operation.terms["undo"]])
    return reverse(_back(operation))


def _back(operation: Operation) -> str:
    return "customers" if _is_about_customers(operation) else "partner_information"


@require_POST
@partner_required
def operation_code(request: ConsoleRequest, pk: Any) -> HttpResponse:
    """Get Code: mail the operator a code for this operation."""
    reviewed = _operation(request, pk)
    form = CodeForm(label_suffix="")
    try:
        _refuse_outdated(reviewed)
        operations.send_code(reviewed, _facts(reviewed))
    except SHOWN_BESIDE as error:
        return _show(request, reviewed, form, status=error.status, error=error)
    notice = _("A verification code has been sent to you by e-mail.")
    if request.htmx:
        return _show(request, reviewed, form, notice=notice)
    messages.success(request, notice)
    return redirect("operation", pk=reviewed.pk)


@require_POST
@partner_required
def operation_edit(request: ConsoleRequest, pk: Any) -> HttpResponseBase:
    """Leave customers out of a review, take them in again, or give one another amount: a new review (domain 6.3)."""
    reviewed = _operation(request, pk)
    form = CodeForm(label_suffix="")
    try:
        again = _edited(request, reviewed)
    except (InvalidRequest, Conflict, OperationFinished) as error:
        return _show(request, reviewed, form, status=error.status, error=error)
    return _to_review(request, again)


def _edited(request: ConsoleRequest, reviewed: Operation) -> Operation:
    """The new review; the same, whose code stays good, where nothing is edited."""
    operations.ensure_not_finished(reviewed)
    jobs.ensure_not_under_way(reviewed)
    if not _is_about_customers(reviewed):
        raise InvalidRequest(_("Nothing of this can be changed."))
    if request.POST.get("again"):
        return _again(reviewed)
    amounts = typed_amounts(request.POST, reviewed)
    leave_out, take_in = request.POST.getlist("leave_out"), request.POST.getlist("take_in")
    whole = group_condition(reviewed, key) if (key := request.POST.get("leave_out_group")) else NO_ROWS
    ensure_in_review(reviewed, {*leave_out, *take_in})
    if not (leave_out or take_in or amounts or whole != NO_ROWS):
        return reviewed
    return edit_review(reviewed, leave_out=leave_out, group=whole, take_in=take_in, amounts=amounts)


def _again(reviewed: Operation) -> Operation:
    if not is_undo(reviewed):
        return review_again(reviewed)
    batch, unfreeze = uuid.UUID(reviewed.terms["undo"]), reviewed.terms["unfreeze"]
    return review_undo(batch, operator=reviewed.operator, unfreeze=unfreeze, replaces=reviewed)


def _show(
    request: ConsoleRequest,
    reviewed: Operation,
    form: CodeForm,
    *,
    status: int = 200,
    notice: str = "",
    error: ActionError | None = None,
) -> HttpResponse:
    """The page of an operation; one that is completed, expired or outdated has only its outcome and the way back."""
    batch = _is_about_customers(reviewed) and is_batch(reviewed)
    outcome, stale = _outcome(reviewed, request.month, batch=batch)
    code = operations.code_state(reviewed)
    context = {
        "operation": {
            "pk": reviewed.pk,
            "title": reviewed.get_kind_display(),
            "expires_at": reviewed.expires_at,
            "is_undo": is_undo(reviewed),
            "is_by_hand": is_freeze(reviewed),
        },
        "back": _cancelled(reviewed),
        "facts": _facts(reviewed),
        "needs_code": operations.needs_code(reviewed),
        "form": form,
        "email": mask_email(reviewed.operator.email),
        "code_minutes": operations.code_minutes(),
        "wait_seconds": code.wait_seconds,
        "notice": notice,
        "error": error.message if error and error.field not in form.fields and not (outcome or stale) else "",
        "outcome": outcome,
    }
    template = "partnercenter/operation.html"
    if batch:
        template = "budgets/review.html"
        key, number = request.GET.get("group", ""), request.GET.get("page")
        typed = error.typed if isinstance(error, InvalidAmounts) else None
        review = show_review(reviewed, request.month, key=key, number=number, typed=typed)
        context |= {"review": review, "stale": stale}
        if review.open and any(row.get("error") for row in review.open["rows"]):
            # The row says it.
            context["error"] = ""
    return page_or_partial(request, template, context, partial="form", target="dialog-body", status=status)


def _outcome(reviewed: Operation, month: int, *, batch: bool) -> tuple[str, dict[str, Any] | None]:
    """Why there is nothing to confirm any more, or for a batch who is not as reviewed; "" and None where there is."""
    try:
        operations.ensure_not_finished(reviewed)
        jobs.ensure_not_under_way(reviewed)
        _refuse_outdated(reviewed)
    except Conflict as changed:
        return ("", conflict_summary(reviewed, month)) if batch else (changed.message, None)
    except (InvalidRequest, OperationFinished) as finished:
        return finished.message, None
    return "", None
