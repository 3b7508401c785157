"""The active filters of the list in words, each with the query string that removes it."""

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
# Both ends of a range are shown as one filter. By the first end: the filter's name and label.
RANGE_LABELS = {
    "usage_min": ("usage", gettext_lazy("Usage")),
    "mtd_min": ("mtd", gettext_lazy("Month-to-date expenditure")),
    "runs_out_after": ("runs_out", gettext_lazy("Runs out")),
    "associated_after": ("associated", gettext_lazy("Associated")),
}


@dataclass(frozen=True)
class ActiveFilter:
    """A filter that is set. `query` is the query string of the list without it."""

    name: str
    label: str
    value: str
    query: str


@dataclass(frozen=True)
class UsageShortcut:
    """A link to the customers with at least this usage; `query` keeps the other filters."""

    percent: int
    query: str
    chosen: bool


def active_filters(customers: CustomerList, query: QueryDict) -> list[ActiveFilter]:
    """The filters that are set and can be read, in the order of the form."""
    texts = {name: _value_text(customers, name) for name in customers.active}
    active = []
    ranges = customers.form.RANGES
    for name in customers.form.filter_names():
        if name in ranges:
            (key, label), last = RANGE_LABELS[name], ranges[name]
            if value := _range_text(texts.get(name, ""), texts.get(last, "")):
                value = f"{value}%" if key == "usage" else value
                active.append(ActiveFilter(key, str(label), value, _without(query, name, last)))
        elif name in texts and name not in ranges.values():
            label_text = str(customers.form.fields[name].label)
            active.append(ActiveFilter(name, label_text, texts[name], _without(query, name)))
    return active


def _value_text(customers: CustomerList, name: str) -> str:
    value = customers.active[name]
    if isinstance(value, Decimal):
        return show_amount(value)
    choices = dict(getattr(customers.form.fields[name], "choices", ()))
    return str(choices.get(value, value))


def _range_text(first: str, last: str) -> str:
    """A range in words; "" if neither end is set."""
    ends = {"first": first, "last": last}
    if not last:
        return _("from %(first)s") % ends if first else ""
    if not first:
        return _("up to %(last)s") % ends
    return first if first == last else _("%(first)s to %(last)s") % ends


def without_filters(query: QueryDict) -> str:
    """The query string of the list without its filters. Order and page size stay."""
    return _without(query, *CustomerFilterForm.filter_names())


def _without(query: QueryDict, *names: str) -> str:
    rest = changed_query(query, **dict.fromkeys(names))
    return "" if rest == "?" else rest


def usage_shortcuts(customers: CustomerList, query: QueryDict) -> list[UsageShortcut]:
    """Links to the customers whose usage is near or above their budget."""
    chosen = None if "usage_max" in customers.active else customers.active.get("usage_min")
    return [
        UsageShortcut(percent, changed_query(query, usage_min=percent, usage_max=None), chosen == percent)
        for percent in SHORTCUT_PERCENTS
    ]
