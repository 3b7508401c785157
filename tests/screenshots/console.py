"""A console with demo data for the pictures, started as `make run` does, and people who are signed in to it."""

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

ROOT = Path(__file__).resolve().parent.parent.parent
PASSWORD = "partner-center"
START_SECONDS = 30
# A user of the platform, who works only in the administration.
PLATFORM = "pia"


@contextmanager
def demo_console() -> Iterator[str]:
    """Run a console with demo data, and give its address. It sends no mail."""
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
            subprocess.run([*manage, *command], check=True, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        address = f"127.0.0.1:{free_port()}"
        command = [*manage, "runserver", "--noreload", address]
        quiet = subprocess.DEVNULL
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=quiet, stderr=quiet)
        try:
            wait_for(f"http://{address}")
            yield f"http://{address}"
        finally:
            server.terminate()
            server.wait()


def free_port() -> int:
    """A free TCP port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url: str) -> None:
    """Wait until the console answers. TimeoutError if it does not within 30 seconds."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        try:
            with urlopen(f"{url}/healthz"):
                return
        except URLError:
            time.sleep(0.2)
    raise TimeoutError(f"{url} does not answer.")


@contextmanager
def person(browser: Browser, url: str, username: str, options: dict[str, Any]) -> Iterator[Page]:
    """Open a new browser window in which this user is signed in, or nobody if the name is empty."""
    context = browser.new_context(base_url=url, **options)
    page = context.new_page()
    page.goto("/customers/")
    if username:
        page.get_by_label("Username").fill(username)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign In").click()
        expect(page.get_by_label("Password")).to_have_count(0)
    yield page
    context.close()
