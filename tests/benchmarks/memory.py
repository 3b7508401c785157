"""The memory that reading a report takes: a process of its own reads a million lines and prints its peak (Linux)."""

import csv
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import django

if TYPE_CHECKING:
    from tests.benchmarks.databases import Database
    from tests.benchmarks.table import Row

LINES = 1_000_000
GOALS = {100_000: 200.0, 1_000_000: 400.0}
HEADER = ("SubAccountId", "BillingPeriodStart", "ChargePeriodEnd", "ListCost", "BillingCurrency", "ServiceName")


def measure(by_size: "dict[int, Database]") -> "Iterator[Row]":
    """A million lines about 100,000 and about 1,000,000 customers, if these sizes are measured at all."""
    from tests.benchmarks.table import Row

    for customers in [size for size in by_size if size in GOALS]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "focus.csv"
            write(path, customers)
            result = subprocess.run([sys.executable, "-m", __name__, path], check=True, capture_output=True, text=True)
        yield Row(
            "memory above idle, reading a million lines",
            customers,
            int(result.stdout) / 1024,
            goal=GOALS[customers],
            unit="MB",
        )


def write(path: Path, customers: int) -> None:
    """Write a report with one line of each account in turn, until it has a million lines."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for n in range(LINES):
            cost = f"{n % 977}.{n % 1_000_003:010}"
            writer.writerow((account(n % customers), "2026-09-01", "2026-09-15T10:00:00Z", cost, "USD", "Compute"))


def account(n: int) -> str:
    """A customer ID as the clouds name accounts: mostly a long number, or an Azure subscription or Oracle tenancy."""
    if n % 20 == 7:
        return f"/subscriptions/{uuid.UUID(int=n)}"
    if n % 20 == 13:
        return f"ocid1.tenancy.oc1..aaaaaaaa{n:052}"
    return f"{n * 618_033_988_751 % 10**12:012}"


def kilobytes(name: str) -> int:
    """A figure of /proc/self/status: VmRSS is the memory of this process now, VmHWM the most that it ever had."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def main(path: Path) -> None:
    django.setup()
    from budgets.files.expenditure_reports import read_report

    idle = kilobytes("VmRSS")
    with path.open("rb") as file:
        report = read_report([(path.name, file)])
    if report.lines != LINES:
        raise AssertionError(f"{report.lines} lines were read")
    print(kilobytes("VmHWM") - idle)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
