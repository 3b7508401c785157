"""The orders of the list, and where in them a page begins.

An order is one run of customers or two: those with a budget first where it sorts, the others last. A run is merged from
ranges of one index, which begins with partner and state: whatever status and budget type are asked for, in whatever
order and at whatever depth, no more is read than is skipped and shown.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Any

from django.db.models import F, Q, QuerySet
from django.db.models.fields.tuple_lookups import TupleGreaterThan, TupleLessThan

from budgets.models import Budget
from customers.listing.status import ListedPartners, RequestedFlags, flag_conditions, split_by_budget
from customers.models import FLAG_COMBINATIONS, AccountFlags, Customer, ListOwner
from partnercenter.lib.prepared import COUNT_CAP, CappedCount, MergedRanges, sorted_rows

# The partner said twice: each table then has an index that begins with it.
OWN_BUDGET = Q(budget__partner=F("partner"))
# More ranges than these are not merged: the list of a distributor with very many resellers is gathered and sorted.
MERGE_LIMIT = 100
# Of the columns that sort the only one that a budget may lack.
RUNS_OUT_COLUMN = "budget__runs_out_on"
# So many of those that are searched for are sorted at once. More are so common that the order leads to them soon.
SORT_LIMIT = 10_000
# As many lists stay in SQL, so long as nobody asks for others.
CACHED_LISTS = 500
CURSOR_PATTERN = re.compile(r"(?P<value>[0-9TZ:.+-]{0,40})~(?P<key>[0-9]{1,18})", re.ASCII)
NUMBER_PATTERN = re.compile(r"-?[0-9]{1,15}(\.[0-9]{2})?", re.ASCII)
DAY_PATTERN = re.compile(r"2[0-9]{3}-[0-9]{2}-[0-9]{2}", re.ASCII)
TIME_PATTERN = re.compile(r"2[0-9]{3}-[0-9T:.-]{14,26}\+00:00", re.ASCII)

# The columns that sort and are no amounts.
COLUMN_TYPES: dict[str, type[datetime] | type[date]] = {"associated_on": datetime, RUNS_OUT_COLUMN: date}

Position = tuple[int, tuple[Any, ...]]


@dataclass(frozen=True)
class Segment:
    """Customers in the order of `columns`, of which the last is their key; all of them descending or none.

    `parts` are rows of customers or of their budgets, each part a range of one index in that order.
    """

    parts: Sequence[QuerySet[Any]]
    columns: tuple[str, ...]
    descending: bool

    @cached_property
    def _merged(self) -> MergedRanges:
        return MergedRanges.of(self.parts, self.columns, descending=self.descending)

    def keys(
        self, number: int, *, start: int = 0, after: tuple[Any, ...] | None = None, backwards: bool = False
    ) -> list[int]:
        """So many keys in order; only of those that come after (`backwards`: before) the values of `after`."""
        if after is None and not backwards:
            return self._merged.first(number, start=start)
        down = self.descending != backwards
        parts = self.parts
        if after is not None:
            # Compared as a row, which an index answers; `a > x OR a = x AND b > y` it does not.
            comparison = TupleLessThan if down else TupleGreaterThan
            columns = tuple(F(column) for column in self.columns)
            parts = [rows.filter(comparison(columns, after)) for rows in parts]
        return MergedRanges.of(parts, self.columns, descending=down).first(number, start=start)

    def all_keys(self) -> Iterator[int]:
        """All their keys in order, as a stream."""
        return self._merged.all()

    def count(self, most: int) -> int:
        """How many they are, `most` or more not told apart."""
        return self._merged.count(most)


@dataclass(frozen=True)
class SegmentBuilder:
    """Customers as ranges of the indexes: each has one partner and one state.

    `whole`: nothing but the state narrows them down. `by_text`: the search does; its text stands in the indexes of all
    states, and the state beside it. Without `partners` they are not divided.
    """

    customers: QuerySet[Any]
    partners: ListedPartners = ()
    whole: bool = False
    by_text: bool = False

    def in_order(self, column: str, asked: RequestedFlags, *, descending: bool) -> tuple[Segment, ...]:
        """The customers in these states, in the order of a column of theirs or of their budgets'."""
        if not column.startswith("budget__"):
            return (self.by(column, asked, descending=descending),)
        if column == RUNS_OUT_COLUMN:
            return self._by_day(asked, descending=descending)
        budgeted, others = split_by_budget(asked)
        return (
            self.by_budget(column, budgeted, descending=descending),
            self.by("pk", others, descending=descending),
        )

    def _by_day(self, asked: RequestedFlags, *, descending: bool) -> tuple[Segment, ...]:
        """Those whose budget runs out on a day, by day; then all others."""
        budgets = self.by_budget(RUNS_OUT_COLUMN, split_by_budget(asked)[0], descending=descending)
        has_day = {f"{budgets.columns[0]}__isnull": False}
        others = replace(self, customers=self.customers.filter(budget__runs_out_on=None))
        return (
            replace(budgets, parts=[rows.filter(**has_day) for rows in budgets.parts]),
            others.by("pk", asked, descending=descending),
        )

    def by(self, column: str, asked: RequestedFlags, *, descending: bool) -> Segment:
        """The customers in these states, in the order of one of their columns."""
        if self._one_of_each and all(
            len(asked[restricted]) == len(FLAG_COMBINATIONS) for _partner, restricted in self.partners
        ):
            parts = [self.customers.filter(partner=partner) for partner, _restricted in self.partners]
        elif self.by_text and column != "pk" and self._one_of_each:
            parts = [
                self.customers.filter(partner=partner, state__in=asked[restricted])
                for partner, restricted in self.partners
            ]
        elif pairs := self._pairs(asked):
            parts = [self.customers.filter(partner=partner, state=state) for partner, state in pairs]
        else:
            parts = [self.customers.filter(condition) for condition in flag_conditions(asked, self.partners)]
        return Segment(parts, tuple(dict.fromkeys((column, "pk"))), descending)

    def by_budget(self, column: str, asked: RequestedFlags, *, descending: bool) -> Segment:
        """The customers in these states, all of which have a budget, in the order of one of its columns."""
        pairs = self._pairs(asked)
        if not pairs:
            parts = [
                self.customers.filter(OWN_BUDGET, condition) for condition in flag_conditions(asked, self.partners)
            ]
        elif self.whole:
            # A customer who leaves leaves its budget behind: budgets are those of current customers.
            budgets = [Budget.objects.filter(partner=partner, state=state) for partner, state in pairs]
            return Segment(budgets, (column.removeprefix("budget__"), "pk"), descending)
        else:
            parts = [
                self.customers.filter(partner=partner, state=state, budget__partner=partner, budget__state=state)
                for partner, state in pairs
            ]
        return Segment(parts, (column, "budget__pk"), descending)

    @property
    def _one_of_each(self) -> bool:
        """Whether a range of each partner may be merged."""
        return 0 < len(self.partners) <= MERGE_LIMIT

    def _pairs(self, asked: RequestedFlags) -> list[tuple[int, AccountFlags]]:
        """The ranges by partner and state; none where they are too many to be merged."""
        if sum(len(asked[restricted]) for _partner, restricted in self.partners) > MERGE_LIMIT:
            return []
        return [(partner, state) for partner, restricted in self.partners for state in asked[restricted]]


