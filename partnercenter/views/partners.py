"""Partner Information: company, quotas, and the switch of the verification code."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from partnercenter.actions import operations
from partnercenter.actions.verification_switch import ensure_may_switch, switch_verification
from partnercenter.lib.errors import InvalidRequest
from partnercenter.models import Partner
from partnercenter.permissions import grant_of, may_switch_verification, visible_pools
from partnercenter.requests import ConsoleRequest, partner_required


@require_http_methods(["GET", "HEAD", "POST"])
@partner_required
def partner_information(request: ConsoleRequest) -> HttpResponse:
    """Partner Information: company, quotas, and the switch of the verification code for administrators."""
    partner = request.partner
    if request.method == "POST":
        return _switch_verification(request, on=request.POST.get("verification_required") == "on")
    grant = grant_of(partner)
    context = {
        "partner": partner,
        "pools": visible_pools(grant),
        "unbound": partner.kind == Partner.Kind.SOLUTION_PROVIDER,
        "no_grant": grant is not None and not grant.given,
        "may_switch": may_switch_verification(request.user),
    }
    return render(request, "partnercenter/partner_information.html", context)


def _switch_verification(request: ConsoleRequest, *, on: bool) -> HttpResponse:
    """Turning on holds at once; turning off is itself a critical operation; see rule 6.1 (docs/rules.md)."""
    user = request.user
    ensure_may_switch(user)
    if on:
        try:
            switch_verification(request.partner, on=True, operator=user)
        except InvalidRequest as refused:
            messages.error(request, refused.message)
        else:
            messages.success(request, _("The verification code is turned on."))
    elif request.partner.verification_required:
        return redirect("operation", pk=operations.create_operation("TURN_OFF_VERIFICATION", {}, operator=user).pk)
    return redirect("partner_information")
