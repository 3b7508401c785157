"""Customer Management: the list of customers and the eye."""

from django.conf import settings
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from budgets.actions import current_month
from customers import listing
from customers.actions import reveal_names
from customers.filters import CustomerFilter
from customers.masking import seconds_shown, show_names
from customers.models import Customer
from customers.paging import address
from partnercenter.htmx import ConsoleRequest, answer, for_partner
from partnercenter.permissions import grant_of, pools_of, refusal


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
