"""What people do at once, each as something to be done by a thread of its own; and where they can be stopped."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

from budgets.actions.set_budgets import BatchResult
from budgets.actions.undo import review_undo
from budgets.models import Budget
from customers.models import Customer
from partnercenter.actions.partners import give_grant
from partnercenter.models import Operation, Partner, User
from tests import factories

# A batch that stops here holds its locks and has written its records, and nothing else yet.
BATCH_IS_RECORDED = "budgets.actions.set_budgets._write_budgets"
REPORT_HAS_MOVED_USED = "budgets.actions.import_report.freeze_exhausted"
GRANT_IS_WRITTEN = "partnercenter.actions.partners.operator_name"


def ok(operation: Operation, *, only_unchanged: bool = False) -> Callable[[], BatchResult]:
    """Pressing OK, as something to be done by a thread."""
    return partial(factories.confirmed, operation, only_unchanged=only_unchanged)


def single(customer: Customer, operator: User, amount: str) -> Callable[[], BatchResult]:
    return lambda: factories.budget(customer, operator, amount)


def reporting(customers: list[Customer], total: str) -> Callable[[], Any]:
    return lambda: factories.report(*[(customer, "2026-09", total) for customer in customers])


def granting(partner: Partner, quota: str | None, operator: User) -> Callable[[], int]:
    """Giving this quota of each type, None: revoking; and then telling how many budgets stand at 100."""
    amount = None if quota is None else Decimal(quota)

    def act() -> int:
        give_grant(partner, monthly_quota=amount, one_time_quota=amount, operator=operator)
        return Budget.objects.filter(amount=100).count()

    return act


def amounts(customers: list[Customer]) -> list[int | None]:
    stored: dict[Any, Decimal] = dict(Budget.objects.values_list("customer", "amount"))
    return [int(stored[customer.pk]) if customer.pk in stored else None for customer in customers]


def undo_of(batch: Operation, operator: User) -> Operation:
    """A reviewed undo, waiting for its OK."""
    return review_undo(batch.pk, operator=operator, unfreeze=False)
