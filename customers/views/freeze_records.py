"""Why frozen: a freeze record as a sheet that can be printed for the customer."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from budgets.presenters import show_customer
from budgets.queries.freeze_explanation import explain_freeze
from customers.actions import reveal_names
from customers.masking import reveal_seconds_left
from customers.models import Customer, FreezeRecord
from partnercenter.lib.htmx import ConsoleRequest, partner_required


@require_safe
@partner_required
def freeze_record(request: ConsoleRequest, pk: int) -> HttpResponse:
    """One freezing or unfreezing of a customer who is or was one's own: what did it, by which rule, and when."""
    records = FreezeRecord.objects.filter(customer__in=Customer.objects.ever_visible_to(request.user))
    record = get_object_or_404(records.select_related("customer__partner"), pk=pk)
    seconds = reveal_seconds_left(request.session)
    if seconds:
        reveal_names([record.customer], operator=request.user, page=request.path)
    context = {
        "sheet": explain_freeze(record),
        "record": record,
        "customer": show_customer(record.customer, names_shown=seconds > 0),
        "names_shown_seconds": seconds,
    }
    return render(request, "customers/freeze_record.html", context)
