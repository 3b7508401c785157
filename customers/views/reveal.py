"""Records the customers shown on a page while names are revealed."""

from collections.abc import Iterable

from customers.actions.audit import reveal_names
from customers.masking import reveal_seconds_left
from customers.models import Customer
from partnercenter.requests import ConsoleRequest


def reveal(request: ConsoleRequest, customers: Iterable[Customer]) -> int:
    """Record whose names the page shows, and return the seconds left to show them (0 if masked).

    Masked names are not recorded. See rule 7.3 (docs/rules.md).
    """
    seconds = reveal_seconds_left(request.session)
    if seconds:
        reveal_names(customers, operator=request.user, page=request.path)
    return seconds
