"""Customer Management: the list of customers, revealing names, saved views, and exports."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, HttpResponseBase, HttpResponseRedirect, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST, require_safe

from customers.actions.audit import record_export
from customers.actions.saved_views import delete_view, save_view
from customers.forms import SavedViewForm
from customers.listing.active_filters import active_filters, usage_shortcuts, without_filters
from customers.listing.customer_list import CustomerList
from customers.listing.export import export_cells, export_rows, show_exports
from customers.listing.pagination import changed_query
from customers.listing.retention import retention_counts
from customers.listing.rows import count_list, customer_rows, list_headers, list_page
from customers.listing.selection import TICK_LIMIT, tick_limit_message
from customers.masking import set_reveal
from customers.models import ExportRecord, SavedView
from customers.views.reveal import reveal
from partnercenter.lib.csv_files import csv_download
from partnercenter.lib.errors import Conflict, InvalidRequest
from partnercenter.lib.htmx import page_context, page_or_partial
from partnercenter.lib.money import show_number
from partnercenter.lib.prepared import COUNT_CAP
from partnercenter.permissions import (
    EXPORT_FILES,
    grant_of,
    may_select,
    visible_pools,
    why_not_budgets,
    why_not_unfreeze,
)
from partnercenter.requests import ConsoleRequest, partner_required

EXPORTS_PER_PAGE = 20
# Links outside the filter form whose IDs begin with this change filters, so the form must be updated.
FILTER_LINK_PREFIX = "filter-"


@require_safe
@partner_required
def customer_list(request: ConsoleRequest) -> HttpResponse:
    """Customer Management: the customers that this person may see, filtered, sorted, in pages."""
    user, partner, query = request.user, request.partner, request.GET
    customers = CustomerList(query, user)
    counts = count_list(customers, query)
    page = list_page(customers, counts, query)
    seconds = reveal(request, page.object_list)
    page.object_list = customer_rows(page.object_list, user=user, names_shown=seconds > 0)
    grant = grant_of(partner)
    context = {
        "page": page,
        "headers": list_headers(customers, query, show_reseller=partner.is_distributor, currency=settings.CURRENCY),
        "filters": customers.form,
        "filtered": customers.form.is_filtered,
        "more_filters": customers.more_fields,
        "more_filters_open": customers.uses_more_filters,
        "active_filters": active_filters(customers, query),
        "without_filters": without_filters(query),
        "usage_shortcuts": usage_shortcuts(customers, query),
        "view_forms": ("save-view", "delete-view"),
        "view_query": customers.query_string,
        "filters_follow": (request.htmx.trigger or "").startswith(FILTER_LINK_PREFIX),
        "counts": counts,
        "pools": visible_pools(grant),
        "show_reseller": partner.is_distributor,
        "names_shown": seconds > 0,
        "names_shown_seconds": seconds,
        "notice": "" if partner.is_distributor else why_not_budgets(user, partner, grant),
        "next_path": request.get_full_path(),
        "retention_counts": retention_counts(customers.owner),
        "may_unfreeze": not why_not_unfreeze(user, partner),
        "may_select": may_select(user),
        "tick_limit": TICK_LIMIT,
        "tick_limit_message": tick_limit_message(),
        "filters_query": changed_query(query, **dict.fromkeys(set(query) - set(customers.form.filter_names()))),
        "export_query": changed_query(query, size=None),
    }
    return page_or_partial(request, "customers/customer_list.html", context, partial="list", target="customer-list")


@require_safe
@partner_required
def customer_count(request: ConsoleRequest) -> HttpResponse:
    """Respond with the exact number of customers that match the list, for selecting them all."""
    matching = CustomerList(request.GET, request.user)
    matching.refuse_unreadable()
    number = matching.queryset.count()
    return HttpResponse(show_number(number), content_type="text/plain")


@require_POST
@partner_required
def customer_names(request: ConsoleRequest) -> HttpResponse:
    """The eye button: reveal or mask complete names in this session, and go back to the page in `next`."""
    set_reveal(request.session, shown=request.POST.get("shown") == "1")
    back = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    return HttpResponseRedirect(back) if is_ours and back.startswith("/") else redirect("customers")


@require_safe
@partner_required
def saved_views(request: ConsoleRequest) -> HttpResponse:
    """The operator's saved views: a part of the list's menu for HTMX, otherwise a page of their own."""
    context = {
        "saved_views": SavedView.objects.filter(operator=request.user).order_by("name"),
        "view_query": CustomerList(request.GET, request.user).query_string,
    }
    return page_or_partial(request, "customers/saved_views.html", context, partial="list", target="saved-views")


@require_POST
@partner_required
def save_current_view(request: ConsoleRequest) -> HttpResponse:
    """Save the list as a view. A view of the same name is replaced only after the operator has agreed."""
    form = SavedViewForm(request.POST, label_suffix="")
    customers = CustomerList(QueryDict(request.POST.get("query", "")), request.user)
    customers.refuse_unreadable()
    query = customers.query_string
    if not form.is_valid():
        return _show_view(request, form, query, status=422)
    name = form.cleaned_data["name"]
    try:
        save_view(operator=request.user, name=name, query=query, replace=form.cleaned_data["replace"] == name)
    except Conflict as error:
        return _show_view(request, form, query, status=error.status, replaces=True)
    except InvalidRequest as error:
        form.add_error(None, error.message)
        return _show_view(request, form, query, status=error.status)
    messages.success(request, _("The view %(name)s is saved.") % {"name": name})
    return _back_to_list(query)


def _show_view(
    request: ConsoleRequest, form: SavedViewForm, query: str, *, status: int, replaces: bool = False
) -> HttpResponse:
    context = {"form": form, "query": query, "replaces": replaces}
    return render(request, "customers/saved_view.html", context, status=status)


@require_POST
@partner_required
def delete_saved_view(request: ConsoleRequest) -> HttpResponse:
    """Delete the operator's own view whose key is `view`, and go back to the list."""
    key = request.POST.get("view", "")
    if not (key.isascii() and key.isdigit() and len(key) <= 18):
        raise Http404
    view = get_object_or_404(SavedView, pk=int(key), operator=request.user)
    delete_view(view, operator=request.user)
    messages.success(request, _("The view %(name)s is deleted.") % {"name": view.name})
    return _back_to_list(CustomerList(QueryDict(request.POST.get("query", "")), request.user).query_string)


