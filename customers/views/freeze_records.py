"""Why frozen: a freeze record as a sheet that can be printed for the customer."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from budgets.presenters import show_customer
from budgets.queries.freeze_explanation import sheet_of
from customers.actions import reveal_names
from customers.masking import seconds_shown
from customers.models import Customer, FreezeRecord
from partnercenter.lib.htmx import ConsoleRequest, for_partner


@require_safe
@for_partner
def freeze_record(request: ConsoleRequest, pk: int) -> HttpResponse:
    """One freezing or unfreezing of a customer who is or was one's own: what did it, by which rule, and when."""
    records = FreezeRecord.objects.filter(customer__in=Customer.objects.ever_of(request.user))
    record = get_object_or_404(records.select_related("customer__partner"), pk=pk)
    seconds = seconds_shown(request.session)
    if seconds:
        reveal_names([record.customer], operator=request.user, page=request.path)
    context = {
        "sheet": sheet_of(record),
        "record": record,
        "customer": show_customer(record.customer, names_shown=seconds > 0),
        "names_shown_seconds": seconds,
    }
    return render(request, "customers/freeze_record.html", context)
