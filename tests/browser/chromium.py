"""What the tests in this folder need of the machine: a Chromium. Where there is none they are skipped under a banner.

REQUIRE_BROWSER=1 makes its absence an error: the run stops at once with exit status 3.
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
            # A busy machine may keep Chromium from answering in time. What fails twice is broken; once is listed (R).
            item.add_marker(pytest.mark.flaky(reruns=1))
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason=f"{NOT_RUN}: no Chromium"))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if any(NOT_RUN in str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])):
        terminalreporter.section(f"{NOT_RUN}: there is no Chromium on this machine", sep="!", red=True, bold=True)
