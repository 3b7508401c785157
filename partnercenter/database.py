"""What the ORM does not say for itself, the same on SQLite and PostgreSQL.

Transactions that wait a bounded time, row locks in key order, named locks, keys handed over as one array, rows staged
in a temporary table, `INSERT .. SELECT` compiled from a queryset, counts that stop, ordered rows merged, and migrations
in the SQL of one engine.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import OperationalError, connection, migrations, models, transaction
from django.db.models import F, Lookup, Value
from django.db.models.expressions import OrderBy
from django.utils.translation import gettext as _

from partnercenter.refusals import Busy

LOCK_NOT_AVAILABLE = "55P03"

# The list never counts more than it shows: "1,000+" (performance, goals).
COUNTED = 1_000

STAGED_AT_ONCE = 10_000
# So many new rows change what a table is like.
VERY_MANY = 20_000

# The named locks, in the order in which a transaction may take them (house rule 5): then grants, then customers.
MONTH, REPORT = 20_401, 20_402


@contextmanager
def writing() -> Iterator[None]:
    """One transaction, as a block or a decorator, that waits at most ten seconds for another (domain 8.6).

    Raises Busy when the wait was longer. On SQLite a transaction is the only writer from its start.
    """
    try:
        with transaction.atomic():
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute("SET LOCAL lock_timeout = '10s'")
            yield
    except OperationalError as error:
        if not waited_too_long(error):
            raise
        raise busy() from error


def busy() -> Busy:
    """What whoever waited too long is told."""
    return Busy(
        _("A report is being taken in, or another change is under way. Nothing was changed: try again in a moment.")
    )


def waited_too_long(error: BaseException) -> bool:
    """Whether the database gave up waiting for another transaction."""
    return getattr(error.__cause__, "sqlstate", "") == LOCK_NOT_AVAILABLE or "database is locked" in str(error)


def hold(name: int, *, shared: bool = False) -> None:
    """Take the named lock until the transaction ends. Nothing to do on SQLite, where writers are alone."""
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("a named lock lives in a transaction")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT pg_advisory_xact_lock{'_shared' if shared else ''}(%s)", [name])


def lock(rows: models.QuerySet[Any]) -> list[int]:
    """Lock the rows in key order, as every action does, and give their keys.

    NO KEY: inserting a record takes KEY SHARE on the rows its foreign keys name, which a plain FOR UPDATE would block
    into a deadlock. After it the queryset is dead: what is written may move rows out of its filter.
    """
    return list(rows.order_by("pk").select_for_update(no_key=True, of=("self",)).values_list("pk", flat=True))


def lock_only(rows: models.QuerySet[Any]) -> None:
    """Lock the rows in key order, without fetching their keys."""
    locked = rows.order_by("pk").select_for_update(no_key=True, of=("self",)).values_list("pk", flat=True)
    select, params = locked.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM ({select}) AS locked", params)


def analyze(*tables: type[models.Model]) -> None:
    """Tell PostgreSQL of very many new rows at once: until it hears of them it plans as if there were none."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for table in tables:
                cursor.execute(f"ANALYZE {connection.ops.quote_name(table._meta.db_table)}")


@models.ForeignKey.register_lookup
@models.Field.register_lookup
class Among(Lookup):
    """`pk__among=keys`: any number of keys as one parameter, where a long `IN` is refused or slow."""

    lookup_name = "among"

    def get_prep_lookup(self) -> list[Any]:
        return list(self.rhs)

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        column, params = self.process_lhs(compiler, connection)
        return f"{column} IN (SELECT value FROM json_each(%s))", [*params, json.dumps(self.rhs)]

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        # Unnested it is joined; `= ANY (array)` beside another index is compared with every element for every row.
        column, params = self.process_lhs(compiler, connection)
        kind = self.lhs.output_field.db_type(connection)
        return f"{column} IN (SELECT unnest(%s::{kind}[]))", [*params, self.rhs]


def stage(table: str, columns: str, rows: Iterable[Sequence[Any]]) -> None:
    """Make a temporary table of this connection and fill it with the rows, ten thousand at a time.

    Between these the connection is free for whatever the rows are read with. Needs no transaction.
    """
    unstage(table)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE {table} ({columns})")
        rest = iter(rows)
        while chunk := list(islice(rest, STAGED_AT_ONCE)):
            _copy(cursor, table, chunk)
        if connection.vendor == "postgresql":
            cursor.execute(f"ANALYZE {table}")


def _copy(cursor: Any, table: str, rows: list[Sequence[Any]]) -> None:
    if connection.vendor == "postgresql":
        with cursor.copy(f"COPY {table} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    else:
        places = ", ".join(["%s"] * len(rows[0]))
        cursor.executemany(f"INSERT INTO {table} VALUES ({places})", rows)


def unstage(*tables: str) -> None:
    """Drop temporary tables: a connection that lives on may still have them."""
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"DROP TABLE IF EXISTS {table}")


def text(value: str) -> Value:
    """A plain text as an expression, where a bare one would be the name of a field."""
    return Value(value, output_field=models.CharField())


