"""Statements that are put into SQL once and asked many times, which costs the ORM more than asking them.

A count that stops where the list does not tell more apart, ordered rows merged from ranges of an index, rows looked up.
Whoever keeps one keeps its words, never an answer.
"""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import F, QuerySet
from django.db.models.expressions import OrderBy
from django.db.models.sql.compiler import SQLCompiler

from partnercenter.lib.sql import COUNT_CAP, array_param

# Querysets of which no two have a row in common.
Rows = Sequence[QuerySet[Any]]


@dataclass(frozen=True)
class CappedCount:
    """How many rows there are and in some parts of them, `most` or more not told apart: no further are they read."""

    most: int
    sql: str
    params: tuple[Any, ...]

    @classmethod
    def of(cls, most: int, whole: Rows, *parts: Rows) -> "CappedCount":
        """In one statement; the whole is read only where none of its parts is known to be that many."""
        params: list[Any] = []
        counts = [" + ".join(_count(rows, most, params) for rows in each) for each in (*parts, whole)]
        names = [f"part_{position}" for position in range(len(parts))]
        enough = " OR ".join(f"{name} >= {most}" for name in names)
        sql = (
            f"WITH parts ({', '.join(names)}) AS MATERIALIZED (SELECT {', '.join(counts[:-1])})"
            f" SELECT CASE WHEN {enough} THEN {most} ELSE {counts[-1]} END, {', '.join(names)} FROM parts"
        )
        return cls(most, sql, tuple(params))

    def fetch(self) -> list[int]:
        """The whole, then the parts."""
        with connection.cursor() as cursor:
            cursor.execute(self.sql, self.params)
            return [min(number, self.most) for number in cursor.fetchone()]


def _count(rows: QuerySet[Any], most: int, params: list[Any]) -> str:
    try:
        select, given = rows.order_by().values_list("pk")[:most].query.sql_with_params()
    except EmptyResultSet:
        return "0"
    params += given
    return f"(SELECT COUNT(*) FROM ({select}) AS counted)"


@dataclass(frozen=True)
class MergedRanges:
    """The keys of several querysets in one order. Each is a range of one index in that order.

    PostgreSQL merges them as they are read, if it is told that each is sorted and how much of it is needed at most.
    """

    selects: tuple[str, ...]
    params: tuple[Any, ...]
    order: str

    @classmethod
    def of(cls, parts: Sequence[QuerySet[Any]], columns: Sequence[str], *, descending: bool) -> "MergedRanges":
        """In the order of `columns`, the last of which is the key."""
        selects: list[str] = []
        params: list[Any] = []
        order = [OrderBy(F(column), descending=descending) for column in columns]
        for rows in parts:
            try:
                select, given = rows.order_by(*order).values_list(*columns).query.sql_with_params()
            except EmptyResultSet:
                continue
            selects.append(select)
            params += given
        return cls(tuple(selects), tuple(params), _positions(columns, descending=descending))

    def first(self, number: int, *, start: int = 0) -> list[int]:
        """So many keys from the one at `start`."""
        if not self.selects:
            return []
        with connection.cursor() as cursor:
            cursor.execute(f"{self._sql(f' LIMIT {start + number}')} LIMIT {number} OFFSET {start}", self.params)
            return [row[-1] for row in cursor.fetchall()]

    def count(self, most: int) -> int:
        """How many they are, `most` or more not told apart."""
        if not self.selects:
            return 0
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT COUNT(*) FROM ({self._sql(f' LIMIT {most}')} LIMIT {most}) AS counted", self.params)
            return int(cursor.fetchone()[0])

    def all(self) -> Iterator[int]:
        """All keys, as they are now, as a stream."""
        if not self.selects:
            return
        with connection.chunked_cursor() as cursor:
            cursor.execute(self._sql(), self.params)
            while rows := cursor.fetchmany(COUNT_CAP):
                yield from (row[-1] for row in rows)

    def _sql(self, limit: str = "") -> str:
        parts = (f"SELECT * FROM ({select}{limit}) AS part" for select in self.selects)
        return f"{' UNION ALL '.join(parts)} ORDER BY {self.order}"


def sorted_rows(rows: QuerySet[Any], columns: Sequence[str], *, descending: bool, most: int) -> list[tuple[Any, ...]]:
    """These columns of the rows in their order, or of `most` of the rows, whichever are found first.

    Found before they are sorted: left to itself, a planner follows the order of an index in the hope to find them soon.
    """
    try:
        select, params = rows.order_by().values_list(*columns)[:most].query.sql_with_params()
    except EmptyResultSet:
        return []
    with connection.cursor() as cursor:
        order = _positions(columns, descending=descending)
        cursor.execute(f"SELECT * FROM ({select}) AS found ORDER BY {order}", params)
        return list(cursor.fetchall())


def _positions(columns: Sequence[str], *, descending: bool) -> str:
    return ", ".join(f"{position} {'DESC' if descending else 'ASC'}" for position in range(1, len(columns) + 1))


class PreparedQuery:
    """A queryset narrowed by one more lookup, put into SQL once whatever is looked up."""

    def __init__(self, rows: QuerySet[Any, Any], lookup: str, example: Any) -> None:
        self.rows = rows
        self.lookup = {lookup: example}

    @cached_property
    def _compiled(self) -> tuple[SQLCompiler, str, tuple[Any, ...]]:
        compiler = self.rows.filter(**self.lookup).query.get_compiler(DEFAULT_DB_ALIAS)
        sql, params = compiler.as_sql()
        # What is looked up comes last.
        return compiler, sql, tuple(params[:-1])

    def fetch(self, value: Any) -> list[Any]:
        """The rows for which the lookup finds this value, as the queryset makes and orders them."""
        compiled, sql, params = self._compiled
        compiler: Any = copy(compiled)
        compiler.connection = connections[DEFAULT_DB_ALIAS]
        compiler.as_sql = lambda: (sql, (*params, value))
        # The queryset makes rows of what its compiler finds; this one has its SQL already.
        rows: Any = self.rows.all()
        rows.query.get_compiler = lambda *_args, **_more: compiler
        return list(rows)


class PreparedLookup(PreparedQuery):
    """Rows read by key: whatever their order costs, what is shown of them does not."""

    def __init__(self, rows: QuerySet[Any, Any]) -> None:
        super().__init__(rows, "pk__in_array", [])

    def in_order(self, keys: list[int]) -> list[Any]:
        """The rows of these keys in their order, but for those that are no more."""
        found = {row.pk: row for row in self.fetch(array_param(keys))} if keys else {}
        return [found[key] for key in keys if key in found]
