"""The current billing month, and restoring monthly budgets when a new one begins.

The month marker (`BillingMonth`) moves in a short transaction. The budgets follow in steps: each one carries
`counted_to`, the month up to which its `used` is counted, and is *behind* as long as that is not the marker's month.
Whoever reads or changes the budget of a customer that is behind restores that customer first. See rules 3.2, 3.14
(docs/rules.md).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from operator import add
from typing import NamedTuple

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from budgets.actions.account_state import unfreeze_accounts
from budgets.actions.usage import budget_figures, freeze_exhausted, update_used
from budgets.models import (
    CURRENT_MONTH,
    RECORDED_TERMS,
    AdjustmentRecord,
    BillingMonth,
    Budget,
    ReportImport,
    expenditure_between,
)
from budgets.months import month_name, month_of, next_month
from customers.models import Customer, CustomerQuerySet, FreezeKind, FreezeOrigin, FreezeRecord
from partnercenter.actions.authorship import Author
from partnercenter.actions.jobs import uses_worker
from partnercenter.lib.errors import Conflict, InvalidRequest
from partnercenter.lib.prepared import PreparedQuery
from partnercenter.lib.sql import array_param, insert_from, text_value, update_from
from partnercenter.lib.transactions import (
    MONTH_LOCK,
    REPORT_LOCK,
    advisory_lock,
    database_now,
    lock_keys,
    try_advisory_lock,
    write_transaction,
)
from partnercenter.models import BudgetType, Channel

# How many customers are restored in one transaction.
RESTORE_STEP = 2_000
# The dotted path of the task that runs the steps: tasks may import actions, but not the other way round.
RESTORE_TASK = "budgets.tasks.restore_month"

COUNTED_TO = Budget.objects.filter(counted_to__gt=0)
# Two look-ups in an index beside the marker. 0 is left out: the former version of the console stores it with every
# first budget, which does not mean that a month is being restored.
MONTH_STATE_QUERY = PreparedQuery(
    BillingMonth.objects.values_list(
        "month",
        Subquery(COUNTED_TO.order_by("counted_to").values("counted_to")[:1]),
        Subquery(COUNTED_TO.order_by("-counted_to").values("counted_to")[:1]),
    ),
    "pk",
    1,
)

# Everything is summed anew, so a restore can be repeated. A monthly budget counts only the current month. A one-time
# budget goes on counting, unless its first month lies ahead because the month was set back.
RECOUNT = """
SELECT b.customer_id, b.counts_from AS counted_from, CAST(COALESCE(SUM(e.total), 0) AS bigint) AS used
FROM (
    SELECT customer_id,
        CASE WHEN budget_type = '{monthly}' OR counted_from > {month} THEN {month} ELSE counted_from END AS counts_from
    FROM budgets_budget WHERE customer_id IN ({keys})
) AS b
LEFT JOIN budgets_expenditure e
    ON e.customer_id = b.customer_id AND e.month >= b.counts_from AND e.month <= {month}
GROUP BY b.customer_id, b.counts_from
"""
KEYS = {"postgresql": "SELECT unnest(%s::bigint[])", "sqlite": "SELECT value FROM json_each(%s)"}
# Automatic freezing leaves no reason, so an escalation with a reason was made by a person.
ESCALATED_BY_A_PERSON = FreezeRecord.objects.filter(
    ~Q(reason=""),
    customer=OuterRef("pk"),
    at__gte=OuterRef("frozen_since"),
    kind_before=FreezeKind.ACCOUNT,
    kind_after=FreezeKind.ACCOUNT_AND_RESOURCE,
)
# Accounts that the restore of their budget unfreezes; see rule 3.11 (docs/rules.md).
UNFROZEN_BY_RESTORE = Q(
    ~Exists(ESCALATED_BY_A_PERSON),
    budget__unfreeze_on_restore=True,
    freeze_origin=FreezeOrigin.BUDGET_EXHAUSTED,
)


class MonthState(NamedTuple):
    """The current month (YYYYMM), and the earliest and latest month to which a budget is counted (None: no budget)."""

    month: int
    earliest: int | None = None
    latest: int | None = None

    @property
    def is_being_restored(self) -> bool:
        """Whether some budgets still have to follow the month."""
        return {self.earliest, self.latest} - {self.month, None} != set()


@dataclass(frozen=True, kw_only=True)
class MonthRestore:
    """The current month (YYYYMM) after a restore, and how many budgets and accounts the restore changed."""

    month: int
    restored: int
    frozen: int
    unfrozen: int


class RestoredCustomers(NamedTuple):
    """How many of some customers' budgets began a new month, and how many of their accounts were frozen or unfrozen."""

    restored: int = 0
    frozen: int = 0
    unfrozen: int = 0


def is_behind(month: int | Subquery) -> Q:
    """The condition that a budget is not counted to this month: to an earlier one, or to a later one after going back.

    With the month as a number, the index finds such budgets at once.
    """
    return Q(counted_to__lt=month) | Q(counted_to__gt=month)


