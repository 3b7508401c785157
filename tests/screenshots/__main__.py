"""Takes a picture of every page and state: light, dark and narrow, each of an installation with demo data of its own.

`make screenshots` runs it. The light ones, of which the docs show some, are in docs/screenshots; all of them in
var/screenshots, by look. Pictures are 1280 pixels wide, the narrow ones 360.
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
from tests.screenshots.console import HERE, demo_console, person

SHOWN, ALL = HERE / "docs" / "screenshots", HERE / "var" / "screenshots"
WIDE, NARROW = ViewportSize(width=1280, height=840), ViewportSize(width=360, height=740)
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": WIDE, "color_scheme": "light"},
    "dark": {"viewport": WIDE, "color_scheme": "dark"},
    "narrow": {"viewport": NARROW, "color_scheme": "light"},
}


def main() -> None:
    """Take every picture anew; SystemExit where there is no Chromium."""
    if CHROMIUM is None:
        sys.exit("There is no Chromium on this machine (Debian: apt-get install chromium fonts-noto-cjk).")
    # A month that is typed is the one of the console's billing time zone.
    os.environ["DJANGO_SETTINGS_MODULE"] = "partnercenter.settings"
    for look, looks in LOOKS.items():
        take_all(ALL / look, looks)
    shutil.rmtree(SHOWN, ignore_errors=True)
    shutil.copytree(ALL / "light", SHOWN)


def take_all(folder: Path, looks: dict[str, Any]) -> None:
    """The pictures of one look."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with demo_console() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for draw, who in BOOK:
            with person(browser, url, who, looks) as page:
                draw(page, partial(take, page, folder))
        browser.close()


def take(page: Page, folder: Path, name: str, *, whole: bool = False) -> None:
    """One picture of what the window shows, or of the whole page."""
    page.wait_for_load_state()
    page.screenshot(path=folder / f"{name}.png", animations="disabled", full_page=whole)


if __name__ == "__main__":
    main()
