"""What hand-written SQL needs on both engines: values in the database's own form, and one transaction."""

from collections.abc import Iterable
from typing import Any

from django.db import connection, models, transaction


def run(statements: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """The statements with their named parameters in one transaction."""
    with transaction.atomic(), connection.cursor() as cursor:
        for statement, params in statements:
            cursor.execute(statement, params)


def value(model: type[models.Model], name: str, given: Any) -> Any:
    """What the column of the model's field of this name holds for it."""
    field: Any = model._meta.get_field(name)
    return field.get_db_prep_value(given, connection)


def fetch(sql: str, params: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params or {})
        return cursor.fetchall()
