"""What every request goes through: the partner's time zone, no caches, ended sessions, refusals as pages."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.sessions.exceptions import SessionInterrupted
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.utils import timezone
from django.utils.cache import add_never_cache_headers, patch_vary_headers
from django.utils.http import urlencode
from django.views.defaults import permission_denied

from partnercenter.lib.errors import ActionError, PermissionRefused
from partnercenter.lib.transactions import is_lock_timeout, lock_timeout

Respond = Callable[[HttpRequest], HttpResponse]


class ConsoleMiddleware:
    """Times in the partner's own zone, nothing kept by any cache, and an ended session leads to sign-in."""

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponse:
        partner = getattr(request.user, "partner", None)
        with timezone.override(partner.zone if partner else ZoneInfo(settings.BILLING_TIME_ZONE)):
            response = self.get_response(request)
        add_never_cache_headers(response)
        patch_vary_headers(response, ["HX-Request"])
        return _to_sign_in(request) if _ended_session(request, response) else response

    def process_exception(self, request: Any, exception: Exception) -> HttpResponse | None:
        """A refusal that no view had a better answer to: the page says why, with its status."""
        if isinstance(exception, OperationalError) and is_lock_timeout(exception):
            exception = lock_timeout()
        if isinstance(exception, PermissionRefused):
            return permission_denied(request, PermissionDenied(exception.message))
        return refused_page(request, exception) if isinstance(exception, ActionError) else None


def refused_page(request: Any, refusal: ActionError) -> HttpResponse:
    """A page that says why an action was refused, with its status."""
    return render(request, "partnercenter/refused.html", {"message": refusal.message}, status=refusal.status)


class ConsoleSessionMiddleware(SessionMiddleware):
    """A session that cannot be saved since the database is busy, as SQLite may be, is told like every other wait."""

    def process_response(self, request: Any, response: Any) -> Any:
        try:
            return super().process_response(request, response)
        except (OperationalError, SessionInterrupted) as error:
            causes = (error, error.__context__, getattr(error.__context__, "__context__", None))
            if not any(cause is not None and is_lock_timeout(cause) for cause in causes):
                raise
            return refused_page(request, lock_timeout())


def _ended_session(request: Any, response: HttpResponse) -> bool:
    """A fragment asked for without a session: following the redirect would put the sign-in page into the dialog."""
    return bool(
        request.htmx
        and isinstance(response, HttpResponseRedirect)
        and urlsplit(response.url).path == resolve_url(settings.LOGIN_URL)
    )


def _to_sign_in(request: Any) -> HttpResponse:
    back = request.htmx.current_url_abs_path or "/"
    query = urlencode({"next": back})
    return HttpResponse(status=204, headers={"HX-Redirect": f"{resolve_url(settings.LOGIN_URL)}?{query}"})
