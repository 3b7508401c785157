"""The list of customers that an address asks for: who is in it, how many they are, and in which order."""

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

# Shown above the list, not below *More filters*; a distributor's `reseller` is, but the indexes begin with it.
ABOVE = ("q", "status", "budget_type", "reseller")
NAMES = {"name", "account_name"}
# Counted beside all that match.
COUNTED_APART = (AccountFlags.FROZEN, AccountFlags.EXHAUSTED)


class CustomerList:
    """The customers a person may look at, narrowed and ordered as an address asks.

    A filter that cannot be read, or a range that is upside down, empties the list: nobody is shown, counted or
    selected that was not asked for.
    """

    def __init__(self, query: Mapping[str, Any], user: User) -> None:
        self.query, self.user = query, user
        self.form = CustomerFilterForm(query)
        self.own_company = list_owner(user) or NO_OWNER
        # The keys of those that match, in order, each with partner and state, where `count()` could gather them.
        self.found: dict[int, tuple[int, int]] | None = None

    @property
    def asked(self) -> dict[str, Any]:
        """The filters that are set, by name, in the order of the form."""
        return self.form.asked

    @property
    def narrowed_more(self) -> bool:
        """Whether anything below *More filters* was asked for."""
        return any(name not in ABOVE for name in (*self.form.asked, *self.form.wrong))

    @property
    def more_fields(self) -> list[forms.BoundField]:
        """The fields below *More filters*; only a distributor's list is of several resellers."""
        reseller = ["reseller"] if self.own_company.is_distributor else []
        more = [name for name in self.form.filter_names() if name not in ABOVE]
        return [self.form[name] for name in (*reseller, *more, "size")]

    @property
    def kept_query(self) -> str:
        """The filters as they were typed, and the order and size that could be read, as a query string."""
        form = self.form
        names = [name for name in form.filter_names() if name in form.asked or name in form.wrong]
        names += [name for name in ("sort", "size") if name in form.given]
        return urlencode([(name, self.query[name]) for name in names])

    def refuse_unreadable(self) -> None:
        """Raises InvalidRequest where a filter cannot be read."""
        self.form.refuse_unreadable()

    # --- Who is in it -------------------------------------------------------------------------------------------------

    @cached_property
    def queryset(self) -> Any:
        """All that match; the states last, as one condition."""
        return self.in_any_state.filter(reduce(or_, flag_conditions(self.states(), self.partners)))

    @cached_property
    def own(self) -> CustomerQuerySet:
        """All customers the person may look at."""
        return Customer.objects.owned_by(self.own_company)

    @cached_property
    def in_any_state(self) -> Any:
        """All that match but for status and budget type."""
        return self.own.none() if self.form.wrong else narrow(self.own, self.asked, self.user)

    def states(self, *also: AccountFlags) -> RequestedFlags:
        """The states that the status and the budget type ask for, and only those that are what `also` says, too."""
        asked = requested_flags(self.asked.get("status", ""), self.asked.get("budget_type", ""), *also)
        return still_running(asked) if {"runs_out_after", "runs_out_before"} & self.asked.keys() else asked

    @cached_property
    def company(self) -> ListOwner:
        """Whose customers are asked for: the company's whose list it is, or those of one of its resellers alone."""
        reseller = self.asked.get("reseller")
        return reseller_owner(self.own_company, reseller) if reseller else self.own_company

    @cached_property
    def partners(self) -> ListedPartners:
        """The partners these are customers of."""
        return listed_partners(self.company)

    @property
    def is_whole(self) -> bool:
        """Whether nothing narrows it but what the list's indexes begin with."""
        return not self.form.wrong and self.asked.keys() <= BY_FLAGS | {"reseller"}

    # --- How many they are --------------------------------------------------------------------------------------------

    def count(self) -> tuple[int, int, int]:
        """How many match, how many of them are frozen and are used up; 1,001 means more.

        Those who could be gathered are remembered for `ordered()`: the rarer they are, the more others stand between.
        """
        asked = [self.states(), *(self.states(each) for each in COUNTED_APART)]
        if self.is_whole:
            number, frozen, exhausted = whole_list_count(self.company, self.partners, *asked).fetch()
            return number, frozen, exhausted
        key, descending = self._order
        if self.form.wrong or estimated_rows(self.queryset) <= SORT_LIMIT:
            self.found = collect_sorted(self.queryset, key, descending=descending)
        if self.found is not None:
            frozen, exhausted = self._found_so()
            return min(len(self.found), COUNT_CAP + 1), min(frozen, COUNT_CAP + 1), min(exhausted, COUNT_CAP + 1)
        parts = (with_flags(self.in_any_state, each, self.partners) for each in asked)
        number, frozen, exhausted = CappedCount.of(COUNT_CAP + 1, *parts).fetch()
        if number <= COUNT_CAP:
            self.found = collect_sorted(self.queryset, key, descending=descending)
        return number, frozen, exhausted

    def _found_so(self) -> list[int]:
        """How many of those that were gathered are frozen, and are used up."""
        restricted = dict(self.partners)
        found = Counter(self.found.values()) if self.found else Counter()
        states = {each: effective_flags(each[1], restricted=restricted.get(each[0], False)) for each in found}
        return [sum(found[each] for each, state in states.items() if state & asked) for asked in COUNTED_APART]

    # --- In which order -----------------------------------------------------------------------------------------------

    @property
    def sorted_by(self) -> str:
        """The key sorted by, with `-` where descending."""
        return self.form.given.get("sort") or DEFAULT_SORT

    @property
    def _order(self) -> tuple[str, bool]:
        return SORTS[self.sorted_by.removeprefix("-")], self.sorted_by.startswith("-")

    def ordered(self) -> Order:
        """The customers that match, in order; those without a budget come last when it is sorted by."""
        key, descending = self._order
        found = None if self.found is None else list(self.found)
        return Order(self._runs(key, descending=descending), self.own, key, secret=key in NAMES, found=found)

    def _runs(self, key: str, *, descending: bool) -> tuple[Segment, ...]:
        if self.found is not None:
            found = self.own.filter(pk__in_array=self.found)
            return SegmentBuilder(found).in_order(key, self.states(), descending=descending)
        if self.is_whole:
            return whole_list_segments(self.company, self.partners, self.states(), key, descending)
        ranges = SegmentBuilder(self.in_any_state, self.partners, by_text="q" in self.asked)
        return ranges.in_order(key, self.states(), descending=descending)
