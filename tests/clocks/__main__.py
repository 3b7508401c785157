"""`python -m tests.clocks`: run the tests on SQLite, without the browser tests, with the clock at each of the MOMENTS.

The clock keeps running during the tests, so that a midnight or a clock change a few seconds later falls into the run.
WORKERS is the number of processes that share the tests; arguments are passed on to pytest.
"""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

# Each time has the UTC offset of the place it is about. The billing time zone is Asia/Shanghai.
MOMENTS = {
    "2027-01-31T17:30:00+00:00": "February in Shanghai, still January in UTC",
    "2028-02-29T23:58:00+08:00": "a leap day and its month end in Shanghai",
    "2026-12-31T23:59:00+08:00": "a year ends in Shanghai",
    "2027-03-28T00:59:30+00:00": "the clocks of Europe go forward",
    "2027-11-07T01:59:30-04:00": "the clocks of New York go back",
}


def main(arguments: list[str]) -> None:
    """Run the tests at every moment, even if they fail at one; then SystemExit if there was a failure."""
    failed = [
        moment
        for moment, description in MOMENTS.items()
        if not tests_pass(datetime.fromisoformat(moment), description, arguments)
    ]
    if failed:
        sys.exit(f"\n=== FAILED at {', '.join(failed)} ===")
    print(f"\n=== Passed at all {len(MOMENTS)} moments ===")


def tests_pass(moment: datetime, description: str, arguments: list[str]) -> bool:
    """Run the tests with the clock at this moment. Return whether they passed."""
    print(f"\n=== At {moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC: {description} ===", flush=True)
    # faketime is given an offset, because each process would read an absolute time in its own time zone.
    # The monotonic clock is not moved: waiting for a lock depends on it, and would never end.
    with_moved_clock = ["faketime", "--exclude-monotonic", "-f", offset(moment, datetime.now(UTC))]
    run_tests = [sys.executable, "-m", "pytest", "-m", "not browser", "-n", os.environ.get("WORKERS") or "2"]
    return subprocess.run([*with_moved_clock, *run_tests, *arguments], env=environment(), check=False).returncode == 0


def offset(moment: datetime, now: datetime) -> str:
    """How far to move the clock, in the format of faketime."""
    return f"{round((moment - now).total_seconds()):+}s"


def environment() -> dict[str, str]:
    """The environment of the tests: SQLite, our sitecustomize, and real file times, which bytecode caches depend on."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "TEST_DATABASE_URL")}
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**inherited, "PYTHONPATH": path, "NO_FAKE_STAT": "1"}


if __name__ == "__main__":
    main(sys.argv[1:])
