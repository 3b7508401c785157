"""Resellers' Customers: a distributor's resellers, from which it goes on to the customers of one.

See rule 5.8 (docs/rules.md).
"""

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from customers.listing import resellers as listing
from partnercenter.lib.errors import PermissionRefused
from partnercenter.lib.htmx import page_context
from partnercenter.models import Partner
from partnercenter.requests import ConsoleRequest, partner_required

RESELLERS_PER_PAGE = 50


@require_safe
@partner_required
def resellers(request: ConsoleRequest) -> HttpResponse:
    """The own resellers: customers, permissions, quotas and what is allocated of them; searched, sorted, paged."""
    company = request.partner
    if not company.is_distributor:
        raise PermissionRefused(_("Only a distributor has resellers."))
    own = Partner.objects.filter(distributor=company)
    form = listing.ResellerFilterForm(request.GET)
    matching = listing.sort_resellers(form.found(own), listing.sort_key(request.GET))
    page = Paginator(matching, RESELLERS_PER_PAGE).get_page(request.GET.get("page"))
    reseller_header, pool_headers = listing.reseller_headers(request.GET)
    context = page_context(page, listing.reseller_rows(page.object_list)) | {
        "form": form,
        "filtered": form.narrows,
        "sort": listing.sort_key(request.GET),
        "counts": listing.count_resellers(own),
        "authorized": listing.Authorized,
        "reseller_header": reseller_header,
        "pool_headers": pool_headers,
    }
    return render(request, "customers/resellers.html", context)
