"""Checking pages for accessibility with axe, in the light and in the dark color scheme."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]


def axe_violations(page: Page) -> list[str]:
    """Violations of WCAG 2.0 to 2.2, levels A and AA, and of best practices, in both color schemes."""
    return [
        f"{scheme}: {violation}" for scheme in ("dark", "light") for violation in _violations_in_scheme(page, scheme)
    ]


def _violations_in_scheme(page: Page, scheme: Any) -> list[str]:
    page.emulate_media(color_scheme=scheme)
    options = {"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]}
    violations = Axe().run(page, options=options).response["violations"]
    return [f"{each['id']}: {node['html']} {node['failureSummary']}" for each in violations for node in each["nodes"]]
