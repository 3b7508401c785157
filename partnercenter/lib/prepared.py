"""Queries whose SQL is compiled once and run many times, for the customer list, sessions and users.

Django compiles a queryset into SQL each time it is evaluated, which for a simple query takes longer than running it.
The classes below keep the SQL of a queryset and pass new parameters to it. They never keep results.

- `PreparedQuery`: a queryset with one filter whose value changes, such as the session with a given key.
- `PreparedLookup`: the rows with given primary keys, in the order of the keys.
- `CappedCount`: several counts in one statement, each of which stops at a limit ("1,000+").
- `MergedRanges`: primary keys from several ranges of an index, merged into one order.

This is the only module that uses private Django API: `PreparedQuery.fetch` replaces the SQL compiler of a queryset.
`tests/test_prepared_queries.py` shows whether this still works with another version of Django.
"""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import F, QuerySet
from django.db.models.expressions import OrderBy
from django.db.models.sql.compiler import SQLCompiler

from partnercenter.lib.sql import array_param, queryset_sql

# Pages show no exact count above this: "1,000+".
COUNT_CAP = 1_000

Row = TypeVar("Row")


class PreparedQuery(Generic[Row]):
    """A queryset filtered by one lookup, compiled once for all values of the lookup.

    `example` is any value of the lookup's type; it is needed to compile the query.
    """

    def __init__(self, rows: QuerySet[Any, Row], lookup: str, example: object) -> None:
        self.rows = rows
        self.lookup = {lookup: example}

    @cached_property
    def _compiled(self) -> tuple[SQLCompiler, str, tuple[object, ...]]:
        """The compiler, the SQL, and its parameters except the last, which is the value to look up."""
        compiler = self.rows.filter(**self.lookup).query.get_compiler(DEFAULT_DB_ALIAS)
        sql, params = compiler.as_sql()
        return compiler, sql, tuple(params[:-1])

    def fetch(self, value: object) -> list[Row]:
        """The rows for which the lookup matches this value, in the order of the queryset."""
        compiled, sql, params = self._compiled
        # A copy of the compiler that returns the stored SQL and uses the connection of the current thread.
        compiler: Any = copy(compiled)
        compiler.connection = connections[DEFAULT_DB_ALIAS]
        compiler.as_sql = lambda: (sql, (*params, value))
        # The queryset asks its query for a compiler, runs its SQL, and turns the results into rows.
        rows: Any = self.rows.all()
        rows.query.get_compiler = lambda *_args, **_kwargs: compiler
        return list(rows)


class PreparedLookup(PreparedQuery[Row]):
    """Rows looked up by primary key, after another query has found the keys and their order."""

    def __init__(self, rows: QuerySet[Any, Row]) -> None:
        super().__init__(rows, "pk__in_array", [])

    def in_order(self, keys: list[int]) -> list[Row]:
        """The rows with these primary keys, in the order of the keys. Rows that were deleted are left out."""
        rows: list[Any] = self.fetch(array_param(keys)) if keys else []
        found = {row.pk: row for row in rows}
        return [found[key] for key in keys if key in found]


