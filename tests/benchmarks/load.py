"""Requests a second: the list served by gunicorn as docs/operating.md says, two workers, asked by four clients.

Server, database and clients share the machine. Beside it how much CPU a request costs (Linux), which stays the same
when others use the machine as well.
"""

import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import connection

from tests.benchmarks.databases import ENGINE, Database
from tests.benchmarks.pages import client_of
from tests.benchmarks.table import Row

WORKERS, CLIENTS, ROUNDS, SECONDS = 2, 4, 3, 5
PAGES = {"list page": "", "list alone, for HTMX": "HX-Request: true\r\nHX-Target: customer-list\r\n"}
GOALS = {"list page": 200}


@dataclass(frozen=True)
class Served:
    """A gunicorn that serves, and the processes that work for it."""

    port: int
    workers: list[int]


@dataclass(frozen=True)
class Answered:
    """Of one round: requests a second, and the seconds of CPU a request took of the console and of PostgreSQL."""

    a_second: float
    console: float
    database: float


def measure(by_size: dict[int, Database]) -> Iterator[Row]:
    """The first page of the largest installation, whole and as HTMX asks for it, in turns; medians."""
    database = by_size[max(by_size)].use()
    cookie = f"{settings.SESSION_COOKIE_NAME}={client_of('ann').cookies[settings.SESSION_COOKIE_NAME].value}"
    head = f"GET /customers/ HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n"
    requests = {name: f"{head}{more}\r\n".encode() for name, more in PAGES.items()}
    rounds: dict[str, list[Answered]] = {name: [] for name in PAGES}
    with served(database) as server:
        for _round in range(ROUNDS):
            for name, request in requests.items():
                rounds[name].append(answered(server, request))
    for name, answers in rounds.items():
        a_second, console, of_database = (
            statistics.median(getattr(each, field) for each in answers) for field in ("a_second", "console", "database")
        )
        yield Row(f"{name}, requests a second", database.size, a_second, goal=GOALS.get(name), unit="/s")
        yield Row(f"{name}, CPU a request: console", database.size, console)
        if of_database:
            yield Row(f"{name}, CPU a request: PostgreSQL", database.size, of_database)


def answered(server: Served, request: bytes) -> Answered:
    """One round by all clients, after some requests for warmth."""
    for _each in range(5 * WORKERS):
        get(server.port, request)
    working = backends()
    before = cpu(server.workers), cpu(working)
    began = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as clients:
        asked = sum(clients.map(lambda _: ask(server.port, request, began + SECONDS), range(CLIENTS)))
    took = time.monotonic() - began
    return Answered(asked / took, (cpu(server.workers) - before[0]) / asked, (cpu(working) - before[1]) / asked)


def ask(port: int, request: bytes, until: float) -> int:
    asked = 0
    while time.monotonic() < until:
        get(port, request)
        asked += 1
    return asked


def get(port: int, request: bytes) -> None:
    """One request, one connection, as gunicorn's workers have it. By socket: a client must cost next to nothing."""
    with socket.create_connection(("127.0.0.1", port)) as connected:
        connected.sendall(request)
        answer = b"".join(iter(lambda: connected.recv(1 << 18), b""))
    if not answer.startswith(b"HTTP/1.1 200 ") or b'id="customer-list"' not in answer:
        raise AssertionError(f"the list answers {answer[:200]!r}")


def backends() -> list[int]:
    """PostgreSQL's processes for the connections of the server."""
    if ENGINE != "PostgreSQL":
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return [pid for (pid,) in cursor.fetchall()]


def cpu(processes: Iterable[int]) -> float:
    """The seconds of CPU these processes of this machine have used; 0 where that cannot be known."""
    ticks = 0
    for process in processes:
        stat = Path(f"/proc/{process}/stat")
        if stat.exists():
            user, system = stat.read_text().rpartition(")")[2].split()[11:13]
            ticks += int(user) + int(system)
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def served(database: Database) -> Iterator[Served]:
    """Gunicorn serving this database, with the settings of production."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    command = ["-m", "gunicorn", "partnercenter.wsgi", f"--bind=127.0.0.1:{port}", f"--workers={WORKERS}"]
    url = os.environ["DATABASE_URL"]
    url = f"{url.rsplit('/', 1)[0]}/{database.name}" if ENGINE == "PostgreSQL" else f"sqlite:///{database.name}"
    server = subprocess.Popen(
        [sys.executable, *command, "--log-level=warning"], env={**os.environ, "DATABASE_URL": url}
    )
    try:
        wait_for(port)
        yield Served(port, workers_of(server.pid))
    finally:
        server.terminate()
        server.wait()


def workers_of(master: int) -> list[int]:
    """Gunicorn's workers, all of them: the port is open before they are there. Empty where there is no /proc."""
    children = Path(f"/proc/{master}/task/{master}/children")
    for _try in range(300 if children.exists() else 0):
        workers = [int(pid) for pid in children.read_text().split()]
        if len(workers) == WORKERS:
            return workers
        time.sleep(0.1)
    return []


def wait_for(port: int) -> None:
    for _try in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("gunicorn does not answer")
