"""Importing an expenditure report, as a whole or not at all; see section 8 (docs/rules.md).

The totals of the report are compared with the stored ones (`report_totals`). Only the customers whose totals change are
locked, and each row is written once.
"""

import uuid
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection
from django.db.models import Max
from django.db.models.expressions import RawSQL
from django.utils import timezone
from django.utils.translation import gettext as _

from budgets.actions.billing_month import lock_month
from budgets.actions.plausibility import ensure_plausible
from budgets.actions.report_totals import (
    USED_AFTER,
    compare_staged,
    drop_staged,
    fetch_rows,
    run_sql,
    stage_totals,
    staged_months,
    unknown_accounts,
)
from budgets.actions.usage import freeze_exhausted, update_run_out, update_used
from budgets.files.expenditure_reports import ReadReport
from budgets.models import ExpenditureReport, ReportImport
from budgets.months import month_name
from customers.models import Customer
from partnercenter.actions.authorship import Author
from partnercenter.lib.errors import InvalidRequest
from partnercenter.lib.money import from_cents
from partnercenter.lib.sql import db_datetime
from partnercenter.lib.transactions import REPORT_LOCK, advisory_lock, write_transaction
from partnercenter.models import Channel, Partner, User

MOST_UNKNOWN_ACCOUNTS = 100

LOCK_CUSTOMERS = """
SELECT count(*) FROM (
    SELECT id FROM customers_customer
    WHERE id IN (SELECT customer_id FROM to_write WHERE delta <> 0 OR new_day = 1)
    ORDER BY id FOR NO KEY UPDATE
) AS locked
"""
# Only one report is imported at a time, so no stored total appears or disappears in between. An update is enough then,
# and cheaper than an upsert.
REPLACE_TOTALS = """
UPDATE budgets_expenditure SET customer_id = w.customer_id, total = w.total, reported_at = %s, report_id = %s
FROM to_write w WHERE w.expenditure_id = budgets_expenditure.id
"""
INSERT_TOTALS = """
INSERT INTO budgets_expenditure (account, month, customer_id, total, reported_at, report_id)
SELECT account, month, customer_id, total, %s, %s FROM to_write WHERE expenditure_id IS NULL
"""
# Totals that are older than the stored ones neither rise nor fall: they are ignored.
INSERT_SUMS = """
INSERT INTO budgets_reportsum (report_id, partner_id, month, accounts, total, total_before, risen, fallen)
SELECT %s, c.partner_id, t.month, count(*), SUM(t.total), SUM(t.total - t.delta),
    SUM(CASE WHEN t.delta > 0 THEN t.is_written ELSE 0 END), SUM(CASE WHEN t.delta < 0 THEN t.is_written ELSE 0 END)
FROM compared t LEFT JOIN customers_customer c ON c.id = t.customer_id
GROUP BY c.partner_id, t.month
"""
# The same total on a later day of the month: the daily rate changed, and with it the day on which the budget runs out.
SAME_TOTAL_LATER = "customer_id IN (SELECT customer_id FROM to_write WHERE delta = 0 AND new_day = 1)"


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


