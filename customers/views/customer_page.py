"""The page of one customer: identity, standing, budget, expenditure, records and notes."""

import json

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from budgets.chart import chart_of
from budgets.forecast import explain_run_out
from budgets.presenters import dialogs
from budgets.queries.decisions import snooze_of
from budgets.queries.history import last_months
from budgets.queries.standing import standing_of
from customers.actions.notes import add_note
from customers.forms import NoteForm
from customers.listing.rows import CUSTOMER_ROWS, customer_rows
from customers.masking import mask_email, mask_mobile
from customers.models import Customer
from customers.views.records import named_customer, tab_context
from customers.views.reveal import reveal
from partnercenter.lib.errors import PermissionRefused
from partnercenter.lib.htmx import wants_fragment
from partnercenter.lib.types import Context
from partnercenter.permissions import WRITE_NOTES, why_not_unfreeze
from partnercenter.requests import ConsoleRequest, partner_required

TEMPLATE = "customers/customer_page.html"
NOW_TARGET, RECORDS_TARGET = "customer-now", "customer-records"


@require_http_methods(["GET", "HEAD", "POST"])
@partner_required
def customer(request: ConsoleRequest) -> HttpResponse:
    """The customer's current state and one tab of its records. HTMX gets either part alone. POST adds a note."""
    named = named_customer(request)
    if request.method != "POST":
        return _show(request, named)
    if not request.user.has_perm(WRITE_NOTES):
        raise PermissionRefused(
            _("You are a viewer and cannot write notes: ask an operator or administrator of your company.")
        )
    form = NoteForm(request.POST, label_suffix="")
    if not form.is_valid():
        form.fields["text"].widget.attrs["autofocus"] = True
        return _show(request, named, form=form, status=422)
    add_note(named, form.cleaned_data["text"], operator=request.user)
    message = _("The note was added.")
    if not request.htmx:
        messages.success(request, message)
        return redirect(f"{request.get_full_path()}#{RECORDS_TARGET}")
    response = _show(request, named)
    response["HX-Trigger"] = json.dumps({"toast": {"level": "success", "text": message}})
    return response


def _show(
    request: ConsoleRequest, customer: Customer, *, form: NoteForm | None = None, status: int = 200
) -> HttpResponse:
    if wants_fragment(request, RECORDS_TARGET):
        return render(request, f"{TEMPLATE}#records", tab_context(request, customer, form), status=status)
    context = _current_state(request, customer)
    if wants_fragment(request, NOW_TARGET):
        return render(request, f"{TEMPLATE}#now", context)
    return render(request, TEMPLATE, context | tab_context(request, customer, form), status=status)


def _current_state(request: ConsoleRequest, customer: Customer) -> Context:
    """Identity, standing, budget and expenditure. Showing complete names is recorded: rule 7.3 (docs/rules.md)."""
    seconds = reveal(request, [customer])
    [values] = CUSTOMER_ROWS.in_order([customer.pk])
    months = last_months(customer, request.month)
    budget = getattr(customer, "budget", None)
    return {
        "customer": customer,
        "row": customer_rows([values], user=request.user, names_shown=seconds > 0)[0],
        "email": customer.email if seconds else mask_email(customer.email),
        "mobile": customer.mobile if seconds else mask_mobile(customer.mobile),
        "tags": customer.tags.strip(";").split(";") if customer.tags else [],
        "may_not_unfreeze": why_not_unfreeze(request.user, customer.partner),
        "show_reseller": request.partner.is_distributor,
        "names_shown": seconds > 0,
        "names_shown_seconds": seconds,
        "standing": standing_of(customer),
        "budget": dialogs.show_budget(budget, values.as_of),
        "snooze": snooze_of(budget, timezone.now(), timezone.get_current_timezone()),
        "run_out": explain_run_out(budget, months[-1].total, months[-1].as_of),
        "months": months,
        "chart": chart_of(months),
    }
