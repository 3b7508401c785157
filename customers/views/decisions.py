"""Decisions: whose budget is used up under *Manual*; to be frozen, raised, or put off with a reason."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from budgets.actions.decisions import ensure_may_act, snooze_decisions, wake_decisions
from budgets.queries import decisions as deciding
from customers.forms import SnoozeForm
from customers.listing.pagination import changed_query
from customers.listing.selection import empty_selection, first_account_names, selected_customers, selects_all
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
    """Decisions: the open ones, or with `snoozed=1` those put off; filtered, sorted, page by page."""
    user, partner, now = request.user, request.partner, timezone.now()
    asked = deciding.Decisions(user, request.GET, now)
    number, snoozed = asked.count()
    page = asked.page(snoozed if asked.snoozed else number)
    seconds = reveal(request, page.object_list)
    page.object_list = deciding.decision_rows(
        page.object_list, user=user, names_shown=seconds > 0, at=now, with_snooze=asked.snoozed
    )
    context = {
        "page": page,
        "headers": deciding.decision_headers(asked, show_reseller=partner.is_distributor, currency=settings.CURRENCY),
        "filters": asked.filters,
        "filtered": asked.filters.narrows,
        "without_filters": changed_query(request.GET, q=None, manager=None),
        "open": number,
        "open_query": changed_query(request.GET, snoozed=None),
        "put_off": snoozed,
        "put_off_query": changed_query(request.GET, snoozed=1),
        "shows_snoozed": asked.snoozed,
        "show_reseller": partner.is_distributor,
        "names_shown": seconds > 0,
        "names_shown_seconds": seconds,
        "notice": "" if partner.is_distributor else why_not_budgets(user, partner, grant_of(partner)),
        "next_path": request.get_full_path(),
        "kept": [(name, request.GET[name]) for name in ("sort", "size", "snoozed") if request.GET.get(name)],
        "may_select": may_select(user),
    }
    return page_or_partial(request, "customers/decisions.html", context, partial="list", target="customer-list")


@require_http_methods(["GET", "HEAD", "POST"])
@partner_required
def snooze(request: ConsoleRequest) -> HttpResponse:
    """Put decisions off: `customer` repeated, `until`, `reason`. GET, and POST with `dialog`, give the form."""
    customers = _chosen(request)
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
    said = ngettext("%(n)s decision is snoozed until %(day)s.", "%(n)s decisions are snoozed until %(day)s.", number)
    return _done(request, said, number, day=form.cleaned_data["until"].isoformat())


@require_POST
@partner_required
def wake(request: ConsoleRequest) -> HttpResponse:
    """End snoozes now: who was put off is to be decided about again."""
    number = wake_decisions(_chosen(request), operator=request.user)
    said = ngettext("%(n)s decision is open again.", "%(n)s decisions are open again.", number)
    return _done(request, said, number)


def _done(request: ConsoleRequest, said: str, number: int, **facts: str) -> HttpResponse:
    """What came of it; where nothing did, what was asked for is no longer to be decided or put off."""
    if not number:
        said = _("There is nothing to decide here any more: the budgets or the accounts were changed meanwhile.")
    level = messages.SUCCESS if number else messages.INFO
    return action_done(
        request, said % ({"n": show_number(number)} | facts), then="decisions", level=level, selection_done=True
    )


def _chosen(request: ConsoleRequest) -> CustomerQuerySet:
    """The customers named: 404 where one is not the person's own, PermissionRefused.

    InvalidRequest where none is; see rule 5.6 (docs/rules.md).
    """
    ids = request.POST.getlist("customer") or request.GET.getlist("customer")
    if selects_all(request):
        raise InvalidRequest(_("Tick the customers that are meant."))
    found = selected_customers(request, ids)
    ensure_may_act(set(found.values_list("partner", flat=True)) or {request.partner.pk}, request.user)
    if not found.exists():
        raise empty_selection(request)
    return found


def _show(request: ConsoleRequest, customers: CustomerQuerySet, form: SnoozeForm, *, status: int = 200) -> HttpResponse:
    ids = list(customers.values_list("customer_id", flat=True))
    context = {"form": form, "number": len(ids), "chosen": ids, "first": first_account_names(customers)}
    return page_or_partial(
        request, "customers/snooze.html", context, partial="form", target="dialog-body", status=status
    )
