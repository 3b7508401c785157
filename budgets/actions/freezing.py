"""Freezing and unfreezing of customers that may have a budget: their lists by budget know of it at once.

A customer and its budget hold the same `state`; whatever changes it changes it for both, in one transaction.
"""

from typing import Any

from django.db.models import F

from budgets.models import Budget
from customers import actions
from customers.actions import Author
from customers.models import CustomerQuerySet, FreezeKind, FreezeOrigin, State


def freeze_accounts(
    customers: CustomerQuerySet, kind: FreezeKind, origin: FreezeOrigin, *, author: Author, **why: Any
) -> int:
    """What `customers.actions.freeze_accounts` says; gives their number."""
    keys = actions.freeze_accounts(customers, kind, origin, author=author, **why)
    _budgets_of(keys).update(state=F("state").bitor(State.FROZEN))
    return len(keys)


def unfreeze_accounts(customers: CustomerQuerySet, *, author: Author, **why: Any) -> int:
    """What `customers.actions.unfreeze_accounts` says; gives their number."""
    keys = actions.unfreeze_accounts(customers, author=author, **why)
    _budgets_of(keys).update(state=F("state").bitand(~State.FROZEN))
    return len(keys)


def _budgets_of(keys: list[int]) -> Any:
    return Budget.objects.filter(pk__among=keys) if keys else Budget.objects.none()
