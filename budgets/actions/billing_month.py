"""The current billing month, and restoring monthly budgets when a new one begins.

See rules 3.2, 3.14 (docs/rules.md).
"""

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

# A monthly budget counts only the new month. A customer has one total per month, so nothing is summed.
RESTORE_MONTHLY = """
SELECT b.customer_id, CAST(%s AS integer) AS counted_from, COALESCE(e.total, 0) AS used
FROM budgets_budget b LEFT JOIN budgets_expenditure e ON e.customer_id = b.customer_id AND e.month = %s
WHERE b.budget_type = %s AND b.counted_from < %s
"""
# A one-time budget goes on counting. Expenditure reported before for months that were then in the future counts now;
# see rule 3.2 (docs/rules.md).
ADD_NEW_MONTHS = """
SELECT b.customer_id, b.counted_from, CAST(b.used + SUM(e.total) AS bigint) AS used
FROM budgets_budget b JOIN budgets_expenditure e ON e.customer_id = b.customer_id
WHERE b.budget_type = %s AND e.month > %s AND e.month <= %s AND e.month >= b.counted_from
GROUP BY b.customer_id, b.counted_from, b.used
"""
# Automatic freezing leaves no reason, so an escalation with a reason was made by a person.
ESCALATED_BY_A_PERSON = FreezeRecord.objects.filter(
    ~Q(reason=""),
    customer=OuterRef("pk"),
    at__gte=OuterRef("frozen_since"),
    kind_before=FreezeKind.ACCOUNT,
    kind_after=FreezeKind.ACCOUNT_AND_RESOURCE,
)
# Accounts that a restore unfreezes; see rule 3.11 (docs/rules.md). Every monthly budget is restored, so the type
# suffices as a condition.
UNFROZEN_BY_RESTORE = Q(
    ~Exists(ESCALATED_BY_A_PERSON),
    budget__budget_type=BudgetType.MONTHLY,
    budget__unfreeze_on_restore=True,
    freeze_origin=FreezeOrigin.BUDGET_EXHAUSTED,
)


@dataclass(frozen=True, kw_only=True)
class MonthRestore:
    """The current month (YYYYMM) after a restore, and how many budgets and accounts the restore changed."""

    month: int
    restored: int = 0
    frozen: int = 0
    unfrozen: int = 0


def current_month() -> int:
    """Return the current billing month (YYYYMM). If a new one has begun, restore the budgets first.

    One SELECT by primary key, unless the month is restored. A restore takes the month lock, so call this before taking
    any lock except the operator's, and pass the month on to functions that are called with locks held.
    """
    found = CURRENT_MONTH_QUERY.fetch(1)
    if not found or found[0] < month_of(timezone.now()):
        return restore_budgets().month
    return found[0]


def lock_month() -> int:
    """Return the current month and lock it until the transaction ends. Every action takes this lock first."""
    current_month()
    advisory_lock(MONTH_LOCK, shared=True)
    return BillingMonth.objects.get(pk=1).month


@write_transaction()
def restore_budgets() -> MonthRestore:
    """Restore the monthly budgets if a new billing month has begun; otherwise change nothing.

    Lifts the freezes that were to be lifted with the restore (rule 3.11 (docs/rules.md)), then freezes the accounts
    whose budgets are already used up in the new month. The first request or command of a new month calls this; see
    rule 3.14 (docs/rules.md). All actions that write budgets or freezes share the month lock, and this one holds it
    exclusively, so it misses no budget and need not lock customers.
    """
    advisory_lock(MONTH_LOCK)
    now = timezone.now()
    month = month_of(now)
    marker, _created = BillingMonth.objects.get_or_create(pk=1, defaults={"month": month})
    if marker.month >= month:
        return MonthRestore(month=marker.month)
    author = Author(operator=None, channel=Channel.SYSTEM, at=now)
    restored = update_used(RESTORE_MONTHLY, [month, month, BudgetType.MONTHLY, month], month=month, at=now).budgets
    to_unfreeze = Customer.objects.filter(UNFROZEN_BY_RESTORE)
    unfrozen = unfreeze_accounts(to_unfreeze, author=author, figures=budget_figures())
    update_used(ADD_NEW_MONTHS, [BudgetType.ONE_TIME, marker.month, month], month=month, at=now)
    update_run_out(month, f"budget_type = '{BudgetType.ONE_TIME}'")
    BillingMonth.objects.filter(pk=1).update(month=month)
    frozen = freeze_exhausted(Customer.objects.all(), author=author)
    return MonthRestore(month=month, restored=restored, frozen=frozen, unfrozen=unfrozen)