# --- The month marker -------------------------------------------------------------------------------------------------


def current_month() -> int:
    """Return the current billing month (YYYYMM). If a new one has begun, move the month marker first.

    The budgets then follow: by a task if there is a worker, otherwise at once. Moving the marker takes the month lock,
    so call this before taking any lock except the operator's, and pass the month on to functions that are called with
    locks held.
    """
    return current_month_state().month


def current_month_state() -> MonthState:
    """Do what `current_month` does, and say whether budgets are still being restored. One SELECT in most cases."""
    state = month_state()
    if state is not None and not _begins_by_itself(state.month):
        return state
    if _begin_month():
        if uses_worker():
            import_string(RESTORE_TASK).enqueue()
        else:
            restore_behind()
    return month_state() or MonthState(BillingMonth.objects.get(pk=1).month)


def month_state() -> MonthState | None:
    """The current month and how far budgets have followed it, without moving it; None in a new installation."""
    found = MONTH_STATE_QUERY.fetch(1)
    return MonthState(*found[0]) if found else None


def lock_month() -> int:
    """Return the current month and lock it until the transaction ends. Every action takes this lock first."""
    current_month()
    advisory_lock(MONTH_LOCK, shared=True)
    return BillingMonth.objects.get(pk=1).month


def month_in_waiting(month: int) -> int | None:
    """The month of the console's clock if the marker should be there but does not move by itself; otherwise None."""
    by_clock = month_of(timezone.now())
    return by_clock if by_clock > month and not _begins_by_itself(month) else None


def _begins_by_itself(month: int) -> bool:
    """Whether the month after this one has begun, and no other, by the clocks of both the console and the database."""
    following = next_month(month)
    return month_of(timezone.now()) == following and month_of(database_now()) == following


@write_transaction()
def _begin_month() -> bool:
    """Move the month marker to the next month if that has begun, and return whether it has moved.

    A new installation begins in the month of that clock which is behind, because a marker only ever moves forward by
    itself.
    """
    advisory_lock(MONTH_LOCK)
    marker = BillingMonth.objects.filter(pk=1).first()
    if marker is None:
        BillingMonth.objects.create(pk=1, month=month_of(min(timezone.now(), database_now())))
        return False
    if not _begins_by_itself(marker.month):
        return False
    BillingMonth.objects.filter(pk=1).update(month=next_month(marker.month))
    return True


# --- Restoring budgets ------------------------------------------------------------------------------------------------


def restore_budgets() -> MonthRestore:
    """Begin the new month if it begins by itself, then restore all budgets that are behind, whoever left them so."""
    if month_state() is None:
        current_month()
    _begin_month()
    return restore_behind()


def restore_budgets_to(month: int, *, confirmed: bool = False) -> MonthRestore:
    """Move the month marker to this month (YYYYMM), as the platform has decided, and restore all budgets.

    Forward as far as the clock's month, over any number of months; see rule 3.11 (docs/rules.md) for those skipped.
    Back only if `confirmed`, and while no report is being imported; see rule 3.14 (docs/rules.md). Raises
    InvalidRequest and Conflict.
    """
    current_month()
    _move_month(month, confirmed=confirmed)
    return restore_behind()


@write_transaction()
def _move_month(month: int, *, confirmed: bool) -> None:
    # Before the month, because a report holds that too: it is refused, not waited for. Only going back needs the lock.
    goes_back = month < BillingMonth.objects.get(pk=1).month and confirmed
    if goes_back and (not try_advisory_lock(REPORT_LOCK) or _is_report_under_way()):
        raise Conflict(_("A report is being imported. Nothing was changed. Try again when it is done."))
    advisory_lock(MONTH_LOCK)
    marker, by_clock = BillingMonth.objects.get(pk=1).month, month_of(timezone.now())
    names = {"marker": month_name(marker), "month": month_name(month), "clock": month_name(by_clock)}
    if month > max(marker, by_clock):
        raise InvalidRequest(_("%(month)s has not begun: the clock shows %(clock)s. Nothing was changed.") % names)
    if month < marker and not confirmed:
        raise InvalidRequest(
            _(
                "%(month)s lies before the current month %(marker)s. Going back recounts every budget and leaves a "
                "record for each monthly one; freezes that were lifted are not put back. Add --confirm to do it. "
                "Nothing was changed."
            )
            % names
        )
    BillingMonth.objects.filter(pk=1).update(month=month)


def _is_report_under_way() -> bool:
    """Whether a report has begun to be applied, also between two of its steps, or if it was interrupted."""
    return ReportImport.objects.filter(state=ReportImport.State.APPLYING).exists()


def restore_behind() -> MonthRestore:
    """Restore all customers that are behind, in steps of a few thousand in key order, each step one transaction.

    It can be interrupted at any moment and run again, also several times at once: no customer is restored twice.
    """
    after, sums = _restore_step(0)
    while after:
        after, step = _restore_step(after)
        sums = RestoredCustomers(*map(add, sums, step))
    return MonthRestore(month=BillingMonth.objects.get(pk=1).month, **sums._asdict())