@lru_cache(maxsize=CACHED_LISTS)
def whole_list_segments(
    company: ListOwner, partners: ListedPartners, asked: RequestedFlags, column: str, descending: bool
) -> tuple[Segment, ...]:
    """A company's list that nothing but states narrows, in order. Kept, as SQL: it is what most people look at."""
    own = Customer.objects.owned_by(company)
    return SegmentBuilder(own, partners, whole=True).in_order(column, asked, descending=descending)


@lru_cache(maxsize=CACHED_LISTS)
def whole_list_count(company: ListOwner, partners: ListedPartners, *asked: RequestedFlags) -> CappedCount:
    """How many of a company's customers are in the states first asked for, and in some of these. Kept, as SQL."""
    own = Customer.objects.owned_by(company)
    return CappedCount.of(COUNT_CAP + 1, *(with_flags(own, each, partners) for each in asked))


def with_flags(customers: QuerySet[Any], asked: RequestedFlags, partners: ListedPartners) -> list[QuerySet[Any]]:
    """Those of the partners' customers that are in these states; none is in two of the querysets."""
    return [customers.filter(condition) for condition in flag_conditions(asked, partners)]


def collect_sorted(customers: QuerySet[Any], column: str, *, descending: bool) -> dict[int, tuple[int, int]] | None:
    """The keys of these customers in order, each with its partner and state; None if they are too many to be sorted
    for a page.
    """
    rows = sorted_rows(customers, (column, "pk", "partner", "state"), descending=descending, limit=SORT_LIMIT + 1)
    if len(rows) > SORT_LIMIT:
        return None
    # Stable: those without a budget come last, whatever the order.
    rows.sort(key=lambda row: row[0] is None)
    return {key: (partner, state) for _value, key, partner, state in rows}


