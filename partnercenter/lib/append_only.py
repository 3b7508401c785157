"""Records are append-only: the database itself refuses to change, delete or replace one; see section 9 (docs/rules.md).

A model that subclasses `Record` gets triggers after every `migrate`. They are put back each time because SQLite drops
them without a word whenever Django rebuilds the table.
"""

from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections, models

POSTGRESQL_FUNCTION = """
CREATE OR REPLACE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$
"""
POSTGRESQL_TRIGGER = """
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON "{table}"
FOR EACH STATEMENT EXECUTE FUNCTION append_only()
"""
# INSERT OR REPLACE deletes without firing a DELETE trigger, hence the third.
SQLITE_TRIGGERS = {
    "no_update": "BEFORE UPDATE ON \"{table}\" BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
    "no_delete": "BEFORE DELETE ON \"{table}\" BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
    "no_replace": 'BEFORE INSERT ON "{table}" WHEN EXISTS (SELECT 1 FROM "{table}" WHERE {same})'
    " BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
}


class Record(models.Model):
    """A row that is written once and never again."""

    class Meta:
        abstract = True


def record_models() -> list[type[Record]]:
    """Every model whose rows are append-only."""
    return [model for model in apps.get_models() if issubclass(model, Record)]


def install_triggers(using: str = "default", **_: Any) -> None:
    """Put the triggers on every record table that exists. Safe to repeat; called after every migration."""
    connection = connections[using]
    present = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(POSTGRESQL_FUNCTION)
        for model in record_models():
            if model._meta.db_table in present:
                for statement in _create(connection.vendor, model):
                    cursor.execute(statement)


def remove_triggers(using: str = "default") -> None:
    """Take the triggers away. Only the tests do, round the flush between two of them."""
    connection = connections[using]
    with connection.cursor() as cursor:
        for model in record_models():
            for statement in _drop(connection.vendor, model):
                cursor.execute(statement)


def _create(vendor: str, model: type[Record]) -> list[str]:
    table = model._meta.db_table
    if vendor == "postgresql":
        return [POSTGRESQL_TRIGGER.format(table=table)]
    return [
        f'CREATE TRIGGER IF NOT EXISTS "{table}_{name}" {body.format(table=table, same=_same(model))}'
        for name, body in SQLITE_TRIGGERS.items()
    ]


def _same(model: type[Record]) -> str:
    """What a row that comes must not share with one that stands, by its key or another unique constraint, as SQL."""
    unique = [[field.name] for field in model._meta.concrete_fields if field.unique]
    unique += [list(constraint.fields) for constraint in model._meta.total_unique_constraints]
    column = {field.name: field.column for field in model._meta.concrete_fields}
    same = [" AND ".join(f'"{column[name]}" = NEW."{column[name]}"' for name in names) for names in unique]
    return " OR ".join(f"({each})" for each in same)


def _drop(vendor: str, model: type[Record]) -> list[str]:
    table = model._meta.db_table
    if vendor == "postgresql":
        return [f'DROP TRIGGER IF EXISTS append_only ON "{table}"']
    return [f'DROP TRIGGER IF EXISTS "{table}_{name}"' for name in SQLITE_TRIGGERS]


def unprotected_tables(using: str = "default") -> list[str]:
    """The record tables in the database that lack a trigger."""
    connection = connections[using]
    if connection.vendor == "postgresql":
        sql = (
            "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')"
        )
        wanted = {"append_only"}
    else:
        sql = "SELECT tbl_name, replace(name, tbl_name || '_', '') FROM sqlite_master WHERE type = 'trigger'"
        wanted = set(SQLITE_TRIGGERS)
    present = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        cursor.execute(sql)
        found: dict[str, set[str]] = {}
        for table, trigger in cursor.fetchall():
            found.setdefault(table.strip('"'), set()).add(trigger)
    tables = (model._meta.db_table for model in record_models())
    return [table for table in tables if table in present and not wanted <= found.get(table, set())]


@register(Tags.database)
def check_records_are_protected(app_configs: Any = None, databases: Any = None, **_: Any) -> list[CheckMessage]:
    """`manage.py check --database default` tells of a record table that could be changed."""
    return [
        Error(f"{table} is not append-only: run manage.py migrate.", id="partnercenter.E001")
        for using in databases or []
        for table in unprotected_tables(using)
    ]
