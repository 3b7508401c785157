"""Pages of an ordered list, as fast at any depth (performance 3).

By number up to the hundredth page; from there, and beyond, from where another page ended or began. An order is one run
of customers or two, each in the order of one index: those with a budget first where it sorts, the others last.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.paginator import Paginator
from django.db.models import F, QuerySet
from django.db.models.expressions import OrderBy
from django.db.models.fields.tuple_lookups import TupleGreaterThan, TupleLessThan
from django.http import QueryDict

from customers.models import Customer
from partnercenter.database import COUNTED, count_up_to

NUMBERED = 100
MARK = re.compile(r"(?P<value>[0-9TZ:.+-]{0,40})~(?P<key>[0-9]{1,18})", re.ASCII)
NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{2})?", re.ASCII)
TIME = re.compile(r"2[0-9]{3}-[0-9T:.-]{14,26}\+00:00", re.ASCII)

Position = tuple[int, tuple[Any, ...]]


@dataclass(frozen=True)
class Run:
    """Customers in the order of `columns`, of which the last is unique; all of them descending or none."""

    customers: QuerySet[Customer]
    columns: tuple[str, ...]
    descending: bool

    def keys(self, *, beyond: tuple[Any, ...] | None = None, backwards: bool = False) -> QuerySet[Any]:
        """Their keys in order; only of those that come after (`backwards`: before) the values of `beyond`."""
        down = self.descending != backwards
        columns = [F(column) for column in self.columns]
        customers = self.customers
        if beyond is not None:
            # Compared as a row, which an index answers; `a > x OR a = x AND b > y` it does not.
            comparison = TupleLessThan if down else TupleGreaterThan
            customers = customers.filter(comparison(tuple(columns), beyond))
        return customers.order_by(*(OrderBy(column, descending=down) for column in columns)).values_list(
            "pk", flat=True
        )


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
            found = list(run.keys()[start : start + number - len(keys)])
            keys += found
            if len(keys) == number:
                break
            start = 0 if found or not start else start - count_up_to(start, run.customers)[0]
        return keys

    def beyond(self, position: Position, number: int, *, backwards: bool = False) -> list[int]:
        """So many keys that come next after the position; `backwards`: before it, the nearest first."""
        at, values = position
        keys: list[int] = []
        for run in self.runs[at::-1] if backwards else self.runs[at:]:
            beyond = values if run is self.runs[at] else None
            keys += run.keys(beyond=beyond, backwards=backwards)[: number - len(keys)]
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


@dataclass
class CustomerPage:
    """A page as its template gets it. `number` is None beyond the hundredth; `previous`, `next` and numbers link."""

    object_list: Any
    number: int | None
    total: int
    previous: str
    next: str
    numbers: list[tuple[int | None, str]]

    @property
    def is_alone(self) -> bool:
        return not self.previous and not self.next


def page_of(order: Order, query: QueryDict, *, total: int, size: int, rows: QuerySet[Any, Any]) -> CustomerPage:
    """The page that `after`, `before` or `page` asks for, or the nearest there is. `total` is capped."""
    for name in ("after", "before"):
        position = order.position(query.get(name, ""))
        if position is not None and (page := _beside(order, position, query, total, size, rows, name == "before")):
            return page
    return _numbered(order, query, total, size, rows)


def _beside(
    order: Order,
    position: Position,
    query: QueryDict,
    total: int,
    size: int,
    rows: QuerySet[Any, Any],
    backwards: bool,
) -> CustomerPage | None:
    """The page after the position, or before it. None where that is the first page, or none is left."""
    keys = order.beyond(position, size + 1, backwards=backwards)
    more = len(keys) > size
    if not keys or (backwards and not more):
        return None
    shown = keys[:size][::-1] if backwards else keys[:size]
    customers = _in_order(rows, shown)
    if not customers:
        return None
    before = address(query, before=order.mark(customers[0]))
    after = address(query, after=order.mark(customers[-1]))
    return CustomerPage(customers, None, total, before, after if backwards or more else "", [])


def _numbered(order: Order, query: QueryDict, total: int, size: int, rows: QuerySet[Any, Any]) -> CustomerPage:
    number = _number(query.get("page", ""))
    keys = order.numbered((number - 1) * size, size + 1)
    if not keys and number > 1:
        # Beyond the end: the last there is.
        there_are = sum(count_up_to(NUMBERED * size, *(run.customers for run in order.runs)))
        number = max(1, -(-there_are // size))
        keys = order.numbered((number - 1) * size, size + 1)
    customers = _in_order(rows, keys[:size])
    more = len(keys) > size
    following = ""
    if more and number < NUMBERED:
        following = address(query, page=number + 1)
    elif more and customers:
        following = address(query, after=order.mark(customers[-1]))
    previous = address(query, page=number - 1) if number > 1 else ""
    known = max(number + more, -(-min(total, COUNTED) // size))
    return CustomerPage(customers, number, total, previous, following, list(_numbers(number, known, query)))


def _number(text: str) -> int:
    """The page asked for: the first for what is none, the hundredth for any beyond."""
    number = int(text) if re.fullmatch(r"[0-9]{1,18}", text, re.ASCII) else 1
    return min(max(number, 1), NUMBERED)


def _numbers(number: int, known: int, query: QueryDict) -> Iterator[tuple[int | None, str]]:
    """The numbers to offer, None where some are left out."""
    pages = Paginator(range(min(known, NUMBERED)), 1)
    for offered in pages.get_elided_page_range(number, on_each_side=2, on_ends=1):
        yield (offered, address(query, page=offered)) if isinstance(offered, int) else (None, "")


def _in_order(rows: QuerySet[Any, Any], keys: list[int]) -> list[Any]:
    """The customers of these keys, read by key: whatever the order costs, what is shown of them does not."""
    found = {customer.pk: customer for customer in rows.filter(pk__among=keys)} if keys else {}
    return [found[key] for key in keys if key in found]


def address(query: QueryDict, **changes: Any) -> str:
    """The query string with some parameters changed, or taken out where None; of the pages only what is given."""
    changed = query.copy()
    for name, value in ({"page": None, "after": None, "before": None} | changes).items():
        if value is None:
            changed.pop(name, None)
        else:
            changed[name] = str(value)
    return f"?{changed.urlencode()}"
