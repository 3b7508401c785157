"""What a list of customers is narrowed down and sorted by: what stands in the address of the list."""

from collections import Counter
from functools import cache, reduce
from operator import or_
from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet
from django.utils.functional import cached_property
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from customers import narrowing
from customers.filter_fields import AmountFilter, DayFilter, FilterForm, Shared, WholeFilter
from customers.models import Company, Customer, State, in_effect
from customers.orders import GATHERED, Order, Ranges, Run, gather, in_states, whole_count, whole_runs
from customers.retention import DAY, WEEK
from customers.search import expected
from customers.statuses import Asked, Partners, Status, asked_for, conditions, partners_of, reseller_of, running_out
from partnercenter.database import COUNTED
from partnercenter.models import BudgetType
from partnercenter.statements import Count

SORTS = {
    "name": "name",
    "account_name": "account_name",
    "usage": "budget__usage",
    "amount": "budget__amount",
    "used": "budget__used",
    "runs_out": "budget__runs_out_on",
    "associated_on": "associated_on",
}
DEFAULT_SORT = "account_name"
NAMES = {"name", "account_name"}
SIZES = (10, 20, 50, 100)
DEFAULT_SIZE = 50


# Beside all that match.
COUNTED_APART = (State.FROZEN, State.EXHAUSTED)
MORE = (
    "usage_min",
    "usage_max",
    "auto_frozen",
    "mtd_min",
    "mtd_max",
    "runs_out_after",
    "runs_out_before",
    "association_type",
    "associated_after",
    "associated_before",
    "retention",
    "manager",
    "tag",
)
FILTERS = ("q", "status", "budget_type", "reseller", *MORE)


