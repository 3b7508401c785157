"""Billing months, which code and database represent as integers YYYYMM; see section 2 (docs/rules.md).

A time belongs to the month in which it lies in the billing time zone, the setting `BILLING_TIME_ZONE`. No rule depends
on the time zone of a partner or of the server.
"""

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.translation import gettext as _

MONTH_PATTERN = re.compile(r"(2[0-9]{3})-(0[1-9]|1[0-2])")
DATE_PATTERN = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ][0-9][0-9A-Za-z:.,+/ -]{0,40})?")
LONGEST_SHOWN = 60


def month_of(at: datetime) -> int:
    """The billing month (YYYYMM) of a time. Raises ValueError if it has no time zone."""
    if at.utcoffset() is None:
        raise ValueError(f"{at}: a time without a time zone has no billing month")
    local = at.astimezone(_billing_zone())
    return local.year * 100 + local.month


def month_name(month: int) -> str:
    """Format a month as in pages, files and records: "2026-09" for 202609."""
    return f"{month // 100:04}-{month % 100:02}"


def parse_month(text: str) -> int:
    """Parse text such as "2026-09" as a month (YYYYMM), years 2000 to 2999.

    Raises ValueError with a message for people.
    """
    match = MONTH_PATTERN.fullmatch(text)
    if match is None:
        raise ValueError(_("%(text)r is not a month such as 2026-09") % {"text": text[:LONGEST_SHOWN]})
    return int(match[1]) * 100 + int(match[2])


@lru_cache(maxsize=1024)
def parse_month_of_date(text: str) -> int:
    """Parse the month (YYYYMM) of a date such as "2026-09-01T00:00:00Z" as written, ignoring its time zone.

    Years 2000 to 2999; raises ValueError with a message for people. See section 2 (docs/rules.md).
    """
    match = DATE_PATTERN.fullmatch(text)
    try:
        is_date = match is not None and bool(date.fromisoformat(match[1]))
    except ValueError:
        is_date = False
    if not is_date:
        raise ValueError(_("%(text)r is not a date such as 2026-09-01") % {"text": text[:LONGEST_SHOWN]})
    return parse_month(text[:7])


@lru_cache(maxsize=8192)
def parse_moment(text: str) -> datetime | None:
    """Parse a time in a report and convert it to UTC, the default for times without a zone; None if invalid."""
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def first_moment(month: int) -> datetime:
    """The start of the month: day 1, 00:00:00 in the billing time zone."""
    return datetime(month // 100, month % 100, 1, tzinfo=_billing_zone())


def first_moment_of_day(at: datetime) -> datetime:
    """The start of the day to which this time belongs in the billing time zone."""
    return at.astimezone(_billing_zone()).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


def next_month(month: int) -> int:
    """The month after this one: 202701 for 202612."""
    return month + 89 if month % 100 == 12 else month + 1


def previous_month(month: int) -> int:
    """The month before this one: 202612 for 202701."""
    return month - 89 if month % 100 == 1 else month - 1


def _billing_zone() -> ZoneInfo:
    return ZoneInfo(settings.BILLING_TIME_ZONE)