@write_transaction()
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
) -> ReportResult:
    """Import the totals of a report, update what budgets have used, and freeze accounts that used theirs up.

    One transaction; see rule 8.6 (docs/rules.md). A total of the same time or newer replaces the stored one, an older
    one is ignored. The content of the last report again changes nothing, unless `reported_at` is later than that
    report's time. With `only` a partner, the accounts of others are counted and not stored; see rule 8.5
    (docs/rules.md). The report, if it is stored, gets the `key`.

    The time of the totals is `reported_at`, otherwise the latest usage in the report that is not in the future,
    otherwise `default_time`, otherwise now; see rule 8.1 (docs/rules.md).

    Raises ImplausibleReport if the totals must be confirmed first: then `confirm` must be the content's hash; see rule
    8.3 (docs/rules.md). Raises InvalidRequest if the report's time is in the future or `confirm` is the hash of other
    content, and LockTimeout after waiting ten seconds for another report.
    """
    now = timezone.now()
    at = reported_at or read.usage_until or min(default_time or now, now)
    if at > now:
        raise InvalidRequest(_("The time of the report is in the future."), "reported_at")
    if confirm and confirm != read.content_hash:
        raise InvalidRequest(_("The confirmation is for other content: the files have changed since."), "confirm")
    month = lock_month()
    advisory_lock(REPORT_LOCK)
    result = ReportResult(
        lines=read.lines, unattributed_lines=read.unattributed_lines, unattributed_total=read.unattributed_total
    )
    last = ExpenditureReport.objects.filter(partner=only).order_by("-imported_at").first()
    is_same = last is not None and last.content_hash == read.content_hash != ""
    if last and is_same and not (reported_at and reported_at > last.reported_at):
        result.already_imported_at = last.imported_at
        return result
    result.not_yours = stage_totals(read.totals(), only=only)
    _compare(at, month, result)
    if result.customers or result.unknown:
        if not confirm:
            ensure_plausible(month, read.content_hash)
        author = Author(operator, channel, now, key or uuid.uuid4())
        report = _record(read, at, author, only)
        _record_import(report, confirmed_by=author.name if confirm else "")
        _apply(report, month, author, result)
    drop_staged()
    return result


def _compare(at: datetime, month: int, result: ReportResult) -> None:
    """Compare the staged totals with the stored ones and fill in the result."""
    figures = compare_staged(at, month)
    result.customers, result.unknown = figures.accounts - figures.unknown, figures.unknown
    result.total = from_cents(figures.total)
    result.changed, result.older = figures.changed, figures.older
    result.months = [month_name(each) for each in staged_months()]
    result.unknown_accounts = unknown_accounts(MOST_UNKNOWN_ACCOUNTS)


def _record(read: ReadReport, at: datetime, author: Author, partner: Partner | None) -> ExpenditureReport:
    """Store the report as it was read, with its sums by month and partner."""
    # The next report is compared with the newest one, so no two may have the same time.
    newest = ExpenditureReport.objects.filter(partner=partner).aggregate(at=Max("imported_at"))["at"]
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
    )
    run_sql(INSERT_SUMS, [_key(report)])
    return report


def _record_import(report: ExpenditureReport, *, confirmed_by: str) -> None:
    """Store that the report was imported: in the attempt that was begun for it, or in a new one."""
    imported = {
        "report": report,
        "state": ReportImport.State.IMPORTED,
        "reported_at": report.reported_at,
        "ended_at": report.imported_at,
        "content_hash": report.content_hash,
        "confirmed_by": confirmed_by,
        "files": [],
    }
    began = {
        "partner": report.partner,
        "operator": report.operator,
        "operator_name": report.operator_name,
        "sources": report.sources,
        "began_at": report.imported_at,
        "alive_at": report.imported_at,
    }
    ReportImport.objects.update_or_create(pk=report.pk, defaults=imported, create_defaults=imported | began)


def _apply(report: ExpenditureReport, month: int, author: Author, result: ReportResult) -> None:
    """Lock the customers whose totals change; then write totals, used amounts, freezes and the report's summary.

    Customers are locked in key order. The report itself is recorded already.
    """
    if connection.vendor == "postgresql":
        fetch_rows(LOCK_CUSTOMERS)
    for write in (REPLACE_TOTALS, INSERT_TOTALS):
        run_sql(write, [db_datetime(report.reported_at), _key(report)])
    result.report = report.pk
    result.exhausted = update_used(USED_AFTER, [month], month=month, at=author.at).exhausted
    update_run_out(month, SAME_TOTAL_LATER)
    changed = Customer.objects.filter(pk__in=RawSQL("SELECT customer_id FROM to_write WHERE delta <> 0", []))
    result.frozen = freeze_exhausted(changed, author=author)
    summary = asdict(result)
    del summary["already_imported_at"]
    report.summary = summary | {name: str(summary[name]) for name in ("report", "total", "unattributed_total")}
    report.save(update_fields=["summary"])


def _key(report: ExpenditureReport) -> str:
    return report._meta.pk.get_db_prep_value(report.pk, connection)