class CustomerFilter(django_filters.FilterSet):
    """The filters of the list. A value that means nothing is ignored, as if it had not been given."""

    q = django_filters.CharFilter(label=_("Search"), method=narrowing.search, max_length=200)
    status = django_filters.ChoiceFilter(
        choices=Status.choices, empty_label=_("All statuses"), label=_("Status"), method=narrowing.kept
    )
    budget_type = django_filters.ChoiceFilter(
        choices=[*BudgetType.choices, ("NONE", _("No budget"))],
        empty_label=_("All budget types"),
        label=_("Budget type"),
        method=narrowing.kept,
    )
    reseller = django_filters.CharFilter(label=_("Reseller"), method=narrowing.of_reseller, max_length=128)
    usage_min = WholeFilter(label=_("Usage from (%)"), method=narrowing.of_usage)
    usage_max = WholeFilter(label=_("Usage to (%)"), method=narrowing.of_usage)
    auto_frozen = django_filters.ChoiceFilter(
        choices=[("1", _("Yes")), ("0", _("No"))],
        empty_label=_("All"),
        label=_("Automatically frozen"),
        method=narrowing.automatically_frozen,
    )
    mtd_min = AmountFilter(label=_("Month-to-date expenditure from"), method=narrowing.spent_at_least)
    mtd_max = AmountFilter(label=_("Month-to-date expenditure to"), method=narrowing.spent_at_most)
    runs_out_after = DayFilter(label=_("Runs out from"), method=narrowing.runs_out_from)
    runs_out_before = DayFilter(label=_("Runs out to"), method=narrowing.runs_out_to)
    association_type = django_filters.ChoiceFilter(
        choices=Customer.AssociationType.choices, empty_label=_("All"), label=_("Association type")
    )
    associated_after = DayFilter(label=_("Associated from"), method=narrowing.associated_from)
    associated_before = DayFilter(label=_("Associated to"), method=narrowing.associated_to)
    retention = django_filters.ChoiceFilter(
        choices=[(str(WEEK.days), _("Within seven days")), (str(DAY.days), _("Within one day")), ("0", _("Already"))],
        empty_label=_("All"),
        label=_("Data may be deleted"),
        method=narrowing.deleted_within,
    )
    manager = django_filters.CharFilter(label=_("Account manager"), method=narrowing.managed_by)
    tag = django_filters.CharFilter(label=_("Tag"), method=narrowing.with_tag)
    sort = django_filters.ChoiceFilter(
        choices=[(sign + key, key) for key in SORTS for sign in ("", "-")],
        method=narrowing.kept,
        widget=forms.HiddenInput,
    )
    size = django_filters.ChoiceFilter(
        choices=[(str(size), size) for size in SIZES],
        empty_label=_("Default"),
        label=_("Customers a page"),
        method=narrowing.kept,
    )

    # Of those that match their keys in order, each with its partner and state, where `count()` could gather them.
    found: dict[int, tuple[int, int]] | None = None

    class Meta:
        model = Customer
        form = FilterForm
        fields: list[str] = []

    def get_form_class(self) -> type[forms.Form]:
        """The same form for every request."""
        return _form_class()

    @cached_property
    def given(self) -> dict[str, Any]:
        """What was given, by name, but for what means nothing."""
        self.form.is_valid()
        return self.form.cleaned_data

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
        """The fields below *More filters*; only a distributor's list is of several resellers."""
        company = getattr(self.queryset, "company", None)
        reseller = ("reseller",) if company and company.is_distributor else ()
        return [self.form[name] for name in (*reseller, *MORE, "size")]

    @property
    def asked(self) -> dict[str, Any]:
        """The filters that are set, by name, in the order of the form."""
        return {name: self.given[name] for name in FILTERS if self._asked(name)}

    @property
    def kept_query(self) -> str:
        """What of the address means something, but for the page: filters, order and size."""
        given = [name for name in (*FILTERS, "sort", "size") if self._asked(name)]
        return urlencode([(name, self.data[name]) for name in given])

    @property
    def misunderstood(self) -> bool:
        """Whether a filter was given that means nothing: the list ignores it, an action on all that match must not."""
        return any(self.data.get(name, "").strip() and not self._asked(name) for name in FILTERS)

    def _asked(self, name: str) -> bool:
        return self.given.get(name) not in (None, "")

    def states(self, *also: State) -> Asked:
        """The states that the status and the budget type ask for, and only those that are what `also` says, too."""
        asked = asked_for(self.given.get("status") or "", self.given.get("budget_type") or "", *also)
        return running_out(asked) if self._asked("runs_out_after") or self._asked("runs_out_before") else asked

    @cached_property
    def company(self) -> Company | None:
        """Whose customers are asked for: the company's whose list it is, or those of one of its resellers alone."""
        own, reseller = getattr(self.queryset, "company", None), self.given.get("reseller")
        return reseller_of(own, reseller) if own and reseller else own

    @cached_property
    def partners(self) -> Partners:
        """The partners these are customers of; none are known where they are not a company's."""
        return partners_of(self.company) if self.company else ()

    @property
    def sorted_by(self) -> str:
        """The key sorted by, with `-` where descending."""
        return self.given.get("sort") or DEFAULT_SORT

    @property
    def _order(self) -> tuple[str, bool]:
        return SORTS[self.sorted_by.removeprefix("-")], self.sorted_by.startswith("-")

    @property
    def per_page(self) -> int:
        """How many customers a page has."""
        return int(self.given.get("size") or DEFAULT_SIZE)

    def filter_queryset(self, queryset: QuerySet[Customer]) -> QuerySet[Customer]:
        """All that is asked; the states last, as one condition."""
        return self.in_any_state.filter(reduce(or_, conditions(self.states(), self.partners)))

    @cached_property
    def in_any_state(self) -> Any:
        """All that is asked but status and budget type."""
        return super().filter_queryset(self.queryset.all())

    def count(self) -> tuple[int, int, int]:
        """How many match, how many of them are frozen and are used up; 1,001 means more.

        Those who could be gathered are remembered for `ordered()`: the rarer they are, the more others stand between.
        """
        asked = [self.states(), *(self.states(each) for each in COUNTED_APART)]
        if self.whole:
            number, frozen, exhausted = whole_count(self.whole, self.partners, *asked).ask()
            return number, frozen, exhausted
        matching: Any = self.qs
        key, descending = self._order
        if expected(matching) <= GATHERED:
            self.found = gather(matching, key, descending=descending)
        if self.found is not None:
            frozen, exhausted = self._found_so()
            return min(len(self.found), COUNTED + 1), min(frozen, COUNTED + 1), min(exhausted, COUNTED + 1)
        parts = (in_states(self.in_any_state, each, self.partners) for each in asked)
        number, frozen, exhausted = Count.of(COUNTED + 1, *parts).ask()
        if number <= COUNTED:
            self.found = gather(matching, key, descending=descending)
        return number, frozen, exhausted

    def _found_so(self) -> list[int]:
        """How many of those that were gathered are frozen, and are used up."""
        restricted = dict(self.partners)
        found = Counter(self.found.values()) if self.found else Counter()
        states = {each: in_effect(each[1], restricted=restricted.get(each[0], False)) for each in found}
        return [sum(found[each] for each, state in states.items() if state & asked) for asked in COUNTED_APART]

    @property
    def whole(self) -> Company | None:
        """Whose whole list it is; None where anything narrows it that the list's indexes do not begin with."""
        return None if any(self._asked(name) for name in ("q", *MORE)) else self.company

    def ordered(self) -> Order:
        """The customers that match, in order; those without a budget come last when it is sorted by."""
        key, descending = self._order
        own: Any = self.queryset
        found = None if self.found is None else list(self.found)
        return Order(self._runs(key, descending=descending), own, key, secret=key in NAMES, found=found)

    def _runs(self, key: str, *, descending: bool) -> tuple[Run, ...]:
        own: Any = self.queryset
        if self.found is not None:
            return Ranges(own.filter(pk__among=self.found)).in_order(key, self.states(), descending=descending)
        if self.whole:
            return whole_runs(self.whole, self.partners, self.states(), key, descending)
        ranges = Ranges(self.in_any_state, self.partners, by_text=self._asked("q"))
        return ranges.in_order(key, self.states(), descending=descending)


CustomerFilter.base_filters = Shared(CustomerFilter.base_filters)


@cache
def _form_class() -> type[forms.Form]:
    fields = {name: each.field for name, each in CustomerFilter.base_filters.items()}
    form: Any = type("CustomerFilterForm", (FilterForm,), fields)
    form.base_fields = Shared(form.base_fields)
    return form
