"""The customer's page: who it is, what it may do now, its budget and expenditure, its records and notes."""

import json
from typing import Any

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
from customers.listing import rows
from customers.masking import mask_email, mask_mobile
from customers.models import Customer
from customers.views.records import named_customer, tab_context
from customers.views.reveal import reveal
from partnercenter.lib.errors import PermissionRefused
from partnercenter.lib.htmx import wants_fragment
from partnercenter.permissions import WRITE_NOTES, why_not_unfreeze
from partnercenter.requests import ConsoleRequest, partner_required

TEMPLATE = "customers/customer_page.html"
NOW_TARGET, RECORDS_TARGET = "customer-now", "customer-records"


@require_http_methods(["GET", "HEAD", "POST"])
@partner_required
def customer(request: ConsoleRequest) -> HttpResponse:
    """One customer as it stands, and one tab of its records; HTMX gets either of the two alone. POST adds a note."""
    named = named_customer(request)
    return _add_note(request, named) if request.method == "POST" else _show(request, named)


def _show(
    request: ConsoleRequest, customer: Customer, *, form: NoteForm | None = None, status: int = 200
) -> HttpResponse:
    month = request.month
    if wants_fragment(request, RECORDS_TARGET):
        return render(request, f"{TEMPLATE}#records", tab_context(request, customer, form), status=status)
    context = _now(request, customer, month)
    if wants_fragment(request, NOW_TARGET):
        return render(request, f"{TEMPLATE}#now", context)
    return render(request, TEMPLATE, context | tab_context(request, customer, form), status=status)


def _now(request: ConsoleRequest, customer: Customer, month: int) -> dict[str, Any]:
    """Identity, standing, budget and expenditure; the names that are shown are recorded.

    See rule 7.3 (docs/rules.md).
    """
    seconds = reveal(request, [customer])
    [listed] = rows.CUSTOMER_ROWS.in_order([customer.pk])
    months = last_months(customer, month)
    return {
        "customer": customer,
        "row": rows.customer_rows([listed], user=request.user, names_shown=seconds > 0)[0],
        "email": customer.email if seconds else mask_email(customer.email),
        "mobile": customer.mobile if seconds else mask_mobile(customer.mobile),
        "tags": customer.tags.strip(";").split(";") if customer.tags else [],
        "may_not_unfreeze": why_not_unfreeze(request.user, customer.partner),
        "show_reseller": request.partner.is_distributor,
        "names_shown": seconds > 0,
        "names_shown_seconds": seconds,
        "standing": standing_of(customer),
        "budget": dialogs.show_budget(getattr(customer, "budget", None), listed.as_of),
        "snooze": snooze_of(getattr(customer, "budget", None), timezone.now(), timezone.get_current_timezone()),
        "run_out": explain_run_out(getattr(customer, "budget", None), months[-1].total, months[-1].as_of),
        "months": months,
        "chart": chart_of(months),
    }


def _add_note(request: ConsoleRequest, customer: Customer) -> HttpResponse:
    if not request.user.has_perm(WRITE_NOTES):
        raise PermissionRefused(_("You are a viewer: ask somebody else of your company to write a note."))
    form = NoteForm(request.POST, label_suffix="")
    if not form.is_valid():
        form.fields["text"].widget.attrs["autofocus"] = True
        return _show(request, customer, form=form, status=422)
    add_note(customer, form.cleaned_data["text"], operator=request.user)
    said = _("The note is kept.")
    if not request.htmx:
        messages.success(request, said)
        return redirect(f"{request.get_full_path()}#{RECORDS_TARGET}")
    answer = _show(request, customer)
    answer["HX-Trigger"] = json.dumps({"toast": {"level": "success", "text": said}})
    return answer
