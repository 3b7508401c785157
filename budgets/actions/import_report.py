"""Importing a report of expenditure, as a whole or not at all; see section 8 (docs/rules.md).

The totals are staged in a temporary table and compared there; only what moved is locked and written, one row version
each. SQL below speaks cents and is the same for both engines but for the staging and the locks.
"""

import uuid
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models.expressions import RawSQL
from django.utils import timezone
from django.utils.translation import gettext as _

from budgets.actions.billing_month import lock_month
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

LISTED = 100

# Each total beside what stands, once: what else is asked of the report is asked of this.
# A total that is somebody's stays so: the months before a customer left are theirs, whoever has the ID now.
# In the order in which totals lie in their table: to be replaced in any other takes twice as long.
COMPARED = """
CREATE TEMPORARY TABLE compared AS
SELECT i.account, i.month, i.total, e.id AS expenditure_id,
    COALESCE(e.customer_id, c.id) AS customer_id,
    i.total - COALESCE(e.total, 0) AS delta,
    CASE WHEN e.id IS NULL OR e.total <> i.total THEN 1 ELSE 0 END AS differs,
    CASE WHEN e.reported_at < %s AND i.month = %s THEN 1 ELSE 0 END AS day_moved,
    CASE WHEN c.id IS NULL THEN i.account END AS unknown,
    CASE WHEN e.reported_at > %s THEN 1 ELSE 0 END AS older,
    CASE WHEN e.id IS NULL OR e.reported_at < %s OR (e.reported_at = %s AND e.total <> i.total)
        THEN 1 ELSE 0 END AS moves
FROM incoming i
LEFT JOIN budgets_expenditure e ON e.account = i.account AND e.month = i.month
LEFT JOIN customers_customer c ON c.customer_id = i.account AND c.disassociated_on IS NULL
ORDER BY e.id
"""
MOVED = "CREATE TEMPORARY VIEW moved AS SELECT * FROM compared WHERE moves = 1"
FIGURES = """
SELECT count(DISTINCT account), count(DISTINCT unknown), COALESCE(SUM(total), 0), COALESCE(SUM(differs * moves), 0),
    COALESCE(SUM(older), 0), COALESCE(SUM(moves), 0)
FROM compared
"""
LOCK_MOVED = """
SELECT count(*) FROM (
    SELECT id FROM customers_customer
    WHERE id IN (SELECT customer_id FROM moved WHERE delta <> 0 OR day_moved = 1)
    ORDER BY id FOR NO KEY UPDATE
) AS locked
"""
# One report at a time is imported, so what is there stays there: cheaper than an upsert of all.
REPLACE_TOTALS = """
UPDATE budgets_expenditure SET customer_id = m.customer_id, total = m.total, reported_at = %s, report_id = %s
FROM moved m WHERE m.expenditure_id = budgets_expenditure.id
"""
NEW_TOTALS = """
INSERT INTO budgets_expenditure (account, month, customer_id, total, reported_at, report_id)
SELECT account, month, customer_id, total, %s, %s FROM moved WHERE expenditure_id IS NULL
"""
USED_AFTER = """
SELECT b.customer_id, b.counted_from, CAST(b.used + SUM(m.delta) AS bigint) AS used
FROM moved m JOIN budgets_budget b ON b.customer_id = m.customer_id
WHERE m.delta <> 0 AND m.month >= b.counted_from AND m.month <= %s
GROUP BY b.customer_id, b.counted_from, b.used
ORDER BY b.customer_id
"""
# Whose total is the same, but of another day: at another rate, then.
UNMOVED = "customer_id IN (SELECT customer_id FROM moved WHERE delta = 0 AND day_moved = 1)"
# Not `NOT IN (SELECT ..)`: more IDs than fit into PostgreSQL's memory for a hash are compared one by one, for ever.
OWN = """
SELECT 1 FROM customers_customer c
WHERE c.customer_id = incoming.account AND c.disassociated_on IS NULL AND c.partner_id = %s
"""
# A month that was spent as the customer of another partner.
ANOTHERS = """
SELECT 1 FROM budgets_expenditure e JOIN customers_customer f ON f.id = e.customer_id
WHERE e.account = incoming.account AND e.month = incoming.month AND f.partner_id <> %s
"""


