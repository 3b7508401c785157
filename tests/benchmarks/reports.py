"""Importing a report about all customers, compared with bare SQL that stores the same totals and used amounts.

The report is read from its file before the measurement. No report uses up a budget, because bare SQL freezes nobody.
Bare SQL changes no column that has an index, so PostgreSQL can do all of its updates in place.
"""

import hashlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from itertools import count, cycle

from django.db import connection, transaction
from django.utils import timezone

from budgets.actions.billing_month import current_month
from budgets.actions.import_report import import_report
from budgets.files.expenditure_reports import UNITS_PER_CENT, ReadReport
from budgets.models import Expenditure, ExpenditureReport
from tests.benchmarks import raw
from tests.benchmarks.databases import Database
from tests.benchmarks.table import Row, growth_rows, median_seconds

ACCOUNTS = """
SELECT c.customer_id, COALESCE(b.amount, 100000) FROM customers_customer c
LEFT JOIN budgets_budget b ON b.customer_id = c.id ORDER BY c.id
"""
UPDATE_USED = """
UPDATE budgets_budget SET used = budgets_budget.used + i.total - e.total
FROM imported i JOIN budgets_expenditure e ON e.account = i.account AND e.month = i.month
WHERE e.customer_id = budgets_budget.customer_id AND e.month >= budgets_budget.counted_from AND e.total <> i.total
"""
UPDATE_TOTALS = """
UPDATE budgets_expenditure SET total = i.total, reported_at = %(at)s, report_id = %(report)s
FROM imported i WHERE i.account = budgets_expenditure.account AND i.month = budgets_expenditure.month
"""
COUNT_WRITTEN = """
SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_xact_user_tables WHERE schemaname = 'public'
"""
COUNT_UPDATED = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'budgets_budget'"


