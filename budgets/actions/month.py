"""The billing month: which one is current, and its restore (domain 3.2, 3.14)."""

from dataclasses import dataclass

from django.utils import timezone

from budgets.actions.exhaustion import freeze_exhausted, move_used
from budgets.models import BillingMonth
from budgets.months import month_of
from customers.actions import Author
from customers.models import Customer
from partnercenter.database import MONTH, hold, writing
from partnercenter.models import BudgetType, Channel

# A monthly budget starts anew: what counts is the new month's expenditure so far, of which a customer has one total,
# as an account has one and an account is one customer's.
RESTORE_MONTHLY = """
SELECT b.customer_id, CAST(%s AS integer) AS counted_from, COALESCE(e.total, 0) AS used
FROM budgets_budget b LEFT JOIN budgets_expenditure e ON e.customer_id = b.customer_id AND e.month = %s
WHERE b.budget_type = %s AND b.counted_from < %s
"""
# A one-time budget never does; expenditure stated for months to come begins to count (domain 3.2).
COUNT_MONTHS_COME = """
SELECT b.customer_id, b.counted_from, CAST(b.used + SUM(e.total) AS bigint) AS used
FROM budgets_budget b JOIN budgets_expenditure e ON e.customer_id = b.customer_id
WHERE b.budget_type = %s AND e.month > %s AND e.month <= %s AND e.month >= b.counted_from
GROUP BY b.customer_id, b.counted_from, b.used
"""


@dataclass(frozen=True)
class Restored:
    """What a restore did: the month (YYYYMM) that is current now, budgets restored, accounts frozen."""

    month: int
    restored: int
    frozen: int


def current_month() -> int:
    """The billing month (YYYYMM) that budgets are counted for; the first to ask in a new month restores it.

    One primary-key SELECT, unless the month has moved.
    """
    month = BillingMonth.objects.filter(pk=1).values_list("month", flat=True).first()
    if month is None or month < month_of(timezone.now()):
        return restore_budgets().month
    return month


def hold_month() -> int:
    """Keep the month from moving until the transaction ends, and give it. First thing in a writing transaction."""
    current_month()
    hold(MONTH, shared=True)
    return BillingMonth.objects.get(pk=1).month


@writing()
def restore_budgets() -> Restored:
    """Restore monthly budgets where a new billing month has begun, once, whoever comes first (domain 3.14).

    Lifts no freeze (domain 3.11); freezes what the new month's expenditure has used up already. Whoever writes budgets
    holds the month shared, so this, which holds it alone, misses none.
    """
    hold(MONTH)
    now = timezone.now()
    month = month_of(now)
    marker, _created = BillingMonth.objects.get_or_create(pk=1, defaults={"month": month})
    if marker.month >= month:
        return Restored(marker.month, 0, 0)
    restored = move_used(RESTORE_MONTHLY, [month, month, BudgetType.MONTHLY, month]).budgets
    move_used(COUNT_MONTHS_COME, [BudgetType.ONE_TIME, marker.month, month])
    BillingMonth.objects.filter(pk=1).update(month=month)
    author = Author(operator=None, channel=Channel.SYSTEM, at=now)
    return Restored(month, restored, freeze_exhausted(Customer.objects.all(), author=author))
