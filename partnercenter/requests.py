"""The request as views get it: who sent it, for which partner, in which billing month."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.http import HttpResponseBase
from django.shortcuts import render

from partnercenter.lib.htmx import HtmxRequest
from partnercenter.models import Partner, User

Parameters = ParamSpec("Parameters")


class ConsoleRequest(HtmxRequest):
    """A request by somebody who is signed in for a partner. `month` (YYYYMM) is the current billing month."""

    user: User
    partner: Partner
    month: int


View = Callable[Concatenate[ConsoleRequest, Parameters], HttpResponseBase]


def partner_required(view: View[Parameters]) -> View[Parameters]:
    """Let only people of a partner see a page, and give the view their partner as `request.partner`.

    Platform staff without a partner get 403 and a page that says where they work (rule 5.8 (docs/rules.md)).
    """

    @wraps(view)
    def guarded(request: ConsoleRequest, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> HttpResponseBase:
        partner = request.user.partner
        if partner is None:
            return render(request, "partnercenter/home.html", status=403)
        request.partner = partner
        return view(request, *args, **kwargs)

    guarded.for_partner = True  # type: ignore[attr-defined]  # read by middleware
    return guarded
