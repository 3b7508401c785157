"""A database for each number of customers, all open at the same time, so that they can be measured alternately."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.db.utils import load_backend
from psycopg.conninfo import make_conninfo

from tests.benchmarks.customers import fill

CONFIGURED = settings.DATABASES["default"]
ENGINE = "PostgreSQL" if "postgresql" in CONFIGURED["ENGINE"] else "SQLite"


class Database:
    """A database with this number of customers; `use()` makes it the one that the product works on."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.name = f"partnercenter_bench_{size}" if ENGINE == "PostgreSQL" else f"{CONFIGURED['NAME']}_bench_{size}"
        alias_settings: dict[str, Any] = {**connections.settings["default"], "NAME": self.name}
        self.connection = load_backend(CONFIGURED["ENGINE"]).DatabaseWrapper(alias_settings, alias="default")

    def use(self) -> "Database":
        connections["default"] = self.connection
        return self

    def __enter__(self) -> "Database":
        self._drop()
        if ENGINE == "PostgreSQL":
            _run_on_server(f'CREATE DATABASE "{self.name}"')
        self.use()
        print(f"filling {self.name}", file=sys.stderr, flush=True)
        call_command("migrate", verbosity=0)
        fill(self.size)
        self.vacuum_and_analyze()
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()
        self._drop()

    def vacuum_and_analyze(self) -> None:
        """Collect the planner's statistics and remove dead rows, as happens by itself in a running installation."""
        with self.use().connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE" if ENGINE == "PostgreSQL" else "ANALYZE")

    def _drop(self) -> None:
        if ENGINE == "PostgreSQL":
            _run_on_server(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')
        else:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self.name}{suffix}").unlink(missing_ok=True)


def _run_on_server(statement: str) -> None:
    address = make_conninfo(
        dbname=CONFIGURED["NAME"],
        host=CONFIGURED["HOST"] or None,
        port=CONFIGURED["PORT"] or None,
        user=CONFIGURED["USER"] or None,
        password=CONFIGURED["PASSWORD"] or None,
    )
    with psycopg.connect(address, autocommit=True) as server:
        server.execute(statement)


@contextmanager
def filled_databases(sizes: list[int]) -> Iterator[dict[int, Database]]:
    """A filled database of each size, smallest first; all are dropped at the end, also after an error."""
    if not sizes:
        yield {}
        return
    *smaller, largest = sizes
    with filled_databases(smaller) as by_size, Database(largest) as database:
        yield {**by_size, largest: database}
