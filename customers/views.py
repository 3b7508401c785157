"""Customer Management: the list of customers, the eye, the list as a file, and the history of such files."""

from django.conf import settings
from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST, require_safe

from budgets.actions import current_month
from customers import exporting, listing
from customers.actions import record_export, reveal_names
from customers.filters import CustomerFilter
from customers.masking import seconds_shown, show_names
from customers.models import Customer, ExportRecord
from customers.paging import address
from partnercenter.csv_files import csv_download
from partnercenter.database import COUNTED
from partnercenter.htmx import ConsoleRequest, answer, for_partner, paged
from partnercenter.permissions import EXPORT, grant_of, pools_of, refusal

EXPORTS_PER_PAGE = 20


@require_safe
@for_partner
def customer_list(request: ConsoleRequest) -> HttpResponse:
    """Customer Management: the customers this person may look at, filtered, sorted, page by page."""
    current_month()
    user, partner = request.user, request.user.partner
    filters = CustomerFilter(request.GET, Customer.objects.of(user))
    counts = listing.count(filters, request.GET)
    page = listing.page_of(filters, counts, request.GET)
    seconds = seconds_shown(request.session)
    customers = page.object_list
    if seconds:
        reveal_names(customers, operator=user, page=request.path)
    page.object_list = listing.rows(customers, user=user, names_shown=seconds > 0)
    grant = grant_of(partner)
    context = {
        "page": page,
        "headers": listing.headers(
            filters, request.GET, show_reseller=partner.is_distributor, currency=settings.CURRENCY
        ),
        "filters": filters.form,
        "filtered": filters.narrowed,
        "more_filters": filters.more,
        "more_filtered": filters.narrowed_more,
        "counts": counts,
        "pools": pools_of(grant),
        "show_reseller": partner.is_distributor,
        "names_shown": seconds > 0,
        "names_shown_seconds": seconds,
        "notice": "" if partner.is_distributor else refusal(user, partner, grant),
        "next_path": request.get_full_path(),
        "may_select": any(row.may_act for row in page.object_list),
        "filters_query": address(request.GET, **dict.fromkeys(("page", "after", "before", "sort", "size"))),
        "export_query": address(request.GET, size=None),
    }
    return answer(request, "customers/customer_list.html", context, partial="list", target="customer-list")


@require_POST
@for_partner
def customer_names(request: ConsoleRequest) -> HttpResponse:
    """The eye: show or mask the complete names in this session, and come back to the page it was pressed on."""
    show_names(request.session, shown=request.POST.get("shown") == "1")
    back = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    return HttpResponseRedirect(back) if is_ours and back.startswith("/") else redirect("customers")


@require_GET
@for_partner
@permission_required(EXPORT, raise_exception=True)
def export(request: ConsoleRequest) -> HttpResponseBase:
    """The list as CSV, by its own query string: filtered, in its order, names masked whatever the eye says.

    Recorded before anything of it is sent. Goes back into Import Budgets and changes nothing.
    """
    current_month()
    user = request.user
    filters = CustomerFilter(request.GET, Customer.objects.of(user))
    number = filters.qs.count()
    query = request.GET.urlencode()
    record_export(ExportRecord.What.LIST, query=query, rows=number, operator=user, partner=user.partner)
    few = filters.narrowed and number <= COUNTED
    return csv_download(
        f"customers-{timezone.localdate():%Y-%m-%d}.csv",
        exporting.header(show_reseller=user.partner.is_distributor),
        exporting.rows(filters, few=few, user=user, zone=timezone.get_current_timezone()),
    )


@require_safe
@for_partner
@permission_required(EXPORT, raise_exception=True)
def exports(request: ConsoleRequest) -> HttpResponse:
    """Export History: what people of the own company exported, and when, newest first."""
    own = ExportRecord.objects.filter(partner=request.user.partner).order_by("-pk")
    page = Paginator(own, EXPORTS_PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "customers/exports.html", paged(page, exporting.show_exports(page.object_list)))
