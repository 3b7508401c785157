"""The request as views get it: by whom, for which partner, and what HTMX says of it."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django_htmx.middleware import HtmxDetails


class ConsoleRequest(HttpRequest):
    """A request as it reaches our views: by somebody signed in, with what HTMX says of itself."""

    htmx: HtmxDetails
    user: Any


def partner_required(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """The view for people of a partner; platform staff without one are told where they work (domain 5.8): 403."""

    @wraps(view)
    def guarded(request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.partner is None:
            return render(request, "partnercenter/home.html", status=403)
        return view(request, *args, **kwargs)

    return guarded
