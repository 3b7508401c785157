"""Freezing and unfreezing by hand: one customer directly, many after a review.

See rules 4.2 to 4.7 (docs/rules.md).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from budgets import tasks
from budgets.actions.billing_month import restore_customer
from budgets.actions.form_versions import form_version, matches_version
from budgets.actions.freeze_terms import FreezeRequest
from budgets.actions.manual_freeze import freeze_now, review_freeze
from budgets.actions.quota import actionable
from budgets.actions.reviews import referral_message
from budgets.presenters import dialogs
from budgets.presenters.messages import message_for_one_freeze
from budgets.queries.conflicts import changes_since
from budgets.queries.standing import partner_restriction, restricted_by, why_frozen
from customers.agreement import CURRENT_VERSION
from customers.forms import FreezeForm, UnfreezeForm
from customers.listing.pagination import changed_query
from customers.listing.rows import ESTIMATE_AS_OF, LATEST_FREEZE_RECORD
from customers.listing.selection import empty_selection, selected_customers, selection_facts, selects_all
from customers.models import Customer, CustomerQuerySet, FreezeKind
from customers.views.reveal import reveal
from partnercenter.actions import jobs
from partnercenter.lib.errors import Conflict, InvalidRequest, LockTimeout, PermissionRefused
from partnercenter.lib.htmx import action_done, page_or_partial
from partnercenter.lib.types import Context
from partnercenter.models import Job, Operation
from partnercenter.permissions import grant_of, why_not_budgets, why_not_unfreeze
from partnercenter.requests import ConsoleRequest, partner_required
from partnercenter.views.jobs import job_response

# The parameters of this page. All others in its query string belong to the list.
PARAMETERS_OF_THIS_PAGE = ("customer", "all_matching", "kind", "dialog")


@require_http_methods(["GET", "HEAD", "POST"])
@partner_required
def freeze(request: ConsoleRequest) -> HttpResponse:
    """Freeze accounts, or accounts and resources. GET, or POST with `dialog`, shows the form."""
    return _freeze_or_unfreeze(request, freezes=True)


@require_http_methods(["GET", "HEAD", "POST"])
@partner_required
def unfreeze(request: ConsoleRequest) -> HttpResponse:
    """Unfreeze accounts that are frozen in the given kind. GET, or POST with `dialog`, shows the form."""
    return _freeze_or_unfreeze(request, freezes=False)


def _freeze_or_unfreeze(request: ConsoleRequest, *, freezes: bool) -> HttpResponse:
    ids = _customer_ids(request)
    customers = selected_customers(request, ids).select_related("budget", "partner__grant", "partner__distributor")
    one = customers.first() if len(set(ids)) == 1 and not selects_all(request) else None
    _ensure_may_act(request, one, freezes=freezes)
    if one is not None:
        restore_customer(one, request.month)
    elif not customers.exists():
        raise empty_selection(request)
    form_class = FreezeForm if freezes else UnfreezeForm
    if request.method != "POST" or "dialog" in request.POST:
        kind = one.freeze_kind if one and not freezes else request.GET.get("kind")
        kind = kind or FreezeKind.ACCOUNT
        form = form_class(label_suffix="", initial={"kind": kind, "version": form_version(one) if one else ""})
        return _show(request, freezes, customers, one, form)
    form = form_class(request.POST, label_suffix="")
    if not form.is_valid():
        return _show(request, freezes, customers, one, form, status=422)
    try:
        return _carry_out(request, customers, one, form, freezes=freezes)
    except Conflict as conflict:
        if one is None:
            raise
        # Show the state as it is now, with what the operator entered.
        one, values = customers.get(), form.cleaned_data
        changes = changes_since(values["version"], one)
        form = form_class(label_suffix="", initial={**values, "version": form_version(one)})
        return _show(request, freezes, customers, one, form, status=409, conflict=conflict.message, changes=changes)
    except (InvalidRequest, LockTimeout) as error:
        form.add_error(error.field if error.field in form.fields else None, error.message)
        return _show(request, freezes, customers, one, form, status=error.status)


def _customer_ids(request: ConsoleRequest) -> list[str]:
    """The customer IDs in the posted form, or else in the query string."""
    return request.POST.getlist("customer") or request.GET.getlist("customer")


def _ensure_may_act(request: ConsoleRequest, one: Customer | None, *, freezes: bool) -> None:
    """Raise PermissionRefused if the person may not act on the customer, or for many, on any customer at all.

    For one customer, raise InvalidRequest if it is a referral. See rule 5.6 (docs/rules.md) for the order of checks.
    """
    user = request.user
    partner = one.partner if one else request.partner
    why_not = "" if one is None and partner.is_distributor else why_not_budgets(user, partner, grant_of(partner))
    if not freezes:
        why_not = why_not or why_not_unfreeze(user, partner)
    if why_not:
        raise PermissionRefused(why_not)
    if one is not None and one.association_type == Customer.AssociationType.REFERRAL:
        raise InvalidRequest(referral_message())


def _carry_out(
    request: ConsoleRequest, customers: CustomerQuerySet, one: Customer | None, form: UnfreezeForm, *, freezes: bool
) -> HttpResponse:
    """Act on one customer directly if no code is needed; else make a review, by a job for very many customers."""
    user, values = request.user, form.cleaned_data
    terms = FreezeRequest(FreezeKind(values["kind"]), values["reason"], freezes=freezes)
    # The page hides the agreement unless resources are to be frozen, but it may have been ticked before.
    if terms.freezes_resources and values.get("agreement"):
        terms = replace(terms, agreement=CURRENT_VERSION)
    expected = matches_version(values["version"]) if values["version"] and one else None
    if one and not request.partner.verification_required:
        freeze_now(customers, terms, operator=user, expected=expected)
        return action_done(request, message_for_one_freeze(terms))
    if customers.count() > jobs.WORKER_THRESHOLD:
        return _review_by_job(request, terms)
    operation = review_freeze(customers, terms, operator=user, expected=expected, all_matching=selects_all(request))
    return redirect("operation", pk=operation.pk)


def _review_by_job(request: ConsoleRequest, terms: FreezeRequest) -> HttpResponse:
    job_terms = {
        "all_matching": selects_all(request),
        "query": request.GET.urlencode(),
        "customers": _customer_ids(request),
        "act": terms.operation_kind,
        "terms": terms.as_json(),
    }
    title = _("Freeze: Review") if terms.freezes else _("Unfreeze: Review")
    job = jobs.start_job(tasks.review_freezing, title, operator=request.user, terms=job_terms)
    if job.state == Job.State.REFUSED:
        raise jobs.job_error(job)
    return redirect(job.link) if job.state == Job.State.DONE else job_response(request, job, then="customers")


def _show(
    request: ConsoleRequest,
    freezes: bool,
    customers: CustomerQuerySet,
    one: Customer | None,
    form: UnfreezeForm,
    *,
    status: int = 200,
    conflict: str = "",
    changes: Sequence[str] = (),
) -> HttpResponse:
    context = {
        "title": (Operation.Kind.FREEZE if freezes else Operation.Kind.UNFREEZE).label,
        "path": request.path,
        "form": form,
        "conflict": conflict,
        "changes": changes,
        "one": one is not None,
        "deadline": timezone.now() + timedelta(days=settings.RESOURCE_RETENTION_DAYS),
        **(_context_of_one(request, one) if one else _context_of_many(request, customers)),
    }
    return page_or_partial(
        request, "customers/freeze.html", context, partial="form", target="dialog-body", status=status
    )


def _context_of_one(request: ConsoleRequest, customer: Customer) -> Context:
    seconds = reveal(request, [customer])
    as_of, record = Customer.objects.values_list(ESTIMATE_AS_OF, LATEST_FREEZE_RECORD).get(pk=customer.pk)
    return {
        "customer": dialogs.show_customer(customer, names_shown=seconds > 0),
        "names_shown_seconds": seconds,
        "budget": dialogs.show_budget(getattr(customer, "budget", None), as_of),
        "frozen_above": restricted_by(customer, partner_restriction(customer.partner)),
        "frozen_why": why_frozen(customer),
        "freeze_record": record,
        "kind_label": customer.get_freeze_kind_display(),
        "query": f"?{urlencode({'customer': customer.customer_id})}",
    }


def _context_of_many(request: ConsoleRequest, customers: CustomerQuerySet) -> Context:
    all_matching, number = selects_all(request), customers.count()
    actionable_customers = actionable(customers, request.user) if all_matching else customers
    return {
        **selection_facts(number, actionable_customers, actionable_customers.count()),
        "all_matching": all_matching,
        "chosen": _customer_ids(request),
        # The filters of the list define which customers match.
        "query": changed_query(request.GET, **dict.fromkeys(PARAMETERS_OF_THIS_PAGE)),
    }
