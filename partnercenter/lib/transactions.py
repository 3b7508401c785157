"""Transactions that wait a bounded time, and the locks that actions take in them; the same on SQLite and PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connection, models, transaction
from django.utils.translation import gettext as _

from partnercenter.lib.errors import LockTimeout

LOCK_NOT_AVAILABLE = "55P03"


# The named locks, in the order in which a transaction may take them: then grants, then customers.
MONTH_LOCK, REPORT_LOCK = 20_401, 20_402


@contextmanager
def write_transaction() -> Iterator[None]:
    """One transaction, as a block or a decorator, that waits at most ten seconds for another.

    See rule 8.6 (docs/rules.md).

    Raises LockTimeout when the wait was longer. On SQLite a transaction is the only writer from its start.
    """
    try:
        with transaction.atomic():
            if connection.vendor == "postgresql":
                # Compiling a statement for a batch takes longer than it saves.
                with connection.cursor() as cursor:
                    cursor.execute("SET LOCAL lock_timeout = '10s'; SET LOCAL jit = off")
            yield
    except OperationalError as error:
        if not is_lock_timeout(error):
            raise
        raise lock_timeout() from error


def lock_timeout() -> LockTimeout:
    """What whoever waited too long is told."""
    return LockTimeout(
        _("A report is being imported, or another change is under way. Nothing was changed: try again in a moment.")
    )


def is_lock_timeout(error: BaseException) -> bool:
    """Whether the database gave up waiting for another transaction."""
    return getattr(error.__cause__, "sqlstate", "") == LOCK_NOT_AVAILABLE or "database is locked" in str(error)


def advisory_lock(name: int, *, shared: bool = False) -> None:
    """Take the named lock until the transaction ends. Nothing to do on SQLite, where writers are alone."""
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("a named lock lives in a transaction")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT pg_advisory_xact_lock{'_shared' if shared else ''}(%s)", [name])


def lock_keys(rows: models.QuerySet[Any]) -> list[int]:
    """Lock the rows in key order, as every action does, and give their keys.

    NO KEY: inserting a record takes KEY SHARE on the rows its foreign keys name, which a plain FOR UPDATE would block
    into a deadlock. After it the queryset is dead: what is written may move rows out of its filter.
    """
    return list(rows.order_by("pk").select_for_update(no_key=True, of=("self",)).values_list("pk", flat=True))


def lock_rows(rows: models.QuerySet[Any]) -> None:
    """Lock the rows in key order, without fetching their keys."""
    locked = rows.order_by("pk").select_for_update(no_key=True, of=("self",)).values_list("pk", flat=True)
    select, params = locked.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM ({select}) AS locked", params)
