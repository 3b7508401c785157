"""Requests per second: four clients open the list, which gunicorn serves as docs/operating.md says, with two workers.

Server, database and clients share the machine. The CPU time per request is measured too (Linux), because it stays the
same when other programs use the machine.
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
PAGES = {"list page": "", "list fragment for HTMX": "HX-Request: true\r\nHX-Target: customer-list\r\n"}
GOALS = {"list page": 200}


@dataclass(frozen=True)
class Server:
    """A running gunicorn: its port, and the processes of its workers."""

    port: int
    workers: list[int]


@dataclass(frozen=True)
class Round:
    """Results of one round: requests per second, and CPU seconds per request of the console and of PostgreSQL."""

    per_second: float
    console_cpu: float
    database_cpu: float


def measure(by_size: dict[int, Database]) -> Iterator[Row]:
    """Measure the first page of the largest database, as a page and as a fragment for HTMX, alternately."""
    database = by_size[max(by_size)].use()
    cookie = f"{settings.SESSION_COOKIE_NAME}={client_of('ann').cookies[settings.SESSION_COOKIE_NAME].value}"
    head = f"GET /customers/ HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n"
    requests = {name: f"{head}{more}\r\n".encode() for name, more in PAGES.items()}
    rounds: dict[str, list[Round]] = {name: [] for name in PAGES}
    with running_server(database) as server:
        for _round in range(ROUNDS):
            for name, request in requests.items():
                rounds[name].append(run_round(server, request))
    for name, results in rounds.items():
        per_second, console_cpu, database_cpu = (
            statistics.median(getattr(each, field) for each in results)
            for field in ("per_second", "console_cpu", "database_cpu")
        )
        yield Row(f"{name}, requests per second", database.size, per_second, goal=GOALS.get(name), unit="/s")
        yield Row(f"{name}, CPU per request: console", database.size, console_cpu)
        if database_cpu:
            yield Row(f"{name}, CPU per request: PostgreSQL", database.size, database_cpu)


def run_round(server: Server, request: bytes) -> Round:
    """Let all clients send this request for some seconds, after a few requests to warm up."""
    for _each in range(5 * WORKERS):
        get(server.port, request)
    backends = database_processes()
    console_before, database_before = cpu_seconds(server.workers), cpu_seconds(backends)
    began = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as clients:
        number = sum(clients.map(lambda _: send_until(began + SECONDS, server.port, request), range(CLIENTS)))
    elapsed = time.monotonic() - began
    console = cpu_seconds(server.workers) - console_before
    database = cpu_seconds(backends) - database_before
    return Round(number / elapsed, console / number, database / number)


def send_until(end: float, port: int, request: bytes) -> int:
    """Send requests one after the other until this time; return how many."""
    number = 0
    while time.monotonic() < end:
        get(port, request)
        number += 1
    return number


def get(port: int, request: bytes) -> None:
    """Send one request on a connection of its own, because gunicorn's workers close it after each request.

    It uses a plain socket, so that the client itself takes hardly any CPU time.
    """
    with socket.create_connection(("127.0.0.1", port)) as connection_to_server:
        connection_to_server.sendall(request)
        response = b"".join(iter(lambda: connection_to_server.recv(1 << 18), b""))
    if not response.startswith(b"HTTP/1.1 200 ") or b'id="customer-list"' not in response:
        raise AssertionError(f"the server does not return the list: {response[:200]!r}")


def database_processes() -> list[int]:
    """The processes of PostgreSQL that serve the connections of gunicorn."""
    if ENGINE != "PostgreSQL":
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return [pid for (pid,) in cursor.fetchall()]


def cpu_seconds(processes: Iterable[int]) -> float:
    """The CPU time that these processes of this machine have used; 0 where there is no /proc."""
    ticks = 0
    for process in processes:
        stat = Path(f"/proc/{process}/stat")
        if stat.exists():
            user, system = stat.read_text().rpartition(")")[2].split()[11:13]
            ticks += int(user) + int(system)
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def running_server(database: Database) -> Iterator[Server]:
    """Run gunicorn on this database, with the settings of production."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free_port:
        port = free_port.getsockname()[1]
    command = ["-m", "gunicorn", "partnercenter.wsgi", f"--bind=127.0.0.1:{port}", f"--workers={WORKERS}"]
    url = os.environ["DATABASE_URL"]
    url = f"{url.rsplit('/', 1)[0]}/{database.name}" if ENGINE == "PostgreSQL" else f"sqlite:///{database.name}"
    server = subprocess.Popen(
        [sys.executable, *command, "--log-level=warning"], env={**os.environ, "DATABASE_URL": url}
    )
    try:
        wait_for(port)
        yield Server(port, workers_of(server.pid))
    finally:
        server.terminate()
        server.wait()


def workers_of(master: int) -> list[int]:
    """The workers of gunicorn, which start after the port is open; empty where there is no /proc."""
    children = Path(f"/proc/{master}/task/{master}/children")
    for _try in range(300 if children.exists() else 0):
        workers = [int(pid) for pid in children.read_text().split()]
        if len(workers) == WORKERS:
            return workers
        time.sleep(0.1)
    return []


def wait_for(port: int) -> None:
    """Wait until the server listens on this port."""
    for _try in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("gunicorn does not listen")
