"""Pages of an ordered list, as fast at any depth.

By number up to the hundredth page; from there, and beyond, from where another page ended or began.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import QueryDict

from customers.listing.ordering import Order, Position
from partnercenter.lib.prepared import COUNT_CAP, PreparedLookup

NUMBERED_PAGES = 100


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


def paginate(order: Order, query: QueryDict, *, total: int, size: int, rows: PreparedLookup) -> CustomerPage:
    """The page that `after`, `before` or `page` asks for, or the nearest there is. `total` is capped."""
    for name in ("after", "before"):
        position = order.decode_cursor(query.get(name, ""))
        if position is not None and (page := _beside(order, position, query, total, size, rows, name == "before")):
            return page
    return _numbered(order, query, total, size, rows)


def _beside(
    order: Order,
    position: Position,
    query: QueryDict,
    total: int,
    size: int,
    rows: PreparedLookup,
    backwards: bool,
) -> CustomerPage | None:
    """The page after the position, or before it. None where that is the first page, or none is left."""
    keys = order.after(position, size + 1, backwards=backwards)
    more = len(keys) > size
    if not keys or (backwards and not more):
        return None
    shown = keys[:size][::-1] if backwards else keys[:size]
    customers = rows.in_order(shown)
    if not customers:
        return None
    before = changed_query(query, before=order.cursor(customers[0]))
    after = changed_query(query, after=order.cursor(customers[-1]))
    return CustomerPage(customers, None, total, before, after if backwards or more else "", [])


def _numbered(order: Order, query: QueryDict, total: int, size: int, rows: PreparedLookup) -> CustomerPage:
    number = _number(query.get("page", ""))
    keys = order.numbered((number - 1) * size, size + 1)
    if not keys and number > 1:
        # Beyond the end: the last there is.
        there_are = sum(run.count(NUMBERED_PAGES * size) for run in order.runs)
        number = min(max(1, -(-there_are // size)), NUMBERED_PAGES)
        keys = order.numbered((number - 1) * size, size + 1)
    customers = rows.in_order(keys[:size])
    more = len(keys) > size
    following = ""
    if more and number < NUMBERED_PAGES:
        following = changed_query(query, page=number + 1)
    elif more and customers:
        following = changed_query(query, after=order.cursor(customers[-1]))
    previous = changed_query(query, page=number - 1) if number > 1 else ""
    known = max(number + more, -(-min(total, COUNT_CAP) // size))
    return CustomerPage(customers, number, total, previous, following, list(_numbers(number, known, query)))


def _number(text: str) -> int:
    """The page asked for: the first for what is none, the hundredth for any beyond."""
    number = int(text) if re.fullmatch(r"[0-9]{1,18}", text, re.ASCII) else 1
    return min(max(number, 1), NUMBERED_PAGES)


def _numbers(number: int, known: int, query: QueryDict) -> Iterator[tuple[int | None, str]]:
    """The numbers to offer, None where some are left out."""
    pages = Paginator(range(min(known, NUMBERED_PAGES)), 1)
    for offered in pages.get_elided_page_range(number, on_each_side=2, on_ends=1):
        yield (offered, changed_query(query, page=offered)) if isinstance(offered, int) else (None, "")


def changed_query(query: QueryDict, **changes: Any) -> str:
    """The query string with some parameters changed, or taken out where None; of the pages only what is given."""
    changed = dict(query.lists())
    for name, value in ({"page": None, "after": None, "before": None} | changes).items():
        if value is None:
            changed.pop(name, None)
        else:
            changed[name] = [str(value)]
    return f"?{urlencode(changed, doseq=True)}"
