"""Set Budget for many customers: choosing them, the dialog, and the review it leads to (domain 3.9, 3.10, 5.3)."""

from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from budgets import tasks
from budgets.actions import current_month, review_budgets
from budgets.actions.quota import beyond_reach
from budgets.actions.reviewing import as_json
from budgets.forms import SetBudgetsForm
from customers.filters import CustomerFilter
from customers.models import Customer, CustomerQuerySet
from partnercenter import jobs
from partnercenter.htmx import ConsoleRequest, answer, for_partner, went_on
from partnercenter.models import BudgetType, Job
from partnercenter.permissions import grant_of, refusal, types_allowed
from partnercenter.refusals import Busy, Changed, NotAllowed, Refusal

MOST_TICKED = 5_000
NAMED = 5


def is_for_many(request: ConsoleRequest) -> bool:
    """Whether a request to set budgets comes from the dialog for many, or names several customers."""
    given = request.POST
    return bool(given.get("all_matching")) or "amount_by" in given or len(given.getlist("customer")) > 1


def chosen(request: ConsoleRequest) -> CustomerQuerySet:
    """The customers that were ticked, or all that match the list's own query.

    404 for the whole batch where one is not the person's own; Refusal where none is named, or too many.
    """
    mine = Customer.objects.of(request.user)
    if request.POST.get("all_matching"):
        return CustomerFilter(request.GET, mine).qs
    ids = {each for each in request.POST.getlist("customer") if each}
    if len(ids) > MOST_TICKED:
        raise Refusal(_("More than 5,000 customers cannot be ticked: select all that match."))
    found = mine.filter(customer_id__among=_sound(ids))
    if found.count() != len(ids):
        raise Http404
    return found


def _sound(ids: Iterable[str]) -> list[str]:
    if any("\0" in each for each in ids):
        raise Http404
    return list(ids)


def _refuse(request: ConsoleRequest, customers: CustomerQuerySet) -> None:
    """404 came first; now who may not act, then that nobody was chosen (domain 5.6)."""
    user = request.user
    if not user.partner.is_distributor and (why_not := refusal(user, user.partner, grant_of(user.partner))):
        raise NotAllowed(why_not)
    if not customers.exists():
        raise Refusal(_("Choose a customer first."))


@require_POST
@for_partner
def terms(request: ConsoleRequest) -> HttpResponse:
    """Open the dialog for many: `customer` repeated, or `all_matching=1` and the list's own query string."""
    current_month()
    customers = chosen(request)
    _refuse(request, customers)
    return _show(request, customers, _form(request, customers))


def set_budgets_of_many(request: ConsoleRequest) -> HttpResponse:
    """Keep the terms for the chosen customers as a review, and go there; nothing is set yet."""
    current_month()
    customers = chosen(request)
    _refuse(request, customers)
    form = _form(request, customers, request.POST)
    if not form.is_valid():
        return _show(request, customers, form, status=422)
    try:
        return _review(request, customers, form)
    except (NotAllowed, Changed, Busy):
        raise
    except Refusal as error:
        field = (form.by or "amount") if error.field == "amount" else error.field
        form.add_error(field if field in form.fields else None, error.message)
        return _show(request, customers, form, status=422)


def _review(request: ConsoleRequest, customers: CustomerQuerySet, form: SetBudgetsForm) -> HttpResponse:
    all_matching = bool(request.POST.get("all_matching"))
    unfreeze = bool(form.cleaned_data.get("unfreeze_now"))
    if customers.count() > jobs.FEW:
        return _review_by_job(request, {"all_matching": all_matching, "terms": as_json(form.terms, unfreeze=unfreeze)})
    operation = review_budgets(
        customers, form.terms, operator=request.user, unfreeze=unfreeze, all_matching=all_matching
    )
    return redirect("operation", pk=operation.pk)


def _review_by_job(request: ConsoleRequest, given: dict[str, Any]) -> HttpResponse:
    who = {"query": request.GET.urlencode(), "customers": request.POST.getlist("customer")}
    job = jobs.start(tasks.review, _("Set Budget: Review"), operator=request.user, terms=given | who)
    if job.state == Job.State.REFUSED:
        raise jobs.refusal(job)
    return redirect(job.link) if job.state == Job.State.DONE else went_on(request, job, then="customers")


def _form(request: ConsoleRequest, customers: CustomerQuerySet, data: object = None) -> SetBudgetsForm:
    partner = request.user.partner
    allowed = set(BudgetType.values)
    if not partner.is_distributor:
        allowed = types_allowed(request.user, partner, grant_of(partner))
    return SetBudgetsForm(data, allowed=allowed, frozen=_within_reach(request, customers).frozen().count())


def _within_reach(request: ConsoleRequest, customers: CustomerQuerySet) -> CustomerQuerySet:
    """Those to be set: of all that match not whom this person can set no budget for; who was ticked is refused."""
    if not request.POST.get("all_matching"):
        return customers
    return customers.exclude(reduce(or_, beyond_reach(request.user).values()))


def _show(
    request: ConsoleRequest, customers: CustomerQuerySet, form: SetBudgetsForm, *, status: int = 200
) -> HttpResponse:
    query = request.GET.urlencode()
    number, all_matching = customers.count(), bool(request.POST.get("all_matching"))
    reached = _within_reach(request, customers)
    context = {
        "number": number,
        "left_out": number - reached.count() if all_matching else 0,
        "first": list(reached.order_by("account_name", "pk").values_list("account_name", flat=True)[:NAMED]),
        "form": form,
        "chosen": request.POST.getlist("customer"),
        "all_matching": all_matching,
        "query": f"?{query}" if query else "",
        "type_notes": form.type_notes,
    }
    return answer(request, "budgets/set_budgets.html", context, partial="form", target="dialog-body", status=status)
