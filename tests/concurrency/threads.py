"""Actions in threads of their own, one of them stopped between its reading and its writing, so that no race is a matter
of luck.

Whoever is to be overtaken stops at a place in the running code; the others run until they have ended or wait for a lock
that is held; only then does the first go on. With the lock in place the others waited and read what the first has
written. Without it they read or write in between, every time.
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

# Seconds after which a test gives up; twice what an action would wait for another.
GIVE_UP = 20
A_MOMENT = 0.005

BLOCKED = "SELECT count(*) FROM unnest(%s::integer[]) AS pid WHERE cardinality(pg_blocking_pids(pid)) > 0"

Act = Callable[[], Any]


@contextmanager
def emptied_quickly() -> Iterator[None]:
    """Within this the flush after each test deletes the few rows there are: truncating takes a second a test."""

    def delete(style: Any, tables: Sequence[str], **_how: Any) -> list[str]:
        # Foreign keys are looked at when the flush commits, so the order does not matter.
        return [f"DELETE FROM {connection.ops.quote_name(table)};" for table in tables]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection.ops, "sql_flush", delete)
        yield


class Stop:
    """A place in the code where its owner stops the first time it comes there, until it may go on."""

    def __init__(self) -> None:
        self.owner = 0
        self.reached = Event()
        self.may_go_on = Event()

    def here(self) -> None:
        """Stop the owner; anybody else passes."""
        if get_ident() == self.owner and not self.reached.is_set():
            self.reached.set()
            assert self.may_go_on.wait(GIVE_UP), "nobody let the first go on"


def stop_before(monkeypatch: pytest.MonkeyPatch, place: str) -> Stop:
    """A stop just before the function at this dotted path runs."""
    stop, original = Stop(), resolve_name(place)

    def stopping(*args: Any, **kwargs: Any) -> Any:
        stop.here()
        return original(*args, **kwargs)

    monkeypatch.setattr(place, stopping)
    return stop


def stop_after(monkeypatch: pytest.MonkeyPatch, place: str) -> Stop:
    """A stop just after the function at this dotted path has run."""
    stop, original = Stop(), resolve_name(place)

    def stopping(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        stop.here()
        return result

    monkeypatch.setattr(place, stopping)
    return stop


class Actor:
    """Somebody who acts in a thread and on a database connection of their own."""

    def __init__(self, pool: ThreadPoolExecutor, act: Act) -> None:
        self._session: Future[int] = Future()
        self.outcome: Future[Any] = pool.submit(self._run, act)

    def _run(self, act: Act) -> Any:
        try:
            connection.ensure_connection()
            self._session.set_result(connection.connection.info.backend_pid)
            return act()
        except ActionError as refusal:
            return refusal
        finally:
            connections.close_all()

    @property
    def session(self) -> int:
        """The process that serves this actor in PostgreSQL."""
        return self._session.result(GIVE_UP)

    def result(self) -> Any:
        """What the action returned, or the refusal it met; any other error is raised here."""
        return self.outcome.result(GIVE_UP)


def overtake(first: Act, *others: Act, stop: Stop, until_they_end: bool = False) -> list[Any]:
    """Run `first` to the stop, then the others until each has ended or waits for a lock, then all of them to the end.

    With `until_they_end` the first stays where it is until the others have ended, however long they wait for it. Gives
    what each returned or the ActionError it met, `first` before the others; any other error of any of them is raised.
    """
    with ThreadPoolExecutor(1 + len(others)) as pool:
        try:
            slow = Actor(pool, partial(_stopping, first, stop))
            _until_reached(stop, slow)
            quick = [Actor(pool, act) for act in others]
            _until_ended_or_waiting(quick, to_the_end=until_they_end)
        finally:
            stop.may_go_on.set()
        return [actor.result() for actor in (slow, *quick)]


def together(acts: Sequence[Act]) -> list[Any]:
    """Run all of them at once, as the machine likes. Gives what each returned or the ActionError it met."""
    start = Barrier(len(acts))

    def begin(act: Act) -> Any:
        start.wait(GIVE_UP)
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        actors = [Actor(pool, partial(begin, act)) for act in acts]
    return [actor.result() for actor in actors]


def _stopping(act: Act, stop: Stop) -> Any:
    stop.owner = get_ident()
    return act()


def _until_reached(stop: Stop, actor: Actor) -> None:
    while not stop.reached.wait(A_MOMENT):
        if actor.outcome.done():
            raise AssertionError(f"the first never came to its stop: {actor.result()!r}")


def _until_ended_or_waiting(actors: list[Actor], *, to_the_end: bool) -> None:
    while True:
        running = [actor for actor in actors if not actor.outcome.done()]
        if not running or (not to_the_end and _all_wait(running)):
            return
        wait([actor.outcome for actor in running], A_MOMENT)


def _all_wait(actors: list[Actor]) -> bool:
    """Whether each of them waits for a lock: the one at the head then waits for whoever is stopped."""
    with connection.cursor() as cursor:
        cursor.execute(BLOCKED, [[actor.session for actor in actors]])
        return cursor.fetchone()[0] == len(actors)
