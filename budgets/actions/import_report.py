"""Importing an expenditure report, as a whole or not at all; see section 8 (docs/rules.md).

The totals of the report are staged in the temporary table `incoming` and compared with the stored ones in the table
`compared`. Its view `to_write` has the totals that are to be replaced or inserted. Only their customers are locked, and
each row is written once. Amounts in SQL are in cents.
"""

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal

from django.db import connection
from django.db.models.expressions import RawSQL
from django.utils import timezone
from django.utils.translation import gettext as _

from budgets.actions.billing_month import lock_month, restore_if_behind
from budgets.actions.usage import freeze_exhausted, update_run_out, update_used
from budgets.files.expenditure_reports import ReadReport
from budgets.models import ExpenditureReport
from budgets.months import first_moment_of_day, month_name
from customers.models import Customer
from partnercenter.actions.authorship import Author
from partnercenter.lib.errors import InvalidRequest
from partnercenter.lib.money import from_cents
from partnercenter.lib.sql import create_temp_table, db_datetime, drop_temp_tables
from partnercenter.lib.transactions import REPORT_LOCK, advisory_lock, write_transaction
from partnercenter.models import Channel, Partner, User

MOST_UNKNOWN_ACCOUNTS = 100

# Totals of accounts that are not current customers of the partner, and of months in which an account was a customer of
# another. `NOT EXISTS`, because PostgreSQL compares the IDs of a `NOT IN (SELECT ..)` one by one if they do not fit
# into its memory for a hash table.
NOT_OF_PARTNER = """
FROM incoming WHERE NOT EXISTS (
    SELECT 1 FROM customers_customer c
    WHERE c.customer_id = incoming.account AND c.disassociated_on IS NULL AND c.partner_id = %s
) OR EXISTS (
    SELECT 1 FROM budgets_expenditure e JOIN customers_customer f ON f.id = e.customer_id
    WHERE e.account = incoming.account AND e.month = incoming.month AND f.partner_id <> %s
)
"""
# Each incoming total with the stored one. A stored total stays its customer's, even after the customer has left and
# another has the same ID. `new_day` marks totals of the current month that now refer to a later day. In the order of
# the stored totals, because replacing them in any other order takes twice as long.
COMPARE = """
CREATE TEMPORARY TABLE compared AS
SELECT i.account, i.month, i.total, e.id AS expenditure_id,
    COALESCE(e.customer_id, c.id) AS customer_id,
    i.total - COALESCE(e.total, 0) AS delta,
    CASE WHEN e.id IS NULL OR e.total <> i.total THEN 1 ELSE 0 END AS differs,
    CASE WHEN e.reported_at < %s AND i.month = %s THEN 1 ELSE 0 END AS new_day,
    CASE WHEN c.id IS NULL THEN i.account END AS unknown,
    CASE WHEN e.reported_at > %s THEN 1 ELSE 0 END AS older,
    CASE WHEN e.id IS NULL OR e.reported_at < %s OR (e.reported_at = %s AND e.total <> i.total)
        THEN 1 ELSE 0 END AS is_written
FROM incoming i
LEFT JOIN budgets_expenditure e ON e.account = i.account AND e.month = i.month
LEFT JOIN customers_customer c ON c.customer_id = i.account AND c.disassociated_on IS NULL
ORDER BY e.id
"""
TO_WRITE = "CREATE TEMPORARY VIEW to_write AS SELECT * FROM compared WHERE is_written = 1"
FIGURES = """
SELECT count(DISTINCT account), count(DISTINCT unknown), COALESCE(SUM(total), 0),
    COALESCE(SUM(differs * is_written), 0), COALESCE(SUM(older), 0), COALESCE(SUM(is_written), 0)
FROM compared
"""
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
USED_AFTER = """
SELECT b.customer_id, b.counted_from, CAST(b.used + SUM(w.delta) AS bigint) AS used
FROM to_write w JOIN budgets_budget b ON b.customer_id = w.customer_id
WHERE w.delta <> 0 AND w.month >= b.counted_from AND w.month <= %s
GROUP BY b.customer_id, b.counted_from, b.used
ORDER BY b.customer_id
"""
# The same total on a later day of the month: the daily rate changed, and with it the day on which the budget runs out.
SAME_TOTAL_LATER = "customer_id IN (SELECT customer_id FROM to_write WHERE delta = 0 AND new_day = 1)"


