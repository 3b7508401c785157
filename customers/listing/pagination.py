"""Pages of an ordered list, equally fast at any depth.

Pages are numbered up to the hundredth. Beyond it, a page begins after the last row of the page before it, or ends
before the first row of the page after it; a cursor in the query string names that row.
"""

import re
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
    """A page of the list for its template. `previous`, `next` and `numbers` hold the query strings of other pages.

    `number` is None for a page beyond the hundredth; in `numbers`, None stands for an ellipsis. A `total` of 1,001
    means more than 1,000.
    """

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
    """Return the page that `after`, `before` or `page` in the query asks for, or the nearest existing one."""
    for name in ("after", "before"):
        position = order.decode_cursor(query.get(name, ""))
        if position is not None and (page := _cursor_page(order, position, query, total, size, rows, name == "before")):
            return page
    return _numbered_page(order, query, total, size, rows)


def _cursor_page(
    order: Order,
    position: Position,
    query: QueryDict,
    total: int,
    size: int,
    rows: PreparedLookup,
    backwards: bool,
) -> CustomerPage | None:
    """The page after or before a position; None if that is the first page or there are no rows."""
    keys = order.after(position, size + 1, backwards=backwards)
    more = len(keys) > size
    if not keys or (backwards and not more):
        return None
    customers = rows.in_order(keys[:size][::-1] if backwards else keys[:size])
    if not customers:
        return None
    previous_query = changed_query(query, before=order.cursor(customers[0]))
    next_query = changed_query(query, after=order.cursor(customers[-1])) if backwards or more else ""
    return CustomerPage(customers, None, total, previous_query, next_query, [])


def _numbered_page(order: Order, query: QueryDict, total: int, size: int, rows: PreparedLookup) -> CustomerPage:
    requested = query.get("page", "")
    number = int(requested) if re.fullmatch(r"[0-9]{1,18}", requested, re.ASCII) else 1
    number = min(max(number, 1), NUMBERED_PAGES)
    keys = order.numbered((number - 1) * size, size + 1)
    if not keys and number > 1:
        # The page is beyond the end: show the last one.
        count = sum(segment.count(NUMBERED_PAGES * size) for segment in order.segments)
        number = min(max(1, -(-count // size)), NUMBERED_PAGES)
        keys = order.numbered((number - 1) * size, size + 1)
    customers = rows.in_order(keys[:size])
    more = len(keys) > size
    next_query = ""
    if more and number < NUMBERED_PAGES:
        next_query = changed_query(query, page=number + 1)
    elif more and customers:
        next_query = changed_query(query, after=order.cursor(customers[-1]))
    previous_query = changed_query(query, page=number - 1) if number > 1 else ""
    known_pages = min(max(number + more, -(-min(total, COUNT_CAP) // size)), NUMBERED_PAGES)
    numbers: list[tuple[int | None, str]] = [
        (page, changed_query(query, page=page)) if isinstance(page, int) else (None, "")
        for page in Paginator(range(known_pages), 1).get_elided_page_range(number, on_each_side=2, on_ends=1)
    ]
    return CustomerPage(customers, number, total, previous_query, next_query, numbers)


def changed_query(query: QueryDict, /, **changes: object) -> str:
    """The query string with parameters changed, or removed if None. The current page is removed as well."""
    changed = dict(query.lists())
    for name, value in ({"page": None, "after": None, "before": None} | changes).items():
        if value is None:
            changed.pop(name, None)
        else:
            changed[name] = [str(value)]
    return f"?{urlencode(changed, doseq=True)}"
