"""What the ORM does not say for itself, the same on SQLite and PostgreSQL.

Transactions that wait a bounded time, row locks in key order, named locks, keys and values handed over as one
parameter, rows staged in a temporary table, `INSERT .. SELECT` and `UPDATE .. FROM` compiled from a queryset, and
migrations in the SQL of one engine.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, migrations, models
from django.db.models import F, Lookup, Value

# The list never counts more than it shows: "1,000+" (performance, goals).
COUNT_CAP = 1_000

STAGED_AT_ONCE = 10_000
# So many new rows change what a table is like, unless there were so many times more before.
VERY_MANY, MANIFOLD = 20_000, 5
KNOWN_TO_BE_SMALL = "SELECT relname FROM pg_class WHERE oid = ANY (%s::regclass[]) AND reltuples < %s"


def analyze_tables(number: int, *tables: type[models.Model]) -> None:
    """Tell PostgreSQL of so many new rows, if they are very many and it knew of few: it plans as if there were none."""
    if number < VERY_MANY or connection.vendor != "postgresql":
        return
    named = [table._meta.db_table for table in tables]
    with connection.cursor() as cursor:
        cursor.execute(KNOWN_TO_BE_SMALL, [named, number * MANIFOLD])
        for (table,) in cursor.fetchall():
            cursor.execute(f"ANALYZE {connection.ops.quote_name(table)}")


@models.ForeignKey.register_lookup
@models.Field.register_lookup
class InArray(Lookup):
    """`pk__in_array=keys`: any number of keys as one parameter, where a long `IN` is refused or slow."""

    lookup_name = "in_array"

    def get_prep_lookup(self) -> list[Any]:
        return list(self.rhs)

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        column, params = self.process_lhs(compiler, connection)
        return f"{column} IN (SELECT value FROM json_each(%s))", [*params, array_param(self.rhs)]

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        # Unnested it is joined; `= ANY (array)` beside another index is compared with every element for every row.
        column, params = self.process_lhs(compiler, connection)
        # An array of a type with a length would cut off what is longer, and find somebody else by it.
        kind = (
            "text" if isinstance(self.lhs.output_field, models.CharField) else self.lhs.output_field.db_type(connection)
        )
        return f"{column} IN (SELECT unnest(%s::{kind}[]))", [*params, array_param(self.rhs)]


def array_param(keys: list[Any]) -> Any:
    """Keys as the one parameter that `in_array` makes of them."""
    return keys if connection.vendor == "postgresql" else json.dumps(keys)


def create_temp_table(table: str, columns: str, rows: Iterable[Sequence[Any]]) -> None:
    """Make a temporary table of this connection and fill it with the rows, ten thousand at a time.

    Between these the connection is free for whatever the rows are read with. Needs no transaction.
    """
    drop_temp_tables(table)
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


def db_datetime(at: datetime) -> Any:
    """A time in the database's own form, for SQL written by hand: SQLite compares times as text."""
    return models.DateTimeField().get_db_prep_value(at, connection)


def drop_temp_tables(*tables: str) -> None:
    """Drop temporary tables: a connection that lives on may still have them."""
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"DROP TABLE IF EXISTS {table}")


def text_value(value: str) -> Value:
    """A plain text as an expression, where a bare one would be the name of a field."""
    return Value(value, output_field=models.CharField())


def insert_from(model: type[models.Model], rows: models.QuerySet[Any], **columns: Any) -> int:
    """Insert one row of `model` per row of the queryset, in one statement, and give their number.

    `columns` maps a field of `model` to the name of a field of `rows`, an expression over it, or a plain value (a plain
    text as `text("..")`).
    """
    names = ", ".join(_names(model, columns))
    return _write(f"INSERT INTO {_table(model)} ({names}) {{select}}", _select(model, rows, columns))


def update_from(model: type[models.Model], rows: models.QuerySet[Any], *, key: str, **columns: Any) -> int:
    """Change the row of `model` whose key each row of the queryset has in `key`, in one statement; give their number.

    `columns` as for `insert_from`.
    """
    pk, table = model._meta.pk.name, _table(model)
    pk_column, *names = _names(model, [pk, *columns])
    given = ", ".join(f"{name} = given._{position}" for position, name in enumerate(names, 1))
    update = f"UPDATE {table} SET {given} FROM ({{select}}) AS given WHERE {table}.{pk_column} = given._0"
    return _write(update, _select(model, rows, {pk: key} | columns))


def _select(model: type[models.Model], rows: models.QuerySet[Any], columns: dict[str, Any]) -> models.QuerySet[Any]:
    """The columns over the rows, in their order, as `_0`, `_1` and so on."""
    fields: list[Any] = [model._meta.get_field(name) for name in columns]
    values = zip(columns.values(), fields, strict=True)
    expressions = {f"_{position}": _column(value, field) for position, (value, field) in enumerate(values)}
    return rows.order_by().annotate(**expressions).values_list(*expressions)


def _write(sql: str, rows: models.QuerySet[Any]) -> int:
    """How many rows the statement wrote, which has `{select}` where it reads them."""
    try:
        select, params = rows.query.sql_with_params()
    except EmptyResultSet:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(sql.format(select=select), params)
        return cursor.rowcount


def _table(model: type[models.Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _names(model: type[models.Model], names: Iterable[str]) -> list[str]:
    fields: list[Any] = [model._meta.get_field(name) for name in names]
    return [connection.ops.quote_name(field.column) for field in fields]


def _column(value: Any, field: Any) -> Any:
    if isinstance(value, str) and not isinstance(value, models.Choices):
        return F(value)
    if hasattr(value, "resolve_expression"):
        return value
    # A statement that writes what it selects needs the type of a constant said.
    return Value(value, output_field=field.target_field if field.is_relation else field)


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