@dataclass
class ReportResult:
    """What a report said and did. Totals are amounts with two decimals; `months` reads "2026-09".

    `changed` totals are new or differ; `older` were ignored, as a newer report had stated them; `unknown` accounts are
    kept until they are associated, `not_yours` were not stored. `report` is None where nothing was written.
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
    """Replace the totals the report states, move what is used, freeze what is used up: one transaction.

    See rule 8.6 (docs/rules.md).

    A total of the same time or newer replaces the earlier one, an older one is ignored. The same report again writes
    nothing. With `only` a partner's own customers alone are taken, anything else is counted and not stored (8.5).
    Raises InvalidRequest for a time to come, LockTimeout after ten seconds of waiting for another report.
    """
    now = timezone.now()
    at = reported_at or now
    if at > now:
        raise InvalidRequest(_("The time of the report lies in the future."), "reported_at")
    month = lock_month()
    advisory_lock(REPORT_LOCK)
    taken = ReportResult(
        lines=read.lines, unattributed_lines=read.unattributed_lines, unattributed_total=read.unattributed_total
    )
    _unstage()
    create_temp_table("incoming", "account varchar(128), month integer, total bigint", read.totals())
    _keep_to(only, taken)
    if _compare(at, month, taken):
        taken.report = uuid.uuid4()
        author = Author(operator, channel, now, batch=taken.report)
        _apply(_new_report(taken.report, read, at, author, only), month, author, taken)
    _unstage()
    return taken


def _keep_to(only: Partner | None, taken: ReportResult) -> None:
    """Take what is not the partner's own out of the stage, and tell how many accounts that are.

    See rule 8.5 (docs/rules.md).
    """
    if only is not None:
        strangers = f"FROM incoming WHERE NOT EXISTS ({OWN}) OR EXISTS ({ANOTHERS})"
        taken.not_yours = _number(f"SELECT count(DISTINCT account) {strangers}", [only.pk, only.pk])
        _run(f"DELETE {strangers}", [only.pk, only.pk])


def _compare(at: datetime, month: int, taken: ReportResult) -> int:
    """Hold the stage against what stands and tell what it says; how many totals it states anew."""
    _run(COMPARED, [db_datetime(first_moment_of_day(at)), month, db_datetime(at), db_datetime(at), db_datetime(at)])
    _run("CREATE INDEX compared_by_customer ON compared (customer_id)")
    if connection.vendor == "postgresql":
        _run("ANALYZE compared")
    _run(MOVED)
    accounts, taken.unknown, total, taken.changed, taken.older, moved = _rows(FIGURES)[0]
    taken.customers = accounts - taken.unknown
    taken.total = from_cents(total)
    taken.months = [month_name(row[0]) for row in _rows("SELECT DISTINCT month FROM compared ORDER BY 1")]
    listed = "SELECT DISTINCT unknown FROM compared WHERE unknown IS NOT NULL ORDER BY 1"
    taken.unknown_accounts = [row[0] for row in _rows(f"{listed} LIMIT {LISTED}")]
    return moved


def _unstage() -> None:
    _run("DROP VIEW IF EXISTS moved")
    drop_temp_tables("incoming", "compared")


def _new_report(
    pk: uuid.UUID, read: ReadReport, at: datetime, author: Author, only: Partner | None
) -> ExpenditureReport:
    return ExpenditureReport.objects.create(
        pk=pk,
        reported_at=at,
        imported_at=author.at,
        covers_until=read.covers_until,
        operator=author.operator,
        operator_name=author.name,
        partner=only,
        sources=read.sources,
        format=read.format,
    )


def _apply(report: ExpenditureReport, month: int, author: Author, taken: ReportResult) -> None:
    """Lock whom it moves, in key order; then totals, used, freezing, and the report's own summary."""
    if connection.vendor == "postgresql":
        _number(LOCK_MOVED)
    for write in (REPLACE_TOTALS, NEW_TOTALS):
        _run(write, [db_datetime(report.reported_at), report._meta.pk.get_db_prep_value(report.pk, connection)])
    taken.exhausted = update_used(USED_AFTER, [month], month=month, at=author.at).exhausted
    update_run_out(month, UNMOVED)
    moved = Customer.objects.filter(pk__in=RawSQL("SELECT customer_id FROM moved WHERE delta <> 0", []))
    taken.frozen = freeze_exhausted(moved, author=author)
    report.summary = asdict(taken) | {"report": str(taken.report)}
    report.summary |= {name: str(report.summary[name]) for name in ("total", "unattributed_total")}
    report.save(update_fields=["summary"])


def _run(sql: str, params: list[Any] | None = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def _rows(sql: str, params: list[Any] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def _number(sql: str, params: list[Any] | None = None) -> int:
    return _rows(sql, params)[0][0]
