"""Decisions about budgets used up under *Manual*: finding, snoozing and waking them.

The other possible decisions, freezing the account and setting another budget, are actions of their own.
"""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from budgets.actions.billing_month import lock_month
from budgets.actions.locks import lock_customers
from budgets.models import Budget
from customers.models import AccountFlags, Customer, CustomerQuerySet, Snooze
from partnercenter.lib.errors import InvalidRequest, PermissionRefused
from partnercenter.lib.sql import insert_from, text_value
from partnercenter.lib.transactions import write_transaction
from partnercenter.models import LONGEST_REASON, Partner, User
from partnercenter.permissions import why_not_budgets

# Under an automatic policy no budget is in this state (rule 3.7 (docs/rules.md)). An additional condition on the policy
# would make PostgreSQL expect far fewer rows than there are.
EXHAUSTED_NOT_FROZEN = (AccountFlags.EXHAUSTED | AccountFlags.MONTHLY, AccountFlags.EXHAUSTED | AccountFlags.ONE_TIME)
LONGEST_SNOOZE = timedelta(days=365)


def undecided_budgets() -> QuerySet[Budget]:
    """The budgets that need a decision: used up under *Manual*, with the account not frozen.

    See rules 3.6, 3.7 (docs/rules.md).
    """
    return Budget.objects.filter(state__in=EXHAUSTED_NOT_FROZEN, exhausted_since__isnull=False)


def is_snoozed(at: datetime) -> Exists:
    """Whether the decision about a budget is snoozed at this time, as an expression over budgets.

    It is if the customer's newest snooze has not ended and is about the current exhaustion. So a snooze ends by itself,
    at its time or when the budget is no longer used up, whichever comes first.
    """
    newer = Snooze.objects.filter(customer=OuterRef("customer"), pk__gt=OuterRef("pk"))
    running = Snooze.objects.filter(
        ~Exists(newer), customer=OuterRef("pk"), exhausted_since=OuterRef("exhausted_since"), until__gt=at
    )
    return Exists(running)


@write_transaction()
def snooze_decisions(customers: CustomerQuerySet, *, until: date, reason: str, operator: User) -> int:
    """Snooze decisions about customers until a day begins in the operator's time zone; return how many.

    Customers who no longer need a decision are skipped. Raises InvalidRequest if the day is not between tomorrow and a
    year from now or the reason does not have 1 to 256 characters, and PermissionRefused.
    """
    zone = operator.partner.zone if operator.partner else timezone.get_current_timezone()
    today = timezone.localdate(timezone=zone)
    if not today < until <= today + LONGEST_SNOOZE:
        raise InvalidRequest(_("Choose a day from tomorrow to a year from now."), "until")
    if not 0 < len(reason) <= LONGEST_REASON:
        raise InvalidRequest(_("Enter a reason of 1 to 256 characters."), "reason")
    ends_at = datetime.combine(until, time.min, zone)
    return _record(undecided_budgets().filter(customer__in=_lock(customers, operator)), ends_at, reason, operator)


@write_transaction()
def wake_decisions(customers: CustomerQuerySet, *, operator: User) -> int:
    """End the running snoozes of these customers now, each by adding a record; return how many.

    Raises PermissionRefused.
    """
    budgets = undecided_budgets().filter(customer__in=_lock(customers, operator))
    now = timezone.now()
    return _record(budgets.filter(is_snoozed(now)), now, "", operator)


def _lock(customers: CustomerQuerySet, operator: User) -> CustomerQuerySet:
    """Lock the month, the grants and the customers that are the operator's own; return these customers."""
    lock_month()
    locked = Customer.objects.filter(pk__in_array=lock_customers(customers, operator))
    ensure_may_act(locked.values_list("partner", flat=True), operator)
    return locked


def ensure_may_act(partners: Iterable[int], operator: User) -> None:
    """Raise PermissionRefused if the operator may not act on the customers of one of these partners now."""
    for partner in Partner.objects.filter(pk__in=partners).select_related("grant", "distributor"):
        if why_not := why_not_budgets(operator, partner, getattr(partner, "grant", None)):
            raise PermissionRefused(why_not)


def _record(budgets: QuerySet[Budget], until: datetime, reason: str, operator: User) -> int:
    return insert_from(
        Snooze,
        budgets,
        customer="pk",
        at=timezone.now(),
        operator=operator.pk,
        operator_name=text_value(operator.username),
        until=until,
        reason=text_value(reason),
        exhausted_since="exhausted_since",
    )
