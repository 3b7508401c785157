"""A pytest plugin for the tests of this folder: it finds Chromium, marks the tests, and skips them without Chromium.

With REQUIRE_BROWSER=1 a missing Chromium is an error: the run stops immediately with exit status 3.
"""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars"]
NOT_RUN = "BROWSER TESTS NOT RUN"


def pytest_configure() -> None:
    if CHROMIUM is None and os.environ.get("REQUIRE_BROWSER") == "1":
        pytest.exit("REQUIRE_BROWSER=1, but there is no Chromium (Debian: apt-get install chromium).", returncode=3)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")
            # On a busy machine Chromium may answer too late, so a failed test runs once more; pytest lists it (-raR).
            item.add_marker(pytest.mark.flaky(reruns=1))
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason=f"{NOT_RUN}: no Chromium"))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if any(NOT_RUN in str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])):
        terminalreporter.section(f"{NOT_RUN}: there is no Chromium on this machine", sep="!", red=True, bold=True)
