"""Resellers' Customers: a distributor's resellers with links to their customers. See rule 5.8 (docs/rules.md)."""

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from customers.listing.resellers import (
    Authorized,
    ResellerFilterForm,
    count_resellers,
    reseller_headers,
    reseller_rows,
    sort_key,
    sort_resellers,
)
from partnercenter.lib.errors import PermissionRefused
from partnercenter.lib.htmx import page_context
from partnercenter.models import Partner
from partnercenter.requests import ConsoleRequest, partner_required

RESELLERS_PER_PAGE = 50


@require_safe
@partner_required
def resellers(request: ConsoleRequest) -> HttpResponse:
    """The distributor's resellers with customers, permissions and quotas: filtered, sorted, in pages."""
    if not request.partner.is_distributor:
        raise PermissionRefused(_("Only a distributor has resellers."))
    own = Partner.objects.filter(distributor=request.partner)
    form, sort = ResellerFilterForm(request.GET), sort_key(request.GET)
    page = Paginator(sort_resellers(form.filtered(own), sort), RESELLERS_PER_PAGE).get_page(request.GET.get("page"))
    reseller_header, pool_headers = reseller_headers(request.GET)
    context = page_context(page, reseller_rows(page.object_list)) | {
        "form": form,
        "filtered": form.is_filtered,
        "sort": sort,
        "counts": count_resellers(own),
        "authorized": Authorized,
        "reseller_header": reseller_header,
        "pool_headers": pool_headers,
    }
    return render(request, "customers/resellers.html", context)
