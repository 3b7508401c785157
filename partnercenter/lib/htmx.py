"""Fragment or page: how an answer differs when HTMX asked for it (ui.md 3)."""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import messages
from django.contrib.sessions.exceptions import SessionInterrupted
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect, render, resolve_url
from django.utils import timezone
from django.utils.cache import add_never_cache_headers, patch_vary_headers
from django.utils.html import format_html
from django.utils.http import urlencode
from django.views.defaults import permission_denied
from django_htmx.middleware import HtmxDetails

from partnercenter.lib.errors import ActionError, PermissionRefused
from partnercenter.lib.sql import is_lock_timeout, lock_timeout
from partnercenter.models import Job

Respond = Callable[[HttpRequest], HttpResponse]


class Link(NamedTuple):
    """Where something leads, and the words for it."""

    path: str
    label: str


class ConsoleRequest(HttpRequest):
    """A request as it reaches our views: by somebody signed in, with what HTMX says of itself."""

    htmx: HtmxDetails
    user: Any


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
        return _refused(request, exception) if isinstance(exception, ActionError) else None


def _refused(request: Any, refusal: ActionError) -> HttpResponse:
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
            return _refused(request, lock_timeout())


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


def wants_fragment(request: ConsoleRequest, target: str) -> bool:
    """Whether HTMX asked for what goes into the element with this id, and is not restoring a whole page."""
    return bool(request.htmx and request.htmx.target == target and not request.htmx.history_restore_request)


def page_or_partial(
    request: ConsoleRequest, template: str, context: dict[str, Any], *, partial: str, target: str, status: int = 200
) -> HttpResponse:
    """The page, or only its named part where HTMX asked for what goes into `target`."""
    name = f"{template}#{partial}" if wants_fragment(request, target) else template
    return render(request, name, context, status=status)


def action_done(
    request: ConsoleRequest,
    message: str,
    *,
    then: str = "customers",
    level: int = messages.SUCCESS,
    selection_done: bool = False,
    link: Link | None = None,
) -> HttpResponse:
    """An action succeeded: HTMX closes the dialog, shows the message and reloads the list; else a page with it.

    `link` leads from the message to what came of it.
    """
    if not request.htmx:
        said = format_html('{} <a href="{}">{}</a>', message, link.path, link.label) if link else message
        messages.add_message(request, level, said)
        return redirect(then)
    events: dict[str, Any] = {
        "dialog:close": {},
        "toast": {"level": messages.constants.DEFAULT_TAGS[level], "text": message},
        "customers:changed": {},
    }
    if link:
        events["toast"]["link"] = {"path": link.path, "label": link.label}
    if selection_done:
        events["selection:clear"] = {}
    return HttpResponse(status=204, headers={"HX-Trigger": json.dumps(events)})


def job_response(
    request: ConsoleRequest, job: Job, *, then: str, selection_done: bool = False, link: Link | None = None
) -> HttpResponse:
    """After a job was started: if it is done, as after any action, and on to what came of it; else to its page."""
    if job.state == Job.State.DONE:
        if not request.htmx:
            messages.success(request, job.message)
            return redirect(job.link or then)
        return action_done(request, job.message, then=then, selection_done=selection_done, link=link)
    path = resolve_url("job", pk=job.pk)
    if not request.htmx:
        return redirect(path)
    events: dict[str, Any] = {"dialog:close": {}} | ({"selection:clear": {}} if selection_done else {})
    return HttpResponse(status=204, headers={"HX-Trigger": json.dumps(events), "HX-Redirect": path})


def partner_required(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """The view for people of a partner; platform staff without one are told where they work (domain 5.8): 403."""

    @wraps(view)
    def guarded(request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.partner is None:
            return render(request, "partnercenter/home.html", status=403)
        return view(request, *args, **kwargs)

    return guarded


def page_context(page: Page, rows: list[Any]) -> dict[str, Any]:
    """A page of what was asked for, with the rows as they are shown, and the page numbers to go to."""
    elided = list(page.paginator.get_elided_page_range(page.number, on_each_side=2, on_ends=1))
    page.object_list = rows
    return {"page": page, "elided": elided}
