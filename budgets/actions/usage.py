"""Updating the used amount of budgets and what is derived from it; freezing accounts that used theirs up.

Freezing follows the state, not the moment at which a limit is crossed: every action that changes used, amount, policy
or month calls `freeze_exhausted` at its end; see rule 3.7 (docs/rules.md).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import OuterRef, Q, Subquery

from budgets.actions.account_state import Figures, freeze_accounts
from budgets.forecast import IS_DISTINCT, run_out_sql
from budgets.models import CURRENT_MONTH, FREEZE_KIND_BY_POLICY, MARKS, Budget, Expenditure, used_rank_sql
from customers.models import AccountFlags, AccountFreezing, Customer, CustomerQuerySet, FreezeKind, FreezeOrigin
from partnercenter.actions.authorship import Author
from partnercenter.lib.sql import db_datetime

EXHAUSTED_AUTOMATIC = Q(budget__level=100, budget__account_freezing__in=list(FREEZE_KIND_BY_POLICY))
# Not frozen yet, or frozen in a weaker kind than the policy demands.
CAN_BE_FROZEN_FURTHER = Q(freeze_kind=FreezeKind.NONE) | Q(
    freeze_kind=FreezeKind.ACCOUNT, budget__account_freezing=AccountFreezing.AUTOMATIC_WITH_RESOURCES
)

# Everything that depends on `used`, in one statement: one new row version per budget. `{new}` selects customer_id,
# counted_from and used. A budget that restores and is immediately used up again counts as exhausted since the restore.
UPDATE_USED = """
UPDATE budgets_budget SET
    counted_from = new.counted_from,
    counted_to = {month},
    used = new.used,
    used_rank = {used_rank},
    usage = new.used * 100 / amount,
    level = CASE {levels} ELSE 0 END,
    exhausted_since = CASE WHEN new.used >= amount THEN
        COALESCE(CASE WHEN budgets_budget.counted_from = new.counted_from THEN exhausted_since END, %s) END,
    state = (state & ~{exhausted}) | CASE WHEN new.used >= amount THEN {exhausted} ELSE 0 END,
    runs_out_on = {runs_out_on}
FROM ({new}) AS new WHERE new.customer_id = budgets_budget.customer_id
"""
LEVELS = " ".join(f"WHEN new.used * 100 >= amount * {mark} THEN {mark}" for mark in MARKS)
# The budgets that become used up, or are no longer used up.
CROSSINGS = """
SELECT b.customer_id, new.used >= b.amount FROM budgets_budget b JOIN ({new}) AS new ON new.customer_id = b.customer_id
WHERE (b.level = 100) <> (new.used >= b.amount) ORDER BY b.customer_id
"""
# Only rows whose day changes are written.
UPDATE_RUN_OUT = """
UPDATE budgets_budget SET runs_out_on = {runs_out_on}
WHERE {condition} AND runs_out_on IS {distinct_from} {runs_out_on}
"""


class UsageUpdate(NamedTuple):
    """How many budgets got a new `used` amount, and how many of them became used up."""

    budgets: int
    exhausted: int


def update_used(new: str, params: Sequence[Any], *, month: int, at: datetime) -> UsageUpdate:
    """Write the new `used` amount of budgets, everything derived from it, and the flags of their customers.

    `new` is SQL with these `params` that selects customer_id, counted_from and used (bigint, cents) of the budgets to
    change. `month` is the current billing month (YYYYMM), up to which `used` is counted; a budget that becomes used up
    is exhausted since `at`.
    """
    with connection.cursor() as cursor:
        cursor.execute(CROSSINGS.format(new=new), params)
        crossings = cursor.fetchall()
        update = UPDATE_USED.format(
            new=new,
            used_rank=used_rank_sql("new.used"),
            month=month,
            levels=LEVELS,
            exhausted=int(AccountFlags.EXHAUSTED),
            runs_out_on=_budget_run_out_sql(month, used="new.used"),
        )
        cursor.execute(update, [db_datetime(at), *params])
        updated = cursor.rowcount
    if crossings:
        crossed = Customer.objects.filter(pk__in_array=[key for key, _exhausted in crossings])
        crossed.update(state=Subquery(Budget.objects.filter(pk=OuterRef("pk")).values("state")))
    return UsageUpdate(budgets=updated, exhausted=sum(bool(exhausted) for _key, exhausted in crossings))


def update_run_out(month: int, condition: str) -> None:
    """Recompute when budgets run out after only time has passed; `condition` is an SQL condition on the budgets."""
    day = _budget_run_out_sql(month, used="budgets_budget.used")
    update = UPDATE_RUN_OUT.format(runs_out_on=day, condition=condition, distinct_from=IS_DISTINCT[connection.vendor])
    with connection.cursor() as cursor:
        cursor.execute(update)


def _budget_run_out_sql(month: int, *, used: str) -> str:
    return run_out_sql(
        month,
        customer="budgets_budget.customer_id",
        budget_type="budgets_budget.budget_type",
        amount="budgets_budget.amount",
        used=used,
    )


def freeze_exhausted(customers: CustomerQuerySet, *, author: Author) -> int:
    """Freeze the locked customers whose budget is used up under an automatic policy; return how many.

    Under *Automatic, with resources* an account that is already frozen escalates. The freeze records hold the figures
    of the budget and of the newest report at this moment; see section 9 (docs/rules.md).
    """
    due = customers.filter(EXHAUSTED_AUTOMATIC).filter(CAN_BE_FROZEN_FURTHER)
    policies = list(due.values_list("pk", "budget__account_freezing"))
    frozen = 0
    for policy, kind in FREEZE_KIND_BY_POLICY.items():
        if keys := [key for key, its_policy in policies if its_policy == policy]:
            frozen += freeze_accounts(
                Customer.objects.filter(pk__in_array=keys),
                kind,
                FreezeOrigin.BUDGET_EXHAUSTED,
                author=author,
                figures=budget_figures(),
            )
    return frozen


def budget_figures() -> Figures:
    """The fields of a freeze record about the customer's budget and the newest report that it counts."""
    newest = Expenditure.objects.filter(
        customer=OuterRef("pk"), month__gte=OuterRef("budget__counted_from"), month__lte=CURRENT_MONTH
    ).order_by("-reported_at", "-month")
    return {
        **{name: f"budget__{name}" for name in ("budget_type", "amount", "used", "account_freezing", "counted_from")},
        "report": Subquery(newest.values("report")[:1]),
        "reported_at": Subquery(newest.values("reported_at")[:1]),
        "covers_until": Subquery(newest.values("report__covers_until")[:1]),
        "imported_at": Subquery(newest.values("report__imported_at")[:1]),
    }
