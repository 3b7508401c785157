"""What keeps tests from failing on some days: the moments of `make test-clocks`, and where a month comes from."""

import re
from datetime import datetime
from pathlib import Path

from tests import factories
from tests.clocks.__main__ import MOMENTS, offset

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("partnercenter", "customers", "budgets", "tests")
# A date written as a month without its day, and the date of the time module.
A_MONTH_OF_ITS_OWN = re.compile(r"%Y-?%m(?!-?%d)|\bgmtime\(")


def test_nobody_makes_a_month_of_a_date():
    """In the billing time zone it may be another month: it is told by `budgets.months`."""
    modules = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    assert [path for path in modules if A_MONTH_OF_ITS_OWN.search(path.read_text(encoding="utf-8"))] == []


def test_each_moment_says_of_which_place_it_is():
    assert [moment for moment in MOMENTS if datetime.fromisoformat(moment).utcoffset() is None] == []


def test_the_clock_is_moved_on_or_back_by_seconds():
    now = factories.moment("2026-11-30 17:30")
    assert offset(datetime.fromisoformat("2026-12-01T17:30:10+00:00"), now) == "+86410s"
    assert offset(datetime.fromisoformat("2026-11-30T23:30:00+08:00"), now) == "-7200s"
