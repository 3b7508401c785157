"""Imported by every Python process under a moved clock when it starts: replaces time.sleep, which fails there.

Since 3.11 Python sleeps until a time of the monotonic clock. libfaketime 0.9.10, the version in Debian 12, moves that
time even with --exclude-monotonic, and sleep fails with "Invalid argument"
(https://github.com/wolfcw/libfaketime/issues/426).
"""

import select
import time
from typing import SupportsIndex


def sleep(seconds: float | SupportsIndex) -> None:
    """Sleep by another system call, which libfaketime does not change."""
    select.select([], [], [], float(seconds))


time.sleep = sleep
