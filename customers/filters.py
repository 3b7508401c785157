"""What a list of customers is narrowed down and sorted by (the contract's q, status, budget_type, sort)."""

from typing import Any

import django_filters
from django import forms
from django.db import models
from django.db.models import Q, QuerySet
from django.db.models.expressions import OrderBy
from django.utils.translation import gettext_lazy as _

from customers.actions import fold
from customers.models import Customer, FreezeKind
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


class Status(models.TextChoices):
    """Frozen by whatever; used up, frozen or not; neither."""

    FROZEN = "FROZEN", _("Frozen")
    EXHAUSTED = "EXHAUSTED", _("Budget used up")
    NORMAL = "NORMAL", _("Normal")


IS_FROZEN = ~Q(freeze_kind=FreezeKind.NONE)
IS_EXHAUSTED = Q(budget__level=100)
NOT_EXHAUSTED = Q(budget__isnull=True) | Q(budget__level__lt=100)
HAS_STATUS = {
    Status.FROZEN: IS_FROZEN,
    Status.EXHAUSTED: IS_EXHAUSTED,
    Status.NORMAL: Q(freeze_kind=FreezeKind.NONE) & NOT_EXHAUSTED,
}
WITHOUT_BUDGET = "NONE"


class CustomerFilter(django_filters.FilterSet):
    """The filters of the list. A value that means nothing is ignored, as if it had not been given."""

    q = django_filters.CharFilter(method="search", max_length=200)
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
        choices=[(sign + key, key) for key in SORTS for sign in ("", "-")], method="sorted", widget=forms.HiddenInput
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

    def search(self, customers: QuerySet[Customer], _name: str, text: str) -> QuerySet[Customer]:
        """By name and account name as far as they hold the text, by customer ID exactly."""
        return customers.filter(Q(search__contains=fold(text)) | Q(customer_id=text))

    def with_status(self, customers: QuerySet[Customer], _name: str, status: str) -> QuerySet[Customer]:
        return customers.filter(HAS_STATUS[Status(status)])

    def of_type(self, customers: QuerySet[Customer], _name: str, budget_type: str) -> QuerySet[Customer]:
        if budget_type == WITHOUT_BUDGET:
            return customers.filter(budget=None)
        return customers.filter(budget__budget_type=budget_type)

    def sorted(self, customers: QuerySet[Customer], _name: str, _sort: str) -> QuerySet[Customer]:
        """Left to `ordered()`: counting needs no order."""
        return customers

    def ordered(self) -> QuerySet[Customer]:
        """The customers that match, in order; those without a budget come last when it is sorted by."""
        descending, key = self.sorted_by.startswith("-"), SORTS[self.sorted_by.removeprefix("-")]
        nulls_last = True if key.startswith("budget__") else None
        first = OrderBy(models.F(key), descending=descending, nulls_last=nulls_last)
        tie = "-pk" if descending else "pk"
        matching: Any = self.qs
        return matching.order_by(first, tie)
