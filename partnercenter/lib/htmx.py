"""Responses of pages that work with and without HTMX: a fragment or the whole page, events or a redirect."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from django.contrib import messages
from django.core.paginator import Page
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.html import format_html
from django_htmx.middleware import HtmxDetails

from partnercenter.lib.types import Context


class HtmxRequest(HttpRequest):
    """A request on which django-htmx has set `htmx`: false unless HTMX sent the request, with details if so."""

    htmx: HtmxDetails


class Link(NamedTuple):
    """A link: its URL path and its text."""

    path: str
    label: str


def wants_fragment(request: HtmxRequest, target: str) -> bool:
    """Whether HTMX requests the content of the element with this ID, and is not restoring a whole page."""
    return bool(request.htmx and request.htmx.target == target and not request.htmx.history_restore_request)


def page_or_partial(
    request: HtmxRequest, template: str, context: Context, *, partial: str, target: str, status: int = 200
) -> HttpResponse:
    """Render the page, or only the named partial if HTMX requests the content of the element `target`."""
    name = f"{template}#{partial}" if wants_fragment(request, target) else template
    return render(request, name, context, status=status)


def action_done(
    request: HtmxRequest,
    message: str,
    *,
    then: str = "customers",
    level: int = messages.SUCCESS,
    selection_done: bool = False,
    link: Link | None = None,
) -> HttpResponse:
    """The response to an action that succeeded, with its message and a link to its result.

    With HTMX, the dialog is closed, the message shown, the list reloaded, and with `selection_done` the selection
    cleared. Without HTMX, the response is a redirect to `then`.
    """
    if not request.htmx:
        text = format_html('{} <a href="{}">{}</a>', message, link.path, link.label) if link else message
        messages.add_message(request, level, text)
        return redirect(then)
    toast: dict[str, object] = {"level": messages.constants.DEFAULT_TAGS[level], "text": message}
    if link:
        toast["link"] = link._asdict()
    events = {"dialog:close": {}, "toast": toast, "customers:changed": {}}
    if selection_done:
        events["selection:clear"] = {}
    return HttpResponse(status=204, headers={"HX-Trigger": json.dumps(events)})


def page_context(page: Page, rows: Sequence[object]) -> Context:
    """The template context of a paginated table: the page with its rows as shown, and the page numbers."""
    elided = list(page.paginator.get_elided_page_range(page.number, on_each_side=2, on_ends=1))
    page.object_list = rows
    return {"page": page, "elided": elided}
