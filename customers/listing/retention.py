"""The retention deadline of frozen resources, and how near it is. See rule 4.6 (docs/rules.md)."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from customers.models import Customer, CustomerQuerySet, ListOwner
from partnercenter.lib.prepared import COUNT_CAP, CappedCount
from partnercenter.lib.sql import db_datetime

# The list warns this long before the deadline.
WEEK, DAY = timedelta(days=7), timedelta(days=1)
# Stands for the current time in cached SQL.
PLACEHOLDER_NOW = datetime(2000, 1, 1, tzinfo=UTC)


def ending_within(customers: CustomerQuerySet, span: timedelta, now: datetime | None = None) -> CustomerQuerySet:
    """Customers whose retention deadline has not passed and is at most this span away."""
    now = now or timezone.now()
    return customers.filter(retention_until__gt=now, retention_until__lte=now + span)


@dataclass(frozen=True)
class RetentionCounts:
    """How many customers' data may be deleted within a week, and within a day. 1,001 means more than 1,000."""

    week: int
    day: int

    @property
    def week_warning(self) -> str:
        """The warning about the week, with the placeholder `n` for the number as the page shows it."""
        return ngettext(
            "The data of %(n)s customer may be deleted within seven days.",
            "The data of %(n)s customers may be deleted within seven days.",
            self.week,
        )

    @property
    def day_warning(self) -> str:
        """The warning about the day, with the placeholder `n` for the number as the page shows it."""
        return ngettext(
            "The data of %(n)s customer may be deleted within one day.",
            "The data of %(n)s customers may be deleted within one day.",
            self.day,
        )


def retention_counts(owner: ListOwner) -> RetentionCounts:
    """Count the owner's customers near their deadline, in one query, regardless of the list's filters."""
    now = timezone.now()
    times = {db_datetime(PLACEHOLDER_NOW + span): db_datetime(now + span) for span in (timedelta(0), WEEK, DAY)}
    count = _count_with_placeholders(owner)
    params = tuple(times.get(param, param) for param in count.params)
    return RetentionCounts(*replace(count, params=params).fetch())


@lru_cache(maxsize=1024)
def _count_with_placeholders(owner: ListOwner) -> CappedCount:
    customers = Customer.objects.owned_by(owner)
    return CappedCount.of(
        COUNT_CAP + 1,
        [ending_within(customers, WEEK, PLACEHOLDER_NOW)],
        [ending_within(customers, DAY, PLACEHOLDER_NOW)],
    )


def retention_text(until: datetime | None) -> str:
    """The deadline in words; "" if the resources are not frozen."""
    if until is None:
        return ""
    date = {"date": f"{timezone.localdate(until):%Y-%m-%d}"}
    if until <= timezone.now():
        return _("data may be deleted since %(date)s") % date
    return _("data kept until %(date)s") % date


def retention_urgency(until: datetime | None) -> str:
    """How near the deadline is: "over" (a day or less, or past), "near" (a week or less) or "ok"; "" if none."""
    if until is None:
        return ""
    left = until - timezone.now()
    return "over" if left <= DAY else "near" if left <= WEEK else "ok"