def _back_to_list(query: str) -> HttpResponse:
    return redirect(f"{reverse('customers')}{'?' if query else ''}{query}")


@require_GET
@partner_required
@permission_required(EXPORT_FILES, raise_exception=True)
def export_customers(request: ConsoleRequest) -> HttpResponseBase:
    """Send the list as CSV, filtered and sorted. Names are masked even while they are revealed on pages.

    The export is recorded before anything is sent. Import Budgets reads the file and finds nothing to change.
    """
    user = request.user
    customers = CustomerList(request.GET, user)
    customers.refuse_unreadable()
    number = customers.count()[0]
    if number > COUNT_CAP:
        number = customers.queryset.count()
    query = customers.query_string
    record_export(ExportRecord.What.LIST, query=query, rows=number, operator=user, partner=request.partner)
    return csv_download(
        f"customers-{timezone.localdate():%Y-%m-%d}.csv",
        list(export_cells(show_reseller=request.partner.is_distributor)),
        export_rows(customers, user=user, zone=timezone.get_current_timezone()),
    )


@require_safe
@partner_required
@permission_required(EXPORT_FILES, raise_exception=True)
def exports(request: ConsoleRequest) -> HttpResponse:
    """Export History: the exports of the person's company, newest first."""
    own = ExportRecord.objects.filter(partner=request.partner).order_by("-pk")
    page = Paginator(own, EXPORTS_PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "customers/exports.html", page_context(page, show_exports(page.object_list)))
