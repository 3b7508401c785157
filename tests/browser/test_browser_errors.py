"""The checks of every browser test work: errors in the browser and accessibility violations are found."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.browser.accessibility import axe_violations
from tests.browser.browser_errors import BrowserErrors


@pytest.fixture
def sign_in_page(page: Page, browser_errors: BrowserErrors) -> Iterator[Page]:
    """The sign-in page. Its errors are expected: the test has checked them, so they are removed in the end."""
    page.goto("/sign-in/")
    yield page
    browser_errors.found.clear()


def test_a_violation_of_the_content_security_policy_is_found(sign_in_page, browser_errors):
    sign_in_page.evaluate("document.body.append(Object.assign(document.createElement('script'), {textContent: '1'}))")
    sign_in_page.title()
    assert "Content Security Policy" in browser_errors.found[0]


def test_an_uncaught_error_in_a_script_is_found(sign_in_page, browser_errors):
    with sign_in_page.context.expect_event("weberror"):
        sign_in_page.evaluate("void setTimeout(() => { throw new Error('by the test') })")
    assert "by the test" in browser_errors.found[0]


def test_an_error_status_is_found_unless_the_test_allows_it(sign_in_page, browser_errors):
    sign_in_page.goto("/nowhere/")
    assert "404" in browser_errors.found.pop()
    browser_errors.allow_status(404)
    sign_in_page.goto("/nowhere/")
    assert browser_errors.found == []


def test_axe_finds_a_field_without_a_label(sign_in_page):
    sign_in_page.evaluate("document.querySelector('label').remove()")
    assert any("label" in violation for violation in axe_violations(sign_in_page))
