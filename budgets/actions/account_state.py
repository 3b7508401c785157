"""Freezing and unfreezing accounts, keeping the account flags of customers and budgets in sync.

A customer and its budget hold the same account flags in `state`, because each has indexes that begin with them. Every
change of the flags is made to both, in one transaction.
"""

from collections.abc import Mapping

from django.db.models import F, OuterRef, QuerySet, Subquery
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from budgets.models import Budget
from customers.actions.freeze_rows import freeze_rows, unfreeze_rows
from customers.models import AccountFlags, CustomerQuerySet, FreezeKind, FreezeOrigin
from partnercenter.actions.authorship import Author

Figures = Mapping[str, Combinable | str]
"""Fields of a freeze record about the budget behind it, each as an expression over the customer."""

# The flags of the customer's budget, which may have been written just now; without a budget, the customer's own flags
# except those about a budget.
BUDGET_FLAGS_OF_CUSTOMER = Coalesce(
    Subquery(Budget.objects.filter(customer=OuterRef("pk")).values("state")),
    F("state").bitand(AccountFlags.FROZEN | AccountFlags.REFERRAL),
)


def freeze_accounts(
    customers: CustomerQuerySet,
    kind: FreezeKind,
    origin: FreezeOrigin,
    *,
    author: Author,
    reason: str = "",
    figures: Figures | None = None,
) -> int:
    """Freeze the locked customers that are not yet frozen in this kind or a stronger one; return how many."""
    keys = freeze_rows(
        customers, kind, origin, author=author, reason=reason, state=BUDGET_FLAGS_OF_CUSTOMER, **figures or {}
    )
    _budgets_of(keys).update(state=F("state").bitor(AccountFlags.FROZEN))
    return len(keys)


def unfreeze_accounts(
    customers: CustomerQuerySet, *, author: Author, reason: str = "", figures: Figures | None = None
) -> int:
    """Unfreeze the locked customers that are frozen, whatever the kind and origin; return how many."""
    keys = unfreeze_rows(customers, author=author, reason=reason, state=BUDGET_FLAGS_OF_CUSTOMER, **figures or {})
    _budgets_of(keys).update(state=F("state").bitand(~AccountFlags.FROZEN))
    return len(keys)


def copy_budget_flags(customers: CustomerQuerySet) -> None:
    """Copy the account flags of budgets that were just written to the customers whose flags differ."""
    customers.exclude(state=BUDGET_FLAGS_OF_CUSTOMER).update(state=BUDGET_FLAGS_OF_CUSTOMER)


def _budgets_of(keys: list[int]) -> QuerySet[Budget]:
    return Budget.objects.filter(pk__in_array=keys) if keys else Budget.objects.none()
