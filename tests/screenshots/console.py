"""A console with demo data for the pictures, started as `make run` does it, and people who sit down at it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import Browser, Page, expect

HERE = Path(__file__).resolve().parent.parent.parent
PASSWORD = "partner-center"
START_SECONDS = 30
# Who works in the administration alone.
PLATFORM = "pia"


@contextmanager
def demo_console() -> Iterator[str]:
    """The address of a console with demo data, running until the pictures are taken; its mails go nowhere."""
    with TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "DEBUG": "1",
            "EMAIL_URL": "dummy:",
            "DATABASE_URL": f"sqlite:///{folder}/pictures.sqlite3",
        }
        manage = [sys.executable, "manage.py"]
        environment["DJANGO_SUPERUSER_PASSWORD"] = PASSWORD
        platform = ["createsuperuser", "--noinput", "--username", PLATFORM, "--email", "pia@example.com"]
        for command in (["migrate"], ["seed_demo"], platform):
            subprocess.run([*manage, *command], check=True, cwd=HERE, env=environment, stdout=subprocess.DEVNULL)
        address = f"127.0.0.1:{free_port()}"
        serving = [*manage, "runserver", "--noreload", address]
        nowhere = subprocess.DEVNULL
        server = subprocess.Popen(serving, cwd=HERE, env=environment, stdout=nowhere, stderr=nowhere)
        try:
            wait_for(f"http://{address}")
            yield f"http://{address}"
        finally:
            server.terminate()
            server.wait()


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url: str) -> None:
    """Until the console answers; TimeoutError where it never does."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        try:
            with urlopen(f"{url}/healthz"):
                return
        except URLError:
            time.sleep(0.2)
    raise TimeoutError(f"{url} does not answer.")


@contextmanager
def person(browser: Browser, url: str, who: str, looks: dict[str, Any]) -> Iterator[Page]:
    """A browser of its own, in which this person is signed in ("": nobody)."""
    context = browser.new_context(base_url=url, **looks)
    page = context.new_page()
    page.goto("/customers/")
    if who:
        page.get_by_label("Username").fill(who)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign In").click()
        expect(page.get_by_label("Password")).to_have_count(0)
    yield page
    context.close()
