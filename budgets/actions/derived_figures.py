"""Recomputing stored figures that web processes of the former version leave out of date during an upgrade."""

from typing import NamedTuple

from budgets.actions.billing_month import lock_month
from budgets.forecast import run_out_expression
from budgets.models import Budget, UsedRank
from customers.models import Customer
from partnercenter.lib.transactions import lock_keys, write_transaction

# The number of budgets per transaction, which locks their customers for a fraction of a second.
BUDGETS_PER_STEP = 2_000


class FilledFigures(NamedTuple):
    """How many budgets were checked, and how many of them had figures to correct."""

    checked: int
    corrected: int


def fill_derived() -> FilledFigures:
    """Recompute the ranks of used amounts and the days on which budgets run out, and store those that differ.

    Each step is a transaction of its own, so this can run while the console works, and again after an interruption.
    Raises LockTimeout after waiting ten seconds for another action; the steps before are kept.
    """
    checked = corrected = last = 0
    while keys := list(
        Budget.objects.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BUDGETS_PER_STEP]
    ):
        corrected += _fill(keys)
        checked += len(keys)
        last = keys[-1]
    return FilledFigures(checked, corrected)


@write_transaction()
def _fill(keys: list[int]) -> int:
    """Correct the budgets with these keys; return how many differed."""
    month = lock_month()
    lock_keys(Customer.objects.filter(pk__in_array=keys))
    columns = {name: f"budgets_budget.{name}" for name in ("budget_type", "amount", "used")}
    day = run_out_expression(month, customer="budgets_budget.customer_id", **columns)
    figures = Budget.objects.filter(pk__in_array=keys).annotate(rank=UsedRank("used"), day=day)
    rows = figures.values_list("pk", "used_rank", "runs_out_on", "rank", "day")
    wrong = [key for key, *stored, rank, day_now in rows if stored != [rank, day_now]]
    return Budget.objects.filter(pk__in_array=wrong).update(used_rank=UsedRank("used"), runs_out_on=day) if wrong else 0
