"""Middleware for every request: time zone, cache headers, expired sessions, pages for refused actions."""

from collections.abc import Callable
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
from partnercenter.lib.htmx import HtmxRequest
from partnercenter.lib.transactions import is_lock_timeout, lock_timeout


class ConsoleMiddleware:
    """Activates the partner's time zone, forbids caching, and responds to refused actions and ended sessions."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HtmxRequest) -> HttpResponse:
        partner = getattr(request.user, "partner", None)
        with timezone.override(partner.zone if partner else ZoneInfo(settings.BILLING_TIME_ZONE)):
            response = self.get_response(request)
        add_never_cache_headers(response)
        patch_vary_headers(response, ["HX-Request"])
        sign_in = resolve_url(settings.LOGIN_URL)
        is_redirect = isinstance(response, HttpResponseRedirect)
        if request.htmx and is_redirect and urlsplit(response.headers["Location"]).path == sign_in:
            # The session has ended. HTMX would follow the redirect and put the sign-in page into the dialog.
            query = urlencode({"next": request.htmx.current_url_abs_path or "/"})
            return HttpResponse(status=204, headers={"HX-Redirect": f"{sign_in}?{query}"})
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Show an ActionError that the view did not handle as a page with its message and status."""
        if isinstance(exception, OperationalError) and is_lock_timeout(exception):
            exception = lock_timeout()
        if isinstance(exception, PermissionRefused):
            return permission_denied(request, PermissionDenied(exception.message))
        return refused_page(request, exception) if isinstance(exception, ActionError) else None


def refused_page(request: HttpRequest, error: ActionError) -> HttpResponse:
    """Render a page that says why an action was refused, with the error's status."""
    return render(request, "partnercenter/refused.html", {"message": error.message}, status=error.status)


class ConsoleSessionMiddleware(SessionMiddleware):
    """Responds with the page of a lock timeout if the session cannot be saved because the database is locked."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        try:
            return super().process_response(request, response)
        except (OperationalError, SessionInterrupted) as error:
            # Django raises SessionInterrupted from an UpdateError, which it raises from the database's error.
            causes = (error, error.__context__, getattr(error.__context__, "__context__", None))
            if not any(cause is not None and is_lock_timeout(cause) for cause in causes):
                raise
            return refused_page(request, lock_timeout())
