"""The customers that a request is about: selected one by one, or all that match the list."""

from collections.abc import Iterable

from django.http import Http404
from django.utils.translation import gettext as _

from customers.listing.customer_list import CustomerList
from customers.models import Customer, CustomerQuerySet
from partnercenter.lib.errors import InvalidRequest
from partnercenter.lib.money import show_number
from partnercenter.lib.types import Context
from partnercenter.requests import ConsoleRequest

TICK_LIMIT = 5_000
NAMES_SHOWN = 5


def tick_limit_message() -> str:
    """The message that no more customers can be ticked."""
    most = show_number(TICK_LIMIT)
    return _("You can tick at most %(most)s customers. To select more, select all that match.") % {"most": most}


def selects_all(request: ConsoleRequest) -> bool:
    """Whether all customers that match the list are selected, so that any IDs are ignored."""
    # What is posted decides alone: the query string of a list may come from anywhere.
    given = request.POST if request.method == "POST" else request.GET
    return given.get("all_matching") == "1"


def selected_customers(request: ConsoleRequest, customer_ids: Iterable[str]) -> CustomerQuerySet:
    """The customers with these IDs, or all that match the query string of the list.

    Raises Http404 if the person may not see one of them, and InvalidRequest if there are too many IDs or a filter
    cannot be read.
    """
    if selects_all(request):
        matching = CustomerList(request.GET, request.user)
        matching.refuse_unreadable()
        return matching.queryset
    ids = {customer_id for customer_id in customer_ids if customer_id}
    if len(ids) > TICK_LIMIT:
        raise InvalidRequest(tick_limit_message())
    # No ID contains a NUL character, which PostgreSQL does not accept as a parameter.
    if any("\0" in customer_id for customer_id in ids):
        raise Http404
    found = Customer.objects.visible_to(request.user).filter(customer_id__in_array=list(ids))
    if found.count() != len(ids):
        raise Http404
    return found


def empty_selection(request: ConsoleRequest) -> InvalidRequest:
    """The error for an action with no customer selected."""
    if selects_all(request):
        return InvalidRequest(_("No customer matches the filters."))
    return InvalidRequest(_("Choose a customer first."))


def selection_facts(number: int, included: CustomerQuerySet, included_number: int) -> Context:
    """For a dialog for many: how many customers are selected, how many of them are left out, and a few names.

    `included` are the selected customers on whom the person may act, `included_number` is their number.
    """
    names = list(included.order_by("account_name", "pk").values_list("account_name", flat=True)[:NAMES_SHOWN])
    return {
        "number": number,
        "left_out": number - included_number,
        "first": names,
        "others": included_number - len(names),
    }
