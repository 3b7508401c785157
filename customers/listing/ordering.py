"""Ordering the list by merging index ranges, and the cursors at which its pages begin.

An order has one or more segments: if the list is sorted by a column of budgets, customers without a value follow as a
segment of their own, and the order by estimate has one each for amounts below, at and above zero. A segment merges
ranges of one index that begins with partner and flags. So whatever the status, the budget type, the order and the page,
no more rows are read than are skipped and shown, and in the order by estimate the rest of a rank.
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

from budgets.models import Budget, UsedRank
from customers.listing.status import ListedPartners, RequestedFlags, flag_conditions, split_by_budget
from customers.models import FLAG_COMBINATIONS, AccountFlags, Customer, ListOwner
from partnercenter.lib.money import money
from partnercenter.lib.prepared import COUNT_CAP, CappedCount, MergedRanges, sorted_rows

# The join condition repeats the partner, because the indexes of both tables begin with it.
OWN_BUDGET = Q(budget__partner=F("partner"))
# The largest number of ranges to merge. The list of a distributor with more resellers is sorted by the database.
MERGE_LIMIT = 100
# The estimate has no index, because every report changes it. Its rank has one; see `used_rank_sql`.
USED_COLUMN, RANK_SUFFIX = "budget__used", "_rank"
# The only sort column that may be NULL for a customer with a budget.
RUNS_OUT_COLUMN = "budget__runs_out_on"
# Up to this many matches of a search are all fetched and sorted. More are common enough to be met soon in any order.
SORT_LIMIT = 10_000
# The number of whole lists whose SQL is cached.
CACHED_LISTS = 500
CURSOR_PATTERN = re.compile(r"(?P<value>[0-9TZ:.+-]{0,40})~(?P<key>[0-9]{1,18})", re.ASCII)
NUMBER_PATTERN = re.compile(r"-?[0-9]{1,15}(\.[0-9]{2})?", re.ASCII)
DAY_PATTERN = re.compile(r"2[0-9]{3}-[0-9]{2}-[0-9]{2}", re.ASCII)
TIME_PATTERN = re.compile(r"2[0-9]{3}-[0-9T:.-]{14,26}\+00:00", re.ASCII)

# The columns whose values in a cursor are not numbers.
COLUMN_TYPES: dict[str, type[datetime] | type[date]] = {"associated_on": datetime, RUNS_OUT_COLUMN: date}

# A position in an order: the index of the segment, and the values of its columns.
Position = tuple[int, tuple[object, ...]]


@dataclass(frozen=True)
class Segment:
    """Customers sorted by `columns`, of which the last is the key. Either all columns are descending or none.

    Each of the `parts` selects rows of customers or budgets from a range of one index that has this order, or the order
    of its first columns. With a `sign` it has only the estimates below zero (-1), at zero (0) or above zero (1).
    """

    parts: Sequence[QuerySet]
    columns: tuple[str, ...]
    descending: bool
    sign: int | None = None

    @cached_property
    def _merged(self) -> MergedRanges:
        return MergedRanges.of(self.parts, self.columns, descending=self.descending)

    def keys(
        self, number: int, *, start: int = 0, after: tuple[object, ...] | None = None, backwards: bool = False
    ) -> list[int]:
        """At most `number` keys in order, beginning at the index `start` or after the values of `after`.

        With `backwards` the order is reversed, so that `after` means before.
        """
        if after is None and not backwards:
            return self._merged.first(number, start=start)
        descending = self.descending != backwards
        parts = self.parts
        if after is not None and self.sign:
            keys = self._same_amount(after, descending=descending).first(number, start=start)
            if len(keys) == number:
                return keys
        if after is not None:
            # An index serves the comparison of tuples, but not `a > x OR a = x AND b > y`.
            comparison = TupleLessThan if descending else TupleGreaterThan
            columns = tuple(F(column) for column in self.columns)
            parts = [rows.filter(comparison(columns, after)) for rows in parts]
        return MergedRanges.of(parts, self.columns, descending=descending).first(number, start=start)

    def _same_amount(self, after: tuple[object, ...], *, descending: bool) -> MergedRanges:
        """The customers after a position that have its amount: in the order of the index, however many these are."""
        *sorted_by, key = self.columns
        *values, last = after
        condition = Q(*zip(sorted_by, values, strict=True), (f"{key}__{'lt' if descending else 'gt'}", last))
        return MergedRanges.of([rows.filter(condition) for rows in self.parts], (key,), descending=descending)

    def values_at(self, value: Any, key: int) -> tuple[object, ...]:
        """The values of the columns at a position in the segment, for the sorted value and the key there."""
        *sorted_by, _key = self.columns
        return (*(UsedRank(money(value)) if column.endswith(RANK_SUFFIX) else value for column in sorted_by), key)

    def all_keys(self) -> Iterator[int]:
        """Stream all keys in order."""
        return self._merged.all()

    def count(self, most: int) -> int:
        """Count the rows, up to `most`."""
        return self._merged.count(most)


@dataclass(frozen=True)
class SegmentBuilder:
    """Divides customers into ranges of the indexes, each with one partner and one combination of flags.

    `whole`: no filters apply except those by flags. `by_text`: a search applies; the indexes that do not begin with
    flags include the search text and the flags. Without `partners` the customers are not divided.
    """

    customers: QuerySet
    partners: ListedPartners = ()
    whole: bool = False
    by_text: bool = False

    def in_order(self, column: str, requested: RequestedFlags, *, descending: bool) -> tuple[Segment, ...]:
        """The customers with these flags, sorted by a column of their own or of their budgets."""
        if not column.startswith("budget__"):
            return (self.by(column, requested, descending=descending),)
        if column == RUNS_OUT_COLUMN:
            return self._by_day(requested, descending=descending)
        budgeted, others = split_by_budget(requested)
        budgets = self.by_budget(column, budgeted, descending=descending)
        is_merged = bool(self._pairs(budgeted))
        return (
            *(split_by_sign(budgets) if column == USED_COLUMN and is_merged else (budgets,)),
            self.by("pk", others, descending=descending),
        )

    def _by_day(self, requested: RequestedFlags, *, descending: bool) -> tuple[Segment, ...]:
        """First the customers whose budget runs out on a known day, by day; then all others."""
        budgets = self.by_budget(RUNS_OUT_COLUMN, split_by_budget(requested)[0], descending=descending)
        has_day = {f"{budgets.columns[0]}__isnull": False}
        others = replace(self, customers=self.customers.filter(budget__runs_out_on=None))
        return (
            replace(budgets, parts=[rows.filter(**has_day) for rows in budgets.parts]),
            others.by("pk", requested, descending=descending),
        )

    def by(self, column: str, requested: RequestedFlags, *, descending: bool) -> Segment:
        """The customers with these flags, sorted by a column of their own."""
        mergeable = 0 < len(self.partners) <= MERGE_LIMIT
        flags_of_each = self._flags_of_each(requested)
        if mergeable and all(len(flags) == len(FLAG_COMBINATIONS) for _partner, flags in flags_of_each):
            parts = [self.customers.filter(partner=partner) for partner, _flags in flags_of_each]
        elif mergeable and self.by_text and column != "pk":
            parts = [self.customers.filter(partner=partner, state__in=flags) for partner, flags in flags_of_each]
        elif pairs := self._pairs(requested):
            parts = [self.customers.filter(partner=partner, state=flags) for partner, flags in pairs]
        else:
            parts = [self.customers.filter(condition) for condition in flag_conditions(requested, self.partners)]
        return Segment(parts, tuple(dict.fromkeys((column, "pk"))), descending)

    def by_budget(self, column: str, requested: RequestedFlags, *, descending: bool) -> Segment:
        """The customers with these flags, sorted by a column of the budget, which all the flags must include."""
        pairs = self._pairs(requested)
        if not pairs:
            parts = [
                self.customers.filter(OWN_BUDGET, condition) for condition in flag_conditions(requested, self.partners)
            ]
        elif self.whole:
            # Disassociation deletes the budget, so all budgets are of current customers.
            budgets = [Budget.objects.filter(partner=partner, state=flags) for partner, flags in pairs]
            return Segment(budgets, (column.removeprefix("budget__"), "pk"), descending)
        else:
            parts = [
                self.customers.filter(partner=partner, state=flags, budget__partner=partner, budget__state=flags)
                for partner, flags in pairs
            ]
        return Segment(parts, (column, "budget__pk"), descending)

    def _flags_of_each(self, requested: RequestedFlags) -> list[tuple[int, tuple[AccountFlags, ...]]]:
        return [(partner, requested.below(restricted=restricted)) for partner, restricted in self.partners]

    def _pairs(self, requested: RequestedFlags) -> list[tuple[int, AccountFlags]]:
        """Each partner paired with each of its flags; empty if these are too many ranges to merge."""
        flags_of_each = self._flags_of_each(requested)
        if sum(len(flags) for _partner, flags in flags_of_each) > MERGE_LIMIT:
            return []
        return [(partner, each) for partner, flags in flags_of_each for each in flags]


def split_by_sign(budgets: Segment) -> tuple[Segment, ...]:
    """Divide the budgets sorted by estimate into amounts below, at and above zero, each in the order of an index.

    The index has rank and customer. So the database sorts only the rows of one rank at a time by amount and customer,
    and the rank 0, in which after a month restore most budgets are, is in order already.
    """
    used, key = budgets.columns
    rank = used + RANK_SUFFIX

    def only(sign: int, condition: Q, *columns: str) -> Segment:
        return replace(budgets, parts=[rows.filter(condition) for rows in budgets.parts], columns=columns, sign=sign)

    below = only(-1, Q(**{f"{rank}__lt": 0}), rank, used, key)
    zero = only(0, Q(**{rank: 0}), key)
    above = only(1, Q(**{f"{rank}__gt": 0}), rank, used, key)
    return (above, zero, below) if budgets.descending else (below, zero, above)


@lru_cache(maxsize=CACHED_LISTS)
def whole_list_segments(
    owner: ListOwner, partners: ListedPartners, requested: RequestedFlags, column: str, descending: bool
) -> tuple[Segment, ...]:
    """An owner's list in order, with no filters except flags. Its SQL is cached: most requests are for such lists."""
    own = Customer.objects.owned_by(owner)
    return SegmentBuilder(own, partners, whole=True).in_order(column, requested, descending=descending)


