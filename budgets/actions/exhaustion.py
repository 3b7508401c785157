"""Freezing follows the state: whoever changed used, amount, policy or month calls this at the end (domain 3.7)."""

from typing import Any

from django.db import connection
from django.db.models import OuterRef, Q, Subquery

from budgets.models import FROZEN_BY, MARKS, THIS_MONTH, Expenditure
from customers.actions import Author, freeze_accounts
from customers.models import CustomerQuerySet, FreezeOrigin

EXHAUSTED_AUTOMATIC = Q(budget__level=100, budget__account_freezing__in=list(FROZEN_BY))

# One row version per budget: used with all that follows from it. `{new}` selects customer_id, counted_from, used.
MOVE_USED = """
UPDATE budgets_budget SET
    counted_from = new.counted_from,
    used = new.used,
    usage = new.used * 100 / amount,
    level = CASE {levels} ELSE 0 END
FROM ({new}) AS new WHERE new.customer_id = budgets_budget.customer_id
"""
LEVELS = " ".join(f"WHEN new.used * 100 >= amount * {mark} THEN {mark}" for mark in MARKS)


def move_used(new: str, params: list[Any]) -> int:
    """Give budgets their new `used` and all that follows from it, in one statement; give their number.

    `new` is SQL that selects customer_id, counted_from and used (bigint, cents) of the budgets to change.
    """
    with connection.cursor() as cursor:
        cursor.execute(MOVE_USED.format(new=new, levels=LEVELS), params)
        return cursor.rowcount


def freeze_exhausted(customers: CustomerQuerySet, *, author: Author) -> int:
    """Freeze those of the locked customers whose budget is used up under an automatic policy; give their number.

    Under *Automatic, with resources* an account that is frozen already escalates. The records hold the budget and the
    newest report behind it as they are now (domain 9).
    """
    return sum(
        freeze_accounts(
            customers.filter(budget__level=100, budget__account_freezing=policy),
            kind,
            FreezeOrigin.BUDGET_EXHAUSTED,
            author=author,
            **budget_figures(),
        )
        for policy, kind in FROZEN_BY.items()
    )


def budget_figures() -> dict[str, Any]:
    """The fields of a freeze record that tell of the budget and the report behind it, over a customer's row."""
    newest = Expenditure.objects.filter(
        customer=OuterRef("pk"), month__gte=OuterRef("budget__counted_from"), month__lte=THIS_MONTH
    ).order_by("-reported_at", "-month")
    return {
        **{name: f"budget__{name}" for name in ("budget_type", "amount", "used", "account_freezing", "counted_from")},
        "report": Subquery(newest.values("report")[:1]),
        "reported_at": Subquery(newest.values("reported_at")[:1]),
        "covers_until": Subquery(newest.values("report__covers_until")[:1]),
        "taken_in_at": Subquery(newest.values("report__taken_in_at")[:1]),
    }
