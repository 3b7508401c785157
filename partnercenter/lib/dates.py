"""How times read in pages, files and messages."""

from datetime import datetime, tzinfo

from django.utils import timezone


def format_minute(at: datetime, zone: tzinfo | None = None) -> str:
    """A time to the minute, as `2026-09-15 10:00`, in this zone or else in the zone in force."""
    return timezone.localtime(at, zone).isoformat(" ", "minutes")[:16]
