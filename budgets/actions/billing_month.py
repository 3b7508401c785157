"""The current billing month, and restoring monthly budgets when a new one begins.

See rules 3.2, 3.14 (docs/rules.md).
"""

from dataclasses import dataclass, field

from django.db.models import Exists, OuterRef, Q, QuerySet, Value
from django.utils import timezone
from django.utils.translation import gettext as _

from budgets.actions.account_state import unfreeze_accounts
from budgets.actions.usage import budget_figures, freeze_exhausted, update_run_out, update_used
from budgets.models import (
    RECORDED_TERMS,
    AdjustmentRecord,
    BillingMonth,
    Budget,
    ReportImport,
    expenditure_between,
)
from budgets.months import month_name, month_of, next_month
from customers.models import Customer, FreezeKind, FreezeOrigin, FreezeRecord
from partnercenter.actions.authorship import Author
from partnercenter.lib.errors import InvalidRequest, ReportUnderWay
from partnercenter.lib.prepared import PreparedQuery
from partnercenter.lib.sql import insert_from, text_value, update_from
from partnercenter.lib.transactions import MONTH_LOCK, REPORT_LOCK, advisory_lock, database_now, write_transaction
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


# The freezes of a month that a restore has lifted; see rule 3.11 (docs/rules.md).
LIFTED_BY_RESTORE = FreezeRecord.objects.filter(
    operation=FreezeRecord.Operation.UNFREEZE, channel=Channel.SYSTEM, operator=None
)
# All budgets counted anew up to an earlier month, in which those that began later now begin.
COUNT_BACK = """
SELECT b.customer_id, CASE WHEN b.counted_from > %s THEN %s ELSE b.counted_from END AS counted_from,
    CAST(COALESCE(SUM(e.total), 0) AS bigint) AS used
FROM budgets_budget b LEFT JOIN budgets_expenditure e ON e.customer_id = b.customer_id AND e.month <= %s
    AND e.month >= CASE WHEN b.counted_from > %s THEN %s ELSE b.counted_from END
GROUP BY b.customer_id, b.counted_from
"""


@dataclass(frozen=True, kw_only=True)
class MonthRestore:
    """The current month (YYYYMM) after a restore, and how many budgets and accounts the restore changed.

    `waiting` is the month that has begun by the clock, if the step to it is left to the platform. `lifted` has the IDs
    of customers whose freeze had been lifted in months that are taken back.
    """

    month: int
    restored: int = 0
    frozen: int = 0
    unfrozen: int = 0
    waiting: int | None = None
    lifted: list[str] = field(default_factory=list)


def current_month() -> int:
    """Return the current billing month (YYYYMM). If a new one has begun, restore the budgets first.

    One SELECT by primary key, unless the month is restored. A restore takes the month lock, so call this before taking
    any lock except the operator's, and pass the month on to functions that are called with locks held.
    """
    found = CURRENT_MONTH_QUERY.fetch(1)
    if not found or (found[0] < month_of(timezone.now()) and may_begin_by_itself(found[0])):
        return restore_budgets().month
    return found[0]


def may_begin_by_itself(month: int) -> bool:
    """Whether the month after this one has begun, and no later one, by the clocks of the console and of the database.

    A clock that is wrong would otherwise restore every budget too early, for good; see rule 3.14 (docs/rules.md).
    """
    return month_of(timezone.now()) == next_month(month) == month_of(database_now())


def lock_month() -> int:
    """Return the current month and lock it until the transaction ends. Every action takes this lock first."""
    current_month()
    advisory_lock(MONTH_LOCK, shared=True)
    return BillingMonth.objects.get(pk=1).month


