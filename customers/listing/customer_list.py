"""The customer list for one query string: which customers match, how many, and in which order."""

from collections import Counter
from collections.abc import Mapping
from functools import cached_property, reduce
from operator import or_
from typing import Any

from django import forms
from django.utils.http import urlencode

from customers.listing.filters import BY_FLAGS, DEFAULT_SORT, SORTS, CustomerFilterForm, narrow
from customers.listing.ordering import (
    SORT_LIMIT,
    Order,
    Segment,
    SegmentBuilder,
    collect_sorted,
    whole_list_count,
    whole_list_segments,
    with_flags,
)
from customers.listing.status import (
    ListedPartners,
    RequestedFlags,
    flag_conditions,
    listed_partners,
    requested_flags,
    reseller_owner,
    still_running,
)
from customers.models import NO_OWNER, AccountFlags, Customer, CustomerQuerySet, ListOwner, effective_flags, list_owner
from customers.search import estimated_rows
from partnercenter.lib.prepared import COUNT_CAP, CappedCount
from partnercenter.models import User

# Filters that are not among *More filters* (for a distributor `reseller` is, but setting it does not open them).
MAIN_FILTERS = ("q", "status", "budget_type", "reseller")
NAME_COLUMNS = {"name", "account_name"}
# Counted in addition to all matches.
COUNTED_FLAGS = (AccountFlags.FROZEN, AccountFlags.EXHAUSTED)