@lru_cache(maxsize=CACHED_LISTS)
def whole_list_count(owner: ListOwner, partners: ListedPartners, *requested: RequestedFlags) -> CappedCount:
    """The query that counts an owner's customers with each of the requested flags. Its SQL is cached.

    The first of the requested flags are the whole, the others its parts; see `CappedCount`.
    """
    own = Customer.objects.owned_by(owner)
    return CappedCount.of(COUNT_CAP + 1, *(with_flags(own, flags, partners) for flags in requested))


def with_flags(customers: QuerySet, requested: RequestedFlags, partners: ListedPartners) -> list[QuerySet]:
    """The partners' customers that have these flags, as querysets with no row in common."""
    return [customers.filter(condition) for condition in flag_conditions(requested, partners)]


def collect_sorted(customers: QuerySet, column: str, *, descending: bool) -> dict[int, tuple[int, int]] | None:
    """The customers' keys in order, each with partner and flags; None if there are more than `SORT_LIMIT`."""
    rows = sorted_rows(customers, (column, "pk", "partner", "state"), descending=descending, limit=SORT_LIMIT + 1)
    if len(rows) > SORT_LIMIT:
        return None
    # Customers without a value come last in either direction. The sort is stable.
    rows.sort(key=lambda row: row[0] is None)
    return {key: (partner, flags) for _value, key, partner, flags in rows}


