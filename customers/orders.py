"""The orders of the list, and where in them a page begins.

An order is one run of customers or two: those with a budget first where it sorts, the others last. A run is merged from
ranges of one index, which begins with partner and state: whatever status and budget type are asked for, in whatever
order and at whatever depth, no more is read than is skipped and shown.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import F, Q, QuerySet
from django.db.models.fields.tuple_lookups import TupleGreaterThan, TupleLessThan

from budgets.models import Budget
from customers.models import STATES, Customer, State
from partnercenter.database import all_keys, count_up_to, first_keys
from partnercenter.models import Partner

# The partner said twice: each table then has an index that begins with it.
OWN_BUDGET = Q(budget__partner=F("partner"))
# More ranges than these are not merged: the list of a distributor with very many resellers is gathered and sorted.
MOST_MERGED = 100
MARK = re.compile(r"(?P<value>[0-9TZ:.+-]{0,40})~(?P<key>[0-9]{1,18})", re.ASCII)
NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{2})?", re.ASCII)
TIME = re.compile(r"2[0-9]{3}-[0-9T:.-]{14,26}\+00:00", re.ASCII)

Position = tuple[int, tuple[Any, ...]]


@dataclass(frozen=True)
class Run:
    """Customers in the order of `columns`, of which the last is their key; all of them descending or none.

    `parts` are rows of customers or of their budgets, each part a range of one index in that order.
    """

    parts: Sequence[QuerySet[Any]]
    columns: tuple[str, ...]
    descending: bool

    def keys(
        self, number: int, *, start: int = 0, beyond: tuple[Any, ...] | None = None, backwards: bool = False
    ) -> list[int]:
        """So many keys in order; only of those that come after (`backwards`: before) the values of `beyond`."""
        down = self.descending != backwards
        parts = self.parts
        if beyond is not None:
            # Compared as a row, which an index answers; `a > x OR a = x AND b > y` it does not.
            comparison = TupleLessThan if down else TupleGreaterThan
            columns = tuple(F(column) for column in self.columns)
            parts = [rows.filter(comparison(columns, beyond)) for rows in parts]
        return first_keys(parts, self.columns, descending=down, start=start, number=number)

    def all_keys(self) -> Iterator[int]:
        """All their keys in order, as a stream."""
        return all_keys(self.parts, self.columns, descending=self.descending)

    def count(self, most: int) -> int:
        """How many they are, `most` or more not told apart."""
        return sum(count_up_to(most, *self.parts)) if self.parts else 0


@dataclass(frozen=True)
class Ranges:
    """Customers as ranges of the indexes: each has one partner and one state.

    `whole`: nothing but the state narrows them down. Without `partners` they are not divided.
    """

    customers: QuerySet[Any]
    partners: Sequence[int] = ()
    whole: bool = False

    def by(self, column: str, states: Sequence[State], *, descending: bool) -> Run:
        """The customers in these states, in the order of one of their columns."""
        if len(states) == len(STATES) and self._may_merge(1):
            parts = [self.customers.filter(partner=partner) for partner in self.partners]
        elif self._may_merge(len(states)):
            parts = [self.customers.filter(partner=partner, state=state) for partner, state in self._each(states)]
        else:
            parts = [self.customers.filter(state__in=states)]
        return Run(parts, tuple(dict.fromkeys((column, "pk"))), descending)

    def by_budget(self, column: str, states: Sequence[State], *, descending: bool) -> Run:
        """The customers in these states, all of which have a budget, in the order of one of its columns."""
        if not self._may_merge(len(states)):
            parts = [self.customers.filter(OWN_BUDGET, state__in=states)]
        elif self.whole:
            # A customer who leaves leaves its budget behind: budgets are those of current customers.
            budgets = [Budget.objects.filter(partner=partner, state=state) for partner, state in self._each(states)]
            return Run(budgets, (column.removeprefix("budget__"), "pk"), descending)
        else:
            parts = [
                self.customers.filter(partner=partner, budget__partner=partner, budget__state=state)
                for partner, state in self._each(states)
            ]
        return Run(parts, (column, "budget__pk"), descending)

    def _may_merge(self, states: int) -> bool:
        return len(self.partners) > 0 and len(self.partners) * states <= MOST_MERGED

    def _each(self, states: Sequence[State]) -> list[tuple[int, State]]:
        return [(partner, state) for partner in self.partners for state in states]


def partners_of(company: Partner) -> list[int]:
    """Whose customers a company's list shows: a distributor's are those of its resellers."""
    if not company.is_distributor:
        return [company.pk]
    return list(Partner.objects.filter(distributor=company).values_list("pk", flat=True))


@dataclass(frozen=True)
class Order:
    """All that match, run after run. `column` sorts; its value stands in addresses unless it is a name (`secret`).

    `own` are the customers that an address may name a place by, whether they match or not.
    """

    runs: tuple[Run, ...]
    own: QuerySet[Customer]
    column: str
    secret: bool

    def numbered(self, start: int, number: int) -> list[int]:
        """So many keys from the one at `start`."""
        keys: list[int] = []
        for run in self.runs:
            found = run.keys(number - len(keys), start=start)
            keys += found
            if len(keys) == number:
                break
            start = 0 if found or not start else start - run.count(start)
        return keys

    def beyond(self, position: Position, number: int, *, backwards: bool = False) -> list[int]:
        """So many keys that come next after the position; `backwards`: before it, the nearest first."""
        at, values = position
        keys: list[int] = []
        for run in self.runs[at::-1] if backwards else self.runs[at:]:
            beyond = values if run is self.runs[at] else None
            keys += run.keys(number - len(keys), beyond=beyond, backwards=backwards)
            if len(keys) == number:
                break
        return keys

    def mark(self, customer: Any) -> str:
        """The customer's place as an address says it: never with a name in it (domain 7.1)."""
        value: Any = "" if self.secret else getattr(customer, self.column)
        value = "" if value is None else value
        return f"{value.isoformat() if isinstance(value, datetime) else value}~{customer.pk}"

    def position(self, mark: str) -> Position | None:
        """The place a mark means; None where it means nothing."""
        match = MARK.fullmatch(mark)
        if match is None:
            return None
        key = int(match["key"])
        if self.secret:
            row = self.own.filter(pk=key).values_list(self.column).first()
            return (0, (*row, key)) if row else None
        if not match["value"]:
            return (1, (key,)) if len(self.runs) > 1 else None
        value = _read(match["value"], is_time=len(self.runs) == 1)
        return None if value is None else (0, (value, key))


def _read(text: str, *, is_time: bool) -> Any:
    if not is_time:
        return Decimal(text) if NUMBER.fullmatch(text) else None
    try:
        return datetime.fromisoformat(text) if TIME.fullmatch(text) else None
    except ValueError:
        return None
