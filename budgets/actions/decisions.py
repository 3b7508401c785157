"""Decisions: budgets used up under *Manual*, after which a person freezes, raises, or puts the decision off."""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from budgets.actions.billing_month import lock_month
from budgets.actions.locks import lock_to_review
from budgets.models import Budget
from customers.models import AccountFlags, Customer, CustomerQuerySet, Snooze
from partnercenter.lib.errors import InvalidRequest, PermissionRefused
from partnercenter.lib.sql import insert_from, text_value
from partnercenter.lib.transactions import write_transaction
from partnercenter.models import LONGEST_REASON, Partner, User
from partnercenter.permissions import why_not_budgets

# Used up and not frozen. Under an automatic policy that is never so (rule 3.7 (docs/rules.md)), and to ask for the
# policy, too, would have PostgreSQL expect far fewer rows than there are.
EXHAUSTED_NOT_FROZEN = (AccountFlags.EXHAUSTED | AccountFlags.MONTHLY, AccountFlags.EXHAUSTED | AccountFlags.ONE_TIME)
LONGEST_SNOOZE = timedelta(days=365)


def undecided_budgets() -> QuerySet[Budget]:
    """The budgets about which somebody decides: used up under *Manual*, the account not frozen.

    See rules 3.6, 3.7 (docs/rules.md).
    """
    return Budget.objects.filter(state__in=EXHAUSTED_NOT_FROZEN, exhausted_since__isnull=False)


def is_snoozed(at: datetime) -> Exists:
    """Whether the decision about a budget is put off at this moment, as an expression over its row.

    The customer's newest snooze tells: it is of the present using up and has not ended. So a snooze ends by itself,
    and with the using up that it was about.
    """
    newer = Snooze.objects.filter(customer=OuterRef("customer"), pk__gt=OuterRef("pk"))
    running = Snooze.objects.filter(
        ~Exists(newer), customer=OuterRef("pk"), exhausted_since=OuterRef("exhausted_since"), until__gt=at
    )
    return Exists(running)


@write_transaction()
def snooze_decisions(customers: CustomerQuerySet, *, until: date, reason: str, operator: User) -> int:
    """Put the decisions about these customers off until a day begins in the operator's zone; give their number.

    Who is not to be decided about (any more) is passed over. Raises InvalidRequest for a day that is not between
    tomorrow and a year from now, or a reason that is not of 1 to 256 characters; PermissionRefused where a grant does
    not allow it.
    """
    zone = operator.partner.zone if operator.partner else timezone.get_current_timezone()
    today = timezone.localdate(timezone=zone)
    if not today < until <= today + LONGEST_SNOOZE:
        raise InvalidRequest(_("Choose a day from tomorrow to a year from now."), "until")
    if not 0 < len(reason) <= LONGEST_REASON:
        raise InvalidRequest(_("Enter a reason of 1 to 256 characters."), "reason")
    begins = datetime.combine(until, time.min, zone)
    return _record(undecided_budgets().filter(customer__in=_lock(customers, operator)), begins, reason, operator)


@write_transaction()
def wake_decisions(customers: CustomerQuerySet, *, operator: User) -> int:
    """End the snoozes of these customers now, by another record; give the number of those that were running."""
    mine = undecided_budgets().filter(customer__in=_lock(customers, operator))
    now = timezone.now()
    return _record(mine.filter(is_snoozed(now)), now, "", operator)


def _lock(customers: CustomerQuerySet, operator: User) -> CustomerQuerySet:
    """Those of the customers that are the operator's own, with month, grants and customers locked in this order."""
    lock_month()
    locked = Customer.objects.filter(pk__in_array=lock_to_review(customers, operator))
    ensure_may_act(locked.values_list("partner", flat=True), operator)
    return locked


def ensure_may_act(partners: Iterable[int], operator: User) -> None:
    """Raises PermissionRefused where the operator may not act on the customers of one of these partners.

    As grants are now.
    """
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
