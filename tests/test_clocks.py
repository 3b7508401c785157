"""Time in tests and code: the moments of `make test-clocks`, and that months come from `budgets.months` only."""

import re
from datetime import datetime
from pathlib import Path

from tests import factories
from tests.clocks.__main__ import MOMENTS, offset

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("partnercenter", "customers", "budgets", "tests")
# A format with a month but no day, and the current date in UTC from the time module.
OWN_MONTH = re.compile(r"%Y-?%m(?!-?%d)|\bgmtime\(")


def test_no_module_formats_a_month_itself():
    """In the billing time zone it may be another month, so only `budgets.months` converts times to months."""
    modules = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    assert [path for path in modules if OWN_MONTH.search(path.read_text(encoding="utf-8"))] == []


def test_each_moment_has_a_time_zone():
    assert [moment for moment in MOMENTS if datetime.fromisoformat(moment).utcoffset() is None] == []


def test_the_clock_is_shifted_forward_or_back_by_seconds():
    now = factories.moment("2026-11-30 17:30")
    assert offset(datetime.fromisoformat("2026-12-01T17:30:10+00:00"), now) == "+86410s"
    assert offset(datetime.fromisoformat("2026-11-30T23:30:00+08:00"), now) == "-7200s"
