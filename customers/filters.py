"""What a list of customers is narrowed down and sorted by: what stands in the address of the list."""

from copy import deepcopy
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import django_filters
from django import forms
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.functions import StrIndex
from django.db.models.lookups import GreaterThan
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from budgets.models import Expenditure
from budgets.months import month_of
from customers.filter_fields import AmountFilter, DayFilter, FilterForm, WholeFilter
from customers.models import BUDGETS, CURRENT, STATES, Customer, FreezeOrigin, State
from customers.orders import OWN_BUDGET, Order, Ranges, partners_of
from customers.search import fold
from partnercenter.database import COUNTED, count_up_to
from partnercenter.models import BudgetType

SORTS = {
    "name": "name",
    "account_name": "account_name",
    "usage": "budget__usage",
    "amount": "budget__amount",
    "used": "budget__used",
    "associated_on": "associated_on",
}
DEFAULT_SORT = "account_name"
NAMES = {"name", "account_name"}
SIZES = (10, 20, 50, 100)
DEFAULT_SIZE = 50


class Status(models.TextChoices):
    """Frozen by whatever; used up, frozen or not; neither."""

    FROZEN = "FROZEN", _("Frozen")
    EXHAUSTED = "EXHAUSTED", _("Budget used up")
    NORMAL = "NORMAL", _("Normal")


OF_STATUS: dict[str, list[State]] = {
    Status.FROZEN: [state for state in STATES if state & State.FROZEN],
    Status.EXHAUSTED: [state for state in STATES if state & State.EXHAUSTED],
    Status.NORMAL: [state for state in STATES if not state & (State.FROZEN | State.EXHAUSTED)],
}
OF_TYPE: dict[str, list[State]] = {
    BudgetType.MONTHLY: [state for state in STATES if state & State.MONTHLY],
    BudgetType.ONE_TIME: [state for state in STATES if state & State.ONE_TIME],
    "NONE": [state for state in STATES if not state & BUDGETS],
}
# Beside all that match.
COUNTED_APART = (State.FROZEN, State.EXHAUSTED)
MORE = (
    "usage_min",
    "usage_max",
    "auto_frozen",
    "mtd_min",
    "mtd_max",
    "association_type",
    "associated_after",
    "associated_before",
    "manager",
    "tag",
)
FILTERS = ("q", "status", "budget_type", *MORE)


