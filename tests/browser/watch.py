"""What must not happen in a browser: a violation of the policy, an error in the console, anything that axe finds."""

import re
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, ConsoleMessage, Page

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
# The browser's own line for a form that was refused, and the empty style by which a picture is taken.
ALLOWED = ["Failed to load resource: .* status of 422 ", "sha256-47DEQ"]
# What HTMX writes of a question that a newer one of the same person replaced.
REPLACED = "^htmx:(afterRequest|sendAbort), "


class Watch:
    """Keeps the errors of one browser context, violations of the content security policy among them."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.allowed = list(ALLOWED)

    def over(self, context: BrowserContext) -> None:
        """Watch every page of this context."""
        context.on("console", self._console)
        context.on("weberror", lambda error: self.problems.append(str(error.error)))

    def allow(self, status: int) -> None:
        """A test that provokes this status says so: the browser, and HTMX, write a line of their own for it."""
        self.allowed.append(f"(Failed to load resource: .* status of|^Response Status Error Code) {status} ")

    def allow_replaced(self) -> None:
        """A test that asks again before the answer is there says so."""
        self.allowed.append(REPLACED)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(re.search(known, message.text) for known in self.allowed):
            self.problems.append(message.text)


def found_by_axe(page: Page) -> list[str]:
    """What axe finds against WCAG 2.0 to 2.2 A and AA and good practice, in the light and in the dark scheme."""
    return [f"{scheme}: {violation}" for scheme in ("dark", "light") for violation in _found(page, scheme)]


def _found(page: Page, scheme: Any) -> list[str]:
    page.emulate_media(color_scheme=scheme)
    options = {"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]}
    violations = Axe().run(page, options=options).response["violations"]
    return [f"{each['id']}: {node['html']} {node['failureSummary']}" for each in violations for node in each["nodes"]]
