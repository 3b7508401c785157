"""Responses to HTMX and to browsers without it: a fragment or the whole page, events or a redirect."""

import json
from typing import Any, NamedTuple

from django.contrib import messages
from django.core.paginator import Page
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.html import format_html
from django_htmx.middleware import HtmxDetails


class HtmxRequest(HttpRequest):
    """A request that knows whether HTMX sent it, and for which element."""

    htmx: HtmxDetails


class Link(NamedTuple):
    """Where something leads, and the words for it."""

    path: str
    label: str


def wants_fragment(request: HtmxRequest, target: str) -> bool:
    """Whether HTMX asked for what goes into the element with this id, and is not restoring a whole page."""
    return bool(request.htmx and request.htmx.target == target and not request.htmx.history_restore_request)


def page_or_partial(
    request: HtmxRequest, template: str, context: dict[str, Any], *, partial: str, target: str, status: int = 200
) -> HttpResponse:
    """The page, or only its named part where HTMX asked for what goes into `target`."""
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


def page_context(page: Page, rows: list[Any]) -> dict[str, Any]:
    """A page of what was asked for, with the rows as they are shown, and the page numbers to go to."""
    elided = list(page.paginator.get_elided_page_range(page.number, on_each_side=2, on_ends=1))
    page.object_list = rows
    return {"page": page, "elided": elided}
