"""Fixtures of the browser tests: users in Chromium on a live server, with the clock in September 2026."""

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
from tests.browser.browser_errors import BrowserErrors
from tests.browser.browser_user import BrowserUser
from tests.browser.chromium import CHROMIUM, FLAGS

NOW = factories.moment("2026-09-15 02:00")


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": FLAGS}


@pytest.fixture(autouse=True)
def clock(transactional_db: None) -> Iterator[time_machine.Traveller]:
    """The server's clock: 10:00 in the time zone of the partners. It keeps running, and a test may shift it."""
    with time_machine.travel(NOW, tick=True) as traveller:
        yield traveller


@pytest.fixture
def browser_errors() -> BrowserErrors:
    return BrowserErrors()


@pytest.fixture
def context(
    new_context: Callable[..., BrowserContext], live_server: LiveServer, browser_errors: BrowserErrors
) -> Iterator[BrowserContext]:
    """A fresh browser profile. The test fails on any error in the console, such as a violation of the CSP."""
    context = new_context(base_url=live_server.url)
    context.set_default_timeout(10_000)
    browser_errors.collect_from(context)
    yield context
    for page in context.pages:
        page.title()  # The answer to this comes after all messages of the console that were written before.
    assert browser_errors.found == []


@pytest.fixture
def open_browser(
    page: Page, clock: time_machine.Traveller, live_server: LiveServer, sign_in: Callable[[User], Client], request: Any
) -> Callable[..., BrowserUser]:
    """A function that gives this person the browser, signed in unless told otherwise, and opens a path if given one."""
    marker = request.node.get_closest_marker("browser_context_args")
    javascript = marker is None or marker.kwargs.get("java_script_enabled", True)

    def open_browser(account: User, path: str = "", *, signed_in: bool = True) -> BrowserUser:
        if signed_in:
            session = sign_in(account).cookies["sessionid"]
            page.context.add_cookies([{"name": session.key, "value": session.value, "url": live_server.url}])
        if path:
            page.goto(path)
        return BrowserUser(account, page, clock, has_javascript=javascript)

    return open_browser


@pytest.fixture
def kestwick(acme: Partner) -> Customer:
    """The last of three customers of acme, as association leaves them: frozen, without a budget."""
    factories.customers(acme, 2)
    return factories.customer(acme, "618033988751", account_name="kestwick_foods", name="Kestwick Foods Ltd")


@pytest.fixture
def ann_at_list(open_browser: Callable[..., BrowserUser], ann: User, kestwick: Customer) -> BrowserUser:
    """Ann, with the list of acme's customers open. Fixtures that add to the list are named before this one."""
    return open_browser(ann, "/customers/")


@pytest.fixture
def verification_on(acme: Partner) -> None:
    """Acme requires a verification code."""
    acme.verification_required = True
    acme.save()
