"""Formatting times in pages, files and messages."""

from datetime import datetime, tzinfo

from django.utils import timezone


def format_minute(at: datetime, zone: tzinfo | None = None) -> str:
    """Format a time to the minute, such as `2026-09-15 10:00`, in the given time zone or else the active one."""
    return timezone.localtime(at, zone).isoformat(" ", "minutes")[:16]
