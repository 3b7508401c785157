"""Signing in: the session store, and the limits on guessing passwords.

Failed sign-ins are counted per pair of account and IP address, and, with a far higher limit, per IP address.
"""

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from axes.utils import reset
from django.conf import settings
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.views import PasswordResetConfirmView
from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from partnercenter.lib.prepared import PreparedQuery

# Runs in every request.
SESSIONS = PreparedQuery(Session.objects.all(), "session_key", "")


class SessionStore(db.SessionStore):
    """Django's database sessions, looking up sessions with a prepared query."""

    def _get_session_from_db(self) -> Session | None:
        sessions = SESSIONS.fetch(self.session_key)
        if sessions and sessions[0].expire_date > timezone.now():
            return sessions[0]
        self._session_key = None
        return None


class PairAndAddressHandler(AxesDatabaseHandler):
    """Counts failed sign-ins per pair of account and IP address, and per IP address with its own, higher limit."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, str] | None = None) -> int:
        failures_of_pair = super().get_failures(request, credentials)
        failures_of_address = AccessAttempt.objects.filter(
            ip_address=client_address(request), attempt_time__gte=get_cool_off_threshold(request)
        ).aggregate(failures=Sum("failures_since_start", default=0))["failures"]
        # django-axes has only one limit, so the failures of the IP address are scaled to it.
        scaled = failures_of_address * settings.AXES_FAILURE_LIMIT // settings.AXES_FAILURE_LIMIT_PER_ADDRESS
        return max(failures_of_pair, scaled)


def client_address(request: HttpRequest) -> str:
    """The client's IP address as seen by the outermost of our own proxies. What the client claims is not trusted."""
    forwarded = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    if settings.TRUSTED_PROXIES and len(forwarded) >= settings.TRUSTED_PROXIES:
        return forwarded[-settings.TRUSTED_PROXIES]
    return request.META.get("REMOTE_ADDR", "")


class NewPasswordView(PasswordResetConfirmView):
    """Sets a new password after a password reset mail, and lifts the lock, as the sign-in page promises."""

    template_name = "registration/password_reset_confirm.html"

    def form_valid(self, form: SetPasswordForm) -> HttpResponse:
        response = super().form_valid(form)
        reset(username=form.user.get_username())
        return response


def locked_out(request: HttpRequest, *_args: object) -> HttpResponse:
    """The response while signing in is locked. It does not reveal whether the account exists."""
    message = _("Too many failed attempts. Wait 15 minutes and try again, or reset your password.")
    return render(request, "registration/sign_in.html", {"locked_out": message}, status=429)
