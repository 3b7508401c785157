"""Whom a request means: customers named one by one, or all that match the list's own query."""

from collections.abc import Iterable

from django.http import Http404
from django.utils.translation import gettext as _

from customers.listing.customer_list import CustomerList
from customers.models import Customer, CustomerQuerySet
from partnercenter.lib.errors import InvalidRequest
from partnercenter.requests import ConsoleRequest

TICK_LIMIT = 5_000
NAMES_SHOWN = 5


def selects_all(request: ConsoleRequest) -> bool:
    """Whether all that match are meant, whoever is named."""
    return "1" in (request.POST.get("all_matching"), request.GET.get("all_matching"))


def selected_customers(request: ConsoleRequest, named: Iterable[str]) -> CustomerQuerySet:
    """The customers of these IDs, or all that match the list's own query.

    404 for all of them where one is not the person's own; InvalidRequest where too many are named, or a filter cannot
    be read.
    """
    if selects_all(request):
        matching = CustomerList(request.GET, request.user)
        matching.refuse_unreadable()
        return matching.queryset
    ids = {each for each in named if each}
    if len(ids) > TICK_LIMIT:
        raise InvalidRequest(_("More than 5,000 customers cannot be ticked: select all that match."))
    found = Customer.objects.visible_to(request.user).filter(customer_id__in_array=_sound(ids))
    if found.count() != len(ids):
        raise Http404
    return found


def empty_selection(request: ConsoleRequest) -> InvalidRequest:
    """What is said where an action was asked for and nobody was selected."""
    if selects_all(request):
        return InvalidRequest(_("No customer matches the filters: there is nobody to select."))
    return InvalidRequest(_("Choose a customer first."))


def _sound(ids: Iterable[str]) -> list[str]:
    # No ID has one, and PostgreSQL would not even be asked.
    if any("\0" in each for each in ids):
        raise Http404
    return list(ids)


def first_account_names(customers: CustomerQuerySet) -> list[str]:
    """The account names of the first few, by which a dialog for many says whom it is about."""
    return list(customers.order_by("account_name", "pk").values_list("account_name", flat=True)[:NAMES_SHOWN])
