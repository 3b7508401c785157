"""The list by estimate where many budgets have used the same: nothing, as after a month restore, or one amount.

Such budgets have the same rank, and the index has no order for the amounts in it.
"""

from collections.abc import Iterator

from budgets.models import Budget, used_rank_sql
from partnercenter.lib.money import to_cents
from tests.benchmarks import raw
from tests.benchmarks.databases import Database
from tests.benchmarks.months import COPY_FLAGS
from tests.benchmarks.pages import getter
from tests.benchmarks.table import Row, median_seconds

SAME_AMOUNT = "1234.56"
# Six of ten budgets have used nothing and one the same amount, less than any budget is then. The flags keep the freeze.
SET_USED = f"""
UPDATE budgets_budget SET used = %(used)s, used_rank = {used_rank_sql("%(used)s")}, amount = amount + 10000000,
    usage = 0, level = 0, exhausted_since = NULL, runs_out_on = NULL, state = state & 11
WHERE customer_id %% 10 BETWEEN %(first)s AND %(last)s
"""


def measure(by_size: dict[int, Database]) -> Iterator[Row]:
    """Measure the largest database: pages in the middle of the budgets that have used nothing, and the same amount."""
    database = by_size[max(by_size)].use()
    amounts = {"0.00": (0, 5), SAME_AMOUNT: (6, 6)}
    changes = [
        (SET_USED, {"used": to_cents(used), "first": first, "last": last}) for used, (first, last) in amounts.items()
    ]
    raw.run([*changes, (COPY_FLAGS, {})])
    database.vacuum_and_analyze()
    for used in amounts:
        keys = Budget.objects.filter(used=used).order_by("pk").values_list("pk", flat=True)
        number = keys.count()
        for sort in ("used", "-used"):
            get = getter(database, "ann", f"/customers/?sort={sort}&after={used}~{keys[number // 2]}")
            (product,) = median_seconds(get)
            yield Row(f"list page, {number:,} budgets at {used}, sort={sort}", database.size, product, goal=0.1)
