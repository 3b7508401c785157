"""Measuring whether a page fits into a narrow window: 320 pixels, the width that WCAG 1.4.10 asks for."""

from playwright.sync_api import Page, ViewportSize

NARROW = ViewportSize(width=320, height=640)


def page_widths(page: Page) -> tuple[int, int]:
    """The width of the page's content and of its window; the page scrolls sideways if the first is larger."""
    content, window = page.evaluate(
        "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    return content, window
