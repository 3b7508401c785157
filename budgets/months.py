"""Billing months: an int YYYYMM everywhere in code and database; see section 2 (docs/rules.md).

A moment belongs to the month it falls into in the billing time zone, the setting `BILLING_TIME_ZONE`; no rule
depends on the zone of a partner or of the server.
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
    """The billing month (YYYYMM) of an aware moment; ValueError for a naive one."""
    if at.utcoffset() is None:
        raise ValueError(f"{at}: a moment without a time zone has no billing month")
    local = at.astimezone(_billing_zone())
    return local.year * 100 + local.month


def month_name(month: int) -> str:
    """How a month reads in pages, files and records: 202609 is "2026-09"."""
    return f"{month // 100:04}-{month % 100:02}"


def parse_month(text: str) -> int:
    """The month (YYYYMM) that "2026-09" names, years 2000 to 2999; ValueError with a text for people."""
    match = MONTH_PATTERN.fullmatch(text)
    if match is None:
        raise ValueError(_("%(text)r is not a month such as 2026-09") % {"text": text[:LONGEST_SHOWN]})
    return int(match[1]) * 100 + int(match[2])


@lru_cache(maxsize=1024)
def parse_month_of_date(text: str) -> int:
    """The month (YYYYMM) a date such as "2026-09-01T00:00:00Z" states, whatever its time and zone.

    See section 2 (docs/rules.md).

    Years 2000 to 2999; ValueError with a text for people.
    """
    match = DATE_PATTERN.fullmatch(text)
    if match is None or not _is_date(match[1]):
        raise ValueError(_("%(text)r is not a date such as 2026-09-01") % {"text": text[:LONGEST_SHOWN]})
    return parse_month(text[:7])


@lru_cache(maxsize=8192)
def parse_moment(text: str) -> datetime | None:
    """The moment that a report's date and time state, in UTC, which they are in without a zone; else None."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def first_moment(month: int) -> datetime:
    """When the month begins: day 1, 00:00:00 in the billing time zone, aware."""
    return datetime(month // 100, month % 100, 1, tzinfo=_billing_zone())


def first_moment_of_day(at: datetime) -> datetime:
    """When the day of this moment begins in the billing time zone, aware."""
    return at.astimezone(_billing_zone()).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


def next_month(month: int) -> int:
    """The month after this one: 202612 is followed by 202701."""
    return month + 89 if month % 100 == 12 else month + 1


def previous_month(month: int) -> int:
    """The month before this one: 202701 comes after 202612."""
    return month - 89 if month % 100 == 1 else month - 1


def _billing_zone() -> ZoneInfo:
    return ZoneInfo(settings.BILLING_TIME_ZONE)


def _is_date(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False
