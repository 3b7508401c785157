"""What a list of customers is narrowed down and sorted by: what stands in the address of the list."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import django_filters
from django import forms
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.functions import StrIndex
from django.db.models.lookups import GreaterThan
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from budgets.models import Expenditure
from budgets.months import month_of
from customers.filter_fields import AmountFilter, DayFilter, WholeFilter
from customers.models import CURRENT, Customer, FreezeKind, FreezeOrigin
from customers.paging import Order, Run
from customers.search import fold
from partnercenter.database import COUNTED
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


# The partner said twice: each table then has an index that begins with it.
OWN_BUDGET = Q(budget__partner=F("partner"))
IS_FROZEN = ~Q(freeze_kind=FreezeKind.NONE)
# Whole percents are cut off, so they reach 100 exactly where used reaches the amount: one range of the index by usage.
IS_EXHAUSTED = Q(OWN_BUDGET, budget__usage__gte=100)
NOT_EXHAUSTED = Q(has_budget=False) | Q(budget__usage__lt=100)
HAS_STATUS = {
    Status.FROZEN: IS_FROZEN,
    Status.EXHAUSTED: IS_EXHAUSTED,
    Status.NORMAL: Q(freeze_kind=FreezeKind.NONE) & NOT_EXHAUSTED,
}
WITHOUT_BUDGET = "NONE"
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
        choices=Status.choices, empty_label=_("All statuses"), label=_("Status"), method="with_status"
    )
    budget_type = django_filters.ChoiceFilter(
        choices=[*BudgetType.choices, (WITHOUT_BUDGET, _("No budget"))],
        empty_label=_("All budget types"),
        label=_("Budget type"),
        method="of_type",
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

    class Meta:
        model = Customer
        fields: list[str] = []

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
    def type_asked(self) -> str:
        return self.form.cleaned_data.get("budget_type") or ""

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

    def with_status(self, customers: QuerySet[Customer], _name: str, status: str) -> QuerySet[Customer]:
        return customers.filter(HAS_STATUS[Status(status)])

    def of_type(self, customers: QuerySet[Customer], _name: str, budget_type: str) -> QuerySet[Customer]:
        if budget_type == WITHOUT_BUDGET:
            return customers.filter(has_budget=False)
        return customers.filter(OWN_BUDGET, budget__budget_type=budget_type)

    def of_usage(self, customers: QuerySet[Customer], name: str, percent: int) -> QuerySet[Customer]:
        """By whole percents as the list shows them, both ends included; without a budget there is no usage."""
        bound = {"usage_min": "gte", "usage_max": "lte"}[name]
        return customers.filter(OWN_BUDGET, **{f"budget__usage__{bound}": percent})

    def automatically_frozen(self, customers: QuerySet[Customer], _name: str, yes: str) -> QuerySet[Customer]:
        """Frozen because the budget was used up, or not so: by a person, since association, not at all."""
        automatic = IS_FROZEN & Q(freeze_origin=FreezeOrigin.BUDGET_EXHAUSTED)
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
        """Left to `ordered()` and the page: counting needs neither order nor size."""
        return customers

    def frozen_and_exhausted(self) -> tuple[QuerySet[Customer], QuerySet[Customer]]:
        """Those that match and are frozen, and are used up. Never asks for what the status has said already."""
        matching: Any = self.qs
        status = self.form.cleaned_data.get("status")
        if status == Status.NORMAL:
            return matching.none(), matching.none()
        frozen = matching if status == Status.FROZEN else matching.filter(IS_FROZEN)
        exhausted = matching if status == Status.EXHAUSTED else matching.filter(IS_EXHAUSTED)
        return frozen, matching.none() if self.type_asked == WITHOUT_BUDGET else exhausted

    def ordered(self, *, few: bool = False) -> Order:
        """The customers that match, in order; those without a budget come last when it is sorted by.

        If they are known to be `few`, no more than are counted, they are gathered first and sorted then: following the
        order until they turn up could read all the others.
        """
        descending, key = self.sorted_by.startswith("-"), SORTS[self.sorted_by.removeprefix("-")]
        own: Any = self.queryset
        matching: Any = own.filter(pk__in=self.qs.order_by().values("pk")[:COUNTED]) if few else self.qs
        if not key.startswith("budget__"):
            return Order((Run(matching, (key, "pk"), descending),), own, key, secret=key in NAMES)
        first = Run(self._with_budget(matching), (key, "budget__pk"), descending)
        last = Run(self._without_budget(matching), ("pk",), descending)
        return Order((first, last), own, key, secret=False)

    # To look for those that cannot be there would read all the others.

    def _with_budget(self, matching: QuerySet[Customer]) -> QuerySet[Customer]:
        if self.type_asked == WITHOUT_BUDGET:
            return matching.none()
        if self.form.cleaned_data.get("status") == Status.NORMAL:
            matching = matching.filter(budget__usage__lt=100)
        return matching.filter(OWN_BUDGET)

    def _without_budget(self, matching: QuerySet[Customer]) -> QuerySet[Customer]:
        given = self.form.cleaned_data
        tells_of_a_budget = (
            self.type_asked in BudgetType.values
            or given.get("status") == Status.EXHAUSTED
            or self._asked("usage_min")
            or self._asked("usage_max")
        )
        return matching.none() if tells_of_a_budget else matching.filter(has_budget=False)


def _beginning(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
