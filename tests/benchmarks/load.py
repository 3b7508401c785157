"""Requests a second: the list served by gunicorn with two workers, asked by four clients on the same machine."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPConnection

from django.conf import settings

from tests.benchmarks.databases import ENGINE, Database
from tests.benchmarks.pages import client_of
from tests.benchmarks.table import Row

WORKERS, CLIENTS, SECONDS = 2, 4, 10


def measure(by_size: dict[int, Database]) -> Iterator[Row]:
    """The first page of the largest installation."""
    database = by_size[max(by_size)].use()
    cookie = f"{settings.SESSION_COOKIE_NAME}={client_of('ann').cookies[settings.SESSION_COOKIE_NAME].value}"
    with served(database) as port, ThreadPoolExecutor(CLIENTS) as clients:
        get(port, cookie)
        until = time.monotonic() + SECONDS
        asked = sum(clients.map(lambda _: ask(port, cookie, until), range(CLIENTS)))
    yield Row("list page, requests a second", database.size, asked / SECONDS, goal=200, unit="/s")


def ask(port: int, cookie: str, until: float) -> int:
    asked = 0
    while time.monotonic() < until:
        get(port, cookie)
        asked += 1
    return asked


def get(port: int, cookie: str) -> None:
    with closing(HTTPConnection("127.0.0.1", port)) as connection:
        connection.request("GET", "/customers/", headers={"Cookie": cookie})
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            raise AssertionError(f"the list answers {response.status}")


@contextmanager
def served(database: Database) -> Iterator[int]:
    """The port at which gunicorn serves this database."""
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
        yield port
    finally:
        server.terminate()
        server.wait()


def wait_for(port: int) -> None:
    for _try in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("gunicorn does not answer")