@dataclass(frozen=True)
class Order:
    """All matching customers, segment after segment, sorted by `column`.

    A cursor contains the value of the column unless it is `secret` (a name). `visible` are the customers that a cursor
    may point to, matching or not. `keys` are the keys of all matches in order, if they are known.
    """

    segments: tuple[Segment, ...]
    visible: QuerySet[Customer]
    column: str
    secret: bool
    keys: list[int] | None = None

    def numbered(self, start: int, number: int) -> list[int]:
        """At most `number` keys, beginning at the index `start`."""
        if self.keys is not None:
            return self.keys[start : start + number]
        keys: list[int] = []
        for segment in self.segments:
            found = segment.keys(number - len(keys), start=start)
            keys += found
            if len(keys) == number:
                break
            start = 0 if found or not start else start - segment.count(start)
        return keys

    def after(self, position: Position, number: int, *, backwards: bool = False) -> list[int]:
        """At most `number` keys after the position; with `backwards`, the keys before it, nearest first."""
        at, values = position
        keys: list[int] = []
        for segment in self.segments[at::-1] if backwards else self.segments[at:]:
            after = values if segment is self.segments[at] else None
            keys += segment.keys(number - len(keys), after=after, backwards=backwards)
            if len(keys) == number:
                break
        return keys

    def cursor(self, customer: Any) -> str:
        """A customer's position as text for a query string, which never contains a name: rule 7.1 (docs/rules.md)."""
        value = "" if self.secret else getattr(customer, self.column)
        value = "" if value is None else value
        return f"{value.isoformat() if isinstance(value, date) else value}~{customer.pk}"

    def decode_cursor(self, cursor: str) -> Position | None:
        """The position that a cursor encodes; None if it is not valid."""
        match = CURSOR_PATTERN.fullmatch(cursor)
        if match is None:
            return None
        key = int(match["key"])
        if self.secret:
            row = self.visible.filter(pk=key).values_list(self.column).first()
            return (0, (*row, key)) if row else None
        last = len(self.segments) - 1
        if not match["value"]:
            return (last, (key,)) if last else None
        value = parse_cursor_value(match["value"], COLUMN_TYPES.get(self.column, Decimal))
        if value is None:
            return None
        sign = int(value.compare(0)) if isinstance(value, Decimal) else None
        at = next(at for at, segment in enumerate(self.segments) if segment.sign in (None, sign))
        return at, self.segments[at].values_at(value, key)


def parse_cursor_value(
    text: str, kind: type[datetime] | type[date] | type[Decimal]
) -> datetime | date | Decimal | None:
    """Parse the value in a cursor as this type; None if it is not valid."""
    try:
        if kind is datetime:
            return datetime.fromisoformat(text) if TIME_PATTERN.fullmatch(text) else None
        if kind is date:
            return date.fromisoformat(text) if DAY_PATTERN.fullmatch(text) else None
    except ValueError:
        return None
    return Decimal(text) if NUMBER_PATTERN.fullmatch(text) else None
