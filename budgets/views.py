"""Set Budget, Adjustment Records, and Customer Expenditure."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.paginator import Page, Paginator
from django.db.models import Q
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from budgets import showing
from budgets.actions import TakenIn, current_month, set_budgets, take_in_report
from budgets.actions.reviewing import as_shown, preview_budgets, review_budgets, tell
from budgets.forms import ReportForm, SetBudgetForm
from budgets.models import ExpenditureReport
from budgets.reports import read_report
from budgets.standing import why_frozen
from customers.actions import reveal_names
from customers.listing import as_of_expenditure
from customers.masking import seconds_shown
from customers.models import Customer
from partnercenter.csv_files import BadFile
from partnercenter.htmx import ConsoleRequest, answer, done, for_partner
from partnercenter.permissions import refusal, types_allowed
from partnercenter.refusals import Changed, NotAllowed, Refusal

RECORDS_PER_PAGE = 10
REPORTS_PER_PAGE = 20
FROZEN_PER_PAGE = 50


@require_http_methods(["GET", "HEAD", "POST"])
@for_partner
def set_budget(request: ConsoleRequest) -> HttpResponse:
    """Set Budget for one customer: GET the form, POST the terms. 404, 403, 422 in this order (domain 5.6)."""
    month = current_month()
    customer = _customer(request, must_act=True)
    if customer.association_type == Customer.AssociationType.REFERRAL:
        raise Refusal(_("A customer of the referral model has no budget."))
    if request.method == "POST":
        return _set_budget(request, customer, month)
    return _show_form(request, customer, month, _form(request, customer))


def _set_budget(request: ConsoleRequest, customer: Customer, month: int) -> HttpResponse:
    form = _form(request, customer, request.POST)
    if not form.is_valid():
        return _show_form(request, customer, month, form, status=422)
    try:
        return _carry_out(request, customer, form)
    except NotAllowed:
        raise
    except Changed:
        now = _customer(request, must_act=True)
        return _show_form(request, now, month, _form(request, now), status=409, conflict=True)
    except Refusal as error:
        form.add_error(error.field if error.field in form.fields else None, error.message)
        return _show_form(request, customer, month, form, status=error.status)


def _customer(request: ConsoleRequest, *, must_act: bool = False) -> Customer:
    """The customer that is meant: 404 for any but one's own, then NotAllowed, then Refusal where none is named."""
    customer_id = request.POST.get("customer") or request.GET.get("customer")
    if customer_id and "\0" in customer_id:
        # No ID has one, and PostgreSQL would not even be asked.
        raise Http404
    customers = Customer.objects.of(request.user).select_related("budget", "partner__grant", "partner__distributor")
    customer = get_object_or_404(customers, customer_id=customer_id) if customer_id else None
    partner = customer.partner if customer else request.user.partner
    if must_act and (why_not := refusal(request.user, partner, getattr(partner, "grant", None))):
        raise NotAllowed(why_not)
    if customer is None:
        raise Refusal(_("Choose a customer first."))
    return customer


def _form(request: ConsoleRequest, customer: Customer, data: Any = None) -> SetBudgetForm:
    grant = getattr(customer.partner, "grant", None)
    return SetBudgetForm(data, customer=customer, allowed=types_allowed(request.user, customer.partner, grant))


def _show_form(
    request: ConsoleRequest,
    customer: Customer,
    month: int,
    form: SetBudgetForm,
    *,
    status: int = 200,
    conflict: bool = False,
) -> HttpResponse:
    seconds = _reveal(request, customer)
    budget = getattr(customer, "budget", None)
    as_of = as_of_expenditure(Customer.objects.filter(pk=customer.pk)).get(customer.pk)
    context = {
        "customer": showing.show_customer(customer, names_shown=seconds > 0),
        "names_shown_seconds": seconds,
        "form": form,
        "budget": showing.show_budget(budget, as_of),
        "frozen_why": why_frozen(customer),
        "notes": showing.notes(customer, month),
        "conflict": conflict,
    }
    return answer(request, "budgets/set_budget.html", context, partial="form", target="dialog-body", status=status)


def _reveal(request: ConsoleRequest, customer: Customer) -> int:
    """For how many seconds the name is shown; recorded where it is (domain 7.3)."""
    seconds = seconds_shown(request.session)
    if seconds:
        reveal_names([customer], operator=request.user, page=request.path)
    return seconds


def _carry_out(request: ConsoleRequest, customer: Customer, form: SetBudgetForm) -> HttpResponse:
    """Set the budget at once, or keep it for confirmation where the partner's switch is on (domain 6.2)."""
    customers = Customer.objects.filter(pk=customer.pk)
    how = {"operator": request.user, "unfreeze": bool(form.cleaned_data.get("unfreeze_now"))}
    version = form.cleaned_data["version"]
    as_seen = as_shown(version) if version else None
    if not request.user.partner.verification_required:
        outcome = set_budgets(customers, form.terms, as_seen=as_seen, **how)
        return _done(request, tell(outcome, form.terms), changed=bool(outcome.changed or outcome.unfrozen))
    outcome = preview_budgets(customers, form.terms, as_seen=as_seen, **how)
    if not (outcome.changed or outcome.unfrozen):
        return _done(request, tell(outcome, form.terms), changed=False)
    operation = review_budgets(customers, form.terms, outcome=outcome, **how)
    return redirect("operation", pk=operation.pk)


