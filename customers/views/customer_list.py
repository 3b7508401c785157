"""Customer Management: the list of customers, the eye, views of the list that are kept, and the list as a file."""

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
from customers.listing import rows
from customers.listing.active_filters import active_filters, usage_shortcuts, without_filters
from customers.listing.customer_list import CustomerList
from customers.listing.export import export_columns, export_rows, show_exports
from customers.listing.pagination import changed_query
from customers.listing.retention import retention_counts
from customers.masking import set_reveal
from customers.models import ExportRecord, SavedView
from customers.views.reveal import reveal
from partnercenter.lib.csv_files import csv_download
from partnercenter.lib.errors import Conflict, InvalidRequest
from partnercenter.lib.htmx import page_context, page_or_partial
from partnercenter.lib.money import show_number
from partnercenter.lib.sql import COUNT_CAP
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
# What of the page sets filters by itself, so that their form is to follow.
SETS_FILTERS = "filter-"


@require_safe
@partner_required
def customer_list(request: ConsoleRequest) -> HttpResponse:
    """Customer Management: the customers this person may look at, filtered, sorted, page by page."""
    user, partner = request.user, request.partner
    filters = CustomerList(request.GET, user)
    counts = rows.count_list(filters, request.GET)
    page = rows.list_page(filters, counts, request.GET)
    customers = page.object_list
    seconds = reveal(request, customers)
    page.object_list = rows.customer_rows(customers, user=user, names_shown=seconds > 0)
    grant = grant_of(partner)
    context = {
        "page": page,
        "headers": rows.list_headers(
            filters, request.GET, show_reseller=partner.is_distributor, currency=settings.CURRENCY
        ),
        "filters": filters.form,
        "filtered": filters.form.narrows,
        "more_filters": filters.more_fields,
        "more_filtered": filters.narrowed_more,
        "chips": active_filters(filters, request.GET),
        "without_filters": without_filters(request.GET),
        "usage_ranges": usage_shortcuts(filters, request.GET),
        "view_forms": ("save-view", "delete-view"),
        "view_query": filters.kept_query,
        "filters_follow": (request.htmx.trigger or "").startswith(SETS_FILTERS),
        "counts": counts,
        "pools": visible_pools(grant),
        "show_reseller": partner.is_distributor,
        "names_shown": seconds > 0,
        "names_shown_seconds": seconds,
        "notice": "" if partner.is_distributor else why_not_budgets(user, partner, grant),
        "next_path": request.get_full_path(),
        "ending": retention_counts(filters.own_company),
        "may_unfreeze": not why_not_unfreeze(user, partner),
        "may_select": may_select(user),
        "filters_query": changed_query(request.GET, **dict.fromkeys(("page", "after", "before", "sort", "size"))),
        "export_query": changed_query(request.GET, size=None),
    }
    return page_or_partial(request, "customers/customer_list.html", context, partial="list", target="customer-list")


@require_safe
@partner_required
def customer_count(request: ConsoleRequest) -> HttpResponse:
    """How many customers match the list's own query, all of them counted: for whoever selects them all."""
    matching = CustomerList(request.GET, request.user)
    matching.refuse_unreadable()
    number = matching.queryset.count()
    return HttpResponse(show_number(number), content_type="text/plain")


@require_POST
@partner_required
def customer_names(request: ConsoleRequest) -> HttpResponse:
    """The eye: show or mask the complete names in this session, and come back to the page it was pressed on."""
    set_reveal(request.session, shown=request.POST.get("shown") == "1")
    back = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    return HttpResponseRedirect(back) if is_ours and back.startswith("/") else redirect("customers")


@require_safe
@partner_required
def saved_views(request: ConsoleRequest) -> HttpResponse:
    """The operator's saved views: a part of the list's menu for HTMX, else a page of their own."""
    context = {
        "saved_views": SavedView.objects.filter(operator=request.user).order_by("name"),
        "view_query": CustomerList(request.GET, request.user).kept_query,
    }
    return page_or_partial(request, "customers/saved_views.html", context, partial="list", target="saved-views")


@require_POST
@partner_required
def save_current_view(request: ConsoleRequest) -> HttpResponse:
    """Keep what the list shows under a name; a view of that name is replaced once the operator was told of it."""
    form = SavedViewForm(request.POST, label_suffix="")
    filters = CustomerList(QueryDict(request.POST.get("query", "")), request.user)
    filters.refuse_unreadable()
    query = filters.kept_query
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
    """Forget the own view `view`, and come back to the list as it was."""
    key = request.POST.get("view", "")
    if not (key.isascii() and key.isdigit() and len(key) <= 18):
        raise Http404
    view = get_object_or_404(SavedView, pk=int(key), operator=request.user)
    delete_view(view, operator=request.user)
    messages.success(request, _("The view %(name)s is deleted.") % {"name": view.name})
    return _back_to_list(CustomerList(QueryDict(request.POST.get("query", "")), request.user).kept_query)


def _back_to_list(query: str) -> HttpResponse:
    return redirect(f"{reverse('customers')}{'?' if query else ''}{query}")


@require_GET
@partner_required
@permission_required(EXPORT_FILES, raise_exception=True)
def export_customers(request: ConsoleRequest) -> HttpResponseBase:
    """The list as CSV, by its own query string: filtered, in its order, names masked whatever the eye says.

    Recorded before anything of it is sent. Goes back into Import Budgets and changes nothing.
    """
    user = request.user
    filters = CustomerList(request.GET, user)
    filters.refuse_unreadable()
    number = filters.count()[0]
    if number > COUNT_CAP:
        number = filters.queryset.count()
    record_export(ExportRecord.What.LIST, query=filters.kept_query, rows=number, operator=user, partner=request.partner)
    return csv_download(
        f"customers-{timezone.localdate():%Y-%m-%d}.csv",
        export_columns(show_reseller=request.partner.is_distributor),
        export_rows(filters, user=user, zone=timezone.get_current_timezone()),
    )


@require_safe
@partner_required
@permission_required(EXPORT_FILES, raise_exception=True)
def exports(request: ConsoleRequest) -> HttpResponse:
    """Export History: what people of the own company exported, and when, newest first."""
    own = ExportRecord.objects.filter(partner=request.partner).order_by("-pk")
    page = Paginator(own, EXPORTS_PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "customers/exports.html", page_context(page, show_exports(page.object_list)))
