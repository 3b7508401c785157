"""`manage.py import_expenditure FILE... [--format focus|plain] [--reported-at TIME]`."""

import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.utils.dateparse import parse_datetime
from tqdm import tqdm

from budgets.actions.import_report import ReportResult, import_report
from budgets.files.expenditure_reports import FORMATS, ReadReport, read_report
from partnercenter.lib.commands import ConsoleCommand
from partnercenter.lib.csv_files import Progress
from partnercenter.lib.money import show_amount


def parse_time(text: str) -> datetime:
    """An ISO 8601 time; UTC where it names no offset."""
    try:
        at = parse_datetime(text)
        if at is not None:
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ArgumentTypeError(f"{text!r} is no time such as 2026-09-30T12:00:00+08:00")


class Command(ConsoleCommand):
    help = (
        "Import one expenditure report: FOCUS or plain CSV, gzipped or not. Several files are the parts of one "
        "report. It is imported as a whole or, where a line is bad, not at all."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--format", choices=list(FORMATS), help="Default: each file's header decides.")
        parser.add_argument(
            "--reported-at", type=parse_time, metavar="TIME", help="Of when the totals are (ISO 8601; default: now)."
        )

    def handle(
        self, *args: Any, files: list[Path], format: str | None, reported_at: datetime | None, **options: Any
    ) -> None:
        self._tell(import_report(self._read(files, format), operator=None, reported_at=reported_at))

    @staticmethod
    def _read(files: list[Path], format: str | None) -> ReadReport:
        with ExitStack() as stack, _progress(sum(file.stat().st_size for file in files)) as progress:
            contents = [(file.name, stack.enter_context(file.open("rb"))) for file in files]
            return read_report(contents, format=format, progress=progress)

    def _tell(self, taken: ReportResult) -> None:
        rows: list[tuple[str, Any]] = [
            ("lines", taken.lines),
            ("customers", taken.customers),
            ("months", ", ".join(taken.months) or "--"),
            ("totals", show_amount(taken.total)),
            ("changed", taken.changed),
            ("older, ignored", taken.older),
            ("exhausted", taken.exhausted),
            ("frozen", taken.frozen),
            ("unattributed", f"{taken.unattributed_lines} lines, {show_amount(taken.unattributed_total)}"),
            ("unknown", taken.unknown),
        ]
        for label, value in rows:
            self.stdout.write(f"{label + ':':<16}{value}")
        for account in taken.unknown_accounts:
            self.stdout.write(f"  {account}")
        if taken.unknown > len(taken.unknown_accounts):
            self.stdout.write(f"  and {taken.unknown - len(taken.unknown_accounts)} more")


@contextmanager
def _progress(size: int) -> Iterator[Progress]:
    """A progress bar over the bytes read, on a terminal only."""
    with tqdm(total=size, unit="B", unit_scale=True, disable=not sys.stderr.isatty()) as bar:
        yield bar.update
