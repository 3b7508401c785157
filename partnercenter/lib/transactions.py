"""Transactions with a lock timeout, and the locks that actions take in them, on SQLite and PostgreSQL.

On SQLite a writing transaction excludes all others from its start, so the locks below do nothing there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import OperationalError, connection, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from partnercenter.lib.errors import LockTimeout
from partnercenter.lib.sql import queryset_sql

# PostgreSQL's SQLSTATE after `lock_timeout`.
LOCK_NOT_AVAILABLE = "55P03"

# The keys of the advisory locks. A transaction takes locks in this order: month, report, grants, customers.
MONTH_LOCK, REPORT_LOCK = 20_401, 20_402


@contextmanager
def write_transaction() -> Iterator[None]:
    """A transaction that waits at most ten seconds for a lock, as a block or decorator (rule 8.6 (docs/rules.md)).

    Raises LockTimeout after that.
    """
    try:
        with transaction.atomic():
            if connection.vendor == "postgresql":
                # Just-in-time compilation of a batch's statements takes longer than it saves.
                with connection.cursor() as cursor:
                    cursor.execute("SET LOCAL lock_timeout = '10s'; SET LOCAL jit = off")
            yield
    except OperationalError as error:
        if not is_lock_timeout(error):
            raise
        raise lock_timeout() from error


def is_lock_timeout(error: BaseException) -> bool:
    """Whether the database gave up waiting for another transaction."""
    return getattr(error.__cause__, "sqlstate", "") == LOCK_NOT_AVAILABLE or "database is locked" in str(error)


def lock_timeout() -> LockTimeout:
    """The error for an operator whose action waited too long."""
    return LockTimeout(
        _("A report is being imported, or another change is in progress. Nothing was changed. Try again in a moment.")
    )


def advisory_lock(key: int, *, shared: bool = False) -> None:
    """Take an advisory lock until the end of the transaction."""
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("an advisory lock needs a transaction")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT pg_advisory_xact_lock{'_shared' if shared else ''}(%s)", [key])


def try_advisory_lock(key: int) -> bool:
    """Take an advisory lock until the end of the transaction if nobody holds it; return whether it was taken."""
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("an advisory lock needs a transaction")
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [key])
        return bool(cursor.fetchone()[0])


def database_now() -> datetime:
    """The time by the clock of the database server, which on SQLite is the console's own."""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
        return now


def lock_keys(rows: QuerySet) -> list[int]:
    """Lock the rows in the order of their primary keys, as every action does, and return the keys.

    Do not use the queryset afterwards: changes may move rows out of its filter.
    """
    return list(_locking(rows))


def lock_rows(rows: QuerySet) -> None:
    """Lock the rows in the order of their primary keys, without fetching the keys."""
    if compiled := queryset_sql(_locking(rows)):
        select, params = compiled
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT COUNT(*) FROM ({select}) AS locked", params)


def _locking(rows: QuerySet) -> QuerySet:
    # NO KEY, because inserting a record takes a KEY SHARE lock on the rows that its foreign keys refer to. With a plain
    # FOR UPDATE, two actions could deadlock.
    return rows.order_by("pk").select_for_update(no_key=True, of=("self",)).values_list("pk", flat=True)
