"""Middleware that restores the monthly budgets when a new billing month has begun."""

from collections.abc import Callable
from typing import cast

from django.http import HttpRequest, HttpResponse, HttpResponseBase

from budgets.actions.billing_month import current_month
from partnercenter.lib.errors import LockTimeout
from partnercenter.middleware import refused_page
from partnercenter.requests import ConsoleRequest


class CurrentMonthMiddleware:
    """Sets `request.month` to the current billing month for views; see rule 3.14 (docs/rules.md).

    The first request in a new month restores the monthly budgets before any page reads them.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponseBase], *_arguments: object
    ) -> HttpResponse | None:
        """Set the month for pages of a partner's users, once they are signed in."""
        if getattr(view, "is_for_partner", False) and request.user.is_authenticated:
            try:
                cast(ConsoleRequest, request).month = current_month()
            except LockTimeout as error:
                return refused_page(request, error)
        return None
