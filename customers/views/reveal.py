"""Complete names on pages: for how long they are shown, and the record of whose were."""

from collections.abc import Iterable

from customers.actions.audit import reveal_names
from customers.masking import reveal_seconds_left
from customers.models import Customer
from partnercenter.requests import ConsoleRequest


def reveal(request: ConsoleRequest, customers: Iterable[Customer]) -> int:
    """For how many more seconds complete names are shown; 0 where they are masked.

    Where they are shown, these customers are recorded as shown (rule 7.3 (docs/rules.md)).
    """
    seconds = reveal_seconds_left(request.session)
    if seconds:
        reveal_names(customers, operator=request.user, page=request.path)
    return seconds
