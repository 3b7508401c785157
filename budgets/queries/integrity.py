"""Checks, for the command `check_budgets`, that every stored figure equals what it is derived from."""

from collections.abc import Iterator

from django.db import connection

from budgets.forecast import IS_DISTINCT, run_out_sql
from budgets.models import MARKS, BillingMonth, used_rank_sql
from customers.models import AccountFlags
from partnercenter.models import BudgetType

USED_RANK = used_rank_sql("b.used")
LEVEL = "CASE " + " ".join(f"WHEN b.used * 100 >= b.amount * {mark} THEN {mark}" for mark in MARKS) + " ELSE 0 END"
FLAGS = f"""(
    CASE WHEN c.freeze_kind <> '' THEN {AccountFlags.FROZEN} ELSE 0 END
    + CASE b.budget_type
        WHEN 'MONTHLY' THEN {AccountFlags.MONTHLY} WHEN 'ONE_TIME' THEN {AccountFlags.ONE_TIME} ELSE 0 END
    + CASE WHEN b.used >= b.amount THEN {AccountFlags.EXHAUSTED} ELSE 0 END
    + CASE c.association_type WHEN 'REFERRAL' THEN {AccountFlags.REFERRAL} ELSE 0 END
)"""

# SQL for the rows that differ: customer ID or partner, stored value, derived value (amounts in cents).
CHECKS = {
    "used": """
        SELECT c.customer_id, b.used, COALESCE(SUM(e.total), 0) FROM budgets_budget b
        JOIN customers_customer c ON c.id = b.customer_id CROSS JOIN budgets_billingmonth m
        LEFT JOIN budgets_expenditure e
            ON e.customer_id = b.customer_id AND e.month >= b.counted_from AND e.month <= m.month
        WHERE b.counted_to = m.month
        GROUP BY c.customer_id, b.customer_id, b.used HAVING b.used <> COALESCE(SUM(e.total), 0)
    """,
    "rank of used": f"""
        SELECT c.customer_id, b.used_rank, {USED_RANK} FROM budgets_budget b
        JOIN customers_customer c ON c.id = b.customer_id WHERE b.used_rank <> {USED_RANK}
    """,
    "usage": """
        SELECT c.customer_id, b.usage, b.used * 100 / b.amount FROM budgets_budget b
        JOIN customers_customer c ON c.id = b.customer_id WHERE b.usage <> b.used * 100 / b.amount
    """,
    "level": f"""
        SELECT c.customer_id, b.level, {LEVEL} FROM budgets_budget b
        JOIN customers_customer c ON c.id = b.customer_id WHERE b.level <> {LEVEL}
    """,
    "month of a monthly budget": """
        SELECT c.customer_id, b.counted_from, m.month FROM budgets_budget b
        JOIN customers_customer c ON c.id = b.customer_id CROSS JOIN budgets_billingmonth m
        WHERE b.budget_type = 'MONTHLY' AND b.counted_from <> m.month AND b.counted_to = m.month
    """,
    "budget as recorded": """
        SELECT c.customer_id, b.amount, r.amount_after FROM budgets_budget b
        JOIN customers_customer c ON c.id = b.customer_id
        JOIN budgets_adjustmentrecord r ON r.id = b.record_id
        WHERE b.amount <> r.amount_after OR b.budget_type <> r.budget_type_after
            OR b.account_freezing <> r.account_freezing_after OR r.customer_id <> b.customer_id
    """,
    "freeze of a budget used up under an automatic policy": """
        SELECT c.customer_id, 0, 1 FROM budgets_budget b JOIN customers_customer c ON c.id = b.customer_id
        WHERE b.level = 100 AND b.account_freezing <> 'MANUAL' AND c.freeze_kind = ''
    """,
    "account flags": f"""
        SELECT c.customer_id, c.state, {FLAGS} FROM customers_customer c
        LEFT JOIN budgets_budget b ON b.customer_id = c.id WHERE c.state <> {FLAGS}
    """,
    "account flags copied to the budget": """
        SELECT c.customer_id, b.state, c.state FROM budgets_budget b
        JOIN customers_customer c ON c.id = b.customer_id WHERE b.state <> c.state
    """,
    "budget of a former customer": """
        SELECT c.customer_id, 1, 0 FROM budgets_budget b
        JOIN customers_customer c ON c.id = b.customer_id WHERE c.disassociated_on IS NOT NULL
    """,
    "partner of a budget": """
        SELECT c.customer_id, b.partner_id, c.partner_id FROM budgets_budget b
        JOIN customers_customer c ON c.id = b.customer_id WHERE b.partner_id <> c.partner_id
    """,
    "owner of expenditure": """
        SELECT e.account, COALESCE(e.customer_id, 0), c.id FROM budgets_expenditure e
        JOIN customers_customer c ON c.customer_id = e.account AND c.disassociated_on IS NULL
        WHERE e.customer_id IS NULL
    """,
    "expenditure of a former customer": """
        SELECT c.customer_id, c.id, 0 FROM budgets_expenditure e
        JOIN customers_customer c ON c.id = e.customer_id CROSS JOIN budgets_billingmonth m
        WHERE c.disassociated_on IS NOT NULL AND e.month >= m.month
    """,
}
# Like the first checks, it leaves out the budgets that have not followed the current month yet.
RUN_OUT_CHECK = """
    SELECT c.customer_id, b.runs_out_on, {day} FROM budgets_budget b
    JOIN customers_customer c ON c.id = b.customer_id
    WHERE b.counted_to = {month} AND b.runs_out_on IS {differs} {day}
"""
ALLOCATED = """
    SELECT p.account_name, g.{column}, COALESCE(SUM(b.amount), 0) FROM partnercenter_grant g
    JOIN partnercenter_partner p ON p.id = g.partner_id
    LEFT JOIN customers_customer c ON c.partner_id = p.id
    LEFT JOIN budgets_budget b ON b.customer_id = c.id AND b.budget_type = '{budget_type}'
    GROUP BY p.account_name, g.partner_id, g.{column} HAVING g.{column} <> COALESCE(SUM(b.amount), 0)
"""


def differences() -> Iterator[str]:
    """Yield a line for each stored figure that differs from the derived one.

    A line has the customer or partner, the check, the stored and the derived figure. Figures are as in the database:
    amounts in cents, months as YYYYMM.
    """
    checks = dict(CHECKS)
    month = BillingMonth.objects.filter(pk=1).values_list("month", flat=True).first()
    if month is not None:
        columns = {name: f"b.{name}" for name in ("budget_type", "amount", "used")}
        day = run_out_sql(month, customer="b.customer_id", **columns)
        checks["day it runs out"] = RUN_OUT_CHECK.format(month=month, day=day, differs=IS_DISTINCT[connection.vendor])
    for budget_type in BudgetType.values:
        name = budget_type.lower()
        sql = ALLOCATED.format(column=f"{name}_allocated", budget_type=budget_type)
        checks[f"{name.replace('_', '-')} budgets allocated"] = sql
    for check, sql in checks.items():
        with connection.cursor() as cursor:
            cursor.execute(sql)
            rows = cursor.fetchall()
        for subject, stored, derived in rows:
            yield f"{subject}: {check}: stored {stored}, derived {derived}"