@write_transaction()
def _restore_step(after: int) -> tuple[int, RestoredCustomers]:
    """Restore the next customers whose keys are above `after`; return the last key (0: there are no more)."""
    advisory_lock(MONTH_LOCK, shared=True)
    month = BillingMonth.objects.get(pk=1).month
    behind = Budget.objects.filter(is_behind(month), pk__gt=after).order_by("pk")
    keys = list(behind.values_list("pk", flat=True)[:RESTORE_STEP])
    return (keys[-1] if keys else 0), restore_customers(lock_keys(Customer.objects.filter(pk__in_array=keys)))


def restore_customer(customer: Customer, month: int) -> None:
    """Restore one customer before its budget is shown, if it is behind `month`, and read it again.

    Costs nothing if the customer is not behind and its budget is loaded.
    """
    budget = getattr(customer, "budget", None)
    if budget is not None and budget.counted_to != month:
        restore_if_behind(Customer.objects.filter(pk=customer.pk), month)
        customer.refresh_from_db()


def restore_if_behind(customers: CustomerQuerySet, month: int) -> None:
    """Lock and restore those of the customers that are behind `month`, such as all for whom a review is made.

    One SELECT if there is none. The caller must hold no locks that come after those of the customers, and no others
    that come after the month's if it does not hold that.
    """
    behind = Budget.objects.filter(is_behind(month), pk__in=customers.order_by().values("pk"))
    if keys := list(behind.values_list("pk", flat=True)):
        with write_transaction():
            advisory_lock(MONTH_LOCK, shared=True)
            restore_customers(lock_keys(Customer.objects.filter(pk__in_array=keys)))


def restore_customers(keys: Iterable[int]) -> RestoredCustomers:
    """Restore those of the locked customers (by key) that are behind; the caller also holds the month lock.

    Counts `used` anew up to the current month, lifts the freezes that were to be lifted with the restore (rule 3.11
    (docs/rules.md)), then freezes the accounts whose budgets are used up (rule 3.7 (docs/rules.md)). One SELECT if none
    is behind, and done again it changes nothing.
    """
    budgets = Budget.objects.filter(is_behind(CURRENT_MONTH), pk__in_array=keys)
    behind = list(budgets.values_list("pk", "budget_type", "counted_from"))
    if not behind:
        return RestoredCustomers()
    month = BillingMonth.objects.get(pk=1).month
    author = Author(operator=None, channel=Channel.SYSTEM, at=timezone.now())
    found = [key for key, _type, _counted_from in behind]
    _record_setting_back(Budget.objects.filter(pk__in_array=found, counted_from__gt=month), month, author)
    recount = RECOUNT.format(month=month, monthly=BudgetType.MONTHLY, keys=KEYS[connection.vendor])
    update_used(recount, [array_param(found)], month=month, at=author.at)
    restored = [key for key, kind, counted_from in behind if kind == BudgetType.MONTHLY and counted_from < month]
    to_unfreeze = Customer.objects.filter(UNFROZEN_BY_RESTORE, pk__in_array=restored)
    unfrozen = unfreeze_accounts(to_unfreeze, author=author, figures=budget_figures())
    frozen = freeze_exhausted(Customer.objects.filter(pk__in_array=found), author=author)
    return RestoredCustomers(len(restored), frozen, unfrozen)


def _record_setting_back(budgets: QuerySet[Budget], month: int, author: Author) -> None:
    """Record that these budgets, which begin after `month`, will count from it, because the month was set back."""
    terms = {name: name for name in RECORDED_TERMS}
    recorded = insert_from(
        AdjustmentRecord,
        budgets,
        customer="customer_id",
        at=author.at,
        operator_name=text_value(author.name),
        partner_company=text_value(""),
        partner_account_name=text_value(""),
        operation=AdjustmentRecord.Operation.SETTING,
        **{f"{name}_before": path for name, path in terms.items()},
        **{f"{name}_after": path for name, path in (terms | {"counted_from": month}).items()},
        used=expenditure_between(month, month),
        unfreeze=False,
        channel=author.channel,
        batch=author.batch,
        note=text_value(""),
    )
    if recorded:
        update_from(Budget, AdjustmentRecord.objects.filter(batch=author.batch), key="customer_id", record="pk")


def freezes_lifted_after(month: int) -> list[str]:
    """The IDs of the customers that a restore into a month after this one has unfrozen, and that are unfrozen still."""
    lifted = FreezeRecord.objects.filter(
        operation=FreezeRecord.Operation.UNFREEZE,
        channel=Channel.SYSTEM,
        counted_from__gt=month,
        customer__freeze_kind=FreezeKind.NONE,
        customer__disassociated_on=None,
    )
    return list(lifted.order_by("customer__customer_id").values_list("customer__customer_id", flat=True).distinct())