class ReportSeries:
    """Reports about all customers, each with totals that differ from those of the report before."""

    def __init__(self) -> None:
        self.month = current_month()
        self.amounts = [(account, int(amount)) for account, amount in raw.fetch(ACCOUNTS)]
        self.numbers = count(1)
        # Three values: product and bare SQL import alternately, and each must find another value than its last one.
        # They are so close that no report needs a confirmation.
        self.percents = cycle((42, 46, 50))
        self.percent = next(self.percents)

    def small_step(self) -> tuple[ReadReport]:
        """The report of ten minutes later: every tenth customer has spent a few cents more."""
        number = next(self.numbers)
        return self._report(lambda n, _total: number if n % 10 == 0 else 0)

    def step_for_everyone(self) -> tuple[ReadReport]:
        """The report of ten minutes later: every customer has spent another 0.05 percent of its first total."""
        number = next(self.numbers)
        return self._report(lambda _n, total: total * 5 * number // 10_000)

    def change_every_usage(self) -> tuple[ReadReport]:
        """A report that changes the usage of every budget, but by so little that no level changes."""
        self.percent = next(self.percents)
        return self._report(lambda _n, _total: 0)

    def _report(self, more_cents: Callable[[int, int], int]) -> tuple[ReadReport]:
        """A report of the present percentage of each budget and some cents more, by the customer's number and total."""
        totals = {}
        for n, (account, amount) in enumerate(self.amounts):
            total = amount * self.percent // 100
            totals[f"{self.month}{account}"] = (total + more_cents(n, total)) * UNITS_PER_CENT
        report = ReadReport(format="plain", lines=len(totals), stated=totals, sources=["bench.csv"])
        report.file_hashes.append(hashlib.sha256(repr(totals).encode()).digest())
        return (report,)


def measure(by_size: dict[int, Database]) -> Iterator[Row]:
    """At each size except the smallest: two small steps, the same report again, a change of every usage; growth."""
    steps, changes = {}, {}
    for size, database in list(by_size.items())[1:]:
        database.use()
        reports = ReportSeries()
        import_by_action(*reports.change_every_usage())
        database.vacuum_and_analyze()
        steps[size] = median_seconds(import_by_action, import_by_sql, prepare=reports.small_step)
        yield Row("report, ten-minute step", size, steps[size][0], "bare SQL", steps[size][1], 1.5)
        yield from share_updated_in_place("ten-minute step", size, reports.small_step)
        yield rows_written_by_same_report(*reports.small_step(), size)
        product, baseline = median_seconds(import_by_action, import_by_sql, prepare=reports.step_for_everyone)
        yield Row("report, everyone 0.05 % more", size, product, "bare SQL", baseline)
        yield from share_updated_in_place("everyone 0.05 % more", size, reports.step_for_everyone)
        changes[size] = median_seconds(import_by_action, import_by_sql, prepare=reports.change_every_usage)
        yield Row("report, every usage changed", size, changes[size][0], "bare SQL", changes[size][1], 3)
    yield from growth_rows("report, ten-minute step", steps)
    yield from growth_rows("report, every usage changed", changes)


def import_by_action(read: ReadReport, at: datetime | None = None) -> None:
    import_report(read, operator=None, reported_at=at)


def import_by_sql(read: ReadReport) -> None:
    now = timezone.now()
    with transaction.atomic():
        report = ExpenditureReport.objects.create(
            reported_at=now, imported_at=now, operator_name="system", sources=read.sources, format=read.format
        )
        stage_totals(read)
        params = {
            "at": raw.db_value(Expenditure, "reported_at", now),
            "report": raw.db_value(Expenditure, "report", report.pk),
        }
        raw.run([(UPDATE_USED, {}), (UPDATE_TOTALS, params), ("DROP TABLE imported", {})])


def stage_totals(read: ReadReport) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE imported (account varchar(128), month integer, total bigint)")
        if connection.vendor == "postgresql":
            with cursor.copy("COPY imported FROM STDIN") as copy:
                for row in read.totals():
                    copy.write_row(row)
            cursor.execute("ANALYZE imported")
        else:
            cursor.executemany("INSERT INTO imported VALUES (%s, %s, %s)", list(read.totals()))


def share_updated_in_place(label: str, size: int, next_report: Callable[[], tuple[ReadReport]]) -> Iterator[Row]:
    """How many percent of the budgets' updates wrote no index (only PostgreSQL counts them)."""
    if connection.vendor == "postgresql":
        [report] = next_report()
        before = _count_updated()
        import_by_action(report)
        updated, in_place = (after - former for after, former in zip(_count_updated(), before, strict=True))
        yield Row(f"budgets updated in place, {label}", size, 100 * in_place / updated, goal=80, unit="%")


def _count_updated() -> tuple[int, int]:
    """The updates of budgets so far, and how many of them were done in place."""
    # PostgreSQL adds what a connection has counted when it ends.
    connection.close()
    time.sleep(1)
    [(updated, in_place)] = raw.fetch(COUNT_UPDATED)
    return updated, in_place


def rows_written_by_same_report(read: ReadReport, size: int) -> Row:
    """How many rows are written when a report is imported that has been imported before."""
    at = timezone.now()
    import_by_action(read, at)
    count_writes = _count_writes_on_postgresql if connection.vendor == "postgresql" else _count_writes_on_sqlite
    return Row("same report again", size, count_writes(lambda: import_by_action(read, at)), goal=0, unit="rows")


def _count_writes_on_postgresql(function: Callable[[], None]) -> int:
    with transaction.atomic():
        before = raw.fetch(COUNT_WRITTEN)[0][0]
        function()
        return int(raw.fetch(COUNT_WRITTEN)[0][0] - before)


def _count_writes_on_sqlite(function: Callable[[], None]) -> int:
    """1 if another connection sees that the file was changed, otherwise 0."""
    with closing(sqlite3.connect(connection.settings_dict["NAME"])) as other:
        before = other.execute("PRAGMA data_version").fetchone()
        function()
        return int(other.execute("PRAGMA data_version").fetchone() != before)