def _done(request: ConsoleRequest, message: str, *, changed: bool) -> HttpResponse:
    return done(request, message, level=messages.SUCCESS if changed else messages.INFO)


@require_safe
@for_partner
def adjustment_records(request: ConsoleRequest) -> HttpResponse:
    """Adjustment Records of one customer, newest first; in the dialog or as a page."""
    customer = _customer(request)
    seconds = _reveal(request, customer)
    page = Paginator(customer.adjustment_records.order_by("-pk"), RECORDS_PER_PAGE).get_page(request.GET.get("page"))
    may_act = not refusal(request.user, customer.partner, getattr(customer.partner, "grant", None))
    context = _paged(page, showing.show_records(page.object_list)) | {
        "customer": showing.show_customer(customer, names_shown=seconds > 0),
        "names_shown_seconds": seconds,
        "may_act": may_act,
    }
    return answer(request, "budgets/adjustment_records.html", context, partial="records", target="dialog-body")


def _paged(page: Page, rows: list[Any]) -> dict[str, Any]:
    elided = list(page.paginator.get_elided_page_range(page.number, on_each_side=2, on_ends=1))
    page.object_list = rows
    return {"page": page, "elided": elided}


@require_http_methods(["GET", "HEAD", "POST"])
@for_partner
@permission_required("budgets.add_expenditurereport", raise_exception=True)
def expenditure(request: ConsoleRequest) -> HttpResponse:
    """Customer Expenditure: take in a report for the own customers (domain 8.5), and the reports taken in so far."""
    current_month()
    if request.method != "POST":
        return _show_expenditure(request, ReportForm())
    form = ReportForm(request.POST, request.FILES)
    if not form.is_valid():
        return _show_expenditure(request, form, status=422)
    try:
        read = read_report((file.name, file) for file in form.cleaned_data["file"])
        taken = take_in_report(read, operator=request.user, only=request.user.partner)
    except BadFile as bad:
        return _show_expenditure(request, form, errors=[str(line) for line in bad.bad_lines], more=bad.more, status=422)
    except Refusal as error:
        form.add_error(None, error.message)
        return _show_expenditure(request, form, status=error.status)
    messages.success(request, _tell_taken_in(taken))
    return redirect("expenditure_report", pk=taken.report) if taken.report else redirect("expenditure")


def _tell_taken_in(taken: TakenIn) -> str:
    if not taken.changed:
        figures = {"lines": taken.lines, "older": taken.older, "not_yours": taken.not_yours}
        said = _("The report was read and changes nothing: %(lines)s lines, %(older)s totals older than what stands.")
        if taken.not_yours:
            said += " " + _("%(not_yours)s customer IDs in it are not yours.")
        return said % figures
    said = ngettext(
        "The report is taken in: %(n)s total changed.", "The report is taken in: %(n)s totals changed.", taken.changed
    ) % {"n": taken.changed}
    if taken.frozen:
        said += " " + ngettext("%(n)s account is frozen.", "%(n)s accounts are frozen.", taken.frozen) % {
            "n": taken.frozen
        }
    return said


def _reports(request: ConsoleRequest) -> Any:
    return ExpenditureReport.objects.filter(Q(partner=request.user.partner) | Q(partner=None))


def _show_expenditure(
    request: ConsoleRequest,
    form: ReportForm,
    *,
    errors: list[str] | None = None,
    more: bool = False,
    status: int = 200,
) -> HttpResponse:
    page = Paginator(_reports(request).order_by("-taken_in_at"), REPORTS_PER_PAGE).get_page(request.GET.get("page"))
    context = _paged(page, showing.show_reports(page.object_list, request.user.partner)) | {
        "form": form,
        "errors": errors or [],
        "more": more,
        "max_megabytes": settings.UPLOAD_MAX_MEGABYTES,
    }
    return render(request, "budgets/expenditure.html", context, status=status)


@require_safe
@for_partner
@permission_required("budgets.add_expenditurereport", raise_exception=True)
def expenditure_report(request: ConsoleRequest, pk: Any) -> HttpResponse:
    """One report: what it said, what it did, and the own accounts it froze."""
    report = get_object_or_404(_reports(request), pk=pk)
    frozen = showing.freezes_of(request.user.partner).filter(batch=report.pk).select_related("customer").order_by("pk")
    page = Paginator(frozen, FROZEN_PER_PAGE).get_page(request.GET.get("page"))
    context = _paged(page, showing.show_frozen(page.object_list)) | {"report": showing.show_report(report)}
    return render(request, "budgets/expenditure_report.html", context)
