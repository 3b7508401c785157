"""Set Budget for many customers: the dialog, and making the review.

See rules 3.9, 3.10, 5.3 (docs/rules.md).
"""

from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from budgets import tasks
from budgets.actions.decisions import ensure_may_act
from budgets.actions.quota import actionable
from budgets.actions.reviews import review_budgets
from budgets.actions.terms import terms_as_json
from budgets.forms.set_budgets import SetBudgetsForm
from customers.listing.selection import empty_selection, selected_customers, selection_facts, selects_all
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
    return selects_all(request) or "amount_by" in request.POST or len(request.POST.getlist("customer")) > 1


def _count_selected(request: ConsoleRequest, customers: CustomerQuerySet) -> int:
    """Count the selected customers.

    Raises PermissionRefused, and only then InvalidRequest for an empty selection; see rule 5.6 (docs/rules.md).
    """
    partners = {request.partner.pk}
    if request.partner.is_distributor and not selects_all(request):
        # Ticked customers of resellers with a grant are refused before anything is typed; among all matching customers
        # they are left out.
        partners = set(customers.order_by().values_list("partner", flat=True).distinct()) or partners
    ensure_may_act(partners, request.user)
    number = customers.count()
    if not number:
        raise empty_selection(request)
    return number


@require_POST
@partner_required
def terms(request: ConsoleRequest) -> HttpResponse:
    """Open the dialog for many: repeat `customer`, or give `all_matching=1` and the list's own query string."""
    customers = selected_customers(request, request.POST.getlist("customer"))
    number = _count_selected(request, customers)
    return _show(request, customers, _form(request, customers), number=number)


def set_budgets_of_many(request: ConsoleRequest) -> HttpResponse:
    """Make a review of new budgets for the selected customers and redirect to it; no budget is set yet."""
    customers = selected_customers(request, request.POST.getlist("customer"))
    number = _count_selected(request, customers)
    form = _form(request, customers, request.POST)
    if not form.is_valid():
        return _show(request, customers, form, number=number, status=422)
    try:
        return _review(request, customers, form, by_job=number > jobs.WORKER_THRESHOLD)
    except InvalidRequest as error:
        field = (form.amount_field or "amount") if error.field == "amount" else error.field
        form.add_error(field if field in form.fields else None, error.message)
        return _show(request, customers, form, number=number, status=422)


def _review(
    request: ConsoleRequest, customers: CustomerQuerySet, form: SetBudgetsForm, *, by_job: bool
) -> HttpResponse:
    all_matching, unfreeze = selects_all(request), bool(form.cleaned_data.get("unfreeze_now"))
    if not by_job:
        operation = review_budgets(
            customers, form.terms, operator=request.user, unfreeze=unfreeze, all_matching=all_matching
        )
        return redirect("operation", pk=operation.pk)
    job_terms = {
        "all_matching": all_matching,
        "terms": terms_as_json(form.terms, unfreeze=unfreeze),
        "query": request.GET.urlencode(),
        "customers": request.POST.getlist("customer"),
    }
    job = jobs.start_job(tasks.review, _("Set Budget: Review"), operator=request.user, terms=job_terms)
    if job.state == Job.State.REFUSED:
        raise jobs.job_error(job)
    return redirect(job.link) if job.state == Job.State.DONE else job_response(request, job, then="customers")


def _form(request: ConsoleRequest, customers: CustomerQuerySet, data: QueryDict | None = None) -> SetBudgetsForm:
    partner = request.partner
    allowed = set(BudgetType.values)
    if not partner.is_distributor:
        allowed = allowed_types(request.user, partner, grant_of(partner))
    # A submitted form keeps the box, so that a person who lost the right to unfreeze reads why.
    shows_unfreeze = data or not why_not_unfreeze(request.user, partner)
    frozen = _actionable(request, customers).frozen().count() if shows_unfreeze else 0
    return SetBudgetsForm(data, allowed=allowed, frozen=frozen)


def _actionable(request: ConsoleRequest, customers: CustomerQuerySet) -> CustomerQuerySet:
    """Among all matching customers, only those whose budget this person may set; all ticked customers."""
    return actionable(customers, request.user) if selects_all(request) else customers


def _show(
    request: ConsoleRequest, customers: CustomerQuerySet, form: SetBudgetsForm, *, number: int, status: int = 200
) -> HttpResponse:
    query = request.GET.urlencode()
    all_matching = selects_all(request)
    included = _actionable(request, customers)
    context = {
        **selection_facts(number, included, included.count() if all_matching else number),
        "form": form,
        "chosen": request.POST.getlist("customer"),
        "all_matching": all_matching,
        "query": f"?{query}" if query else "",
        "type_notes": form.type_notes,
    }
    return page_or_partial(
        request, "budgets/set_budgets.html", context, partial="form", target="dialog-body", status=status
    )
