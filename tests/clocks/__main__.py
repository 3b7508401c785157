"""`python -m tests.clocks`: run the suite on SQLite, without the browser tests, as of each of the moments below.

The clock goes on from the moment while the tests run, so the midnight that is near passes during the run. WORKERS is
the number of processes that share the tests; arguments are pytest's.
"""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

# Each with the offset of the place it is about. Months are billed in Shanghai.
MOMENTS = {
    "2027-01-31T17:30:00+00:00": "February in Shanghai, still January in UTC",
    "2028-02-29T23:58:00+08:00": "a leap day ends in Shanghai, and its month",
    "2026-12-31T23:59:00+08:00": "a year ends in Shanghai",
    "2027-03-28T00:59:30+00:00": "the clocks of Europe go forward",
    "2027-11-07T01:59:30-04:00": "the clocks of New York go back",
}


def main(arguments: list[str]) -> None:
    """Run all of them, whatever fails; SystemExit if one failed."""
    failed = [moment for moment, why in MOMENTS.items() if not passes(datetime.fromisoformat(moment), why, arguments)]
    if failed:
        sys.exit(f"\n=== FAILED as of {', '.join(failed)} ===")
    print(f"\n=== Passed as of all {len(MOMENTS)} moments ===")


def passes(moment: datetime, why: str, arguments: list[str]) -> bool:
    """Run the suite as of this moment; whether it passed."""
    print(f"\n=== As of {moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC: {why} ===", flush=True)
    # An offset: each process would read an absolute time in its own time zone. Without the monotonic clock: whoever
    # waits for a lock goes by it, and would wait for ever.
    moved = ["faketime", "--exclude-monotonic", "-f", offset(moment, datetime.now(UTC))]
    suite = [sys.executable, "-m", "pytest", "-m", "not browser", "-n", os.environ.get("WORKERS") or "2"]
    return subprocess.run([*moved, *suite, *arguments], env=environment(), check=False).returncode == 0


def offset(moment: datetime, now: datetime) -> str:
    """How far the clock is to be moved, as faketime takes it."""
    return f"{round((moment - now).total_seconds()):+}s"


def environment() -> dict[str, str]:
    """SQLite, our sitecustomize, and the real times of files: by them Python knows what it has compiled."""
    kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "TEST_DATABASE_URL")}
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**kept, "PYTHONPATH": path, "NO_FAKE_STAT": "1"}


if __name__ == "__main__":
    main(sys.argv[1:])
