"""Freezing follows the state: whoever changed used, amount, policy or month calls this at the end.

See rule 3.7 (docs/rules.md).
"""

from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import OuterRef, Q, Subquery

from budgets.actions.account_state import freeze_accounts
from budgets.forecast import IS_DISTINCT, run_out_sql
from budgets.models import CURRENT_MONTH, FREEZE_KIND_BY_POLICY, MARKS, Budget, Expenditure
from customers.models import AccountFlags, AccountFreezing, Customer, CustomerQuerySet, FreezeKind, FreezeOrigin
from partnercenter.actions.authorship import Author
from partnercenter.lib.sql import db_datetime

EXHAUSTED_AUTOMATIC = Q(budget__level=100, budget__account_freezing__in=list(FREEZE_KIND_BY_POLICY))
# Not frozen yet, or in a weaker kind than the policy asks.
CAN_BE_FROZEN_FURTHER = Q(freeze_kind=FreezeKind.NONE) | Q(
    freeze_kind=FreezeKind.ACCOUNT, budget__account_freezing=AccountFreezing.AUTOMATIC_WITH_RESOURCES
)

# One row version per budget: used with all that follows from it. `{new}` selects customer_id, counted_from, used.
# A budget that restores and is used up again at once is used up since then.
UPDATE_USED = """
UPDATE budgets_budget SET
    counted_from = new.counted_from,
    used = new.used,
    usage = new.used * 100 / amount,
    level = CASE {levels} ELSE 0 END,
    exhausted_since = CASE WHEN new.used >= amount THEN
        COALESCE(CASE WHEN budgets_budget.counted_from = new.counted_from THEN exhausted_since END, %s) END,
    state = (state & ~{exhausted}) | CASE WHEN new.used >= amount THEN {exhausted} ELSE 0 END,
    runs_out_on = {runs_out_on}
FROM ({new}) AS new WHERE new.customer_id = budgets_budget.customer_id
"""
# Whose budget is used up by it, or not any more.
CROSSES = """
SELECT b.customer_id, new.used >= b.amount FROM budgets_budget b JOIN ({new}) AS new ON new.customer_id = b.customer_id
WHERE (b.level = 100) <> (new.used >= b.amount) ORDER BY b.customer_id
"""
LEVELS = " ".join(f"WHEN new.used * 100 >= amount * {mark} THEN {mark}" for mark in MARKS)


class UsageUpdate(NamedTuple):
    """How many budgets were given what they have used, and how many of them are used up by it."""

    budgets: int
    exhausted: int


# Where nothing is used but time: only whose day is another one is written.
UPDATE_RUN_OUT = """
UPDATE budgets_budget SET runs_out_on = {runs_out_on}
WHERE {which} AND runs_out_on IS {differs} {runs_out_on}
"""


def _runs_out_on(month: int, used: str) -> str:
    names = {name: f"budgets_budget.{name}" for name in ("amount", "budget_type")}
    return run_out_sql(month, customer="budgets_budget.customer_id", used=used, **names)


def update_run_out(month: int, which: str) -> None:
    """Give budgets the day on which they run out, as time moved on; `which` is SQL, a condition on the budgets."""
    day = _runs_out_on(month, "budgets_budget.used")
    with connection.cursor() as cursor:
        cursor.execute(UPDATE_RUN_OUT.format(runs_out_on=day, which=which, differs=IS_DISTINCT[connection.vendor]))


def update_used(new: str, params: list[Any], *, month: int, at: datetime) -> UsageUpdate:
    """Give budgets their new `used` and all that follows from it, in one statement; `at` some are used up.

    `month` (YYYYMM) is the one that counts now.
    `new` is SQL that selects customer_id, counted_from and used (bigint, cents) of the budgets to change.
    """
    with connection.cursor() as cursor:
        cursor.execute(CROSSES.format(new=new), params)
        crossing = cursor.fetchall()
        day = _runs_out_on(month, "new.used")
        update = UPDATE_USED.format(new=new, levels=LEVELS, exhausted=int(AccountFlags.EXHAUSTED), runs_out_on=day)
        cursor.execute(update, [db_datetime(at), *params])
        moved = cursor.rowcount
    if crossing:
        crossed = Customer.objects.filter(pk__in_array=[key for key, _exhausted in crossing])
        crossed.update(state=Subquery(Budget.objects.filter(pk=OuterRef("pk")).values("state")))
    return UsageUpdate(moved, sum(bool(exhausted) for _key, exhausted in crossing))


def freeze_exhausted(customers: CustomerQuerySet, *, author: Author) -> int:
    """Freeze those of the locked customers whose budget is used up under an automatic policy; give their number.

    Under *Automatic, with resources* an account that is frozen already escalates. The records hold the budget and the
    newest report behind it as they are now; see section 9 (docs/rules.md).
    """
    due = customers.filter(EXHAUSTED_AUTOMATIC).filter(CAN_BE_FROZEN_FURTHER)
    policies = list(due.values_list("pk", "budget__account_freezing"))
    number = 0
    for policy, kind in FREEZE_KIND_BY_POLICY.items():
        if keys := [key for key, its in policies if its == policy]:
            chosen = Customer.objects.filter(pk__in_array=keys)
            number += freeze_accounts(chosen, kind, FreezeOrigin.BUDGET_EXHAUSTED, author=author, **budget_figures())
    return number


def budget_figures() -> dict[str, Any]:
    """The fields of a freeze record that tell of the budget and the report behind it, over a customer's row."""
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
