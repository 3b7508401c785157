"""Run hand-written SQL on both engines: parameters in the database's own form, and one transaction."""

from collections.abc import Iterable
from typing import Any

from django.db import connection, models, transaction


def run(statements: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """Run the statements with their named parameters in one transaction."""
    with transaction.atomic(), connection.cursor() as cursor:
        for statement, params in statements:
            cursor.execute(statement, params)


def db_value(model: type[models.Model], name: str, value: Any) -> Any:
    """The value as the column of this field of the model stores it."""
    field: Any = model._meta.get_field(name)
    return field.get_db_prep_value(value, connection)


def fetch(sql: str, params: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params or {})
        return cursor.fetchall()
