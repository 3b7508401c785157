"""Take a picture of every page and state in three looks: light, dark and narrow, each with demo data of its own.

`make screenshots` runs it. The pictures go to var/screenshots, a folder for each look, and the light ones that the
documents show to docs/screenshots as well. They are 1280 pixels wide, the narrow ones 360.
"""

import os
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, ViewportSize, sync_playwright

from tests.browser.chromium import CHROMIUM, FLAGS
from tests.screenshots.book import BOOK
from tests.screenshots.console import ROOT, demo_console, person

PICTURES, DOCUMENTS = ROOT / "var" / "screenshots", ROOT / "docs" / "screenshots"
SHOWN_IN_DOCUMENTS = ("customer-list", "set-budget", "review", "decisions", "customer-frozen", "expenditure-report")
WIDE, NARROW = ViewportSize(width=1280, height=840), ViewportSize(width=360, height=740)
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": WIDE, "color_scheme": "light"},
    "dark": {"viewport": WIDE, "color_scheme": "dark"},
    "narrow": {"viewport": NARROW, "color_scheme": "light"},
}


def main() -> None:
    """Take all pictures, and renew those of the documents. SystemExit if there is no Chromium."""
    if CHROMIUM is None:
        sys.exit("There is no Chromium on this machine (Debian: apt-get install chromium fonts-noto-cjk).")
    # The book reads the current billing month from the same settings as the console.
    os.environ["DJANGO_SETTINGS_MODULE"] = "partnercenter.settings"
    for look, options in LOOKS.items():
        take_all(PICTURES / look, options)
    for name in SHOWN_IN_DOCUMENTS:
        shutil.copy(PICTURES / "light" / f"{name}.png", DOCUMENTS)


def take_all(folder: Path, options: dict[str, Any]) -> None:
    """Take the pictures of one look; `options` are those of its browser windows."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with demo_console() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for draw, username in BOOK:
            with person(browser, url, username, options) as page:
                draw(page, partial(take, page, folder))
        browser.close()


def take(page: Page, folder: Path, name: str, *, whole: bool = False) -> None:
    """Take one picture, of the window or of the whole page."""
    page.wait_for_load_state()
    page.screenshot(path=folder / f"{name}.png", animations="disabled", full_page=whole)


if __name__ == "__main__":
    main()
