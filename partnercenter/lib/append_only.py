"""Append-only tables: the database refuses to update, delete or replace a record (rule 9.5 (docs/rules.md)).

Every model that subclasses `Record` gets triggers, which are installed after each `migrate`: on SQLite, Django rebuilds
a table to alter it, and the triggers are silently lost.
"""

from collections.abc import Sequence
from typing import ClassVar

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections, models

POSTGRESQL_FUNCTION = """
CREATE OR REPLACE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$
"""
POSTGRESQL_TRIGGER = """
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE{columns} OR DELETE OR TRUNCATE ON "{table}"
FOR EACH STATEMENT EXECUTE FUNCTION append_only()
"""
# INSERT OR REPLACE deletes the old row without firing a DELETE trigger, hence the third trigger.
SQLITE_TRIGGERS = {
    "no_update": "BEFORE UPDATE{columns} ON \"{table}\" BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
    "no_delete": "BEFORE DELETE ON \"{table}\" BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
    "no_replace": 'BEFORE INSERT ON "{table}" WHEN EXISTS (SELECT 1 FROM "{table}" WHERE {conflict})'
    " BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
}


class Record(models.Model):
    """Base class of models whose rows are inserted once and never changed, except for the fields in `changeable`."""

    changeable: ClassVar[tuple[str, ...]] = ()

    class Meta:
        abstract = True


def record_models() -> list[type[Record]]:
    """Every model whose table is append-only."""
    return [model for model in apps.get_models() if issubclass(model, Record)]


def install_triggers(using: str = "default", **_kwargs: object) -> None:
    """Install the triggers on every record table that exists. Called after every migration; safe to repeat."""
    connection = connections[using]
    existing = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(POSTGRESQL_FUNCTION)
        for model in record_models():
            table = model._meta.db_table
            if table not in existing:
                continue
            stored = {column.name for column in connection.introspection.get_table_description(cursor, table)}
            columns = _fixed_columns(model, stored)
            if connection.vendor == "postgresql":
                cursor.execute(POSTGRESQL_TRIGGER.format(table=table, columns=columns))
                continue
            for name, body in SQLITE_TRIGGERS.items():
                trigger = body.format(table=table, columns=columns, conflict=_conflict_condition(model))
                cursor.execute(f'CREATE TRIGGER IF NOT EXISTS "{table}_{name}" {trigger}')


def _fixed_columns(model: type[Record], stored: set[str]) -> str:
    """The columns that a trigger protects, as SQL after UPDATE: "" for all. `stored` are those that the table has.

    An earlier state of the database does not have every column of the model.
    """
    if not model.changeable:
        return ""
    fields = [field for field in model._meta.concrete_fields if field.name not in model.changeable]
    fixed = [field.column for field in fields if field.column in stored]
    return " OF " + ", ".join(f'"{column}"' for column in fixed)


def _conflict_condition(model: type[Record]) -> str:
    """SQL that is true for existing rows that share a unique value with the row being inserted."""
    fields = model._meta.concrete_fields
    unique = [[field.name] for field in fields if field.unique]
    unique += [list(constraint.fields) for constraint in model._meta.total_unique_constraints]
    columns = {field.name: field.column for field in fields}
    equal = [" AND ".join(f'"{columns[name]}" = NEW."{columns[name]}"' for name in names) for names in unique]
    return " OR ".join(f"({condition})" for condition in equal)


def remove_triggers(using: str = "default") -> None:
    """Remove the triggers from all record tables. Only tests need this, to flush the database."""
    connection = connections[using]
    with connection.cursor() as cursor:
        for model in record_models():
            table = model._meta.db_table
            if connection.vendor == "postgresql":
                cursor.execute(f'DROP TRIGGER IF EXISTS append_only ON "{table}"')
                continue
            for name in SQLITE_TRIGGERS:
                cursor.execute(f'DROP TRIGGER IF EXISTS "{table}_{name}"')


def unprotected_tables(using: str = "default") -> list[str]:
    """The record tables in the database that lack a trigger, so that they could be changed."""
    connection = connections[using]
    if connection.vendor == "postgresql":
        sql = (
            "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')"
        )
        required = {"append_only"}
    else:
        sql = "SELECT tbl_name, replace(name, tbl_name || '_', '') FROM sqlite_master WHERE type = 'trigger'"
        required = set(SQLITE_TRIGGERS)
    existing = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        cursor.execute(sql)
        found: dict[str, set[str]] = {}
        for table, trigger in cursor.fetchall():
            found.setdefault(table.strip('"'), set()).add(trigger)
    tables = [model._meta.db_table for model in record_models()]
    return [table for table in tables if table in existing and not required <= found.get(table, set())]


@register(Tags.database)
def check_records_are_protected(
    app_configs: Sequence[AppConfig] | None = None, databases: Sequence[str] | None = None, **_kwargs: object
) -> list[CheckMessage]:
    """System check that every record table has its triggers; run by `manage.py check --database default`."""
    return [
        Error(f"{table} is not append-only: run manage.py migrate.", id="partnercenter.E001")
        for using in databases or []
        for table in unprotected_tables(using)
    ]