class CustomerList:
    """The customers that a person may see, filtered and sorted by a query string.

    If a filter cannot be read or a range ends before it begins, the list is empty, so that no customer is shown,
    counted or selected by mistake.
    """

    def __init__(self, query: Mapping[str, Any], user: User) -> None:
        self.query, self.user = query, user
        self.form = CustomerFilterForm(query)
        self.owner = list_owner(user) or NO_OWNER
        # The key of each match, in order, with its partner and flags, if `count()` fetched them all.
        self.collected: dict[int, tuple[int, int]] | None = None

    @property
    def active(self) -> dict[str, Any]:
        """The filters that are set, with their values, in the order of the form."""
        return self.form.active

    @property
    def uses_more_filters(self) -> bool:
        """Whether any of *More filters* is set, readable or not."""
        return any(name not in MAIN_FILTERS for name in (*self.form.active, *self.form.problems))

    @property
    def more_fields(self) -> list[forms.BoundField]:
        """The fields of *More filters*: `reseller` only for a distributor, whose list spans several resellers."""
        reseller = ["reseller"] if self.owner.is_distributor else []
        more = [name for name in self.form.filter_names() if name not in MAIN_FILTERS]
        return [self.form[name] for name in (*reseller, *more, "size")]

    @property
    def query_string(self) -> str:
        """The query string that identifies this list: filters as typed, valid order and page size, but no page."""
        form = self.form
        names = [name for name in form.filter_names() if name in form.active or name in form.problems]
        names += [name for name in ("sort", "size") if name in form.values]
        return urlencode([(name, self.query[name]) for name in names])

    def refuse_unreadable(self) -> None:
        """Raise InvalidRequest if a filter cannot be read."""
        self.form.refuse_unreadable()

    # --- Which customers match ----------------------------------------------------------------------------------------

    @cached_property
    def queryset(self) -> CustomerQuerySet:
        """All matching customers. The filters by flags come last, as one condition."""
        return self.in_any_state.filter(reduce(or_, flag_conditions(self.flags(), self.partners)))

    @cached_property
    def visible(self) -> CustomerQuerySet:
        """All customers that the person may see."""
        return Customer.objects.owned_by(self.owner)

    @cached_property
    def in_any_state(self) -> CustomerQuerySet:
        """The customers that match all filters except status and budget type."""
        return self.visible.none() if self.form.problems else narrow(self.visible, self.active, self.user)

    def flags(self, *required: AccountFlags) -> RequestedFlags:
        """The flags that match the filters of status and budget type, with all `required` flags in effect."""
        requested = requested_flags(self.active.get("status", ""), self.active.get("budget_type", ""), *required)
        by_day = {"runs_out_after", "runs_out_before"} & self.active.keys()
        # Other flags cannot match, so whole ranges of the indexes need not be read.
        return still_running(requested) if by_day else requested

    @cached_property
    def filtered_owner(self) -> ListOwner:
        """The owner of the list, or the reseller that the list is filtered by."""
        reseller = self.active.get("reseller")
        return reseller_owner(self.owner, reseller) if reseller else self.owner

    @cached_property
    def partners(self) -> ListedPartners:
        """The partners whose customers the list can contain."""
        return listed_partners(self.filtered_owner)

    @property
    def is_whole(self) -> bool:
        """Whether no filters are set except those that the indexes begin with."""
        return not self.form.problems and self.active.keys() <= BY_FLAGS | {"reseller"}

    # --- How many match -----------------------------------------------------------------------------------------------

    def count(self) -> tuple[int, int, int]:
        """Count the customers that match, are frozen, and have used up their budget. 1,001 means more than 1,000.

        If few match, they are fetched in order here and kept for `ordered()`: the fewer there are, the more rows a walk
        through an index would skip to find them.
        """
        requested = [self.flags(), *(self.flags(each) for each in COUNTED_FLAGS)]
        if self.is_whole:
            number, frozen, exhausted = whole_list_count(self.filtered_owner, self.partners, *requested).fetch()
            return number, frozen, exhausted
        column, descending = self._sort
        if self.form.problems or estimated_rows(self.queryset) <= SORT_LIMIT:
            self.collected = collect_sorted(self.queryset, column, descending=descending)
        if self.collected is not None:
            return self._count_collected(self.collected)
        parts = (with_flags(self.in_any_state, each, self.partners) for each in requested)
        number, frozen, exhausted = CappedCount.of(COUNT_CAP + 1, *parts).fetch()
        if number <= COUNT_CAP:
            self.collected = collect_sorted(self.queryset, column, descending=descending)
        return number, frozen, exhausted

    def _count_collected(self, collected: Mapping[int, tuple[int, int]]) -> tuple[int, int, int]:
        is_restricted = dict(self.partners)
        frozen = exhausted = 0
        for (partner, flags), number in Counter(collected.values()).items():
            effective = effective_flags(flags, restricted=is_restricted.get(partner, False))
            frozen += number if effective & AccountFlags.FROZEN else 0
            exhausted += number if effective & AccountFlags.EXHAUSTED else 0
        return min(len(collected), COUNT_CAP + 1), min(frozen, COUNT_CAP + 1), min(exhausted, COUNT_CAP + 1)

    # --- In which order -----------------------------------------------------------------------------------------------

    @property
    def sorted_by(self) -> str:
        """The sort key, with a leading `-` for descending order."""
        return self.form.values.get("sort") or DEFAULT_SORT

    @property
    def _sort(self) -> tuple[str, bool]:
        """The column to sort by, and whether the order is descending."""
        return SORTS[self.sorted_by.removeprefix("-")], self.sorted_by.startswith("-")

    def ordered(self) -> Order:
        """The matching customers in order. Those without a value in the sorted column come last."""
        column, descending = self._sort
        keys = None if self.collected is None else list(self.collected)
        segments = self._segments(column, descending=descending)
        return Order(segments, self.visible, column, secret=column in NAME_COLUMNS, keys=keys)

    def _segments(self, column: str, *, descending: bool) -> tuple[Segment, ...]:
        if self.collected is not None:
            customers = self.visible.filter(pk__in_array=self.collected)
            return SegmentBuilder(customers).in_order(column, self.flags(), descending=descending)
        if self.is_whole:
            return whole_list_segments(self.filtered_owner, self.partners, self.flags(), column, descending)
        builder = SegmentBuilder(self.in_any_state, self.partners, by_text="q" in self.active)
        return builder.in_order(column, self.flags(), descending=descending)
