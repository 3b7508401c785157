"""The Partner Information page."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from partnercenter.actions import operations
from partnercenter.actions.verification_switch import ensure_may_switch, switch_verification
from partnercenter.lib.errors import InvalidRequest
from partnercenter.models import Operation, Partner
from partnercenter.permissions import grant_of, may_switch_verification, visible_pools
from partnercenter.requests import ConsoleRequest, partner_required


@require_http_methods(["GET", "HEAD", "POST"])
@partner_required
def partner_information(request: ConsoleRequest) -> HttpResponse:
    """Partner Information: the company, its quotas, and for administrators, the verification code's switch."""
    partner = request.partner
    if request.method == "POST":
        return _switch_verification(request, on=request.POST.get("verification_required") == "on")
    grant = grant_of(partner)
    context = {
        "partner": partner,
        "pools": visible_pools(grant),
        "is_solution_provider": partner.kind == Partner.Kind.SOLUTION_PROVIDER,
        "no_grant": grant is not None and not grant.given,
        "may_switch": may_switch_verification(request.user),
    }
    return render(request, "partnercenter/partner_information.html", context)


def _switch_verification(request: ConsoleRequest, *, on: bool) -> HttpResponse:
    """Turn the code on, or create the operation that turns it off once confirmed (rule 6.1 (docs/rules.md))."""
    user = request.user
    ensure_may_switch(user)
    if on:
        try:
            switch_verification(request.partner, on=True, operator=user)
        except InvalidRequest as error:
            messages.error(request, error.message)
        else:
            messages.success(request, _("The verification code is turned on."))
    elif request.partner.verification_required:
        turning_off = operations.create_operation(Operation.Kind.TURN_OFF_VERIFICATION, {}, operator=user)
        return redirect("operation", pk=turning_off.pk)
    return redirect("partner_information")
