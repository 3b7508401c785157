"""The type of request that console views get, and the decorator that sets its partner."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils.functional import SimpleLazyObject

from partnercenter.lib.htmx import HtmxRequest
from partnercenter.models import Partner, User

Parameters = ParamSpec("Parameters")


def signed_in_user(request: HttpRequest) -> User:
    """The user of a request that cannot be anonymous, such as a request to Django admin."""
    return cast(User, request.user)


class ConsoleRequest(HtmxRequest):
    """A request of a partner's user. `month` (YYYYMM) is the current billing month, set by middleware.

    `month_notice` is what people should know about it, "" if nothing.
    """

    user: User
    partner: Partner
    month: int
    month_notice: str | SimpleLazyObject


View = Callable[Concatenate[ConsoleRequest, Parameters], HttpResponseBase]


def partner_required(view: View[Parameters]) -> View[Parameters]:
    """Decorate a view that only a partner's users may see. Sets `request.partner`.

    Users without a partner get 403 and a page that links to Django admin (rule 5.8 (docs/rules.md)).
    """

    @wraps(view)
    def wrapper(request: ConsoleRequest, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> HttpResponseBase:
        partner = request.user.partner
        if partner is None:
            return render(request, "partnercenter/home.html", status=403)
        request.partner = partner
        return view(request, *args, **kwargs)

    wrapper.is_for_partner = True  # type: ignore[attr-defined]  # read by CurrentMonthMiddleware
    return wrapper
