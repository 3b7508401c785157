"""Restoring all monthly budgets when a month begins, compared with the update that it consists of in bare SQL."""

from collections.abc import Iterator

from django.utils import timezone

from budgets.actions.billing_month import restore_budgets
from budgets.models import BillingMonth, used_rank_sql
from budgets.months import previous_month
from partnercenter.lib.sql import db_datetime
from tests.benchmarks import raw
from tests.benchmarks.databases import Database
from tests.benchmarks.table import Row, median_seconds

# The end of last month: all budgets are monthly, and half of each is used.
GO_BACK = f"""
UPDATE budgets_budget SET budget_type = 'MONTHLY', counted_from = %(last)s, counted_to = %(last)s, used = amount / 2,
    usage = 49, level = 0, exhausted_since = NULL, state = (state & 8) | 1, used_rank = {used_rank_sql("amount / 2")}
"""
COPY_FLAGS = """
UPDATE customers_customer SET state = b.state FROM budgets_budget b
WHERE b.customer_id = customers_customer.id AND b.state <> customers_customer.state
"""
RESTORE = """
UPDATE budgets_budget AS b SET counted_from = %(month)s, counted_to = %(month)s, used = COALESCE(e.total, 0),
    usage = COALESCE(e.total, 0) * 100 / b.amount,
    level = CASE WHEN COALESCE(e.total, 0) * 100 >= b.amount * 100 THEN 100
        WHEN COALESCE(e.total, 0) * 100 >= b.amount * 90 THEN 90
        WHEN COALESCE(e.total, 0) * 100 >= b.amount * 75 THEN 75 ELSE 0 END,
    exhausted_since = CASE WHEN COALESCE(e.total, 0) >= b.amount THEN COALESCE(b.exhausted_since, %(now)s) END,
    state = (b.state & 11) | CASE WHEN COALESCE(e.total, 0) >= b.amount THEN 4 ELSE 0 END
FROM budgets_budget o LEFT JOIN budgets_expenditure e ON e.customer_id = o.customer_id AND e.month = %(month)s
WHERE b.customer_id = o.customer_id AND o.budget_type = 'MONTHLY' AND o.counted_from < %(month)s
"""
SET_MONTH = "UPDATE budgets_billingmonth SET month = %(month)s"


def measure(by_size: dict[int, Database]) -> Iterator[Row]:
    """Measure the largest database, in which the expenditure of the new month is known already."""
    database = by_size[max(by_size)].use()
    month = BillingMonth.objects.get(pk=1).month

    def go_back() -> tuple[()]:
        last = previous_month(month)
        raw.run([(GO_BACK, {"last": last}), (COPY_FLAGS, {}), (SET_MONTH, {"month": last})])
        database.vacuum_and_analyze()
        return ()

    def restore_by_sql() -> None:
        now = db_datetime(timezone.now())
        raw.run([(RESTORE, {"month": month, "now": now}), (COPY_FLAGS, {}), (SET_MONTH, {"month": month})])

    product, baseline = median_seconds(restore_budgets, restore_by_sql, prepare=go_back, rounds=5)
    yield Row("month restore", database.size, product, "bare SQL", baseline, 1.5)