@dataclass
class ReportResult:
    """What a report stated and changed. Totals have two decimals; `months` are written as "2026-09".

    `changed` counts the totals that are new or differ, `older` those that were ignored because a newer report had
    stated them. The totals of `unknown` accounts are kept until these are associated; those of accounts that are
    `not_yours` are not stored. `report` is the key of the report, None if nothing was written.
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


@write_transaction()
def import_report(
    read: ReadReport,
    *,
    operator: User | None,
    reported_at: datetime | None = None,
    only: Partner | None = None,
    channel: Channel = Channel.IMPORT,
) -> ReportResult:
    """Import the totals of a report, update what budgets have used, and freeze accounts that used theirs up.

    One transaction; see rule 8.6 (docs/rules.md). A total of the same time or newer replaces the stored one, an older
    one is ignored, and the same report again writes nothing. With `only` a partner, the accounts of others are counted
    and not stored; see rule 8.5 (docs/rules.md). Raises InvalidRequest if the report's time is in the future, and
    LockTimeout after waiting ten seconds for another report.
    """
    now = timezone.now()
    at = reported_at or now
    if at > now:
        raise InvalidRequest(_("The time of the report is in the future."), "reported_at")
    month = lock_month()
    advisory_lock(REPORT_LOCK)
    result = ReportResult(
        lines=read.lines, unattributed_lines=read.unattributed_lines, unattributed_total=read.unattributed_total
    )
    _drop_staged()
    create_temp_table("incoming", "account varchar(128), month integer, total bigint", read.totals())
    if only is not None:
        result.not_yours = _rows(f"SELECT count(DISTINCT account) {NOT_OF_PARTNER}", [only.pk, only.pk])[0][0]
        _run(f"DELETE {NOT_OF_PARTNER}", [only.pk, only.pk])
    if _compare(at, month, result):
        author = Author(operator, channel, now)
        report = ExpenditureReport.objects.create(
            pk=author.batch,
            reported_at=at,
            imported_at=author.at,
            covers_until=read.covers_until,
            operator=author.operator,
            operator_name=author.name,
            partner=only,
            sources=read.sources,
            format=read.format,
        )
        _apply(report, month, author, result)
    _drop_staged()
    return result


def _compare(at: datetime, month: int, result: ReportResult) -> int:
    """Compare the incoming totals with the stored ones and fill in the result; return how many must be written."""
    time = db_datetime(at)
    _run(COMPARE, [db_datetime(first_moment_of_day(at)), month, time, time, time])
    _run("CREATE INDEX compared_by_customer ON compared (customer_id)")
    if connection.vendor == "postgresql":
        _run("ANALYZE compared")
    _run(TO_WRITE)
    accounts, result.unknown, total, result.changed, result.older, to_write = _rows(FIGURES)[0]
    result.customers = accounts - result.unknown
    result.total = from_cents(total)
    result.months = [month_name(row[0]) for row in _rows("SELECT DISTINCT month FROM compared ORDER BY 1")]
    unknown = "SELECT DISTINCT unknown FROM compared WHERE unknown IS NOT NULL ORDER BY 1"
    result.unknown_accounts = [row[0] for row in _rows(f"{unknown} LIMIT {MOST_UNKNOWN_ACCOUNTS}")]
    return to_write


def _apply(report: ExpenditureReport, month: int, author: Author, result: ReportResult) -> None:
    """Lock the customers whose totals change; then write totals, used amounts, freezes and the report's summary.

    Customers are locked in key order. The report itself is recorded already.
    """
    if connection.vendor == "postgresql":
        _rows(LOCK_CUSTOMERS)
    changing = RawSQL("SELECT customer_id FROM to_write WHERE delta <> 0 OR new_day = 1", [])
    restore_if_behind(Customer.objects.filter(pk__in=changing), month)
    for write in (REPLACE_TOTALS, INSERT_TOTALS):
        _run(write, [db_datetime(report.reported_at), report._meta.pk.get_db_prep_value(report.pk, connection)])
    result.report = report.pk
    result.exhausted = update_used(USED_AFTER, [month], month=month, at=author.at).exhausted
    update_run_out(month, SAME_TOTAL_LATER)
    changed = Customer.objects.filter(pk__in=RawSQL("SELECT customer_id FROM to_write WHERE delta <> 0", []))
    result.frozen = freeze_exhausted(changed, author=author)
    summary = asdict(result)
    report.summary = summary | {name: str(summary[name]) for name in ("report", "total", "unattributed_total")}
    report.save(update_fields=["summary"])


def _drop_staged() -> None:
    _run("DROP VIEW IF EXISTS to_write")
    drop_temp_tables("incoming", "compared")


def _run(sql: str, params: Sequence[int | str] | None = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def _rows(sql: str, params: Sequence[int | str] | None = None) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()
