"""Freezing and unfreezing by hand: the dialog for one customer or many, at once or by a review (domain 4.2 to 4.7)."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from budgets import presenters, tasks
from budgets.actions.billing_month import current_month
from budgets.actions.form_versions import as_shown, version_of
from budgets.actions.freeze_terms import ByHand
from budgets.actions.manual_freeze import act_by_hand, review_by_hand
from budgets.actions.quota import within_reach
from budgets.actions.reviews import no_budget_nor_freeze
from budgets.queries.conflicts import changes_since
from budgets.queries.standing import frozen_above, partner_status, why_frozen
from budgets.telling import tell_by_hand
from customers.actions import reveal_names
from customers.agreement import CURRENT
from customers.forms import FreezeForm, UnfreezeForm
from customers.listing.pagination import address
from customers.listing.rows import AS_OF, FREEZE_RECORD
from customers.listing.selection import all_matching, chosen, first_accounts, nobody_chosen
from customers.masking import seconds_shown
from customers.models import Customer, CustomerQuerySet, FreezeKind
from partnercenter.actions import jobs
from partnercenter.lib.errors import Conflict, InvalidRequest, LockTimeout, PermissionRefused
from partnercenter.lib.htmx import ConsoleRequest, answer, done, for_partner, went_on
from partnercenter.models import Job, Operation
from partnercenter.permissions import grant_of, refusal, unfreezing_refused

# What an address of this page says beside the list's own query.
ASKED_HERE = ("customer", "all_matching", "kind", "dialog")
FORMS = {Operation.Kind.FREEZE: FreezeForm, Operation.Kind.UNFREEZE: UnfreezeForm}


@require_http_methods(["GET", "HEAD", "POST"])
@for_partner
def freeze(request: ConsoleRequest) -> HttpResponse:
    """Freeze accounts, or accounts and resources: `customer` repeated or `all_matching=1`, `kind`, `reason`,
    `agreement=1`. GET, and POST with `dialog`, give the form.
    """
    return _by_hand(request, Operation.Kind.FREEZE)


@require_http_methods(["GET", "HEAD", "POST"])
@for_partner
def unfreeze(request: ConsoleRequest) -> HttpResponse:
    """Unfreeze: `customer` repeated or `all_matching=1`, `kind` as it is frozen, `reason`."""
    return _by_hand(request, Operation.Kind.UNFREEZE)


def _by_hand(request: ConsoleRequest, act: Operation.Kind) -> HttpResponse:
    current_month()
    ids = _named(request)
    customers = chosen(request, ids).select_related("budget", "partner__grant", "partner__distributor")
    one = customers.first() if len(set(ids)) == 1 and not all_matching(request) else None
    _refuse(request, act, one)
    if one is None and not customers.exists():
        raise nobody_chosen(request)
    if request.method != "POST" or "dialog" in request.POST:
        return _show(request, act, customers, one, _form(request, act, one))
    form = FORMS[act](request.POST, label_suffix="")
    if not form.is_valid():
        return _show(request, act, customers, one, form, status=422)
    try:
        return _carry_out(request, customers, one, form, _asked(act, form.cleaned_data))
    except Conflict as changed:
        if one is None:
            raise
        return _show_changed(request, act, customers, form, changed)
    except (InvalidRequest, LockTimeout) as error:
        form.add_error(error.field if error.field in form.fields else None, error.message)
        return _show(request, act, customers, one, form, status=error.status)


def _named(request: ConsoleRequest) -> list[str]:
    """The customer IDs that are sent, else those of the address."""
    return request.POST.getlist("customer") or request.GET.getlist("customer")


def _refuse(request: ConsoleRequest, act: Operation.Kind, one: Customer | None) -> None:
    """Who may not act on the customer, or for several on nobody's (domain 5.6): 403 before anything is looked at."""
    user = request.user
    partner = one.partner if one else user.partner
    why_not = "" if one is None and partner.is_distributor else refusal(user, partner, grant_of(partner))
    if act == Operation.Kind.UNFREEZE:
        why_not = why_not or unfreezing_refused(user, partner)
    if why_not:
        raise PermissionRefused(why_not)
    if one is not None and one.association_type == Customer.AssociationType.REFERRAL:
        raise InvalidRequest(no_budget_nor_freeze())


def _form(request: ConsoleRequest, act: Operation.Kind, one: Customer | None) -> Any:
    """The form as it is offered: unfreezing names the kind in which the one customer is frozen."""
    kind = request.GET.get("kind") or FreezeKind.ACCOUNT
    if one is not None and act == Operation.Kind.UNFREEZE:
        kind = one.freeze_kind or FreezeKind.ACCOUNT
    initial = {"kind": kind, "version": version_of(one) if one else ""}
    return FORMS[act](label_suffix="", initial=initial)


