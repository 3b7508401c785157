"""`manage.py import_expenditure FILE...`: import one expenditure report, FOCUS or plain CSV."""

import sys
from argparse import ArgumentParser, ArgumentTypeError
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from django.utils.dateparse import parse_datetime
from tqdm import tqdm

from budgets.actions.import_report import ReportResult, import_report
from budgets.files.expenditure_reports import FORMATS, read_report
from partnercenter.lib.commands import ConsoleCommand
from partnercenter.lib.money import show_amount


def parse_time(text: str) -> datetime:
    """Parse an ISO 8601 time; UTC if it states no offset. Raises ArgumentTypeError."""
    try:
        at = parse_datetime(text)
        if at is not None:
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ArgumentTypeError(f"{text!r} is not a time such as 2026-09-30T12:00:00+08:00")


class Command(ConsoleCommand):
    help = (
        "Import one expenditure report: FOCUS or plain CSV, gzipped or not. Several files are the parts of one "
        "report. It is imported as a whole, or not at all if any line has an error."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--format", choices=list(FORMATS), help="Default: each file's header decides.")
        parser.add_argument(
            "--reported-at", type=parse_time, metavar="TIME", help="The time of the totals (ISO 8601; default: now)."
        )

    def handle(
        self, *args: object, files: list[Path], format: str | None, reported_at: datetime | None, **options: object
    ) -> None:
        size = sum(file.stat().st_size for file in files)
        with ExitStack() as stack:
            # The progress bar counts bytes, and is shown only on a terminal.
            bar = stack.enter_context(tqdm(total=size, unit="B", unit_scale=True, disable=not sys.stderr.isatty()))
            contents = [(file.name, stack.enter_context(file.open("rb"))) for file in files]
            report = read_report(contents, format=format, progress=bar.update)
        self._write_result(import_report(report, operator=None, reported_at=reported_at))

    def _write_result(self, result: ReportResult) -> None:
        rows: list[tuple[str, int | str]] = [
            ("lines", result.lines),
            ("customers", result.customers),
            ("months", ", ".join(result.months) or "--"),
            ("totals", show_amount(result.total)),
            ("changed", result.changed),
            ("older, ignored", result.older),
            ("exhausted", result.exhausted),
            ("frozen", result.frozen),
            ("unattributed", f"{result.unattributed_lines} lines, {show_amount(result.unattributed_total)}"),
            ("unknown", result.unknown),
        ]
        for label, value in rows:
            self.stdout.write(f"{label + ':':<16}{value}")
        for account in result.unknown_accounts:
            self.stdout.write(f"  {account}")
        if result.unknown > len(result.unknown_accounts):
            self.stdout.write(f"  and {result.unknown - len(result.unknown_accounts)} more")
