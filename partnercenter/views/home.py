"""The start page, the health check, the CSRF error page, and the context processor of all templates."""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from django.views.defaults import permission_denied

from partnercenter.lib.dates import format_minute
from partnercenter.lib.types import Context
from partnercenter.models import Partner
from partnercenter.requests import ConsoleRequest


def console(request: HttpRequest) -> Context:
    """Context processor: currency, active time zone, and notices about the month and a restricted reseller."""
    now = timezone.localtime()
    offset = now.strftime("%z")
    return {
        "currency": settings.CURRENCY,
        "time_zone": f"{timezone.get_current_timezone_name()} (GMT{offset[:3]}:{offset[3:]})",
        "month_notice": getattr(request, "month_notice", ""),
        "restriction_notice": _restriction_notice(getattr(getattr(request, "user", None), "partner", None)),
    }


def _restriction_notice(partner: Partner | None) -> str:
    """The notice for a reseller that its distributor has restricted or frozen, or "" (rule 4.7 (docs/rules.md))."""
    if partner is None or partner.status_since is None:
        return ""
    sentences = {
        Partner.Status.RESTRICTED: _(
            "Your distributor %(distributor)s has restricted your account since %(since)s: %(reason)s. All your "
            "customers are frozen until this ends. Budgets you set and accounts you unfreeze take effect then."
        ),
        Partner.Status.FROZEN: _(
            "Your distributor %(distributor)s has frozen your account since %(since)s: %(reason)s. All your "
            "customers are frozen until this ends, and you cannot unfreeze any."
        ),
    }
    return sentences[Partner.Status(partner.status)] % {
        "distributor": partner.distributor and partner.distributor.company,
        "since": format_minute(partner.status_since),
        "reason": partner.status_reason,
    }


@require_safe
def home(request: ConsoleRequest) -> HttpResponse:
    """The start page. Staff without a partner get a link to Django admin (rule 5.8 (docs/rules.md))."""
    return render(request, "partnercenter/home.html")


@login_not_required
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Health check: 200 if the database answers."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok", content_type="text/plain")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The response to an outdated form: signing in again has replaced the CSRF token.

    HTMX reloads the whole page, because it may show the data of the user who was signed in before.
    """
    if request.headers.get("HX-Request"):
        return HttpResponse(status=403, headers={"HX-Refresh": "true"})
    if request.user.is_authenticated and request.resolver_match and request.resolver_match.url_name == "sign_in":
        return redirect("home")
    return permission_denied(request, PermissionDenied(_("This page is outdated. Reload it and try again.")))