@write_transaction()
def restore_budgets(to: int | None = None) -> MonthRestore:
    """Restore the monthly budgets if a new billing month has begun; otherwise change nothing.

    Lifts the freezes that were to be lifted with the restore (rule 3.11 (docs/rules.md)), then freezes the accounts
    whose budgets are already used up in the new month. The first request or command of a new month calls this; see
    rule 3.14 (docs/rules.md). All actions that write budgets or freezes share the month lock, and this one holds it
    exclusively, so it misses no budget and need not lock customers.

    By itself the month moves one step, and only if both clocks agree. With `to`, a month up to that of the clock, it
    moves there whatever the clock of the database says. Raises InvalidRequest if `to` is not after the current month or
    has not begun.
    """
    advisory_lock(MONTH_LOCK)
    now = timezone.now()
    begun = month_of(now)
    marker, _created = BillingMonth.objects.get_or_create(pk=1, defaults={"month": begun})
    if to is None:
        if marker.month >= begun:
            return MonthRestore(month=marker.month)
        if not may_begin_by_itself(marker.month):
            return MonthRestore(month=marker.month, waiting=begun)
    elif to > begun:
        raise InvalidRequest(_("The month %(month)s has not begun.") % {"month": month_name(to)})
    elif to <= marker.month:
        raise InvalidRequest(_("The month is %(month)s already.") % {"month": month_name(marker.month)})
    return _restore(marker.month, to or begun, Author(operator=None, channel=Channel.SYSTEM, at=now))


def _restore(before: int, month: int, author: Author) -> MonthRestore:
    """Move from one month to a later one. The caller holds the month lock."""
    monthly: list[int | str] = [month, month, BudgetType.MONTHLY, month]
    restored = update_used(RESTORE_MONTHLY, monthly, month=month, at=author.at).budgets
    to_unfreeze = Customer.objects.filter(UNFROZEN_BY_RESTORE)
    unfrozen = unfreeze_accounts(to_unfreeze, author=author, figures=budget_figures())
    update_used(ADD_NEW_MONTHS, [BudgetType.ONE_TIME, before, month], month=month, at=author.at)
    update_run_out(month, f"budget_type = '{BudgetType.ONE_TIME}'")
    BillingMonth.objects.filter(pk=1).update(month=month)
    frozen = freeze_exhausted(Customer.objects.all(), author=author)
    return MonthRestore(month=month, restored=restored, frozen=frozen, unfrozen=unfrozen)


@write_transaction()
def go_back_to_month(month: int) -> MonthRestore:
    """Go back to an earlier month (YYYYMM), after a wrong clock has led to a later one; see rule 3.14 (docs/rules.md).

    Budgets that were counted from a later month are counted from this one, each with an adjustment record; the used
    amount of every budget is counted anew, and accounts whose budget is used up by that are frozen. Freezes that were
    lifted in the months taken back are listed, and stay lifted. Raises InvalidRequest if it is not an earlier month,
    and ReportUnderWay while a report is being imported.
    """
    advisory_lock(MONTH_LOCK)
    advisory_lock(REPORT_LOCK)
    marker = BillingMonth.objects.get(pk=1)
    if month >= marker.month:
        raise InvalidRequest(_("%(month)s is not an earlier month.") % {"month": month_name(month)})
    if ReportImport.objects.filter(state=ReportImport.State.APPLYING).exists():
        raise ReportUnderWay(_("A report is being imported. Try again when it is imported."))
    author = Author(operator=None, channel=Channel.SYSTEM, at=timezone.now())
    counted_later = Budget.objects.filter(counted_from__gt=month)
    _record_month(counted_later, month, author)
    BillingMonth.objects.filter(pk=1).update(month=month)
    update_used(COUNT_BACK, [month] * 5, month=month, at=author.at)
    records = AdjustmentRecord.objects.filter(batch=author.batch)
    restored = update_from(Budget, records, key="customer_id", record="pk")
    frozen = freeze_exhausted(Customer.objects.all(), author=author)
    unfrozen = LIFTED_BY_RESTORE.filter(counted_from__gt=month, customer__freeze_kind=FreezeKind.NONE)
    lifted = unfrozen.order_by().values_list("customer__customer_id", flat=True).distinct()
    return MonthRestore(month=month, restored=restored, frozen=frozen, lifted=sorted(lifted))


def _record_month(budgets: QuerySet[Budget], month: int, author: Author) -> None:
    """Record that these budgets are counted from an earlier month."""
    terms = {f"{name}_{side}": name for name in RECORDED_TERMS for side in ("before", "after")}
    insert_from(
        AdjustmentRecord,
        budgets,
        **terms | {"counted_from_after": Value(month)},
        customer="customer_id",
        at=author.at,
        operator_name=text_value(author.name),
        partner_company=text_value(""),
        partner_account_name=text_value(""),
        operation=AdjustmentRecord.Operation.SETTING,
        used=expenditure_between(month, month),
        unfreeze=False,
        channel=author.channel,
        batch=author.batch,
        note=text_value(_("The billing month was set back to %(month)s.") % {"month": month_name(month)}),
    )