def _asked(act: Operation.Kind, given: dict[str, Any]) -> ByHand:
    asked = ByHand(act, FreezeKind(given["kind"]), given["reason"], CURRENT if given.get("agreement") else "")
    # What was ticked and then hidden, as the account alone is to be frozen, was accepted for nothing.
    return asked if asked.freezes_resources else ByHand(asked.act, asked.kind, asked.reason)


def _carry_out(
    request: ConsoleRequest, customers: CustomerQuerySet, one: Customer | None, form: Any, asked: ByHand
) -> HttpResponse:
    """Of one customer at once where no code is asked for; of many a review, made by a job where they are very many."""
    user, version = request.user, form.cleaned_data["version"]
    as_seen = as_shown(version) if version and one else None
    if one and not user.partner.verification_required:
        outcome = act_by_hand(customers, asked, operator=user, as_seen=as_seen)
        return done(request, tell_by_hand(outcome, Operation.objects.get(pk=outcome.batch)))
    if customers.count() > jobs.FEW:
        return _review_by_job(request, asked)
    of_all = all_matching(request)
    operation = review_by_hand(customers, asked, operator=user, as_seen=as_seen, all_matching=of_all)
    return redirect("operation", pk=operation.pk)


def _review_by_job(request: ConsoleRequest, asked: ByHand) -> HttpResponse:
    who = {"all_matching": all_matching(request), "query": request.GET.urlencode(), "customers": _named(request)}
    given = who | {"act": asked.act, "terms": asked.as_json()}
    title = _("%(act)s: Review") % {"act": asked.act.label}
    job = jobs.start(tasks.review_freezing, title, operator=request.user, terms=given)
    if job.state == Job.State.REFUSED:
        raise jobs.refusal(job)
    return redirect(job.link) if job.state == Job.State.DONE else went_on(request, job, then="customers")


def _show_changed(
    request: ConsoleRequest, act: Operation.Kind, customers: CustomerQuerySet, form: Any, changed: Conflict
) -> HttpResponse:
    """What changed meanwhile, and what was entered once more, of what stands now."""
    now = customers.get()
    again = FORMS[act](label_suffix="", initial={**form.cleaned_data, "version": version_of(now)})
    changes = changes_since(form.cleaned_data["version"], now)
    return _show(request, act, customers, now, again, status=409, conflict=changed.message, changes=changes)


def _show(
    request: ConsoleRequest,
    act: Operation.Kind,
    customers: CustomerQuerySet,
    one: Customer | None,
    form: Any,
    *,
    status: int = 200,
    conflict: str = "",
    changes: Sequence[str] = (),
) -> HttpResponse:
    context = {
        "title": act.label,
        "path": request.path,
        "form": form,
        "conflict": conflict,
        "changes": changes,
        "one": one is not None,
        "deadline": timezone.now() + timedelta(days=settings.RESOURCE_RETENTION_DAYS),
        **(_about_one(request, one) if one else _about_many(request, customers)),
    }
    return answer(request, "customers/by_hand.html", context, partial="form", target="dialog-body", status=status)


def _about_one(request: ConsoleRequest, customer: Customer) -> dict[str, Any]:
    seconds = seconds_shown(request.session)
    if seconds:
        reveal_names([customer], operator=request.user, page=request.path)
    as_of, record = Customer.objects.values_list(AS_OF, FREEZE_RECORD).get(pk=customer.pk)
    return {
        "customer": presenters.show_customer(customer, names_shown=seconds > 0),
        "names_shown_seconds": seconds,
        "budget": presenters.show_budget(getattr(customer, "budget", None), as_of),
        "frozen_above": frozen_above(customer, partner_status(customer.partner)),
        "frozen_why": why_frozen(customer),
        "freeze_record": record,
        "kind_label": customer.get_freeze_kind_display(),
        "query": f"?{urlencode({'customer': customer.customer_id})}",
    }


def _about_many(request: ConsoleRequest, customers: CustomerQuerySet) -> dict[str, Any]:
    of_all, number = all_matching(request), customers.count()
    reached = within_reach(customers, request.user) if of_all else customers
    return {
        "number": number,
        "left_out": number - reached.count(),
        "first": first_accounts(reached),
        "all_matching": of_all,
        "chosen": _named(request),
        # Of the list: what narrows it down says whom all that match are.
        "query": address(request.GET, **dict.fromkeys(ASKED_HERE)),
    }
