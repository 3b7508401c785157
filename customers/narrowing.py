"""What each filter of the list narrows customers by: functions of customers, the filter's name and its value."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import StrIndex
from django.db.models.lookups import GreaterThan
from django.utils import timezone

from budgets.models import Expenditure
from budgets.months import month_of
from customers.models import CURRENT, STATES, Customer, FreezeOrigin, State
from customers.orders import OWN_BUDGET
from customers.retention import ending_within
from customers.search import fold


def search(customers: QuerySet[Customer], _name: str, text: str) -> QuerySet[Customer]:
    """By what name and account name hold, or begin with if it is one or two characters; by customer ID exactly."""
    # The ID is looked up apart: an index of the list that holds the search text is then all that is read.
    named = Customer.objects.filter(CURRENT, customer_id=text)
    return customers.filter(Q(search__holds=fold(text)) | Q(pk=Subquery(named.values("pk"))))


def of_reseller(customers: QuerySet[Customer], _name: str, account_name: str) -> QuerySet[Customer]:
    """Of the partner that has exactly this account name."""
    return customers.filter(partner__account_name=account_name)


def of_usage(customers: QuerySet[Customer], name: str, percent: int) -> QuerySet[Customer]:
    """By whole percents as the list shows them, both ends included; without a budget there is no usage."""
    bound = {"usage_min": "gte", "usage_max": "lte"}[name]
    return customers.filter(OWN_BUDGET, **{f"budget__usage__{bound}": percent})


def automatically_frozen(customers: QuerySet[Customer], _name: str, yes: str) -> QuerySet[Customer]:
    """Frozen because the budget was used up, or not so: by a person, since association, not at all."""
    frozen = [state for state in STATES if state & State.FROZEN]
    automatic = Q(state__in=frozen, freeze_origin=FreezeOrigin.BUDGET_EXHAUSTED)
    return customers.filter(automatic) if yes == "1" else customers.exclude(automatic)


def spent_at_least(customers: QuerySet[Customer], _name: str, amount: Decimal) -> QuerySet[Customer]:
    """By the expenditure of the current month; nothing stated is nothing spent."""
    if amount > 0:
        return customers.filter(Exists(_this_month(total__gte=amount)))
    return customers.filter(~Exists(_this_month(total__lt=amount)))


def spent_at_most(customers: QuerySet[Customer], _name: str, amount: Decimal) -> QuerySet[Customer]:
    """The same from above."""
    return customers.filter(~Exists(_this_month(total__gt=amount)))


def _this_month(**total: Decimal) -> QuerySet[Expenditure]:
    return Expenditure.objects.filter(customer=OuterRef("pk"), month=month_of(timezone.now()), **total)


def runs_out_from(customers: QuerySet[Customer], _name: str, day: date) -> QuerySet[Customer]:
    """Whose budget will be used up on this day or later, so far as a day is known."""
    return customers.filter(OWN_BUDGET, budget__runs_out_on__gte=day)


def runs_out_to(customers: QuerySet[Customer], _name: str, day: date) -> QuerySet[Customer]:
    """The same until this day."""
    return customers.filter(OWN_BUDGET, budget__runs_out_on__lte=day)


def associated_from(customers: QuerySet[Customer], _name: str, day: date) -> QuerySet[Customer]:
    """Since this day began, in the partner's time zone."""
    return customers.filter(associated_on__gte=beginning(day))


def associated_to(customers: QuerySet[Customer], _name: str, day: date) -> QuerySet[Customer]:
    """Until this day ended, in the partner's time zone."""
    return customers.filter(associated_on__lt=beginning(day + timedelta(days=1)))


def deleted_within(customers: QuerySet[Customer], _name: str, days: str) -> QuerySet[Customer]:
    """Whose retention deadline is so many days away at most; 0: is over."""
    if days == "0":
        return customers.filter(retention_until__lte=timezone.now())
    return ending_within(customers, timedelta(days=int(days)))


def managed_by(customers: QuerySet[Customer], _name: str, manager: str) -> QuerySet[Customer]:
    """Whose account manager has exactly this name."""
    return customers.filter(~Q(account_manager=""), account_manager=manager)


def with_tag(customers: QuerySet[Customer], _name: str, tag: str) -> QuerySet[Customer]:
    """Who has exactly this tag. Said twice: by the index, and with its letter case on SQLite."""
    if ";" in tag:
        return customers.none()
    held = f";{tag};"
    exactly = GreaterThan(StrIndex(F("tags"), Value(held)), 0)
    return customers.filter(exactly, ~Q(tags=""), tags__contains=held)


def kept(customers: QuerySet[Customer], _name: str, _value: str) -> QuerySet[Customer]:
    """Left to the states, the order and the page: counting needs neither order nor size."""
    return customers


def beginning(day: date) -> datetime:
    """The first moment of a day in the partner's time zone, which is that in force."""
    return timezone.make_aware(datetime.combine(day, time.min))