@dataclass(frozen=True)
class CappedCount:
    """Counts the rows of a list and of parts of it, in one statement that stops counting at `limit`."""

    limit: int
    sql: str
    params: tuple[Any, ...]

    @classmethod
    def of(cls, limit: int, whole: Sequence[QuerySet], *parts: Sequence[QuerySet]) -> "CappedCount":
        """Compile the statement. The whole and each part are given as querysets with no row in common."""
        params: list[object] = []
        counts = [" + ".join(cls._count(rows, limit, params) for rows in each) for each in (*parts, whole)]
        names = [f"part_{position}" for position in range(len(parts))]
        # The whole is not counted if one of its parts already reaches the limit.
        reached = " OR ".join(f"{name} >= {limit}" for name in names)
        sql = (
            f"WITH parts ({', '.join(names)}) AS MATERIALIZED (SELECT {', '.join(counts[:-1])})"
            f" SELECT CASE WHEN {reached} THEN {limit} ELSE {counts[-1]} END, {', '.join(names)} FROM parts"
        )
        return cls(limit, sql, tuple(params))

    @staticmethod
    def _count(rows: QuerySet, limit: int, params: list[object]) -> str:
        """Return the SQL that counts the rows, and append its parameters to `params`."""
        compiled = queryset_sql(rows.order_by().values_list("pk")[:limit])
        if compiled is None:
            return "0"
        select, select_params = compiled
        params += select_params
        return f"(SELECT COUNT(*) FROM ({select}) AS counted)"

    def fetch(self) -> list[int]:
        """The number of rows of the whole, then of each part; none is higher than `limit`."""
        with connection.cursor() as cursor:
            cursor.execute(self.sql, self.params)
            return [min(number, self.limit) for number in cursor.fetchone()]


@dataclass(frozen=True)
class MergedRanges:
    """The primary keys of several querysets, merged into one order. Each is a range of an index in that order.

    Each range is a sorted subquery with a limit, so PostgreSQL merges the ranges and reads no more than it needs.
    """

    selects: tuple[str, ...]
    params: tuple[Any, ...]
    order: str

    @classmethod
    def of(cls, ranges: Sequence[QuerySet], columns: Sequence[str], *, descending: bool) -> "MergedRanges":
        """Compile the ranges, ordered by `columns`. The last column must be the primary key."""
        selects: list[str] = []
        params: list[object] = []
        order = [OrderBy(F(column), descending=descending) for column in columns]
        for rows in ranges:
            if compiled := queryset_sql(rows.order_by(*order).values_list(*columns)):
                selects.append(compiled[0])
                params += compiled[1]
        return cls(tuple(selects), tuple(params), _order_by_position(columns, descending=descending))

    def first(self, number: int, *, start: int = 0) -> list[int]:
        """The first `number` keys, after skipping `start` of them."""
        if not self.selects:
            return []
        with connection.cursor() as cursor:
            cursor.execute(f"{self._sql(f' LIMIT {start + number}')} LIMIT {number} OFFSET {start}", self.params)
            return [row[-1] for row in cursor.fetchall()]

    def count(self, limit: int) -> int:
        """Count the keys, up to `limit`."""
        if not self.selects:
            return 0
        counted = f"{self._sql(f' LIMIT {limit}')} LIMIT {limit}"
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT COUNT(*) FROM ({counted}) AS counted", self.params)
            return int(cursor.fetchone()[0])

    def all(self) -> Iterator[int]:
        """Stream all keys."""
        if not self.selects:
            return
        with connection.chunked_cursor() as cursor:
            cursor.execute(self._sql(), self.params)
            while rows := cursor.fetchmany(COUNT_CAP):
                yield from (row[-1] for row in rows)

    def _sql(self, limit: str = "") -> str:
        parts = (f"SELECT * FROM ({select}{limit}) AS part" for select in self.selects)
        return f"{' UNION ALL '.join(parts)} ORDER BY {self.order}"


def sorted_rows(rows: QuerySet, columns: Sequence[str], *, descending: bool, limit: int) -> list[tuple[Any, ...]]:
    """Fetch these columns of the first `limit` rows that the database finds, sorted by them.

    A subquery finds the rows before they are sorted. Otherwise PostgreSQL might read an index in the order of
    `columns`, expecting to meet the rows early.
    """
    compiled = queryset_sql(rows.order_by().values_list(*columns)[:limit])
    if compiled is None:
        return []
    select, params = compiled
    order = _order_by_position(columns, descending=descending)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM ({select}) AS found ORDER BY {order}", params)
        return list(cursor.fetchall())


def _order_by_position(columns: Sequence[str], *, descending: bool) -> str:
    direction = "DESC" if descending else "ASC"
    return ", ".join(f"{position} {direction}" for position in range(1, len(columns) + 1))
