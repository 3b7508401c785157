"""Signing in: how sessions are found, and how guessing passwords is limited.

Sessions live in the database. Every request reads one, so the statement is prepared once. Failed sign-ins are counted
for each pair of account and address and, with a far higher limit, for each address.
"""

from typing import Any

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from axes.utils import reset
from django.conf import settings
from django.contrib.auth.views import PasswordResetConfirmView
from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from partnercenter.lib.prepared import PreparedQuery

SESSIONS = PreparedQuery(Session.objects.all(), "session_key", "")


class SessionStore(db.SessionStore):
    """Django's own, but for how a session is found."""

    def _get_session_from_db(self) -> Any:
        found = SESSIONS.fetch(self.session_key)
        if found and found[0].expire_date > timezone.now():
            return found[0]
        self._session_key = None
        return None


class PairAndAddressHandler(AxesDatabaseHandler):
    """Counts failures per account and address; failures of the whole address weigh by their own, higher bound."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        pair = super().get_failures(request, credentials)
        of_address = AccessAttempt.objects.filter(
            ip_address=client_address(request), attempt_time__gte=get_cool_off_threshold(request)
        ).aggregate(failures=Sum("failures_since_start", default=0))["failures"]
        share = of_address * settings.AXES_FAILURE_LIMIT // settings.AXES_FAILURE_LIMIT_PER_ADDRESS
        return max(pair, share)


def client_address(request: HttpRequest) -> str:
    """The address of the browser: what the outermost of our own proxies saw, never what the browser itself claims."""
    claimed = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    if settings.TRUSTED_PROXIES and len(claimed) >= settings.TRUSTED_PROXIES:
        return claimed[-settings.TRUSTED_PROXIES]
    return request.META.get("REMOTE_ADDR", "")


class NewPassword(PasswordResetConfirmView):
    """Whoever chose a new password by mail may sign in with it at once, as the locked page promises."""

    template_name = "registration/password_reset_confirm.html"

    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)
        reset(username=form.user.get_username())
        return response


def locked_out(request: HttpRequest, response: Any = None, credentials: Any = None, *_args: Any) -> HttpResponse:
    """The answer while signing in is locked: the same for any account, known or not."""
    message = _("Too many failed attempts. Wait 15 minutes and try again, or reset your password.")
    return render(request, "registration/sign_in.html", {"locked_out": message}, status=429)
