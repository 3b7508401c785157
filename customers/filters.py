"""What a list of customers is narrowed down and sorted by (the contract's q, status, budget_type, sort)."""

from typing import Any

import django_filters
from django import forms
from django.db import models
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from customers.models import Customer, FreezeKind
from customers.paging import Order, Run
from customers.search import fold
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


class CustomerFilter(django_filters.FilterSet):
    """The filters of the list. A value that means nothing is ignored, as if it had not been given."""

    q = django_filters.CharFilter(method="search")
    status = django_filters.ChoiceFilter(
        choices=Status.choices, empty_label=_("All statuses"), label=_("Status"), method="with_status"
    )
    budget_type = django_filters.ChoiceFilter(
        choices=[*BudgetType.choices, (WITHOUT_BUDGET, _("No budget"))],
        empty_label=_("All budget types"),
        label=_("Budget type"),
        method="of_type",
    )
    sort = django_filters.ChoiceFilter(
        choices=[(sign + key, key) for key in SORTS for sign in ("", "-")], method="kept", widget=forms.HiddenInput
    )
    size = django_filters.ChoiceFilter(
        choices=[(str(size), size) for size in SIZES],
        empty_label=None,
        initial=DEFAULT_SIZE,
        label=_("Customers a page"),
        method="kept",
    )

    class Meta:
        model = Customer
        fields: list[str] = []

    @property
    def narrowed(self) -> bool:
        """Whether anything but the order was asked for."""
        return any(self.form.cleaned_data.get(name) for name in ("q", "status", "budget_type"))

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
        return customers.filter(Q(search__holds=fold(text)) | Q(customer_id=text))

    def with_status(self, customers: QuerySet[Customer], _name: str, status: str) -> QuerySet[Customer]:
        return customers.filter(HAS_STATUS[Status(status)])

    def of_type(self, customers: QuerySet[Customer], _name: str, budget_type: str) -> QuerySet[Customer]:
        if budget_type == WITHOUT_BUDGET:
            return customers.filter(has_budget=False)
        return customers.filter(OWN_BUDGET, budget__budget_type=budget_type)

    def kept(self, customers: QuerySet[Customer], _name: str, _value: str) -> QuerySet[Customer]:
        """Left to `ordered()` and the page: counting needs neither order nor size."""
        return customers

    def ordered(self) -> Order:
        """The customers that match, in order; those without a budget come last when it is sorted by."""
        descending, key = self.sorted_by.startswith("-"), SORTS[self.sorted_by.removeprefix("-")]
        matching: Any = self.qs
        own: Any = self.queryset
        if not key.startswith("budget__"):
            return Order((Run(matching, (key, "pk"), descending),), own, key, secret=key in NAMES)
        with_budget = matching.filter(OWN_BUDGET)
        if self.form.cleaned_data.get("status") == Status.NORMAL:
            with_budget = with_budget.filter(budget__usage__lt=100)
        without = Run(matching.filter(has_budget=False), ("pk",), descending)
        return Order((Run(with_budget, (key, "budget__pk"), descending), without), own, key, secret=False)