@dataclass(frozen=True)
class Order:
    """All that match, run after run. `column` sorts; its value stands in addresses unless it is a name (`secret`).

    `own` are the customers that an address may name a place by, whether they match or not. `found`: all keys, if known.
    """

    runs: tuple[Segment, ...]
    own: QuerySet[Customer]
    column: str
    secret: bool
    found: list[int] | None = None

    def numbered(self, start: int, number: int) -> list[int]:
        """So many keys from the one at `start`."""
        if self.found is not None:
            return self.found[start : start + number]
        keys: list[int] = []
        for run in self.runs:
            found = run.keys(number - len(keys), start=start)
            keys += found
            if len(keys) == number:
                break
            start = 0 if found or not start else start - run.count(start)
        return keys

    def after(self, position: Position, number: int, *, backwards: bool = False) -> list[int]:
        """So many keys that come next after the position; `backwards`: before it, the nearest first."""
        at, values = position
        keys: list[int] = []
        for run in self.runs[at::-1] if backwards else self.runs[at:]:
            after = values if run is self.runs[at] else None
            keys += run.keys(number - len(keys), after=after, backwards=backwards)
            if len(keys) == number:
                break
        return keys

    def cursor(self, customer: Any) -> str:
        """The customer's place as an address says it: never with a name in it; see rule 7.1 (docs/rules.md)."""
        value: Any = "" if self.secret else getattr(customer, self.column)
        value = "" if value is None else value
        return f"{value.isoformat() if isinstance(value, date) else value}~{customer.pk}"

    def decode_cursor(self, mark: str) -> Position | None:
        """The place a mark means; None where it means nothing."""
        match = CURSOR_PATTERN.fullmatch(mark)
        if match is None:
            return None
        key = int(match["key"])
        if self.secret:
            row = self.own.filter(pk=key).values_list(self.column).first()
            return (0, (*row, key)) if row else None
        if not match["value"]:
            return (1, (key,)) if len(self.runs) > 1 else None
        value = parse_cursor_value(match["value"], COLUMN_TYPES.get(self.column, Decimal))
        return None if value is None else (0, (value, key))


def parse_cursor_value(text: str, kind: type[datetime] | type[date] | type[Decimal]) -> Any:
    """The value of a mark, of this kind; None where it is none."""
    try:
        if kind is datetime:
            return datetime.fromisoformat(text) if TIME_PATTERN.fullmatch(text) else None
        if kind is date:
            return date.fromisoformat(text) if DAY_PATTERN.fullmatch(text) else None
    except ValueError:
        return None
    return Decimal(text) if NUMBER_PATTERN.fullmatch(text) else None
