"""People at the browser: Chromium on the live console, with the clock in September 2026."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import time_machine
from django.test import Client
from playwright.sync_api import BrowserContext, Page
from pytest_django.live_server_helper import LiveServer

from customers.models import Customer
from partnercenter.models import Partner, User
from tests import factories
from tests.browser.chromium import CHROMIUM, FLAGS
from tests.browser.person import Person
from tests.browser.watch import Watch

NOW = factories.moment("2026-09-15 02:00")


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": FLAGS}


@pytest.fixture(autouse=True)
def clock(transactional_db: None) -> Iterator[time_machine.Traveller]:
    """The console's clock, ten in the morning where the partners are; it runs on, and may be shifted."""
    with time_machine.travel(NOW, tick=True) as coordinates:
        yield coordinates


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def context(new_context: Callable[..., BrowserContext], live_server: LiveServer, watch: Watch) -> Iterator[Any]:
    """A browser of its own; the test fails on any violation of the policy and any error in the console."""
    context = new_context(base_url=live_server.url)
    context.set_default_timeout(10_000)
    watch.over(context)
    yield context
    for page in context.pages:
        page.title()  # whatever was written before the answer to this has arrived
    assert watch.problems == []


@pytest.fixture
def sit_down(
    page: Page, clock: time_machine.Traveller, live_server: LiveServer, sign_in: Callable[[User], Client], request: Any
) -> Callable[..., Person]:
    """Somebody sits down at the browser; signed in already unless told otherwise."""
    marker = request.node.get_closest_marker("browser_context_args")
    scripts = marker is None or marker.kwargs.get("java_script_enabled", True)

    def sits_down(user: User, *, signed_in: bool = True) -> Person:
        if signed_in:
            session = sign_in(user).cookies["sessionid"]
            page.context.add_cookies([{"name": session.key, "value": session.value, "url": live_server.url}])
        return Person(user, page, clock, scripts=scripts)

    return sits_down


@pytest.fixture
def kestwick(acme: Partner) -> Customer:
    """A customer of acme as association leaves it, among others."""
    factories.customers(acme, 2)
    return factories.customer(acme, "618033988751", account_name="kestwick_foods", name="Kestwick Foods Ltd")
