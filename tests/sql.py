"""SQL in tests: running it, counting the queries of a call, and tests for one database engine."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

SQLITE_ONLY = pytest.mark.skipif(connection.vendor != "sqlite", reason="tests what only SQLite has")
POSTGRESQL_ONLY = pytest.mark.skipif(connection.vendor != "postgresql", reason="tests what only PostgreSQL has")


def run_sql(sql: str) -> list[Any]:
    """Run one statement and return its rows, if it has any."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


def count_queries(call: Callable[[], Any]) -> int:
    """How many queries a call sends to the database."""
    with CaptureQueriesContext(connection) as captured:
        call()
    return len(captured)
