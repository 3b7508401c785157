"""Importing an expenditure report, as a whole or not at all; see section 8 (docs/rules.md).

One transaction checks the report, compares its totals with the stored ones (`report_totals`) and stores it with the
totals that are to be written. Then these are applied in steps (`report_steps`).
"""

import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from budgets.actions import report_steps
from budgets.actions.billing_month import lock_month
from budgets.actions.plausibility import ensure_plausible
from budgets.actions.report_totals import (
    compare_staged,
    drop_staged,
    report_key,
    run_sql,
    stage_totals,
    staged_months,
    store_steps,
    unknown_accounts,
)
from budgets.files.expenditure_reports import ReadReport
from budgets.models import ExpenditureReport, ReportImport
from budgets.months import month_name
from partnercenter.actions.authorship import Author
from partnercenter.lib.errors import InvalidRequest
from partnercenter.lib.money import from_cents
from partnercenter.lib.transactions import REPORT_LOCK, advisory_lock, write_transaction
from partnercenter.models import Channel, Partner, User

MOST_UNKNOWN_ACCOUNTS = 100

# Totals that are older than the stored ones neither rise nor fall: they are ignored.
INSERT_SUMS = """
INSERT INTO budgets_reportsum (report_id, partner_id, month, accounts, total, total_before, risen, fallen)
SELECT %s, c.partner_id, t.month, count(*), SUM(t.total), SUM(t.total - t.delta),
    SUM(CASE WHEN t.delta > 0 THEN t.is_written ELSE 0 END), SUM(CASE WHEN t.delta < 0 THEN t.is_written ELSE 0 END)
FROM compared t LEFT JOIN customers_customer c ON c.id = t.customer_id
GROUP BY c.partner_id, t.month
"""


@dataclass
class ReportResult:
    """What a report stated and changed. Totals have two decimals; `months` are written as "2026-09".

    `changed` counts the totals that are new or differ, `older` those that were ignored because a newer report had
    stated them. The totals of `unknown` accounts are kept until these are associated; those of accounts that are
    `not_yours` are not stored. `report` is the key of the report, None if nothing was written.
    `already_imported_at` is set if the same content had been imported before, so that nothing was compared.
    """

    report: uuid.UUID | None = None
    lines: int = 0
    customers: int = 0
    months: list[str] = field(default_factory=list)
    total: Decimal = Decimal("0.00")
    changed: int = 0
    older: int = 0
    exhausted: int = 0
    frozen: int = 0
    unattributed_lines: int = 0
    unattributed_total: Decimal = Decimal("0.00")
    unknown: int = 0
    unknown_accounts: list[str] = field(default_factory=list)
    not_yours: int = 0
    already_imported_at: datetime | None = None


def import_report(
    read: ReadReport,
    *,
    operator: User | None,
    reported_at: datetime | None = None,
    default_time: datetime | None = None,
    only: Partner | None = None,
    channel: Channel = Channel.IMPORT,
    confirm: str = "",
    key: uuid.UUID | None = None,
    finish: Callable[[ReportResult], None] | None = None,
) -> ReportResult:
    """Import the totals of a report, update what budgets have used, and freeze accounts that used theirs up.

    The report is checked as a whole, then applied in steps; one that fits into one step is one transaction. See rule
    8.6 (docs/rules.md). A report that was interrupted before is completed first. A total of the same time or newer
    replaces the stored one, an older one is ignored. The content of the last report again changes nothing, unless
    `reported_at` is later than that report's time. With `only` a partner, the accounts of others are counted and not
    stored; see rule 8.5 (docs/rules.md). The report, if it is stored, gets the `key`. `finish` is called with the
    result in the last transaction.

    The time of the totals is `reported_at`, otherwise the latest usage in the report that is not in the future,
    otherwise `default_time`, otherwise now; see rule 8.1 (docs/rules.md).

    Raises ImplausibleReport if the totals must be confirmed first: then `confirm` must be the content's hash; see rule
    8.3 (docs/rules.md). Raises InvalidRequest if the report's time is in the future or `confirm` is the hash of other
    content, ReportUnderWay if another report is being applied, and LockTimeout after waiting ten seconds for a lock.
    """
    now = timezone.now()
    at = reported_at or read.usage_until or min(default_time or now, now)
    if at > now:
        raise InvalidRequest(_("The time of the report is in the future."), "reported_at")
    if confirm and confirm != read.content_hash:
        raise InvalidRequest(_("The confirmation is for other content: the files have changed since."), "confirm")
    completed = report_steps.complete_interrupted_report()
    author = Author(operator, channel, now, key or uuid.uuid4())
    with write_transaction():
        month = lock_month()
        advisory_lock(REPORT_LOCK)
        # Another may have begun since.
        report_steps.complete_interrupted_report()
        imported_at = _imported_before(read, reported_at, only)
        if imported_at and completed and completed.content_hash == read.content_hash:
            # It is this report that was interrupted.
            result, report_import = _result_of(read), completed
        elif imported_at:
            result, report_import = replace(_result_of(read), already_imported_at=imported_at), None
        else:
            result, report_import = _check_and_store(read, at, month, author, only=only, confirm=confirm)
        if report_import is None or report_import.state == ReportImport.State.IMPORTED:
            return _finished(result, report_import, finish)
    report_import = report_steps.apply_steps(report_import, finish=lambda ended: _finished(result, ended, finish))
    return _effects(result, report_import)


