"""A database of its own for every size, side by side, so that they can be measured in turns."""

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

GIVEN = settings.DATABASES["default"]
ENGINE = "PostgreSQL" if "postgresql" in GIVEN["ENGINE"] else "SQLite"


class Database:
    """One database with so many customers; `use()` makes it the one the product sees."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.name = f"partnercenter_bench_{size}" if ENGINE == "PostgreSQL" else f"{GIVEN['NAME']}_bench_{size}"
        described: dict[str, Any] = {**connections.settings["default"], "NAME": self.name}
        self.connection = load_backend(GIVEN["ENGINE"]).DatabaseWrapper(described, alias="default")

    def use(self) -> "Database":
        connections["default"] = self.connection
        return self

    def __enter__(self) -> "Database":
        self._remove()
        if ENGINE == "PostgreSQL":
            _on_server(f'CREATE DATABASE "{self.name}"')
        self.use()
        print(f"filling {self.name}", file=sys.stderr, flush=True)
        call_command("migrate", verbosity=0)
        fill(self.size)
        self.settle()
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()
        self._remove()

    def settle(self) -> None:
        """Give the planner its statistics and take dead rows away, as an installation that runs for a while has it."""
        with self.use().connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE" if ENGINE == "PostgreSQL" else "ANALYZE")

    def _remove(self) -> None:
        if ENGINE == "PostgreSQL":
            _on_server(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')
        else:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self.name}{suffix}").unlink(missing_ok=True)


def _on_server(statement: str) -> None:
    address = make_conninfo(
        dbname=GIVEN["NAME"],
        host=GIVEN["HOST"] or None,
        port=GIVEN["PORT"] or None,
        user=GIVEN["USER"] or None,
        password=GIVEN["PASSWORD"] or None,
    )
    with psycopg.connect(address, autocommit=True) as server:
        server.execute(statement)


@contextmanager
def filled(sizes: list[int]) -> Iterator[dict[int, Database]]:
    """A database of each size, smallest first; all are dropped at the end, come what may."""
    if not sizes:
        yield {}
        return
    *smaller, largest = sizes
    with filled(smaller) as by_size, Database(largest) as database:
        yield {**by_size, largest: database}
