"""The frame of the console: overview, Partner Information, health."""

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

from partnercenter.actions import jobs, operations
from partnercenter.lib.errors import InvalidRequest, PermissionRefused
from partnercenter.lib.htmx import ConsoleRequest, page_or_partial, partner_required
from partnercenter.models import Partner
from partnercenter.permissions import grant_of, may_switch_verification, switch_verification, visible_pools


def console(request: HttpRequest) -> dict[str, Any]:
    """What every template may use: the currency, the zone in which it shows times, and whether the reseller at whose
    pages one looks is restricted.
    """
    now = timezone.localtime()
    offset = now.strftime("%z")
    return {
        "currency": settings.CURRENCY,
        "time_zone": f"{timezone.get_current_timezone_name()} (GMT{offset[:3]}:{offset[3:]})",
        "restricted": _restricted(getattr(getattr(request, "user", None), "partner", None)),
    }


def _restricted(partner: Partner | None) -> str:
    """What a reseller is told whom its distributor restricted or froze (domain 4.7); "" for everybody else."""
    if partner is None or partner.status_since is None:
        return ""
    sentences = {
        Partner.Status.RESTRICTED: _(
            "Your distributor %(distributor)s has restricted your account since %(since)s: %(reason)s. All your "
            "customers are frozen until it ends; what you set or unfreeze meanwhile holds from then on."
        ),
        Partner.Status.FROZEN: _(
            "Your distributor %(distributor)s has frozen your account since %(since)s: %(reason)s. All your "
            "customers are frozen until it ends, and you cannot unfreeze any."
        ),
    }
    return sentences[Partner.Status(partner.status)] % {
        "distributor": partner.distributor and partner.distributor.company,
        "since": timezone.localtime(partner.status_since).isoformat(" ", "minutes")[:16],
        "reason": partner.status_reason,
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


@require_safe
@partner_required
def job(request: ConsoleRequest, pk: Any) -> HttpResponse:
    """Work that takes long: how far it is, and what came of it. The operator's own; anybody else's does not exist."""
    mine = get_object_or_404(request.user.jobs, pk=pk)
    context = {"job": mine, "is_silent": jobs.is_stalled(mine)}
    return page_or_partial(request, "partnercenter/job.html", context, partial="job", target="job")


@require_POST
@partner_required
def job_again(request: ConsoleRequest, pk: Any) -> HttpResponse:
    """Start a job again whose worker gives no sign of life."""
    mine = get_object_or_404(request.user.jobs, pk=pk)
    try:
        jobs.restart_job(mine)
    except InvalidRequest as refused:
        messages.error(request, refused.message)
    return redirect("job", pk=mine.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@partner_required
def partner_information(request: ConsoleRequest) -> HttpResponse:
    """Partner Information: company, quotas, and the switch of the verification code for administrators."""
    partner = request.user.partner
    if request.method == "POST":
        return _switch_verification(request, on=request.POST.get("verification_required") == "on")
    grant = grant_of(partner)
    context = {
        "partner": partner,
        "pools": visible_pools(grant),
        "unbound": partner.kind == Partner.Kind.SOLUTION_PROVIDER,
        "no_grant": grant is not None and not grant.given,
        "may_switch": may_switch_verification(request.user),
    }
    return render(request, "partnercenter/partner_information.html", context)


def _switch_verification(request: ConsoleRequest, *, on: bool) -> HttpResponse:
    """Turning on holds at once; turning off is itself a critical operation (domain 6.1)."""
    user = request.user
    if not may_switch_verification(user):
        raise PermissionRefused(_("Ask an administrator of your company to switch the verification code."))
    if on:
        try:
            switch_verification(user.partner, on=True, operator=user)
        except InvalidRequest as refused:
            messages.error(request, refused.message)
        else:
            messages.success(request, _("The verification code is turned on."))
    elif user.partner.verification_required:
        return redirect("operation", pk=operations.create_operation("TURN_OFF_VERIFICATION", {}, operator=user).pk)
    return redirect("partner_information")
