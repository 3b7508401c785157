"""SQL that the ORM cannot express, the same on SQLite and PostgreSQL.

`INSERT .. SELECT` and `UPDATE .. FROM` from a queryset, many keys as one parameter, temporary tables, and migrations
written in the SQL of one database.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, migrations, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import ProjectState
from django.db.models import F, Lookup, QuerySet, Value
from django.db.models.sql.compiler import SQLCompiler

# SQL and its parameters.
Statement = tuple[str, tuple[Any, ...]]

ROWS_PER_COPY = 10_000
# PostgreSQL's statistics of a table need a refresh after this many new rows, unless it had this many times more before.
ANALYZE_THRESHOLD, ANALYZE_FACTOR = 20_000, 5
SMALL_TABLES = "SELECT relname FROM pg_class WHERE oid = ANY (%s::regclass[]) AND reltuples < %s"


def queryset_sql(rows: QuerySet) -> Statement | None:
    """The SQL and parameters of a queryset; None if Django knows without a query that it is empty."""
    try:
        return rows.query.sql_with_params()
    except EmptyResultSet:
        return None


@models.ForeignKey.register_lookup
@models.Field.register_lookup
class InArray(Lookup):
    """`pk__in_array=keys`: like `pk__in`, but all keys are one parameter. A long `IN` is slow or refused."""

    lookup_name = "in_array"

    def get_prep_lookup(self) -> list[object]:
        return list(self.rhs)

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Statement:
        column, params = self.process_lhs(compiler, connection)
        return f"{column} IN (SELECT value FROM json_each(%s))", (*params, array_param(self.rhs))

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Statement:
        # PostgreSQL joins the unnested array. With `= ANY (array)` it may compare every row with every key.
        column, params = self.process_lhs(compiler, connection)
        # Not varchar(n): that would truncate a longer key, which could then match the wrong row.
        field = self.lhs.output_field
        array_type = "text" if isinstance(field, models.CharField) else field.db_type(connection)
        return f"{column} IN (SELECT unnest(%s::{array_type}[]))", (*params, array_param(self.rhs))


def array_param(keys: list[Any]) -> Any:
    """Convert keys to the parameter of an `in_array` lookup."""
    return keys if connection.vendor == "postgresql" else json.dumps(keys)


def create_temp_table(table: str, columns: str, rows: Iterable[Sequence[Any]]) -> None:
    """Create a temporary table of this connection and fill it, ten thousand rows at a time.

    `rows` may use the connection itself while it is read. Needs no transaction.
    """
    drop_temp_tables(table)
    remaining = iter(rows)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE {table} ({columns})")
        while chunk := list(islice(remaining, ROWS_PER_COPY)):
            if connection.vendor == "postgresql":
                with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                    for row in chunk:
                        copy.write_row(row)
            else:
                placeholders = ", ".join(["%s"] * len(chunk[0]))
                cursor.executemany(f"INSERT INTO {table} VALUES ({placeholders})", chunk)
        if connection.vendor == "postgresql":
            cursor.execute(f"ANALYZE {table}")


def drop_temp_tables(*tables: str) -> None:
    """Drop temporary tables, which a long-lived connection would otherwise keep."""
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"DROP TABLE IF EXISTS {table}")


def analyze_tables(new_rows: int, *tables: type[models.Model]) -> None:
    """Refresh PostgreSQL's statistics of the tables that were small before this many rows were added.

    Until then, its planner would treat them as small.
    """
    if new_rows < ANALYZE_THRESHOLD or connection.vendor != "postgresql":
        return
    names = [table._meta.db_table for table in tables]
    with connection.cursor() as cursor:
        cursor.execute(SMALL_TABLES, [names, new_rows * ANALYZE_FACTOR])
        for (table,) in cursor.fetchall():
            cursor.execute(f"ANALYZE {connection.ops.quote_name(table)}")


def db_datetime(at: datetime) -> Any:
    """Convert a time to a parameter of handwritten SQL. SQLite compares times as text, so the format matters."""
    return models.DateTimeField().get_db_prep_value(at, connection)


def text_value(value: str) -> Value:
    """Turn text into an expression. `insert_from` and `update_from` take bare text as the name of a field."""
    return Value(value, output_field=models.CharField())


def insert_from(model: type[models.Model], rows: QuerySet, **columns: object) -> int:
    """Insert one row of `model` per row of the queryset in one statement, and return their number.

    `columns` maps each field of `model` to its value: the name of a field of `rows`, an expression, or a constant (text
    as `text_value("..")`).
    """
    names = ", ".join(_column_names(model, columns))
    return _write(f"INSERT INTO {_table_name(model)} ({names}) {{select}}", _select(model, rows, columns))


def update_from(model: type[models.Model], rows: QuerySet, *, key: str, **columns: object) -> int:
    """Update rows of `model` from the rows of the queryset, whose field `key` holds the primary key to update.

    One statement; returns the number of updated rows. `columns` is as for `insert_from`.
    """
    pk, table = model._meta.pk.name, _table_name(model)
    pk_column, *names = _column_names(model, [pk, *columns])
    assignments = ", ".join(f"{name} = source._{position}" for position, name in enumerate(names, 1))
    update = f"UPDATE {table} SET {assignments} FROM ({{select}}) AS source WHERE {table}.{pk_column} = source._0"
    return _write(update, _select(model, rows, {pk: key} | columns))


def _select(model: type[models.Model], rows: QuerySet, columns: dict[str, object]) -> QuerySet:
    """Select the values of `columns` from the queryset as the columns `_0`, `_1` and so on."""
    values = [_expression(value, model._meta.get_field(name)) for name, value in columns.items()]
    expressions = {f"_{position}": value for position, value in enumerate(values)}
    return rows.order_by().annotate(**expressions).values_list(*expressions)


def _expression(value: Any, field: Any) -> Any:
    if isinstance(value, str) and not isinstance(value, models.Choices):
        return F(value)
    if hasattr(value, "resolve_expression"):
        return value
    # PostgreSQL must be told the type of a selected constant.
    return Value(value, output_field=field.target_field if field.is_relation else field)


def _write(sql: str, rows: QuerySet) -> int:
    """Run the statement with the queryset in place of `{select}`; return the number of rows written."""
    compiled = queryset_sql(rows)
    if compiled is None:
        return 0
    select, params = compiled
    with connection.cursor() as cursor:
        cursor.execute(sql.format(select=select), params)
        return cursor.rowcount


def _table_name(model: type[models.Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _column_names(model: type[models.Model], names: Iterable[str]) -> list[str]:
    fields: list[Any] = [model._meta.get_field(name) for name in names]
    return [connection.ops.quote_name(field.column) for field in fields]


class VendorSQL(migrations.RunSQL):
    """`RunSQL` for one kind of database, such as "postgresql". It does nothing on others."""

    def __init__(self, vendor: str, sql: str, reverse_sql: str) -> None:
        super().__init__(sql, reverse_sql)
        self.vendor = vendor

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return type(self).__name__, [self.vendor, self.sql, self.reverse_sql], {}

    def database_forwards(self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, *states: ProjectState) -> None:
        if schema_editor.connection.vendor == self.vendor:
            super().database_forwards(app_label, schema_editor, *states)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, *states: ProjectState
    ) -> None:
        if schema_editor.connection.vendor == self.vendor:
            super().database_backwards(app_label, schema_editor, *states)
