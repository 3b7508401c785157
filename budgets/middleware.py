"""Every page of a partner's people finds the current billing month."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from budgets.actions.billing_month import current_month
from partnercenter.lib.errors import LockTimeout
from partnercenter.middleware import refused_page


class CurrentMonthMiddleware:
    """The first request in a new billing month restores the monthly budgets, before any page reads them.

    Views find the month as `request.month` (rule 3.14 (docs/rules.md)).
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: Any, view: Callable[..., Any], *_arguments: Any) -> HttpResponse | None:
        """See to the month where a page is for people of a partner, and somebody has signed in."""
        if getattr(view, "for_partner", False) and request.user.is_authenticated:
            try:
                request.month = current_month()
            except LockTimeout as error:
                return refused_page(request, error)
        return None
