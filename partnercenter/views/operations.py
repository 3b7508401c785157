"""The page of an operation to be confirmed: Get Code, OK, and edits of its review.

Everything that depends on the kind of operation is in `partnercenter.operation_kinds`.
"""

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
from partnercenter.lib.types import Context
from partnercenter.models import Job, Operation
from partnercenter.operation_kinds import OperationKind, kind_of
from partnercenter.requests import ConsoleRequest, partner_required
from partnercenter.views.jobs import job_response

CONFIRM_TASK = "budgets.tasks.confirm"
# Shown on the operation's page. PermissionRefused is not among them: the middleware shows a page of its own for it.
SHOWN_ON_PAGE = (InvalidRequest, Conflict, LockTimeout, OperationFinished)


def _kind(request: ConsoleRequest, pk: UUID) -> OperationKind:
    """Get one of the user's own operations. Raises Http404 for any other."""
    own = Operation.objects.filter(operator=request.user, partner=request.partner)
    return kind_of(get_object_or_404(own.select_related("operator__partner", "partner"), pk=pk))


@require_http_methods(["GET", "HEAD", "POST"])
@partner_required
def operation(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """An operation: GET shows what is to be confirmed, POST confirms it, with `verification_code` if needed.

    If customers have changed since the review, the response is 409, and posting `apply=unchanged` applies the operation
    to the others. Amounts that were typed but not saved are saved first, and the review is shown again.
    """
    kind = _kind(request, pk)
    form = CodeForm(request.POST if request.method == "POST" else None, label_suffix="")
    if request.method != "POST":
        return _show(request, kind, form)
    form.is_valid()
    try:
        operations.ensure_not_finished(kind.operation)
        edited = kind.save_typed_amounts(request.POST)
        if edited is None:
            return _confirm(request, kind)
        notice = _("The amounts you typed are now in the review. Check it, then confirm it.")
        if request.htmx:
            return _show(request, kind_of(edited), CodeForm(label_suffix=""), notice=notice)
        messages.info(request, notice)
        return _redirect_to_review(request, edited)
    except SHOWN_ON_PAGE as error:
        if error.field in form.fields:
            form.add_error(error.field, error.message)
        return _show(request, kind, form, status=error.status, error=error)


def _confirm(request: ConsoleRequest, kind: OperationKind) -> HttpResponse:
    """Confirm and apply the operation, or let a background job apply it if it is large."""
    reviewed, code = kind.operation, request.POST.get("verification_code", "")
    only_unchanged = request.POST.get("apply") == "unchanged"
    if not only_unchanged and (operations.needs_code(reviewed) or jobs.uses_worker()):
        # Report changes before the code is used or the job waits for a worker. Otherwise `apply` reports them in time.
        kind.ensure_unchanged()
    if not kind.is_large:
        message = operations.confirm_operation(reviewed, code, lambda: kind.apply(only_unchanged=only_unchanged))
        return action_done(request, message, then=kind.done_page, selection_done=True, link=_batch_link(kind))
    # The code is checked now, since the job cannot ask for one.
    operations.accept_code(reviewed, code)
    job = jobs.start_job(
        import_string(CONFIRM_TASK),
        reviewed.get_kind_display(),
        operator=reviewed.operator,
        operation=reviewed,
        terms={"only_unchanged": only_unchanged},
    )
    if job.state == Job.State.REFUSED:
        raise jobs.job_error(job)
    return job_response(request, job, then=kind.done_page, selection_done=True, link=_batch_link(kind))


def _batch_link(kind: OperationKind) -> Link | None:
    return Link(kind.batch_path, _("Show batch")) if kind.batch_path else None


def _redirect_to_review(request: ConsoleRequest, reviewed: Operation) -> HttpResponse:
    """Redirect to the review, keeping the open group open."""
    query = request.GET.urlencode()
    return redirect(f"{reverse('operation', args=[reviewed.pk])}{f'?{query}' if query else ''}")


@require_POST
@partner_required
def operation_code(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Get Code: mail the user a verification code for this operation."""
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
    """Exclude customers from the review, include them again, or change amounts."""
    kind = _kind(request, pk)
    try:
        operations.ensure_not_finished(kind.operation)
        jobs.ensure_not_under_way(kind.operation)
        return _redirect_to_review(request, kind.edit(request.POST))
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
    """Render the operation's page. If it can no longer be confirmed, the page says why and links back."""
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
        "wait_seconds": operations.seconds_until_next_code(reviewed.operator),
        "notice": notice,
        "error": error.message if error and error.field not in form.fields and not (outcome or stale) else "",
        "outcome": outcome,
        "stale": stale,
    } | kind.extra_context(request.GET, request.month, error)
    return page_or_partial(request, kind.template, context, partial="form", target="dialog-body", status=status)


def _outcome(kind: OperationKind, month: int) -> tuple[str, Context | None]:
    """Why the operation can no longer be confirmed ("" if it can), and the customers changed since (or None)."""
    try:
        operations.ensure_not_finished(kind.operation)
        jobs.ensure_not_under_way(kind.operation)
        kind.ensure_unchanged()
    except Conflict as error:
        summary = kind.conflict_summary(month)
        return ("", summary) if summary else (error.message, None)
    except (InvalidRequest, OperationFinished) as error:
        return error.message, None
    return "", None
