"""Every Python that starts under a moved clock reads this first: it mends time.sleep.

Since 3.11 Python sleeps until a time of the monotonic clock. libfaketime 0.9.10, which Debian 12 has, moves that time
although it was told to leave this clock alone, and sleep fails with "Invalid argument"
(https://github.com/wolfcw/libfaketime/issues/426).
"""

import select
import time
from typing import SupportsIndex


def sleep(seconds: float | SupportsIndex) -> None:
    """The same by another system call, one that is not moved."""
    select.select([], [], [], float(seconds))


time.sleep = sleep
