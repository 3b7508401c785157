"""Collecting what must not happen in a browser: errors in scripts, failed requests, violations of the CSP."""

import re

from playwright.sync_api import BrowserContext, ConsoleMessage

# Chromium logs an error for every refused form, and CSP blocks the empty style that Playwright adds for a screenshot.
ALWAYS_ALLOWED = ["Failed to load resource: .* status of 422 ", "sha256-47DEQ"]
# HTMX logs these when a newer request replaces one that is still running.
CANCELLED_REQUEST = "^htmx:(afterRequest|sendAbort), "


class BrowserErrors:
    """The errors of one browser context, except those that the test expects."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.allowed = list(ALWAYS_ALLOWED)

    def collect_from(self, context: BrowserContext) -> None:
        """Collect the errors of every page of this context."""
        context.on("console", self._add_console_message)
        context.on("weberror", lambda error: self.found.append(str(error.error)))

    def allow_status(self, status: int) -> None:
        """Allow responses with this status, which Chromium and HTMX log as errors: the test causes them."""
        self.allowed.append(f"(Failed to load resource: .* status of|^Response Status Error Code) {status} ")

    def allow_cancelled_requests(self) -> None:
        """Allow requests that are cancelled: the test sends new ones without waiting for the response."""
        self.allowed.append(CANCELLED_REQUEST)

    def _add_console_message(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(re.search(pattern, message.text) for pattern in self.allowed):
            self.found.append(message.text)