def insert_from(
    model: type[models.Model],
    rows: models.QuerySet[Any],
    *,
    on_conflict: Iterable[str] = (),
    update: Iterable[str] = (),
    **columns: Any,
) -> int:
    """Insert one row of `model` per row of the queryset, in one statement, and give their number.

    `columns` maps a field of `model` to the name of a field of `rows`, an expression over it, or a plain value (a plain
    text as `text("..")`). Where `on_conflict` names unique fields, an existing row gets the fields of `update` instead.
    """
    fields: list[Any] = [model._meta.get_field(name) for name in columns]
    expressions = {
        f"_{position}": _column(value, field)
        for position, (value, field) in enumerate(zip(columns.values(), fields, strict=True))
    }
    try:
        select, params = rows.order_by().annotate(**expressions).values_list(*expressions).query.sql_with_params()
    except EmptyResultSet:
        return 0
    quote = connection.ops.quote_name
    names = ", ".join(quote(field.column) for field in fields)
    sql = f"INSERT INTO {quote(model._meta.db_table)} ({names}) {select}"
    with connection.cursor() as cursor:
        cursor.execute(sql + _conflict(model, on_conflict, update), params)
        return cursor.rowcount


def _column(value: Any, field: Any) -> Any:
    if isinstance(value, str) and not isinstance(value, models.Choices):
        return F(value)
    if hasattr(value, "resolve_expression"):
        return value
    # INSERT .. SELECT needs the type of a constant said.
    return Value(value, output_field=field.target_field if field.is_relation else field)


def _conflict(model: type[models.Model], on_conflict: Iterable[str], update: Iterable[str]) -> str:
    def columns(names: Iterable[str]) -> list[str]:
        fields: list[Any] = [model._meta.get_field(name) for name in names]
        return [connection.ops.quote_name(field.column) for field in fields]

    target = ", ".join(columns(on_conflict))
    if not target:
        return ""
    return f" ON CONFLICT ({target}) DO UPDATE SET " + ", ".join(f"{c} = EXCLUDED.{c}" for c in columns(update))


def count_up_to(most: int, *querysets: models.QuerySet[Any]) -> list[int]:
    """How many rows each of the querysets has, but never more than `most`: one statement, read no further."""
    counts: list[str] = []
    params: list[Any] = []
    for rows in querysets:
        try:
            select, given = rows.order_by().values_list("pk")[:most].query.sql_with_params()
        except EmptyResultSet:
            counts.append("0")
            continue
        counts.append(f"(SELECT COUNT(*) FROM ({select}) AS counted)")
        params += given
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(counts)}", params)
        return list(cursor.fetchone())


def first_keys(
    parts: Sequence[models.QuerySet[Any]], columns: Sequence[str], *, descending: bool, start: int, number: int
) -> list[int]:
    """So many keys from the one at `start`, in the order of `columns`, the last of which is unique, over all the parts.

    Each part is a range of one index in that order. PostgreSQL merges them as they are read, if it is told that each is
    sorted and how much of it is needed at most.
    """
    sql, params = _merged(parts, columns, descending=descending, most=start + number)
    if not sql:
        return []
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} LIMIT {number} OFFSET {start}", params)
        return [row[-1] for row in cursor.fetchall()]


def all_keys(parts: Sequence[models.QuerySet[Any]], columns: Sequence[str], *, descending: bool) -> Iterator[int]:
    """All keys in that order, as they are now, as a stream."""
    sql, params = _merged(parts, columns, descending=descending)
    if not sql:
        return
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql, params)
        while rows := cursor.fetchmany(COUNTED):
            yield from (row[-1] for row in rows)


def _merged(
    parts: Sequence[models.QuerySet[Any]], columns: Sequence[str], *, descending: bool, most: int | None = None
) -> tuple[str, list[Any]]:
    selected: list[str] = []
    params: list[Any] = []
    order = [OrderBy(F(column), descending=descending) for column in columns]
    for rows in parts:
        try:
            select, given = rows.order_by(*order).values_list(*columns)[:most].query.sql_with_params()
        except EmptyResultSet:
            continue
        selected.append(f"SELECT * FROM ({select}) AS part")
        params += given
    positions = (f"{position} {'DESC' if descending else 'ASC'}" for position in range(1, len(columns) + 1))
    return f"{' UNION ALL '.join(selected)} ORDER BY {', '.join(positions)}" if selected else "", params


class VendorSQL(migrations.RunSQL):
    """`RunSQL` on one kind of database, such as "postgresql"; nothing elsewhere."""

    def __init__(self, vendor: str, sql: str, reverse_sql: str) -> None:
        super().__init__(sql, reverse_sql)
        self.vendor = vendor

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return type(self).__name__, [self.vendor, self.sql, self.reverse_sql], {}

    def database_forwards(self, app_label: str, schema_editor: Any, *states: Any) -> None:
        if schema_editor.connection.vendor == self.vendor:
            super().database_forwards(app_label, schema_editor, *states)

    def database_backwards(self, app_label: str, schema_editor: Any, *states: Any) -> None:
        if schema_editor.connection.vendor == self.vendor:
            super().database_backwards(app_label, schema_editor, *states)
