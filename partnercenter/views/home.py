"""The frame of the console: overview, Partner Information, health."""

from typing import Any

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
from partnercenter.models import Partner
from partnercenter.requests import ConsoleRequest


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
    """What a reseller is told whom its distributor restricted or froze (rule 4.7 (docs/rules.md)).

    "" for everybody else.
    """
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
        "since": format_minute(partner.status_since),
        "reason": partner.status_reason,
    }


@require_safe
def home(request: ConsoleRequest) -> HttpResponse:
    """The overview; platform staff without a partner are told where they work; see rule 5.8 (docs/rules.md)."""
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
