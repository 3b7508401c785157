"""Until when data is kept where resources are frozen, and who is near that moment; see rule 4.6 (docs/rules.md)."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from customers.models import Customer, ListOwner
from partnercenter.lib.prepared import COUNT_CAP, CappedCount
from partnercenter.lib.sql import db_datetime

# The days before the deadline on which is warned of it.
WEEK, DAY = timedelta(days=7), timedelta(days=1)
# Stands for the present moment in a statement that is kept.
PLACEHOLDER_NOW = datetime(2000, 1, 1, tzinfo=UTC)


def ending_within(customers: QuerySet[Any], span: timedelta, now: datetime | None = None) -> QuerySet[Any]:
    """Those whose data may be deleted after this span, or earlier; not those for whom it is too late."""
    now = now or timezone.now()
    return customers.filter(retention_until__gt=now, retention_until__lte=now + span)


@dataclass(frozen=True)
class RetentionCounts:
    """Whose data may be deleted within a week and within a day, of all customers; 1,001 means more."""

    week: int
    day: int


def retention_counts(company: ListOwner) -> RetentionCounts:
    """Of whom a company's list warns, whatever it is narrowed down to, in one query."""
    now = timezone.now()
    times = {db_datetime(PLACEHOLDER_NOW + span): db_datetime(now + span) for span in (timedelta(0), WEEK, DAY)}
    count = _ending(company)
    return RetentionCounts(*replace(count, params=tuple(times.get(each, each) for each in count.params)).fetch())


@lru_cache(maxsize=1024)
def _ending(company: ListOwner) -> CappedCount:
    own = Customer.objects.owned_by(company)
    return CappedCount.of(
        COUNT_CAP + 1, [ending_within(own, WEEK, PLACEHOLDER_NOW)], [ending_within(own, DAY, PLACEHOLDER_NOW)]
    )


def retention_text(until: datetime | None) -> str:
    """Until when data is kept, as a date; "" where the resources are not frozen."""
    if until is None:
        return ""
    date = {"date": f"{timezone.localdate(until):%Y-%m-%d}"}
    if until <= timezone.now():
        return _("data may be deleted since %(date)s") % date
    return _("data kept until %(date)s") % date


def retention_urgency(until: datetime | None) -> str:
    """How near the moment is: a day or past it ("over"), a week ("near"), later ("ok"); "" where there is none."""
    if until is None:
        return ""
    left = until - timezone.now()
    return "over" if left <= DAY else "near" if left <= WEEK else "ok"
