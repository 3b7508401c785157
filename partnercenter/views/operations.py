"""The page of an operation that waits for its OK: what is to be confirmed, Get Code, OK, and edits of its review.

What an operation is about its kind says; see partnercenter.operation_kinds.
"""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from customers.masking import mask_email
from partnercenter.actions import jobs, operations
from partnercenter.forms import CodeForm
from partnercenter.lib.errors import ActionError, Conflict, InvalidRequest, LockTimeout, OperationFinished
from partnercenter.lib.htmx import Link, action_done, page_or_partial
from partnercenter.models import Job, Operation
from partnercenter.operation_kinds import OperationKind, kind_of
from partnercenter.requests import ConsoleRequest, partner_required
from partnercenter.views.jobs import job_response

CONFIRM_TASK = "budgets.tasks.confirm"
# The page of the operation shows these itself; a missing permission has a page of its own.
SHOWN_ON_PAGE = (InvalidRequest, Conflict, LockTimeout, OperationFinished)


def _kind(request: ConsoleRequest, pk: UUID) -> OperationKind:
    """The operator's own operation, seen through its kind; 404 for anybody else's."""
    own = Operation.objects.filter(operator=request.user, partner=request.partner)
    return kind_of(get_object_or_404(own.select_related("operator__partner", "partner"), pk=pk))


@require_http_methods(["GET", "HEAD", "POST"])
@partner_required
def operation(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """GET what is to be confirmed; POST confirms, with `verification_code` where the switch is on.

    After a 409 `apply=unchanged` applies it to those customers that are still as reviewed. Amounts that stand typed in
    rows beside the pressed OK are taken into the review first, which is then shown again.
    """
    kind = _kind(request, pk)
    form = CodeForm(request.POST if request.method == "POST" else None, label_suffix="")
    if request.method != "POST":
        return _show(request, kind, form)
    form.is_valid()
    try:
        operations.ensure_not_finished(kind.operation)
        if edited := kind.save_typed_amounts(request.POST):
            return _show_edited(request, kind_of(edited))
        return _confirm(request, kind)
    except SHOWN_ON_PAGE as error:
        if error.field in form.fields:
            form.add_error(error.field, error.message)
        return _show(request, kind, form, status=error.status, error=error)


def _show_edited(request: ConsoleRequest, kind: OperationKind) -> HttpResponse:
    notice = _("The amounts you typed are in the review now: look at it, then confirm it.")
    if request.htmx:
        return _show(request, kind, CodeForm(label_suffix=""), notice=notice)
    messages.info(request, notice)
    return _to_review(request, kind.operation)


def _to_review(request: ConsoleRequest, reviewed: Operation) -> HttpResponse:
    """To the page of the review; the group that was open stays open."""
    query = request.GET.urlencode()
    return redirect(f"{reverse('operation', args=[reviewed.pk])}{f'?{query}' if query else ''}")


def _confirm(request: ConsoleRequest, kind: OperationKind) -> HttpResponse:
    reviewed, code = kind.operation, request.POST.get("verification_code", "")
    only_unchanged = request.POST.get("apply") == "unchanged"
    if not only_unchanged and (operations.needs_code(reviewed) or jobs.uses_worker()):
        # Before a code is looked at or a worker is waited for; without them it is soon enough when it is applied.
        kind.ensure_unchanged()
    if kind.is_large:
        return _confirm_by_job(request, kind, code, only_unchanged=only_unchanged)
    message = operations.confirm_operation(reviewed, code, lambda: kind.apply(only_unchanged=only_unchanged))
    return action_done(request, message, then=kind.done_page, selection_done=True, link=_batch_link(kind))


def _batch_link(kind: OperationKind) -> Link | None:
    return Link(kind.batch_path, _("Show batch")) if kind.batch_path else None


def _confirm_by_job(request: ConsoleRequest, kind: OperationKind, code: str, *, only_unchanged: bool) -> HttpResponse:
    """The code is checked here, once; the rest is the job's."""
    reviewed, task = kind.operation, import_string(CONFIRM_TASK)
    operations.accept_code(reviewed, code)
    title, terms = reviewed.get_kind_display(), {"only_unchanged": only_unchanged}
    job = jobs.start_job(task, title, operator=reviewed.operator, operation=reviewed, terms=terms)
    if job.state == Job.State.REFUSED:
        raise jobs.job_error(job)
    return job_response(request, job, then=kind.done_page, selection_done=True, link=_batch_link(kind))


@require_POST
@partner_required
def operation_code(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Get Code: mail the operator a code for this operation."""
    kind, form = _kind(request, pk), CodeForm(label_suffix="")
    try:
        kind.ensure_unchanged()
        operations.send_code(kind.operation, kind.summary())
    except SHOWN_ON_PAGE as error:
        return _show(request, kind, form, status=error.status, error=error)
    notice = _("A verification code has been sent to you by e-mail.")
    if request.htmx:
        return _show(request, kind, form, notice=notice)
    messages.success(request, notice)
    return redirect("operation", pk=kind.operation.pk)


@require_POST
@partner_required
def operation_edit(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Leave customers out of a review, take them back, or give one another amount: a new review, or the same one."""
    kind = _kind(request, pk)
    try:
        operations.ensure_not_finished(kind.operation)
        jobs.ensure_not_under_way(kind.operation)
        return _to_review(request, kind.edit(request.POST))
    except (InvalidRequest, Conflict, OperationFinished) as error:
        return _show(request, kind, CodeForm(label_suffix=""), status=error.status, error=error)


def _show(
    request: ConsoleRequest,
    kind: OperationKind,
    form: CodeForm,
    *,
    status: int = 200,
    notice: str = "",
    error: ActionError | None = None,
) -> HttpResponse:
    """The page of an operation; one that is completed, expired or outdated shows only why, and the way back."""
    reviewed = kind.operation
    outcome, stale = _outcome(kind, request.month)
    context = {
        "operation": {"pk": reviewed.pk, "title": reviewed.get_kind_display(), "expires_at": reviewed.expires_at},
        "back": kind.cancel_path,
        "facts": kind.summary(),
        "needs_code": operations.needs_code(reviewed),
        "form": form,
        "email": mask_email(reviewed.operator.email),
        "code_minutes": operations.code_minutes(),
        "wait_seconds": operations.code_state(reviewed).wait_seconds,
        "notice": notice,
        "error": error.message if error and error.field not in form.fields and not (outcome or stale) else "",
        "outcome": outcome,
        "stale": stale,
    } | kind.extra_context(request.GET, request.month, error)
    return page_or_partial(request, kind.template, context, partial="form", target="dialog-body", status=status)


def _outcome(kind: OperationKind, month: int) -> tuple[str, dict[str, Any] | None]:
    """Why there is nothing to confirm any more, or which customers have changed; "" and None where all is well."""
    try:
        operations.ensure_not_finished(kind.operation)
        jobs.ensure_not_under_way(kind.operation)
        kind.ensure_unchanged()
    except Conflict as changed:
        summary = kind.conflict_summary(month)
        return ("", summary) if summary else (changed.message, None)
    except (InvalidRequest, OperationFinished) as finished:
        return finished.message, None
    return "", None
