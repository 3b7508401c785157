"""The totals of a report, staged in temporary tables and compared with the stored ones.

First all totals of the report are compared, to check it as a whole; then those of one step after the other, to apply
them (rule 8.6 (docs/rules.md)). `incoming` has the totals as reported, `compared` each with the stored one. The view
`to_write` has the totals that are to be replaced or inserted. Amounts are in cents.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from budgets.models import ExpenditureReport
from budgets.months import first_moment_of_day
from partnercenter.lib.sql import create_temp_table, db_datetime, drop_temp_tables
from partnercenter.models import Partner

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
FROM {incoming} i
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
CUSTOMERS_TO_WRITE = """
SELECT count(*) FROM (
    SELECT DISTINCT customer_id, CASE WHEN customer_id IS NULL THEN account END FROM to_write
) AS customers
"""
# All totals of one customer are in the same step, and the steps follow the order of the customers' keys, because an
# action locks customers in this order. Accounts without a customer come last.
INSERT_STEPS = """
INSERT INTO budgets_reporttotal (report_id, step, account, month, total)
SELECT %s, (position - 1) / %s, account, month, total FROM (
    SELECT account, month, total,
        dense_rank() OVER (ORDER BY customer_id IS NULL, customer_id, CASE WHEN customer_id IS NULL THEN account END)
            AS position
    FROM to_write
) AS numbered
"""
TOTALS_OF_STEP = "(SELECT account, month, total FROM budgets_reporttotal WHERE report_id = %s AND step = %s)"
# A partner's report says nothing about customers that have left the partner since it was checked.
DELETE_LEFT = """
DELETE FROM compared WHERE NOT EXISTS (
    SELECT 1 FROM customers_customer c WHERE c.id = compared.customer_id AND c.partner_id = %s
)
"""
UNKNOWN_ACCOUNTS = "SELECT DISTINCT unknown FROM compared WHERE unknown IS NOT NULL ORDER BY 1 LIMIT %s"
# What budgets will have used with the new totals. The parameter is the current month.
USED_AFTER = """
SELECT b.customer_id, b.counted_from, CAST(b.used + SUM(w.delta) AS bigint) AS used
FROM to_write w JOIN budgets_budget b ON b.customer_id = w.customer_id
WHERE w.delta <> 0 AND w.month >= b.counted_from AND w.month <= %s
GROUP BY b.customer_id, b.counted_from, b.used
ORDER BY b.customer_id
"""


class StagedFigures(NamedTuple):
    """Of a staged report: its accounts, those of them that are unknown, and the sum of its totals in cents.

    Then numbers of totals: those that will change, those that are older than the stored ones, and those to be written.
    """

    accounts: int
    unknown: int
    total: int
    changed: int
    older: int
    to_write: int


def stage_totals(totals: Iterable[tuple[str, int, int]], *, only: Partner | None) -> int:
    """Stage (customer ID, month, cents); return how many accounts were left out as not those of the partner `only`."""
    drop_staged()
    create_temp_table("incoming", "account varchar(128), month integer, total bigint", totals)
    if only is None:
        return 0
    not_yours = fetch_rows(f"SELECT count(DISTINCT account) {NOT_OF_PARTNER}", [only.pk, only.pk])[0][0]
    run_sql(f"DELETE {NOT_OF_PARTNER}", [only.pk, only.pk])
    return not_yours


def compare_staged(at: datetime, month: int) -> StagedFigures:
    """Compare the staged totals, which refer to the time `at`, with the stored ones; `month` is the current one.

    The result is there until `drop_staged`.
    """
    _compare("incoming", [], at, month)
    run_sql("CREATE INDEX compared_by_customer ON compared (customer_id)")
    return StagedFigures(*fetch_rows(FIGURES)[0])


def compare_step(report: ExpenditureReport, step: int, month: int) -> None:
    """Compare the totals of one step with the totals that are stored now, and remove them from the steps."""
    drop_staged()
    _compare(TOTALS_OF_STEP, [report_key(report), step], report.reported_at, month)
    if report.partner_id:
        run_sql(DELETE_LEFT, [report.partner_id])
    run_sql("DELETE FROM budgets_reporttotal WHERE report_id = %s AND step = %s", [report_key(report), step])


def _compare(incoming: str, params: Sequence[int | str], at: datetime, month: int) -> None:
    time = db_datetime(at)
    compare = COMPARE.format(incoming=incoming)
    run_sql(compare, [db_datetime(first_moment_of_day(at)), month, time, time, time, *params])
    if connection.vendor == "postgresql":
        run_sql("ANALYZE compared")
    run_sql(TO_WRITE)


def store_steps(report: ExpenditureReport, customers_per_step: int) -> int:
    """Store the compared totals that are to be written, numbered in steps; return the number of steps.

    If one step is enough they are not stored: the caller applies them at once.
    """
    customers = fetch_rows(CUSTOMERS_TO_WRITE)[0][0]
    if customers <= customers_per_step:
        return 1 if customers else 0
    run_sql(INSERT_STEPS, [report_key(report), customers_per_step])
    steps = fetch_rows("SELECT MAX(step) + 1 FROM budgets_reporttotal WHERE report_id = %s", [report_key(report)])
    return steps[0][0] or 0


def report_key(report: ExpenditureReport) -> str:
    """The key of the report as a parameter of SQL."""
    return report._meta.pk.get_db_prep_value(report.pk, connection)


def staged_months() -> list[int]:
    """The months (YYYYMM) of the compared totals."""
    return [month for (month,) in fetch_rows("SELECT DISTINCT month FROM compared ORDER BY 1")]


def unknown_accounts(most: int) -> list[str]:
    """The first of the customer IDs that no current customer has."""
    return [account for (account,) in fetch_rows(UNKNOWN_ACCOUNTS, [most])]


def drop_staged() -> None:
    """Drop the temporary tables, which the connection would otherwise keep."""
    run_sql("DROP VIEW IF EXISTS to_write")
    drop_temp_tables("incoming", "compared")


def run_sql(sql: str, params: Sequence[int | str] | None = None) -> None:
    """Execute a statement on the staged totals."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def fetch_rows(sql: str, params: Sequence[int | str] | None = None) -> list[tuple]:
    """Fetch all rows of a query on the staged totals."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()
