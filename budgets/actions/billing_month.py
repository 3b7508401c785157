"""The billing month: which one is current, and its restore; see rules 3.2, 3.14 (docs/rules.md)."""

from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from budgets.actions.account_state import unfreeze_accounts
from budgets.actions.usage import budget_figures, freeze_exhausted, update_run_out, update_used
from budgets.models import BillingMonth
from budgets.months import month_of
from customers.models import Customer, FreezeKind, FreezeOrigin, FreezeRecord
from partnercenter.actions.authorship import Author
from partnercenter.lib.prepared import PreparedQuery
from partnercenter.lib.transactions import MONTH_LOCK, advisory_lock, write_transaction
from partnercenter.models import BudgetType, Channel

CURRENT_MONTH_QUERY = PreparedQuery(BillingMonth.objects.values_list("month", flat=True), "pk", 1)

# A monthly budget starts anew: what counts is the new month's expenditure so far, of which a customer has one total,
# as an account has one and an account is one customer's.
RESTORE_MONTHLY = """
SELECT b.customer_id, CAST(%s AS integer) AS counted_from, COALESCE(e.total, 0) AS used
FROM budgets_budget b LEFT JOIN budgets_expenditure e ON e.customer_id = b.customer_id AND e.month = %s
WHERE b.budget_type = %s AND b.counted_from < %s
"""
# A one-time budget never does; expenditure stated for months to come begins to count; see rule 3.2 (docs/rules.md).
COUNT_MONTHS_COME = """
SELECT b.customer_id, b.counted_from, CAST(b.used + SUM(e.total) AS bigint) AS used
FROM budgets_budget b JOIN budgets_expenditure e ON e.customer_id = b.customer_id
WHERE b.budget_type = %s AND e.month > %s AND e.month <= %s AND e.month >= b.counted_from
GROUP BY b.customer_id, b.counted_from, b.used
"""
# All monthly budgets restore at once, so these are among them. Frozen by their budget, not by a person, nor made
# worse by one: who escalated it had a reason of their own.
ESCALATED_BY_A_PERSON = FreezeRecord.objects.filter(
    ~Q(reason=""),
    customer=OuterRef("pk"),
    at__gte=OuterRef("frozen_since"),
    kind_before=FreezeKind.ACCOUNT,
    kind_after=FreezeKind.ACCOUNT_AND_RESOURCE,
)
LIFTED_AT_RESTORE = Q(
    ~Exists(ESCALATED_BY_A_PERSON),
    budget__budget_type=BudgetType.MONTHLY,
    budget__unfreeze_on_restore=True,
    freeze_origin=FreezeOrigin.BUDGET_EXHAUSTED,
)


@dataclass(frozen=True)
class MonthRestore:
    """What a restore did: the month (YYYYMM) that is current now, budgets restored, accounts frozen and unfrozen."""

    month: int
    restored: int
    frozen: int
    unfrozen: int


def current_month() -> int:
    """The billing month (YYYYMM) that budgets are counted for; the first to ask in a new month restores it.

    One primary-key SELECT, unless the month has moved.
    """
    found = CURRENT_MONTH_QUERY.fetch(1)
    if not found or found[0] < month_of(timezone.now()):
        return restore_budgets().month
    return found[0]


def lock_month() -> int:
    """Keep the month from moving until the transaction ends, and give it. First thing in a writing transaction."""
    current_month()
    advisory_lock(MONTH_LOCK, shared=True)
    return BillingMonth.objects.get(pk=1).month


@write_transaction()
def restore_budgets() -> MonthRestore:
    """Restore monthly budgets where a new billing month has begun, once, whoever comes first.

    See rule 3.14 (docs/rules.md).

    Lifts no freeze but that of a used up budget which was to be lifted at restore (rule 3.11 (docs/rules.md)); then
    freezes what the new month's expenditure has used up already. Whoever writes budgets or freezes holds the month
    shared, so this, which holds it alone, misses none.
    """
    advisory_lock(MONTH_LOCK)
    now = timezone.now()
    month = month_of(now)
    marker, _created = BillingMonth.objects.get_or_create(pk=1, defaults={"month": month})
    if marker.month >= month:
        return MonthRestore(marker.month, 0, 0, 0)
    author = Author(operator=None, channel=Channel.SYSTEM, at=now)
    restored = update_used(RESTORE_MONTHLY, [month, month, BudgetType.MONTHLY, month], month=month, at=now).budgets
    unfrozen = unfreeze_accounts(Customer.objects.filter(LIFTED_AT_RESTORE), author=author, **budget_figures())
    update_used(COUNT_MONTHS_COME, [BudgetType.ONE_TIME, marker.month, month], month=month, at=now)
    update_run_out(month, f"budget_type = '{BudgetType.ONE_TIME}'")
    BillingMonth.objects.filter(pk=1).update(month=month)
    return MonthRestore(month, restored, freeze_exhausted(Customer.objects.all(), author=author), unfrozen)
