"""Set Budget for one customer, and the list of its adjustment records."""

from collections.abc import Sequence

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from budgets.actions.billing_month import restore_customer
from budgets.actions.form_versions import matches_version
from budgets.actions.reviews import changes_nothing, referral_message, review_budgets
from budgets.actions.set_budgets import set_budgets
from budgets.forms.set_budget import SetBudgetForm
from budgets.presenters import dialogs
from budgets.presenters.messages import message_for_one, nothing_to_change
from budgets.presenters.records import show_records
from budgets.queries.conflicts import changes_since
from budgets.queries.standing import partner_restriction, restricted_by, why_frozen
from budgets.views.set_budgets import is_for_many, set_budgets_of_many
from customers.listing.rows import ESTIMATE_AS_OF, LATEST_FREEZE_RECORD
from customers.models import Customer
from customers.views.reveal import reveal
from partnercenter.lib.errors import Conflict, InvalidRequest, LockTimeout, PermissionRefused
from partnercenter.lib.htmx import action_done, page_context, page_or_partial
from partnercenter.lib.types import Context
from partnercenter.permissions import allowed_types, why_not_budgets, why_not_unfreeze
from partnercenter.requests import ConsoleRequest, partner_required

DIALOG_RECORDS_PER_PAGE = 10


@require_http_methods(["GET", "HEAD", "POST"])
@partner_required
def set_budget(request: ConsoleRequest) -> HttpResponse:
    """Set Budget for one customer: GET shows the form, POST sets the budget.

    For many customers see `set_budgets_of_many`. Refuses with 404, 403 and 422 in this order; see rule 5.6
    (docs/rules.md).
    """
    if is_for_many(request):
        return set_budgets_of_many(request)
    customer = _named_customer(request, must_act=True)
    if customer.association_type == Customer.AssociationType.REFERRAL:
        raise InvalidRequest(referral_message())
    if request.method != "POST":
        return _show_form(request, customer, _form(request, customer))
    form = _form(request, customer, request.POST)
    if not form.is_valid():
        return _show_form(request, customer, form, status=422)
    try:
        return _set_or_review(request, customer, form)
    except Conflict:
        customer = _named_customer(request, must_act=True)
        changes = changes_since(form.cleaned_data["version"], customer)
        form = _form(request, customer, typed=form.typed)
        return _show_form(request, customer, form, status=409, conflict=True, changes=changes)
    except (InvalidRequest, LockTimeout) as error:
        form.add_error(error.field if error.field in form.fields else None, error.message)
        return _show_form(request, customer, form, status=error.status)


def _set_or_review(request: ConsoleRequest, customer: Customer, form: SetBudgetForm) -> HttpResponse:
    """Set the budget, or make a review to confirm if a verification code is needed; see rule 6.2 (docs/rules.md)."""
    customers = Customer.objects.filter(pk=customer.pk)
    unfreeze, version = bool(form.cleaned_data.get("unfreeze_now")), form.cleaned_data["version"]
    expected = matches_version(version) if version else None
    if request.partner.verification_required:
        operation = review_budgets(customers, form.terms, operator=request.user, unfreeze=unfreeze, expected=expected)
        if changes_nothing(operation):
            return action_done(request, nothing_to_change(), level=messages.INFO)
        return redirect("operation", pk=operation.pk)
    result = set_budgets(customers, form.terms, operator=request.user, unfreeze=unfreeze, expected=expected)
    level = messages.SUCCESS if result.changed or result.unfrozen else messages.INFO
    return action_done(request, message_for_one(result, form.terms.budget_type), level=level)


def _named_customer(request: ConsoleRequest, *, must_act: bool = False) -> Customer:
    """Get the customer named in the request.

    Raises Http404 for another partner's customer; with `must_act`, PermissionRefused if the person may not set its
    budget; InvalidRequest if none is named.
    """
    customer_id = request.POST.get("customer") or request.GET.get("customer")
    customers = Customer.objects.visible_to(request.user).select_related(
        "budget", "partner__grant", "partner__distributor"
    )
    customer = get_object_or_404(customers.named(customer_id)) if customer_id else None
    partner = customer.partner if customer else request.partner
    if must_act and (why_not := why_not_budgets(request.user, partner, getattr(partner, "grant", None))):
        raise PermissionRefused(why_not)
    if customer is None:
        raise InvalidRequest(_("Choose a customer first."))
    restore_customer(customer, request.month)
    return customer


def _form(
    request: ConsoleRequest, customer: Customer, data: QueryDict | None = None, *, typed: Context | None = None
) -> SetBudgetForm:
    allowed = allowed_types(request.user, customer.partner, getattr(customer.partner, "grant", None))
    may_unfreeze = not why_not_unfreeze(request.user, customer.partner)
    return SetBudgetForm(data, customer=customer, allowed=allowed, may_unfreeze=may_unfreeze, typed=typed)


def _show_form(
    request: ConsoleRequest,
    customer: Customer,
    form: SetBudgetForm,
    *,
    status: int = 200,
    conflict: bool = False,
    changes: Sequence[str] = (),
) -> HttpResponse:
    seconds = reveal(request, [customer])
    as_of, freeze_record = Customer.objects.values_list(ESTIMATE_AS_OF, LATEST_FREEZE_RECORD).get(pk=customer.pk)
    context = {
        "customer": dialogs.show_customer(customer, names_shown=seconds > 0),
        "names_shown_seconds": seconds,
        "form": form,
        "budget": dialogs.show_budget(getattr(customer, "budget", None), as_of),
        "frozen_above": restricted_by(customer, partner_restriction(customer.partner)),
        "frozen_why": why_frozen(customer),
        "freeze_record": freeze_record,
        "notes": dialogs.budget_type_notes(customer, request.month),
        "conflict": conflict,
        "changes": changes,
    }
    return page_or_partial(
        request, "budgets/set_budget.html", context, partial="form", target="dialog-body", status=status
    )


@require_safe
@partner_required
def adjustment_records(request: ConsoleRequest) -> HttpResponse:
    """The adjustment records of a customer, newest first, in the dialog or as a page."""
    customer = _named_customer(request)
    seconds = reveal(request, [customer])
    records = customer.adjustment_records.order_by("-pk")
    page = Paginator(records, DIALOG_RECORDS_PER_PAGE).get_page(request.GET.get("page"))
    context = page_context(page, show_records(page.object_list)) | {
        "customer": dialogs.show_customer(customer, names_shown=seconds > 0),
        "names_shown_seconds": seconds,
        "may_act": not why_not_budgets(request.user, customer.partner, getattr(customer.partner, "grant", None)),
    }
    return page_or_partial(request, "budgets/adjustment_records.html", context, partial="records", target="dialog-body")
