"""Freezing and unfreezing of customers that may have a budget: their lists by budget know of it at once.

A customer and its budget hold the same `state`; whatever changes it changes it for both, in one transaction.
"""

from typing import Any

from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Coalesce

from budgets.models import Budget
from customers.actions.freeze_rows import freeze_rows, unfreeze_rows
from customers.models import AccountFlags, CustomerQuerySet, FreezeKind, FreezeOrigin
from partnercenter.actions.authorship import Author

# What stands on the budget, which may have been written just now; without one nothing but whether it is frozen.
BUDGET_FLAGS_OF_CUSTOMER = Coalesce(
    Subquery(Budget.objects.filter(customer=OuterRef("pk")).values("state")),
    F("state").bitand(AccountFlags.FROZEN | AccountFlags.REFERRAL),
)


def freeze_accounts(
    customers: CustomerQuerySet, kind: FreezeKind, origin: FreezeOrigin, *, author: Author, **why: Any
) -> int:
    """What `customers.actions.freeze_rows.freeze_rows` says; gives their number."""
    keys = freeze_rows(customers, kind, origin, author=author, state=BUDGET_FLAGS_OF_CUSTOMER, **why)
    _budgets_of(keys).update(state=F("state").bitor(AccountFlags.FROZEN))
    return len(keys)


def unfreeze_accounts(customers: CustomerQuerySet, *, author: Author, **why: Any) -> int:
    """What `customers.actions.freeze_rows.unfreeze_rows` says; gives their number."""
    keys = unfreeze_rows(customers, author=author, state=BUDGET_FLAGS_OF_CUSTOMER, **why)
    _budgets_of(keys).update(state=F("state").bitand(~AccountFlags.FROZEN))
    return len(keys)


def copy_budget_flags(customers: CustomerQuerySet) -> None:
    """Give the customers the state of their budgets, as these were written, where they do not have it yet."""
    customers.exclude(state=BUDGET_FLAGS_OF_CUSTOMER).update(state=BUDGET_FLAGS_OF_CUSTOMER)


def _budgets_of(keys: list[int]) -> Any:
    return Budget.objects.filter(pk__in_array=keys) if keys else Budget.objects.none()