class CustomerFilter(django_filters.FilterSet):
    """The filters of the list. A value that means nothing is ignored, as if it had not been given."""

    q = django_filters.CharFilter(label=_("Search"), method="search", max_length=200)
    status = django_filters.ChoiceFilter(
        choices=Status.choices, empty_label=_("All statuses"), label=_("Status"), method="kept"
    )
    budget_type = django_filters.ChoiceFilter(
        choices=[*BudgetType.choices, ("NONE", _("No budget"))],
        empty_label=_("All budget types"),
        label=_("Budget type"),
        method="kept",
    )
    usage_min = WholeFilter(label=_("Usage from (%)"), method="of_usage")
    usage_max = WholeFilter(label=_("Usage to (%)"), method="of_usage")
    auto_frozen = django_filters.ChoiceFilter(
        choices=[("1", _("Yes")), ("0", _("No"))],
        empty_label=_("All"),
        label=_("Automatically frozen"),
        method="automatically_frozen",
    )
    mtd_min = AmountFilter(label=_("Month-to-date expenditure from"), method="spent_at_least")
    mtd_max = AmountFilter(label=_("Month-to-date expenditure to"), method="spent_at_most")
    association_type = django_filters.ChoiceFilter(
        choices=Customer.AssociationType.choices, empty_label=_("All"), label=_("Association type")
    )
    associated_after = DayFilter(label=_("Associated from"), method="associated_from")
    associated_before = DayFilter(label=_("Associated to"), method="associated_to")
    manager = django_filters.CharFilter(label=_("Account manager"), method="managed_by")
    tag = django_filters.CharFilter(label=_("Tag"), method="with_tag")
    sort = django_filters.ChoiceFilter(
        choices=[(sign + key, key) for key in SORTS for sign in ("", "-")], method="kept", widget=forms.HiddenInput
    )
    size = django_filters.ChoiceFilter(
        choices=[(str(size), size) for size in SIZES],
        empty_label=_("Default"),
        label=_("Customers a page"),
        method="kept",
    )

    # The keys of those that match, where `count()` found few.
    found: list[int] | None = None

    class Meta:
        model = Customer
        form = FilterForm
        fields: list[str] = []

    def get_form_class(self) -> type[forms.Form]:
        """The same form for every request: fields are copied when it is filled in."""
        return _form_class()

    @property
    def narrowed(self) -> bool:
        """Whether anything but the order was asked for."""
        return any(self._asked(name) for name in FILTERS)

    @property
    def narrowed_more(self) -> bool:
        """Whether anything below *More filters* was asked for."""
        return any(self._asked(name) for name in MORE)

    @property
    def more(self) -> list[forms.BoundField]:
        """The fields below *More filters*."""
        return [self.form[name] for name in (*MORE, "size")]

    @property
    def asked(self) -> dict[str, Any]:
        """The filters that are set, by name, in the order of the form."""
        return {name: self.form.cleaned_data[name] for name in FILTERS if self._asked(name)}

    @property
    def kept_query(self) -> str:
        """What of the address means something, but for the page: filters, order and size."""
        given = [name for name in (*FILTERS, "sort", "size") if self._asked(name)]
        return urlencode([(name, self.data[name]) for name in given])

    def _asked(self, name: str) -> bool:
        return self.form.cleaned_data.get(name) not in (None, "")

    @property
    def states(self) -> list[State]:
        """The states that the status and the budget type ask for."""
        given = self.form.cleaned_data
        of_status = OF_STATUS.get(given.get("status") or "", STATES)
        of_type = OF_TYPE.get(given.get("budget_type") or "", STATES)
        return [state for state in STATES if state in of_status and state in of_type]

    @property
    def sorted_by(self) -> str:
        """The key sorted by, with `-` where descending."""
        return self.form.cleaned_data.get("sort") or DEFAULT_SORT

    @property
    def per_page(self) -> int:
        """How many customers a page has."""
        return int(self.form.cleaned_data.get("size") or DEFAULT_SIZE)

    def search(self, customers: QuerySet[Customer], _name: str, text: str) -> QuerySet[Customer]:
        """By what name and account name hold, or begin with if it is one or two characters; by customer ID exactly."""
        # CURRENT again: SQLite looks the ID up in its partial index only where the alternative itself says so.
        return customers.filter(Q(search__holds=fold(text)) | Q(CURRENT, customer_id=text))

    def of_usage(self, customers: QuerySet[Customer], name: str, percent: int) -> QuerySet[Customer]:
        """By whole percents as the list shows them, both ends included; without a budget there is no usage."""
        bound = {"usage_min": "gte", "usage_max": "lte"}[name]
        return customers.filter(OWN_BUDGET, **{f"budget__usage__{bound}": percent})

    def automatically_frozen(self, customers: QuerySet[Customer], _name: str, yes: str) -> QuerySet[Customer]:
        """Frozen because the budget was used up, or not so: by a person, since association, not at all."""
        automatic = Q(state__in=OF_STATUS[Status.FROZEN]) & Q(freeze_origin=FreezeOrigin.BUDGET_EXHAUSTED)
        return customers.filter(automatic) if yes == "1" else customers.exclude(automatic)

    def spent_at_least(self, customers: QuerySet[Customer], _name: str, amount: Decimal) -> QuerySet[Customer]:
        """By the expenditure of the current month; nothing stated is nothing spent."""
        if amount > 0:
            return customers.filter(Exists(self._this_month(total__gte=amount)))
        return customers.filter(~Exists(self._this_month(total__lt=amount)))

    def spent_at_most(self, customers: QuerySet[Customer], _name: str, amount: Decimal) -> QuerySet[Customer]:
        return customers.filter(~Exists(self._this_month(total__gt=amount)))

    def _this_month(self, **total: Decimal) -> QuerySet[Expenditure]:
        return Expenditure.objects.filter(customer=OuterRef("pk"), month=month_of(timezone.now()), **total)

    def associated_from(self, customers: QuerySet[Customer], _name: str, day: date) -> QuerySet[Customer]:
        """Since this day began, in the partner's time zone."""
        return customers.filter(associated_on__gte=_beginning(day))

    def associated_to(self, customers: QuerySet[Customer], _name: str, day: date) -> QuerySet[Customer]:
        """Until this day ended, in the partner's time zone."""
        return customers.filter(associated_on__lt=_beginning(day + timedelta(days=1)))

    def managed_by(self, customers: QuerySet[Customer], _name: str, manager: str) -> QuerySet[Customer]:
        """Whose account manager has exactly this name."""
        return customers.filter(~Q(account_manager=""), account_manager=manager)

    def with_tag(self, customers: QuerySet[Customer], _name: str, tag: str) -> QuerySet[Customer]:
        """Who has exactly this tag. Said twice: by the index, and with its letter case on SQLite."""
        if ";" in tag:
            return customers.none()
        held = f";{tag};"
        exactly = GreaterThan(StrIndex(F("tags"), Value(held)), 0)
        return customers.filter(exactly, ~Q(tags=""), tags__contains=held)

    def kept(self, customers: QuerySet[Customer], _name: str, _value: str) -> QuerySet[Customer]:
        """Left to `states`, `ordered()` and the page: counting needs neither order nor size."""
        return customers

    def filter_queryset(self, queryset: QuerySet[Customer]) -> QuerySet[Customer]:
        """All that is asked; the states last, as one condition."""
        return self._in_states(self.states)

    @cached_property
    def in_any_state(self) -> Any:
        """All that is asked but status and budget type."""
        return super().filter_queryset(self.queryset.all())

    def _in_states(self, states: list[State]) -> Any:
        return self.in_any_state if len(states) == len(STATES) else self.in_any_state.filter(state__in=states)

    def count(self) -> tuple[int, int, int]:
        """How many match, how many of them are frozen and are used up; 1,001 means more.

        Whoever is searched for is looked up once: up to 1,000 customers are remembered for `ordered()`.
        """
        matching: Any = self.qs
        if not self._searched:
            number, frozen, exhausted = count_up_to(COUNTED + 1, matching, *self._frozen_and_exhausted())
            return number, frozen, exhausted
        found = list(matching.order_by().values_list("pk", "state")[: COUNTED + 1])
        if len(found) > COUNTED:
            frozen, exhausted = count_up_to(COUNTED + 1, *self._frozen_and_exhausted())
            return len(found), frozen, exhausted
        self.found = [key for key, _state in found]
        frozen, exhausted = (sum(bool(state & asked) for _key, state in found) for asked in COUNTED_APART)
        return len(found), frozen, exhausted

    @property
    def _searched(self) -> bool:
        """Whether anything narrows the list that its indexes do not begin with."""
        return any(self._asked(name) for name in ("q", *MORE))

    def _frozen_and_exhausted(self) -> list[QuerySet[Customer]]:
        states = self.states
        return [self._in_states([state for state in states if state & asked]) for asked in COUNTED_APART]

    def ordered(self) -> Order:
        """The customers that match, in order; those without a budget come last when it is sorted by.

        If `count()` found no more than it tells apart, these are sorted: following the order until they turn up could
        read all the others.
        """
        descending, key = self.sorted_by.startswith("-"), SORTS[self.sorted_by.removeprefix("-")]
        own: Any = self.queryset
        if self.found is not None:
            ranges = Ranges(own.filter(pk__among=self.found))
        else:
            ranges = Ranges(
                self.in_any_state, partners_of(own.company) if own.company else (), whole=not self._searched
            )
        if not key.startswith("budget__"):
            runs = [ranges.by(key, self.states, descending=descending)]
        else:
            budgeted = [state for state in self.states if state & BUDGETS]
            others = [state for state in self.states if not state & BUDGETS]
            runs = [
                ranges.by_budget(key, budgeted, descending=descending),
                ranges.by("pk", others, descending=descending),
            ]
        return Order(tuple(runs), own, key, secret=key in NAMES)


@cache
def _form_class() -> type[forms.Form]:
    # Of a copy: a filter keeps its field, which would then be copied with it for each request.
    fields = {name: each.field for name, each in deepcopy(CustomerFilter.base_filters).items()}
    return type("CustomerFilterForm", (FilterForm,), fields)


def _beginning(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
