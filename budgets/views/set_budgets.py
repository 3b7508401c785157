"""Set Budget for many customers: choosing them, the dialog, and the review it leads to.

See rules 3.9, 3.10, 5.3 (docs/rules.md).
"""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from budgets import tasks
from budgets.actions.decisions import ensure_may_act
from budgets.actions.quota import actionable
from budgets.actions.reviews import review_budgets
from budgets.actions.terms import terms_as_json
from budgets.forms.set_budgets import SetBudgetsForm
from customers.listing.selection import empty_selection, first_account_names, selected_customers, selects_all
from customers.models import CustomerQuerySet
from partnercenter.actions import jobs
from partnercenter.lib.errors import InvalidRequest
from partnercenter.lib.htmx import page_or_partial
from partnercenter.models import BudgetType, Job
from partnercenter.permissions import allowed_types, grant_of, why_not_unfreeze
from partnercenter.requests import ConsoleRequest, partner_required
from partnercenter.views.jobs import job_response


def is_for_many(request: ConsoleRequest) -> bool:
    """Whether a request to set budgets comes from the dialog for many, or names several customers."""
    given = request.POST
    return selects_all(request) or "amount_by" in given or len(given.getlist("customer")) > 1


def _number(request: ConsoleRequest, customers: CustomerQuerySet) -> int:
    """How many were chosen. 404 came first; now who may not act is refused, then that it is nobody.

    See rule 5.6 (docs/rules.md).
    """
    partners = {request.partner.pk}
    if request.partner.is_distributor and not selects_all(request):
        # Whose reseller may set the budget is told before anything is typed; of all that match those are left out.
        partners = set(customers.order_by().values_list("partner", flat=True).distinct()) or partners
    ensure_may_act(partners, request.user)
    number = customers.count()
    if not number:
        raise empty_selection(request)
    return number


@require_POST
@partner_required
def terms(request: ConsoleRequest) -> HttpResponse:
    """Open the dialog for many: `customer` repeated, or `all_matching=1` and the list's own query string."""
    customers = selected_customers(request, request.POST.getlist("customer"))
    number = _number(request, customers)
    return _show(request, customers, _form(request, customers), number=number)


def set_budgets_of_many(request: ConsoleRequest) -> HttpResponse:
    """Keep the terms for the chosen customers as a review, and go there; nothing is set yet."""
    customers = selected_customers(request, request.POST.getlist("customer"))
    number = _number(request, customers)
    form = _form(request, customers, request.POST)
    if not form.is_valid():
        return _show(request, customers, form, number=number, status=422)
    try:
        return _review(request, customers, form, takes_long=number > jobs.WORKER_THRESHOLD)
    except InvalidRequest as error:
        field = (form.by or "amount") if error.field == "amount" else error.field
        form.add_error(field if field in form.fields else None, error.message)
        return _show(request, customers, form, number=number, status=422)


def _review(
    request: ConsoleRequest, customers: CustomerQuerySet, form: SetBudgetsForm, *, takes_long: bool
) -> HttpResponse:
    of_all, unfreeze = selects_all(request), bool(form.cleaned_data.get("unfreeze_now"))
    if takes_long:
        return _review_by_job(request, {"all_matching": of_all, "terms": terms_as_json(form.terms, unfreeze=unfreeze)})
    operation = review_budgets(customers, form.terms, operator=request.user, unfreeze=unfreeze, all_matching=of_all)
    return redirect("operation", pk=operation.pk)


def _review_by_job(request: ConsoleRequest, given: dict[str, Any]) -> HttpResponse:
    who = {"query": request.GET.urlencode(), "customers": request.POST.getlist("customer")}
    job = jobs.start_job(tasks.review, _("Set Budget: Review"), operator=request.user, terms=given | who)
    if job.state == Job.State.REFUSED:
        raise jobs.job_error(job)
    return redirect(job.link) if job.state == Job.State.DONE else job_response(request, job, then="customers")


def _form(request: ConsoleRequest, customers: CustomerQuerySet, data: object = None) -> SetBudgetsForm:
    partner = request.partner
    allowed = set(BudgetType.values)
    if not partner.is_distributor:
        allowed = allowed_types(request.user, partner, grant_of(partner))
    # Whoever was offered to unfreeze before is told why it cannot be, not passed over in silence.
    offers = data or not why_not_unfreeze(request.user, partner)
    frozen = _within_reach(request, customers).frozen().count() if offers else 0
    return SetBudgetsForm(data, allowed=allowed, frozen=frozen)


def _within_reach(request: ConsoleRequest, customers: CustomerQuerySet) -> CustomerQuerySet:
    """Of all that match not whom this person can set no budget for; who was ticked is refused."""
    return actionable(customers, request.user) if selects_all(request) else customers


def _show(
    request: ConsoleRequest, customers: CustomerQuerySet, form: SetBudgetsForm, *, number: int, status: int = 200
) -> HttpResponse:
    query = request.GET.urlencode()
    of_all = selects_all(request)
    reached = _within_reach(request, customers)
    context = {
        "number": number,
        "left_out": number - reached.count() if of_all else 0,
        "first": first_account_names(reached),
        "form": form,
        "chosen": request.POST.getlist("customer"),
        "all_matching": of_all,
        "query": f"?{query}" if query else "",
        "type_notes": form.type_notes,
    }
    return page_or_partial(
        request, "budgets/set_budgets.html", context, partial="form", target="dialog-body", status=status
    )
