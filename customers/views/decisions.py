"""Decisions: customers whose budget is exhausted under *Manual*, to be frozen, given more, or snoozed."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from budgets.actions.decisions import ensure_may_act, snooze_decisions, wake_decisions
from budgets.queries.decisions import Decisions, decision_headers, decision_rows
from customers.forms import SnoozeForm
from customers.listing.pagination import changed_query
from customers.listing.selection import (
    TICK_LIMIT,
    empty_selection,
    selected_customers,
    selection_facts,
    selects_all,
    tick_limit_message,
)
from customers.models import CustomerQuerySet
from customers.views.reveal import reveal
from partnercenter.lib.errors import InvalidRequest
from partnercenter.lib.htmx import action_done, page_or_partial
from partnercenter.lib.money import show_number
from partnercenter.permissions import grant_of, may_select, why_not_budgets
from partnercenter.requests import ConsoleRequest, partner_required


@require_safe
@partner_required
def decisions(request: ConsoleRequest) -> HttpResponse:
    """Decisions: the open decisions, or with `snoozed=1` the snoozed ones; filtered, sorted, in pages."""
    user, partner, now = request.user, request.partner, timezone.now()
    decision_list = Decisions(user, request.GET, now)
    open_count, snoozed_count = decision_list.count()
    page = decision_list.page(snoozed_count if decision_list.snoozed else open_count)
    seconds = reveal(request, page.object_list)
    page.object_list = decision_rows(
        page.object_list, user=user, names_shown=seconds > 0, at=now, with_snooze=decision_list.snoozed
    )
    context = {
        "page": page,
        "headers": decision_headers(decision_list, show_reseller=partner.is_distributor, currency=settings.CURRENCY),
        "filters": decision_list.filters,
        "filtered": decision_list.filters.is_filtered,
        "without_filters": changed_query(request.GET, q=None, manager=None),
        "open_count": open_count,
        "open_query": changed_query(request.GET, snoozed=None),
        "snoozed_count": snoozed_count,
        "snoozed_query": changed_query(request.GET, snoozed=1),
        "shows_snoozed": decision_list.snoozed,
        "show_reseller": partner.is_distributor,
        "names_shown": seconds > 0,
        "names_shown_seconds": seconds,
        "notice": "" if partner.is_distributor else why_not_budgets(user, partner, grant_of(partner)),
        "next_path": request.get_full_path(),
        "hidden_fields": [(name, request.GET[name]) for name in ("sort", "size", "snoozed") if request.GET.get(name)],
        "may_select": may_select(user),
        "tick_limit": TICK_LIMIT,
        "tick_limit_message": tick_limit_message(),
    }
    return page_or_partial(request, "customers/decisions.html", context, partial="list", target="customer-list")


@require_http_methods(["GET", "HEAD", "POST"])
@partner_required
def snooze(request: ConsoleRequest) -> HttpResponse:
    """Snooze decisions about customers until a day. GET, or POST with `dialog`, shows the form."""
    customers = _selected(request)
    if request.method != "POST" or "dialog" in request.POST:
        return _show(request, customers, SnoozeForm())
    form = SnoozeForm(request.POST)
    if not form.is_valid():
        return _show(request, customers, form, status=422)
    try:
        number = snooze_decisions(customers, operator=request.user, **form.cleaned_data)
    except InvalidRequest as error:
        form.add_error(error.field or None, error.message)
        return _show(request, customers, form, status=error.status)
    message = ngettext("%(n)s decision is snoozed until %(day)s.", "%(n)s decisions are snoozed until %(day)s.", number)
    return _done(request, message, number, day=form.cleaned_data["until"].isoformat())


@require_POST
@partner_required
def wake(request: ConsoleRequest) -> HttpResponse:
    """End snoozes, so that the decisions are open again."""
    number = wake_decisions(_selected(request), operator=request.user)
    message = ngettext("%(n)s decision is open again.", "%(n)s decisions are open again.", number)
    return _done(request, message, number)


def _done(request: ConsoleRequest, message: str, number: int, **facts: str) -> HttpResponse:
    """The response after an action. If it changed nothing, it says that nothing is left to decide."""
    if not number:
        message = _("There is nothing left to decide: the budgets or the accounts have been changed in the meantime.")
    level = messages.SUCCESS if number else messages.INFO
    message %= {"n": show_number(number)} | facts
    return action_done(request, message, then="decisions", level=level, selection_done=True)


def _selected(request: ConsoleRequest) -> CustomerQuerySet:
    """The selected customers, after checks in the order of rule 5.6 (docs/rules.md).

    Raises Http404 if the person may not see one of them, PermissionRefused if the person may not act on one, and
    InvalidRequest if there are none.
    """
    ids = request.POST.getlist("customer") or request.GET.getlist("customer")
    if selects_all(request):
        raise InvalidRequest(_("Select the customers one by one."))
    found = selected_customers(request, ids)
    ensure_may_act(set(found.values_list("partner", flat=True)) or {request.partner.pk}, request.user)
    if not found.exists():
        raise empty_selection(request)
    return found


def _show(request: ConsoleRequest, customers: CustomerQuerySet, form: SnoozeForm, *, status: int = 200) -> HttpResponse:
    ids = list(customers.values_list("customer_id", flat=True))
    context = {"form": form, "chosen": ids, **selection_facts(len(ids), customers, len(ids))}
    return page_or_partial(
        request, "customers/snooze.html", context, partial="form", target="dialog-body", status=status
    )
