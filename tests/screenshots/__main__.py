"""`make screenshots`: take screenshots of every page in three variants, light, dark and narrow (360 pixels wide).

Each variant starts from fresh demo data and has its own folder in var/screenshots. The light screenshots that README.md
shows are copied to docs/screenshots.
"""

import os
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, ViewportSize, sync_playwright

from tests.browser.chromium import CHROMIUM, FLAGS
from tests.screenshots.console import ROOT, demo_console, signed_in_page
from tests.screenshots.scenes import SCENES

SCREENSHOTS, SHOWN_SCREENSHOTS = ROOT / "var" / "screenshots", ROOT / "docs" / "screenshots"
SHOWN_IN_DOCUMENTS = ("customer-list", "set-budget", "review", "decisions", "customer-frozen", "expenditure-report")
WIDE, NARROW = ViewportSize(width=1280, height=840), ViewportSize(width=360, height=740)
VARIANTS: dict[str, dict[str, Any]] = {
    "light": {"viewport": WIDE, "color_scheme": "light"},
    "dark": {"viewport": WIDE, "color_scheme": "dark"},
    "narrow": {"viewport": NARROW, "color_scheme": "light"},
}


def main() -> None:
    """Take all screenshots, and replace those in docs/screenshots. SystemExit if there is no Chromium."""
    if CHROMIUM is None:
        sys.exit("There is no Chromium on this machine (Debian: apt-get install chromium fonts-noto-cjk).")
    # The scenes need the current billing month, which depends on the settings.
    os.environ["DJANGO_SETTINGS_MODULE"] = "partnercenter.settings"
    for variant, options in VARIANTS.items():
        take_screenshots(SCREENSHOTS / variant, options)
    for name in SHOWN_IN_DOCUMENTS:
        shutil.copy(SCREENSHOTS / "light" / f"{name}.png", SHOWN_SCREENSHOTS)


def take_screenshots(folder: Path, options: dict[str, Any]) -> None:
    """Take the screenshots of one variant; `options` are those of its browser contexts."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with demo_console() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for scene, username in SCENES:
            with signed_in_page(browser, url, username, options) as page:
                scene(page, partial(save_screenshot, page, folder))
        browser.close()


def save_screenshot(page: Page, folder: Path, name: str, *, full_page: bool = False) -> None:
    """Save a screenshot of the window, or of the full page."""
    page.wait_for_load_state()
    page.screenshot(path=folder / f"{name}.png", animations="disabled", full_page=full_page)


if __name__ == "__main__":
    main()