def _result_of(read: ReadReport) -> ReportResult:
    """The result with what does not depend on what is stored."""
    return ReportResult(
        lines=read.lines, unattributed_lines=read.unattributed_lines, unattributed_total=read.unattributed_total
    )


def _check_and_store(
    read: ReadReport, at: datetime, month: int, author: Author, *, only: Partner | None, confirm: str
) -> tuple[ReportResult, ReportImport | None]:
    """Compare the report with what is stored; store it and its steps, unless it has no total to store."""
    result = _result_of(read)
    result.not_yours = stage_totals(read.totals(), only=only)
    _compare(at, month, result)
    report_import = None
    if result.customers or result.unknown:
        if not confirm:
            ensure_plausible(month, read.content_hash)
        report = _record(read, at, author, only, result)
        report_import = _begin_steps(report, author, confirmed_by=author.name if confirm else "")
        if report_import.steps == 1:
            report_steps.apply_compared(report_import, month)
    drop_staged()
    return result, report_import


def _imported_before(read: ReadReport, reported_at: datetime | None, partner: Partner | None) -> datetime | None:
    """When the content was imported, if it is that of the last report and is not stated anew for a later time."""
    last = ExpenditureReport.objects.filter(partner=partner).order_by("-imported_at").first()
    if last is None or not read.content_hash or last.content_hash != read.content_hash:
        return None
    return None if reported_at and reported_at > last.reported_at else last.imported_at


def _finished(
    result: ReportResult, report_import: ReportImport | None, finish: Callable[[ReportResult], None] | None
) -> ReportResult:
    if report_import:
        result = _effects(result, report_import)
    if finish:
        finish(result)
    return result


def _effects(result: ReportResult, report_import: ReportImport) -> ReportResult:
    """The result with what the steps have changed."""
    effects = {name: getattr(report_import, name) for name in ("changed", "exhausted", "frozen")}
    return replace(result, report=report_import.pk, **effects)


def _compare(at: datetime, month: int, result: ReportResult) -> None:
    """Compare the staged totals with the stored ones and fill in the result."""
    figures = compare_staged(at, month)
    result.customers, result.unknown = figures.accounts - figures.unknown, figures.unknown
    result.total = from_cents(figures.total)
    result.changed, result.older = figures.changed, figures.older
    result.months = [month_name(each) for each in staged_months()]
    result.unknown_accounts = unknown_accounts(MOST_UNKNOWN_ACCOUNTS)


def _record(
    read: ReadReport, at: datetime, author: Author, partner: Partner | None, result: ReportResult
) -> ExpenditureReport:
    """Store the report as it was read, with its sums by month and partner."""
    # The next report is compared with the newest one, so no two may have the same time.
    newest = ExpenditureReport.objects.filter(partner=partner).aggregate(at=Max("imported_at"))["at"]
    summary = asdict(result) | {"report": str(author.batch), "changed": 0}
    del summary["already_imported_at"]
    report = ExpenditureReport.objects.create(
        pk=author.batch,
        reported_at=at,
        imported_at=max(author.at, newest + timedelta(microseconds=1)) if newest else author.at,
        covers_until=read.covers_until,
        operator=author.operator,
        operator_name=author.name,
        partner=partner,
        sources=read.sources,
        format=read.format,
        content_hash=read.content_hash,
        summary=summary | {name: str(summary[name]) for name in ("total", "unattributed_total")},
    )
    run_sql(INSERT_SUMS, [report_key(report)])
    return report


def _begin_steps(report: ExpenditureReport, author: Author, *, confirmed_by: str) -> ReportImport:
    """Store the totals that are to be written, in steps, and that the report is being applied.

    In the attempt that was begun for it, or in a new one. A report of which nothing is to be written is imported.
    """
    steps = store_steps(report, report_steps.CUSTOMERS_PER_STEP)
    applying = {
        "report": report,
        "state": ReportImport.State.APPLYING,
        "reported_at": report.reported_at,
        "content_hash": report.content_hash,
        "confirmed_by": confirmed_by,
        "files": [],
        "channel": author.channel,
        "alive_at": author.at,
        "ended_at": None,
        "token": uuid.uuid4(),
        "steps": steps,
    }
    began = {
        "partner": report.partner,
        "operator": report.operator,
        "operator_name": report.operator_name,
        "sources": report.sources,
        "began_at": author.at,
    }
    report_import, _created = ReportImport.objects.update_or_create(
        pk=report.pk, defaults=applying, create_defaults=applying | began
    )
    if not steps:
        report_steps.end_import(report_import)
        report_import.save()
    return report_import
