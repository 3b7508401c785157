"""How times are written in pages, files and messages."""

from datetime import datetime, tzinfo

from django.utils import timezone


def format_minute(at: datetime, zone: tzinfo | None = None) -> str:
    """A time to the minute, such as `2026-09-15 10:00`, in the given or else the active time zone."""
    return timezone.localtime(at, zone).isoformat(" ", "minutes")[:16]
