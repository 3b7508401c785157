"""Middleware that sees to the current billing month, and to the notice about it."""

from collections.abc import Callable
from typing import cast

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.functional import SimpleLazyObject

from budgets.actions.billing_month import current_month_state, month_state
from budgets.presenters.month_notice import month_notice
from partnercenter.lib.errors import LockTimeout
from partnercenter.middleware import refused_page
from partnercenter.requests import ConsoleRequest


class CurrentMonthMiddleware:
    """Sets `request.month` to the current billing month for views; see rule 3.14 (docs/rules.md).

    The first request in a new month moves the month before any page reads budgets. `request.month_notice` is for all
    pages of people who are signed in, and is computed only by pages that show it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponseBase], *_arguments: object
    ) -> HttpResponse | None:
        """Set the month for pages of a partner's users, once they are signed in, and the notice for all pages."""
        console_request = cast(ConsoleRequest, request)
        if getattr(view, "is_for_partner", False) and request.user.is_authenticated:
            try:
                state = current_month_state()
            except LockTimeout as error:
                return refused_page(request, error)
            console_request.month = state.month
            console_request.month_notice = SimpleLazyObject(lambda: month_notice(state))
        else:
            console_request.month_notice = SimpleLazyObject(lambda: _notice_elsewhere(request))
        return None


def _notice_elsewhere(request: HttpRequest) -> str:
    """The notice on pages that need no month themselves, such as the start page; "" for who is not signed in."""
    return month_notice(month_state()) if request.user.is_authenticated else ""
