"""A batch of a hundred thousand customers through a real server: one transaction, and little memory."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from budgets.models import Budget
from partnercenter.models import Confirmation, Operation, User
from tests.benchmarks.customers import fill
from tests.benchmarks.load import wait_for

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

MANY = 100_000
MEGABYTES = 150
SECONDS = 300
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Server:
    """Gunicorn with one worker on the test database, as in production but without TLS, and ann signed in to it."""

    def __init__(self) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as listener:
            self.port = listener.getsockname()[1]
        env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "TEST_"))}
        url = f"{settings.DATABASE_URL.rpartition('/')[0]}/{connection.settings_dict['NAME']}"
        env |= {"DATABASE_URL": url, "DEBUG": "0", "SECURE_SSL": "0", "ALLOWED_HOSTS": "127.0.0.1"}
        subprocess.run([sys.executable, "manage.py", "collectstatic", "--noinput", "-v0"], env=env, check=True)
        command = ["-m", "gunicorn", "partnercenter.wsgi", f"--bind=127.0.0.1:{self.port}", f"--timeout={SECONDS}"]
        self.process = subprocess.Popen([sys.executable, *command, "--log-level=warning"], env=env)
        wait_for(self.port)
        client = Client()
        client.force_login(User.objects.get(username="ann"), "partnercenter.permissions.GrantBackend")
        self.cookies = {settings.SESSION_COOKIE_NAME: client.cookies[settings.SESSION_COOKIE_NAME].value}

    def request(self, path: str, *, expected: int, **form: str) -> HTTPResponse:
        """GET, or POST if there is a form; an unexpected status fails the test."""
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)) as http:
            headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
            if form:
                headers |= FORM | {"X-CSRFToken": self.cookies[settings.CSRF_COOKIE_NAME]}
            http.request("POST" if form else "GET", path, urlencode(form) if form else None, headers)
            response = http.getresponse()
            page = response.read().decode()
        assert response.status == expected, re.sub(r"<[^>]*>|\s+", " ", page)
        for cookie in response.headers.get_all("Set-Cookie", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return response

    def kilobytes(self, name: str) -> int:
        """Memory of the worker: VmRSS is what it uses now, VmHWM the most it has ever used."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        lines = Path(f"/proc/{int(children.split()[0])}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name))


@pytest.fixture
def server() -> Iterator[Server]:
    fill(MANY)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    server = Server()
    yield server
    server.process.terminate()
    server.process.wait()


def test_a_batch_of_a_hundred_thousand_is_one_transaction_and_takes_little_memory(server):
    for path in ("/customers/", "/password/", "/customers/"):
        server.request(path, expected=200)
    idle = server.kilobytes("VmRSS")
    terms = {"all_matching": "1", "amount": "123456", "budget_type": "MONTHLY", "account_freezing": "MANUAL"}
    server.request("/budgets/set/", expected=302, **terms)
    batch = Operation.objects.get(kind=Operation.Kind.SET_BUDGET, confirmation=None)
    server.request(f"/operations/{batch.pk}/?group=ALL", expected=200)
    server.request(f"/operations/{batch.pk}/", expected=302, verification_code="")
    assert Confirmation.objects.filter(pk=batch.pk).exists()
    assert Budget.objects.filter(amount=123_456).count() == MANY
    assert records_and_transactions(batch) == (MANY, 1)
    assert (server.kilobytes("VmHWM") - idle) / 1024 < MEGABYTES


def records_and_transactions(batch: Operation) -> tuple[int, int]:
    """How many records a batch wrote, and in how many transactions."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), count(DISTINCT xmin::text) FROM budgets_adjustmentrecord WHERE batch = %s", [batch.pk]
        )
        return cursor.fetchone()
