"""Actions as functions without arguments, ready to be run in threads, and the places where tests pause them."""

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from budgets.actions.import_report import ReportResult
from budgets.actions.set_budgets import BatchResult
from budgets.actions.undo import review_undo
from budgets.models import Budget
from customers.models import Customer
from partnercenter.actions.partners import give_grant
from partnercenter.models import Operation, Partner, User
from tests import factories

# Functions to pause before. Budgets are being set: all locks are held, the adjustment records are written, and no
# budget is yet.
WRITE_BUDGETS = "budgets.actions.set_budgets._write_budgets"
# A report is being imported: its totals are compared with the stored ones, and nothing is written yet.
WRITE_REPORT = "budgets.actions.report_steps.apply_compared"
# A report is being imported: totals and used amounts are written, and no account is frozen yet.
FREEZE_AFTER_REPORT = "budgets.actions.report_steps.freeze_exhausted"
# A grant is being changed: it is written, and its record is not yet.
RECORD_GRANT = "partnercenter.actions.partners.operator_name"


def setting(
    customers: Customer | Iterable[Customer], operator: User, amount: str, *args: Any, **more: Any
) -> Callable[[], BatchResult]:
    """Set a budget of this amount, as `factories.budget` does."""
    return partial(factories.budget, customers, operator, amount, *args, **more)


def confirming(operation: Operation, *, only_unchanged: bool = False) -> Callable[[], BatchResult]:
    """Confirm a batch of budgets or an undo with OK."""
    return partial(factories.confirmed, operation, only_unchanged=only_unchanged)


def reporting(
    accounts: Iterable[Customer | str], total: str, *, at: datetime | None = None
) -> Callable[[], ReportResult]:
    """Import a report that states this total for September for each customer or account."""
    return partial(factories.report, *[(account, "2026-09", total) for account in accounts], at=at)


def granting(partner: Partner, quota: str | None, operator: User | None) -> Callable[[], int]:
    """Grant this quota of each type, or revoke the grant (None); then return how many budgets of 100 there are."""
    amount = None if quota is None else Decimal(quota)

    def grant_and_count() -> int:
        give_grant(partner, monthly_quota=amount, one_time_quota=amount, operator=operator)
        return Budget.objects.filter(amount=100).count()

    return grant_and_count


def reviewed_undo(batch: Operation, operator: User) -> Operation:
    """An undo of this batch that is reviewed and waits for its OK."""
    return review_undo(batch.pk, operator=operator, unfreeze=False)


def amounts(customers: list[Customer]) -> list[int | None]:
    """The amount of each customer's budget, None without a budget."""
    stored: dict[Any, Decimal] = dict(Budget.objects.values_list("customer", "amount"))
    return [int(stored[customer.pk]) if customer.pk in stored else None for customer in customers]
