"""A console with demo data for the screenshots, started in the way of `make run`, and users who sign in to it."""

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
# A superuser of the platform, who works only in the administration.
PLATFORM = "pia"


@contextmanager
def demo_console() -> Iterator[str]:
    """Run a console with demo data, which sends no mail, and yield its URL."""
    with TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "DEBUG": "1",
            "EMAIL_URL": "dummy:",
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
            "DATABASE_URL": f"sqlite:///{folder}/screenshots.sqlite3",
        }
        manage = [sys.executable, "manage.py"]
        superuser = ["createsuperuser", "--noinput", "--username", PLATFORM, "--email", "pia@example.com"]
        for command in (["migrate"], ["seed_demo"], superuser):
            subprocess.run([*manage, *command], check=True, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        address = f"127.0.0.1:{free_port()}"
        command = [*manage, "runserver", "--noreload", address]
        quiet = subprocess.DEVNULL
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=quiet, stderr=quiet)
        try:
            wait_until_it_answers(f"http://{address}")
            yield f"http://{address}"
        finally:
            server.terminate()
            server.wait()


def free_port() -> int:
    """A free TCP port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_it_answers(url: str) -> None:
    """Wait until the console at this URL answers. TimeoutError if it does not within 30 seconds."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            with urlopen(f"{url}/healthz"):
                return
        except URLError:
            time.sleep(0.2)
    raise TimeoutError(f"{url} does not answer.")


@contextmanager
def signed_in_page(browser: Browser, url: str, username: str, options: dict[str, Any]) -> Iterator[Page]:
    """Open a page in a new browser context, with this user signed in, or nobody if the name is empty."""
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
