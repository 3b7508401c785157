"""Importing a report of everybody, read already, beside bare SQL that only stores the same totals and used amounts.

First all totals are brought to a share of the budget, so that nobody's budget is used up in the course of it: bare
SQL knows no freezing.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from itertools import count

from django.db import connection, transaction
from django.utils import timezone

from budgets.actions.billing_month import current_month
from budgets.actions.import_report import import_report
from budgets.files.expenditure_reports import ReadReport
from budgets.models import Expenditure, ExpenditureReport
from tests.benchmarks import raw
from tests.benchmarks.databases import Database
from tests.benchmarks.table import Row, growth, interleaved

FROM_CENTS = 10**10
ACCOUNTS = """
SELECT c.customer_id, COALESCE(b.amount, 100000) FROM customers_customer c
LEFT JOIN budgets_budget b ON b.customer_id = c.id ORDER BY c.id
"""
USED = """
UPDATE budgets_budget SET used = budgets_budget.used + i.total - e.total
FROM bare i JOIN budgets_expenditure e ON e.account = i.account AND e.month = i.month
WHERE e.customer_id = budgets_budget.customer_id AND e.month >= budgets_budget.counted_from AND e.total <> i.total
"""
TOTALS = """
UPDATE budgets_expenditure SET total = i.total, reported_at = %(at)s, report_id = %(report)s
FROM bare i WHERE i.account = budgets_expenditure.account AND i.month = budgets_expenditure.month
"""
WRITTEN = "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_xact_user_tables WHERE schemaname = 'public'"


class Spending:
    """What everybody has spent, as reports state it: each differs from the one before."""

    def __init__(self) -> None:
        self.month = current_month()
        self.amounts = [(account, int(amount)) for account, amount in raw.fetch(ACCOUNTS)]
        self.turns = count(1)
        self.percent = 40

    def step(self) -> tuple[ReadReport]:
        """Ten minutes later: every tenth customer has spent a few cents more."""
        turn = next(self.turns)
        return self._report(lambda n: turn if n % 10 == 0 else 0)

    def jump(self) -> tuple[ReadReport]:
        """Every percent of usage is another one, and no mark is crossed."""
        self.percent = 30 if self.percent == 50 else 50
        return self._report(lambda n: 0)

    def _report(self, more: Callable[[int], int]) -> tuple[ReadReport]:
        stated = {
            f"{self.month}{account}": (amount * self.percent // 100 + more(n)) * FROM_CENTS
            for n, (account, amount) in enumerate(self.amounts)
        }
        return (ReadReport(format="plain", lines=len(stated), stated=stated, sources=["bench.csv"]),)


def measure(by_size: dict[int, Database]) -> Iterator[Row]:
    """At each size but the smallest: a ten-minute step, everything moved, the same again; then how it grows."""
    steps, jumps = {}, {}
    for size, database in list(by_size.items())[1:]:
        database.use()
        spending = Spending()
        by_action(*spending.jump())
        database.settle()
        steps[size] = interleaved(by_action, by_sql, prepare=spending.step)
        yield Row("report, ten-minute step", size, steps[size][0], "bare SQL", steps[size][1], 1.5)
        yield same_again(*spending.step(), size)
        jumps[size] = interleaved(by_action, by_sql, prepare=spending.jump)
        yield Row("report, every percent changed", size, jumps[size][0], "bare SQL", jumps[size][1], 3)
    yield from growth("report, ten-minute step", steps)
    yield from growth("report, every percent changed", jumps)


def by_action(read: ReadReport, at: datetime | None = None) -> None:
    import_report(read, operator=None, reported_at=at)


def by_sql(read: ReadReport) -> None:
    now = timezone.now()
    with transaction.atomic():
        report = ExpenditureReport.objects.create(
            reported_at=now, imported_at=now, operator_name="system", sources=read.sources, format=read.format
        )
        stage(read)
        params = {
            "at": raw.value(Expenditure, "reported_at", now),
            "report": raw.value(Expenditure, "report", report.pk),
        }
        raw.run([(USED, {}), (TOTALS, params), ("DROP TABLE bare", {})])


def stage(read: ReadReport) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE bare (account varchar(128), month integer, total bigint)")
        if connection.vendor == "postgresql":
            with cursor.copy("COPY bare FROM STDIN") as copy:
                for row in read.totals():
                    copy.write_row(row)
            cursor.execute("ANALYZE bare")
        else:
            cursor.executemany("INSERT INTO bare VALUES (%s, %s, %s)", list(read.totals()))


def same_again(read: ReadReport, size: int) -> Row:
    """How many rows it writes to import a report that has been imported."""
    at = timezone.now()
    by_action(read, at)
    written = _written_on_postgresql if connection.vendor == "postgresql" else _written_on_sqlite
    return Row("the same report again", size, written(lambda: by_action(read, at)), goal=0, unit="rows")


def _written_on_postgresql(act: Callable[[], None]) -> int:
    with transaction.atomic():
        before = raw.fetch(WRITTEN)[0][0]
        act()
        return int(raw.fetch(WRITTEN)[0][0] - before)


def _written_on_sqlite(act: Callable[[], None]) -> int:
    """1 where the file was changed, as another connection sees it."""
    with closing(sqlite3.connect(connection.settings_dict["NAME"])) as other:
        before = other.execute("PRAGMA data_version").fetchone()
        act()
        return int(other.execute("PRAGMA data_version").fetchone() != before)
