"""Run actions in threads and force the order in which they meet, so that a race does not depend on luck.

The first action pauses at a chosen function, between its reading and its writing. The others run until each has ended
or waits for a lock; only then does the first go on. If the lock is in place, the others have waited and read what the
first has written. If it is missing, they read or write in between, in every run of the test.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from pkgutil import resolve_name
from threading import Barrier, Event, get_ident
from typing import Any

import pytest
from django.db import connection, connections

from partnercenter.lib.errors import ActionError

# Seconds after which a test fails: twice as long as an action waits for a lock.
TIMEOUT = 20
POLL_INTERVAL = 0.005

COUNT_BLOCKED = "SELECT count(*) FROM unnest(%s::integer[]) AS pid WHERE cardinality(pg_blocking_pids(pid)) > 0"

Action = Callable[[], Any]


@contextmanager
def fast_flush() -> Iterator[None]:
    """Make the flush after each test delete the few rows there are, because truncating takes a second per test."""

    def delete(style: Any, tables: Sequence[str], **_options: Any) -> list[str]:
        # Foreign keys are checked when the flush commits, so the order of the tables does not matter.
        return [f"DELETE FROM {connection.ops.quote_name(table)};" for table in tables]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection.ops, "sql_flush", delete)
        yield


class PausePoint:
    """A place in the code where one thread waits, the first time it gets there, until it may go on."""

    def __init__(self) -> None:
        self.thread_id = 0
        self.reached = Event()
        self.may_go_on = Event()

    def pause(self) -> None:
        """Make the chosen thread wait; all other threads pass."""
        if get_ident() == self.thread_id and not self.reached.is_set():
            self.reached.set()
            assert self.may_go_on.wait(TIMEOUT), "the paused action was never told to go on"


def pause_before(monkeypatch: pytest.MonkeyPatch, function: str) -> PausePoint:
    """A pause point just before the function at this dotted path runs."""
    point, original = PausePoint(), resolve_name(function)

    def pausing(*args: Any, **kwargs: Any) -> Any:
        point.pause()
        return original(*args, **kwargs)

    monkeypatch.setattr(function, pausing)
    return point


def pause_after(monkeypatch: pytest.MonkeyPatch, function: str) -> PausePoint:
    """A pause point just after the function at this dotted path has run."""
    point, original = PausePoint(), resolve_name(function)

    def pausing(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        point.pause()
        return result

    monkeypatch.setattr(function, pausing)
    return point


class ActionThread:
    """An action that runs in a thread of its own and on a database connection of its own."""

    def __init__(self, pool: ThreadPoolExecutor, action: Action) -> None:
        self._backend_pid: Future[int] = Future()
        self.future: Future[Any] = pool.submit(self._run, action)

    def _run(self, action: Action) -> Any:
        try:
            connection.ensure_connection()
            self._backend_pid.set_result(connection.connection.info.backend_pid)
            return action()
        except ActionError as error:
            return error
        finally:
            connections.close_all()

    @property
    def backend_pid(self) -> int:
        """The process of PostgreSQL that serves this thread's connection."""
        return self._backend_pid.result(TIMEOUT)

    def result(self) -> Any:
        """What the action returned, or the ActionError that it raised; any other error is raised here."""
        return self.future.result(TIMEOUT)


def race(first: Action, *others: Action, pause: PausePoint, until_others_end: bool = False) -> list[Any]:
    """Run `first` up to the pause, then the others until each has ended or waits for a lock, then all to the end.

    With `until_others_end`, `first` stays paused until the others have ended, however long they wait for it. Returns
    what each action returned or the ActionError that it raised, `first` before the others. Any other error is raised.
    """
    with ThreadPoolExecutor(1 + len(others)) as pool:
        try:
            paused = ActionThread(pool, partial(_run_with_pause, first, pause))
            _wait_until_paused(pause, paused)
            rest = [ActionThread(pool, action) for action in others]
            _wait_until_ended_or_blocked(rest, all_must_end=until_others_end)
        finally:
            pause.may_go_on.set()
        return [thread.result() for thread in (paused, *rest)]


def run_together(actions: Sequence[Action]) -> list[Any]:
    """Start all actions at the same time; return what each returned or the ActionError that it raised."""
    start = Barrier(len(actions))

    def wait_and_run(action: Action) -> Any:
        start.wait(TIMEOUT)
        return action()

    with ThreadPoolExecutor(len(actions)) as pool:
        threads = [ActionThread(pool, partial(wait_and_run, action)) for action in actions]
    return [thread.result() for thread in threads]


def _run_with_pause(action: Action, pause: PausePoint) -> Any:
    pause.thread_id = get_ident()
    return action()


def _wait_until_paused(pause: PausePoint, thread: ActionThread) -> None:
    while not pause.reached.wait(POLL_INTERVAL):
        if thread.future.done():
            raise AssertionError(f"the first action ended without reaching its pause: {thread.result()!r}")


def _wait_until_ended_or_blocked(threads: list[ActionThread], *, all_must_end: bool) -> None:
    while True:
        running = [thread for thread in threads if not thread.future.done()]
        if not running or (not all_must_end and _all_blocked(running)):
            return
        wait([thread.future for thread in running], POLL_INTERVAL)


def _all_blocked(threads: list[ActionThread]) -> bool:
    """Whether each of them waits for a lock; the one at the head of the queue then waits for the paused action."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT_BLOCKED, [[thread.backend_pid for thread in threads]])
        return cursor.fetchone()[0] == len(threads)
