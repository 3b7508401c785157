"""Revealing complete names on a page, which is recorded."""

from collections.abc import Iterable

from customers.actions.audit import reveal_names
from customers.masking import reveal_seconds_left
from customers.models import Customer
from partnercenter.requests import ConsoleRequest


def reveal(request: ConsoleRequest, customers: Iterable[Customer]) -> int:
    """The seconds for which names are still revealed, 0 if they are masked.

    If they are revealed, records that this page shows these customers. See rule 7.3 (docs/rules.md).
    """
    seconds = reveal_seconds_left(request.session)
    if seconds:
        reveal_names(customers, operator=request.user, page=request.path)
    return seconds
