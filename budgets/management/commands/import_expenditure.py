"""`manage.py import_expenditure FILE...|--directory DIR`: import one expenditure report, FOCUS or plain CSV.

Exit status: 0 imported, or nothing new; 1 refused; 2 wrong arguments; 3 needs a confirmation; 4 another report is being
imported.
"""

import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from django.core.management.base import CommandError
from django.utils.dateparse import parse_datetime
from tqdm import tqdm

from budgets.actions.import_report import ReportResult, import_report
from budgets.actions.plausibility import ImplausibleReport
from budgets.actions.report_imports import expire_unconfirmed, heartbeat, import_attempt
from budgets.files.expenditure_reports import FORMATS, read_report
from budgets.files.report_directory import DONE, ExportRun, export_runs, lock_directory
from partnercenter.lib.commands import ConsoleCommand
from partnercenter.lib.csv_files import BadFile
from partnercenter.lib.errors import ActionError, InvalidRequest, LockTimeout, ReportUnderWay
from partnercenter.lib.money import show_amount

NEEDS_CONFIRMATION, UNDER_WAY = 3, 4
SETTLE_SECONDS = 60


def parse_time(text: str) -> datetime:
    """Parse an ISO 8601 time; UTC if it states no offset. Raises ArgumentTypeError."""
    try:
        at = parse_datetime(text)
        if at is not None:
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ArgumentTypeError(f"{text!r} is not a time such as 2026-09-30T12:00:00+08:00")


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """How the report is to be read and imported."""

    format: str | None
    reported_at: datetime | None
    confirm: str


class Command(ConsoleCommand):
    help = (
        "Import one expenditure report: FOCUS or plain CSV, gzipped or not. Several files are the parts of one "
        "report. It is imported as a whole, or not at all if any line has an error. Exit status: 0 imported or nothing "
        "new, 1 refused, 2 wrong arguments, 3 needs a confirmation, 4 another report is being imported."
    )
    exit_statuses: ClassVar[dict[type[ActionError], int]] = {LockTimeout: UNDER_WAY, ReportUnderWay: UNDER_WAY}

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
        parser.add_argument(
            "--directory",
            type=Path,
            metavar="DIR",
            help="Import the newest complete run below this directory, and move runs to done or refused below it.",
        )
        parser.add_argument(
            "--settle",
            type=int,
            default=SETTLE_SECONDS,
            metavar="SECONDS",
            help="A run without a manifest is complete once no file changed for this long (default: %(default)s).",
        )
        parser.add_argument("--format", choices=list(FORMATS), help="Default: each file's header decides.")
        parser.add_argument(
            "--reported-at",
            type=parse_time,
            metavar="TIME",
            help="The time of the totals (ISO 8601). Default: the latest ChargePeriodEnd, else when the files changed.",
        )
        parser.add_argument("--confirm", default="", metavar="HASH", help="Import totals that need a confirmation.")

    def handle(
        self,
        *args: object,
        files: list[Path],
        directory: Path | None,
        settle: int,
        format: str | None,
        reported_at: datetime | None,
        confirm: str,
        **options: object,
    ) -> None:
        if bool(files) == bool(directory):
            raise CommandError("Name the files of one report, or a directory with --directory.", returncode=2)
        how = ImportOptions(format=format, reported_at=reported_at, confirm=confirm)
        expire_unconfirmed()
        try:
            if directory is None:
                self._import(files, how)
            else:
                with lock_directory(directory):
                    self._import_newest(directory, how, settle)
        except ImplausibleReport as error:
            raise CommandError(_confirmation_text(error), returncode=NEEDS_CONFIRMATION) from error

    def _import_newest(self, directory: Path, how: ImportOptions, settle: int) -> None:
        """Import the newest complete run; move it and the older ones away."""
        settled_before = time.time() - settle
        complete = [run for run in export_runs(directory) if run.is_complete(settled_before=settled_before)]
        if not complete:
            self.stdout.write("No complete run to import.")
            return
        *older, newest = complete
        for run in older:
            self.stdout.write(f"{run.name}: older, not imported, moved to {run.move_to(DONE)}")
        self._import_run(newest, how)

    def _import_run(self, run: ExportRun, how: ImportOptions) -> None:
        try:
            self._import(run.files(), how)
        except BadFile as error:
            target = run.refuse("\n".join([error.message, *error.lines]))
            self.stderr.write(f"{run.name}: moved to {target}")
            raise
        except InvalidRequest as error:
            target = run.refuse(error.message)
            self.stderr.write(f"{run.name}: moved to {target}")
            raise
        self.stdout.write(f"{run.name}: moved to {run.move_to(DONE)}")

    def _import(self, files: Sequence[Path], how: ImportOptions) -> None:
        statuses = [file.stat() for file in files]
        changed_at = datetime.fromtimestamp(max(status.st_mtime for status in statuses), UTC)
        with import_attempt([file.name for file in files], operator=None) as attempt, ExitStack() as stack:
            # The progress bar counts bytes, and is shown only on a terminal.
            size = sum(status.st_size for status in statuses)
            bar = stack.enter_context(tqdm(total=size, unit="B", unit_scale=True, disable=not sys.stderr.isatty()))
            contents = [(file.name, stack.enter_context(file.open("rb"))) for file in files]
            report = read_report(contents, format=how.format, progress=heartbeat(attempt, bar.update))
            result = import_report(
                report,
                operator=None,
                reported_at=how.reported_at,
                default_time=changed_at,
                confirm=how.confirm,
                key=attempt.pk,
            )
        self._write_result(result)

    def _write_result(self, result: ReportResult) -> None:
        if result.already_imported_at:
            self.stdout.write(f"Already imported at {result.already_imported_at.isoformat()}: nothing was changed.")
            return
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


def _confirmation_text(error: ImplausibleReport) -> str:
    """What an engineer must know before confirming, and how to confirm."""
    return "\n".join(
        [
            f"{error.message} Nothing was imported.",
            *error.comparison.lines(),
            f"If this is right, run the command again with --confirm {error.content_hash}",
        ]
    )
