"""Freezing and unfreezing by hand: the dialog for one customer or many, at once or by a review.

See rules 4.2 to 4.7 (docs/rules.md).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from budgets import tasks
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
from customers.listing.selection import empty_selection, first_account_names, selected_customers, selects_all
from customers.models import Customer, CustomerQuerySet, FreezeKind
from customers.views.reveal import reveal
from partnercenter.actions import jobs
from partnercenter.lib.errors import Conflict, InvalidRequest, LockTimeout, PermissionRefused
from partnercenter.lib.htmx import action_done, page_or_partial
from partnercenter.models import Job, Operation
from partnercenter.permissions import grant_of, why_not_budgets, why_not_unfreeze
from partnercenter.requests import ConsoleRequest, partner_required
from partnercenter.views.jobs import job_response

# What an address of this page says beside the list's own query.
PARAMETERS_OF_THIS_PAGE = ("customer", "all_matching", "kind", "dialog")


@require_http_methods(["GET", "HEAD", "POST"])
@partner_required
def freeze(request: ConsoleRequest) -> HttpResponse:
    """Freeze accounts, or accounts and resources: `customer` repeated or `all_matching=1`, `kind`, `reason`,
    `agreement=1`. GET, and POST with `dialog`, give the form.
    """
    return _freeze_or_unfreeze(request, freezes=True)


@require_http_methods(["GET", "HEAD", "POST"])
@partner_required
def unfreeze(request: ConsoleRequest) -> HttpResponse:
    """Unfreeze: `customer` repeated or `all_matching=1`, `kind` as it is frozen, `reason`."""
    return _freeze_or_unfreeze(request, freezes=False)


def _freeze_or_unfreeze(request: ConsoleRequest, *, freezes: bool) -> HttpResponse:
    ids = _named(request)
    customers = selected_customers(request, ids).select_related("budget", "partner__grant", "partner__distributor")
    one = customers.first() if len(set(ids)) == 1 and not selects_all(request) else None
    _ensure_may_act(request, one, freezes=freezes)
    if one is None and not customers.exists():
        raise empty_selection(request)
    if request.method != "POST" or "dialog" in request.POST:
        return _show(request, freezes, customers, one, _form(request, one, freezes=freezes))
    form = _form_class(freezes)(request.POST, label_suffix="")
    if not form.is_valid():
        return _show(request, freezes, customers, one, form, status=422)
    try:
        return _carry_out(request, customers, one, form, _asked(form.cleaned_data, freezes=freezes))
    except Conflict as changed:
        if one is None:
            raise
        return _show_changed(request, freezes, customers, form, changed)
    except (InvalidRequest, LockTimeout) as error:
        form.add_error(error.field if error.field in form.fields else None, error.message)
        return _show(request, freezes, customers, one, form, status=error.status)


def _named(request: ConsoleRequest) -> list[str]:
    """The customer IDs that are sent, else those of the address."""
    return request.POST.getlist("customer") or request.GET.getlist("customer")


def _ensure_may_act(request: ConsoleRequest, one: Customer | None, *, freezes: bool) -> None:
    """Who may not act on the customer.

    Or for several on nobody's (rule 5.6 (docs/rules.md)): 403 before anything is looked at.
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


def _form_class(freezes: bool) -> type[FreezeForm] | type[UnfreezeForm]:
    return FreezeForm if freezes else UnfreezeForm


def _form(request: ConsoleRequest, one: Customer | None, *, freezes: bool) -> Any:
    """The form as it is offered: unfreezing names the kind in which the one customer is frozen."""
    kind = request.GET.get("kind") or FreezeKind.ACCOUNT
    if one is not None and not freezes:
        kind = one.freeze_kind or FreezeKind.ACCOUNT
    initial = {"kind": kind, "version": form_version(one) if one else ""}
    return _form_class(freezes)(label_suffix="", initial=initial)


def _asked(given: dict[str, Any], *, freezes: bool) -> FreezeRequest:
    asked = FreezeRequest(FreezeKind(given["kind"]), given["reason"], freezes=freezes)
    # A box that was ticked before the account alone was chosen is hidden: then it accepts nothing.
    accepted = asked.freezes_resources and given.get("agreement")
    return replace(asked, agreement=CURRENT_VERSION) if accepted else asked


def _carry_out(
    request: ConsoleRequest, customers: CustomerQuerySet, one: Customer | None, form: Any, asked: FreezeRequest
) -> HttpResponse:
    """Of one customer at once where no code is asked for; of many a review, made by a job where they are very many."""
    user, version = request.user, form.cleaned_data["version"]
    expected = matches_version(version) if version and one else None
    if one and not request.partner.verification_required:
        freeze_now(customers, asked, operator=user, expected=expected)
        return action_done(request, message_for_one_freeze(asked))
    if customers.count() > jobs.WORKER_THRESHOLD:
        return _review_by_job(request, asked)
    of_all = selects_all(request)
    operation = review_freeze(customers, asked, operator=user, expected=expected, all_matching=of_all)
    return redirect("operation", pk=operation.pk)


def _review_by_job(request: ConsoleRequest, asked: FreezeRequest) -> HttpResponse:
    who = {"all_matching": selects_all(request), "query": request.GET.urlencode(), "customers": _named(request)}
    given = who | {"act": asked.operation_kind, "terms": asked.as_json()}
    title = _("%(act)s: Review") % {"act": asked.operation_kind.label}
    job = jobs.start_job(tasks.review_freezing, title, operator=request.user, terms=given)
    if job.state == Job.State.REFUSED:
        raise jobs.job_error(job)
    return redirect(job.link) if job.state == Job.State.DONE else job_response(request, job, then="customers")


def _show_changed(
    request: ConsoleRequest, freezes: bool, customers: CustomerQuerySet, form: Any, changed: Conflict
) -> HttpResponse:
    """What changed meanwhile, and what was entered once more, of what stands now."""
    now = customers.get()
    again = _form_class(freezes)(label_suffix="", initial={**form.cleaned_data, "version": form_version(now)})
    changes = changes_since(form.cleaned_data["version"], now)
    return _show(request, freezes, customers, now, again, status=409, conflict=changed.message, changes=changes)


def _show(
    request: ConsoleRequest,
    freezes: bool,
    customers: CustomerQuerySet,
    one: Customer | None,
    form: Any,
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
        **(_about_one(request, one) if one else _about_many(request, customers)),
    }
    return page_or_partial(
        request, "customers/freeze.html", context, partial="form", target="dialog-body", status=status
    )


def _about_one(request: ConsoleRequest, customer: Customer) -> dict[str, Any]:
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


def _about_many(request: ConsoleRequest, customers: CustomerQuerySet) -> dict[str, Any]:
    of_all, number = selects_all(request), customers.count()
    reached = actionable(customers, request.user) if of_all else customers
    return {
        "number": number,
        "left_out": number - reached.count(),
        "first": first_account_names(reached),
        "all_matching": of_all,
        "chosen": _named(request),
        # Of the list: what narrows it down says whom all that match are.
        "query": changed_query(request.GET, **dict.fromkeys(PARAMETERS_OF_THIS_PAGE)),
    }
