"""The frame of the console: overview, Partner Information, operations to be confirmed, health."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.defaults import permission_denied

from budgets.actions import current_month
from budgets.actions.reviewing import apply_reviewed, facts_of, refuse_outdated
from customers.masking import mask_email
from partnercenter import verification
from partnercenter.forms import CodeForm
from partnercenter.htmx import ConsoleRequest, answer, done, for_partner
from partnercenter.models import Operation, Partner
from partnercenter.permissions import grant_of, pools_of
from partnercenter.refusals import NotAllowed, Refusal

Facts = list[tuple[str, str]]


def console(request: HttpRequest) -> dict[str, Any]:
    """What every template may use: the currency, and the zone in which it shows times."""
    now = timezone.localtime()
    offset = now.strftime("%z")
    return {
        "currency": settings.CURRENCY,
        "time_zone": f"{timezone.get_current_timezone_name()} (GMT{offset[:3]}:{offset[3:]})",
    }


@require_safe
def home(request: ConsoleRequest) -> HttpResponse:
    """The overview; platform staff without a partner are told where they work (domain 5.8)."""
    return render(request, "partnercenter/home.html")


@login_not_required
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 only when the database answers."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok", content_type="text/plain")


def csrf_failure(request: Any, reason: str = "") -> HttpResponse:
    """A form from before a new sign-in: HTMX loads the page anew, which may show another partner's data by now."""
    if request.headers.get("HX-Request"):
        return HttpResponse(status=403, headers={"HX-Refresh": "true"})
    if request.user.is_authenticated and request.resolver_match and request.resolver_match.url_name == "sign_in":
        return redirect("home")
    return permission_denied(request, PermissionDenied(_("This page is outdated. Reload it and try again.")))


@require_http_methods(["GET", "HEAD", "POST"])
@for_partner
def partner_information(request: ConsoleRequest) -> HttpResponse:
    """Partner Information: company, quotas, and the switch of the verification code for administrators."""
    partner = request.user.partner
    if request.method == "POST":
        return _switch_verification(request, on=request.POST.get("verification_required") == "on")
    grant = grant_of(partner)
    context = {
        "partner": partner,
        "pools": pools_of(grant),
        "unbound": partner.kind == Partner.Kind.SOLUTION_PROVIDER,
        "no_grant": grant is not None and not grant.given,
        "may_switch": may_switch(request.user),
    }
    return render(request, "partnercenter/partner_information.html", context)


def may_switch(user: Any) -> bool:
    """Whether this person may turn the verification code on and off (domain 5.5)."""
    return user.has_perm("partnercenter.switch_verification")


def _switch_verification(request: ConsoleRequest, *, on: bool) -> HttpResponse:
    """Turning on holds at once; turning off is itself a critical operation (domain 6.1)."""
    user = request.user
    if not may_switch(user):
        raise NotAllowed(_("Ask an administrator of your company to switch the verification code."))
    if on and not user.email:
        messages.error(request, _("Enter an e-mail address for your account first: codes are sent there."))
    elif on:
        Partner.objects.filter(pk=user.partner.pk).update(verification_required=True)
        messages.success(request, _("The verification code is turned on."))
    elif user.partner.verification_required:
        return redirect("operation", pk=verification.review("TURN_OFF_VERIFICATION", {}, operator=user).pk)
    return redirect("partner_information")


def _facts(operation: Operation) -> Facts:
    if operation.kind == Operation.Kind.SET_BUDGET:
        return facts_of(operation)
    return [(_("Company"), operation.partner.company), (_("Verification code"), _("Turn off for all operators"))]


def _refuse_outdated(operation: Operation) -> None:
    if operation.kind == Operation.Kind.SET_BUDGET:
        refuse_outdated(operation)
    elif not may_switch(operation.operator):
        raise NotAllowed(_("Ask an administrator of your company to switch the verification code."))


def _apply(operation: Operation) -> str:
    if operation.kind == Operation.Kind.SET_BUDGET:
        return apply_reviewed(operation)
    _refuse_outdated(operation)
    Partner.objects.filter(pk=operation.partner.pk).update(verification_required=False)
    return _("The verification code is turned off.")


def _operation(request: ConsoleRequest, pk: Any) -> Operation:
    """The operator's own; anybody else's does not exist."""
    own = Operation.objects.filter(operator=request.user, partner=request.user.partner)
    return get_object_or_404(own.select_related("operator__partner", "partner"), pk=pk)


@require_http_methods(["GET", "HEAD", "POST"])
@for_partner
def operation(request: ConsoleRequest, pk: Any) -> HttpResponse:
    """GET what is to be confirmed; POST confirms, with `verification_code` where the switch is on."""
    current_month()
    reviewed = _operation(request, pk)
    form = CodeForm(request.POST if request.method == "POST" else None, label_suffix="")
    if request.method != "POST":
        return _show_operation(request, reviewed, form)
    form.is_valid()
    try:
        verification.refuse_finished(reviewed)
        _refuse_outdated(reviewed)
        message = verification.confirm(reviewed, request.POST.get("verification_code", ""), lambda: _apply(reviewed))
    except NotAllowed:
        raise
    except Refusal as error:
        form.add_error(error.field if error.field in form.fields else None, error.message)
        return _show_operation(request, reviewed, form, status=error.status, error=error)
    return done(request, message, then=_back(reviewed))


def _back(operation: Operation) -> str:
    return "customers" if operation.kind == Operation.Kind.SET_BUDGET else "partner_information"


@require_POST
@for_partner
def operation_code(request: ConsoleRequest, pk: Any) -> HttpResponse:
    """Get Code: mail the operator a code for this operation."""
    current_month()
    reviewed = _operation(request, pk)
    form = CodeForm(label_suffix="")
    try:
        _refuse_outdated(reviewed)
        verification.send_code(reviewed, _facts(reviewed))
    except NotAllowed:
        raise
    except Refusal as error:
        return _show_operation(request, reviewed, form, status=error.status, error=error)
    notice = _("A verification code has been sent to you by e-mail.")
    if request.htmx:
        return _show_operation(request, reviewed, form, notice=notice)
    messages.success(request, notice)
    return redirect("operation", pk=reviewed.pk)


def _show_operation(
    request: ConsoleRequest,
    reviewed: Operation,
    form: CodeForm,
    *,
    status: int = 200,
    notice: str = "",
    error: Refusal | None = None,
) -> HttpResponse:
    """The page of an operation; one that is completed, expired or outdated has only its outcome and the way back."""
    outcome = _outcome(reviewed)
    code = verification.code_state(reviewed)
    context = {
        "operation": {"pk": reviewed.pk, "title": reviewed.get_kind_display(), "expires_at": reviewed.expires_at},
        "back": _back(reviewed),
        "facts": _facts(reviewed),
        "needs_code": verification.needs_code(reviewed),
        "form": form,
        "email": mask_email(reviewed.operator.email),
        "code_minutes": verification.code_minutes(),
        "wait_seconds": code.wait_seconds,
        "notice": notice,
        "error": error.message if error and error.field not in form.fields and not outcome else "",
        "outcome": outcome,
    }
    return answer(request, "partnercenter/operation.html", context, partial="form", target="dialog-body", status=status)


def _outcome(reviewed: Operation) -> str:
    """Why there is nothing to confirm any more; "" where there is."""
    try:
        verification.refuse_finished(reviewed)
        _refuse_outdated(reviewed)
    except NotAllowed:
        raise
    except Refusal as finished:
        return finished.message
    return ""
