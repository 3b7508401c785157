"""What the list is narrowed by, in words, each with the address of the list without it."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from customers.listing.customer_list import CustomerList
from customers.listing.filters import CustomerFilterForm
from customers.listing.pagination import changed_query
from partnercenter.lib.money import show_amount

SHORTCUT_PERCENTS = (75, 90, 100)
# Both ends of a range are one chip: by its first end its name, its label, and its other end.
RANGES = {
    "usage_min": ("usage", gettext_lazy("Usage"), "usage_max"),
    "mtd_min": ("mtd", gettext_lazy("Month-to-date expenditure"), "mtd_max"),
    "runs_out_after": ("runs_out", gettext_lazy("Runs out"), "runs_out_before"),
    "associated_after": ("associated", gettext_lazy("Associated"), "associated_before"),
}
LAST_ENDS = {last for _name, _label, last in RANGES.values()}


@dataclass(frozen=True)
class ActiveFilter:
    """One filter that is set: `query` is the list's own without it."""

    name: str
    label: str
    value: str
    query: str


@dataclass(frozen=True)
class UsageShortcut:
    """Customers from this usage on: `query` narrows the list to them and keeps the other filters."""

    percent: int
    query: str
    chosen: bool


def active_filters(filters: CustomerList, query: QueryDict) -> list[ActiveFilter]:
    """The filters that are set, in the order of the form; a value that means nothing has none."""
    said = {name: _said(filters, name) for name in filters.asked}
    return [
        chip
        for name in CustomerFilterForm.filter_names()
        if name not in LAST_ENDS
        for chip in _chip(name, filters, said, query)
    ]


def _chip(name: str, filters: CustomerList, said: dict[str, str], query: QueryDict) -> Iterator[ActiveFilter]:
    if name in RANGES:
        key, label, last = RANGES[name]
        if value := _range(said.get(name, ""), said.get(last, "")):
            yield ActiveFilter(key, str(label), f"{value} %" if key == "usage" else value, _without(query, name, last))
    elif name in said:
        yield ActiveFilter(name, str(filters.form.fields[name].label), said[name], _without(query, name))


def _said(filters: CustomerList, name: str) -> str:
    value = filters.asked[name]
    if isinstance(value, Decimal):
        return show_amount(value)
    choices = dict(getattr(filters.form.fields[name], "choices", ()))
    return str(choices.get(value, value))


def _range(first: str, last: str) -> str:
    """A range in words; "" where neither end is given."""
    ends = {"first": first, "last": last}
    if not last:
        return _("from %(first)s") % ends if first else ""
    if not first:
        return _("up to %(last)s") % ends
    return first if first == last else _("%(first)s to %(last)s") % ends


def without_filters(query: QueryDict) -> str:
    """The list's own query without any filter; order and size stay."""
    return _without(query, *CustomerFilterForm.filter_names())


def _without(query: QueryDict, *names: str) -> str:
    rest = changed_query(query, **dict.fromkeys(names))
    return "" if rest == "?" else rest


def usage_shortcuts(filters: CustomerList, query: QueryDict) -> list[UsageShortcut]:
    """The usages from which on budgets are looked for most."""
    asked = filters.asked
    chosen = None if "usage_max" in asked else asked.get("usage_min")
    return [
        UsageShortcut(each, changed_query(query, usage_min=each, usage_max=None), chosen == each)
        for each in SHORTCUT_PERCENTS
    ]
