"""The day on which a budget runs out, at the average daily expenditure of the current billing month so far.

The average is the month's total over the days of the month up to the time of that total. Budgets store the day, and one
SQL expression computes it, both for storing and for checking; see rule 10.1 (docs/rules.md).
"""

from calendar import monthrange
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from django.conf import settings
from django.db import connection
from django.db.models import DateField
from django.db.models.expressions import RawSQL
from django.utils.translation import gettext as _

from budgets.models import Budget
from budgets.months import first_moment, first_moment_of_day, next_month
from partnercenter.lib.money import show_amount
from partnercenter.lib.sql import db_datetime
from partnercenter.models import BudgetType

# The first day of a month on which its average is meaningful.
FEWEST_DAYS = 3
# A one-time budget that would last longer gets no day.
LONGEST_DAYS = 3650

# SQL for the date of a total in the billing time zone, for the day of the month of a date, and for a later date.
DAY_OF_TOTAL = {
    "postgresql": "(e.reported_at AT TIME ZONE '{zone}')::date",
    "sqlite": "django_datetime_cast_date(e.reported_at, '{zone}', 'UTC')",
}
DAY_OF_MONTH = {"postgresql": "EXTRACT(DAY FROM {as_of})::int", "sqlite": "CAST(substr({as_of}, 9, 2) AS integer)"}
DAYS_LATER = {"postgresql": "{as_of} + CAST({days} AS integer)", "sqlite": "date({as_of}, '+' || ({days}) || ' days')"}

# SQL for `IS DISTINCT FROM`, after IS.
IS_DISTINCT = {"postgresql": "DISTINCT FROM", "sqlite": "NOT"}

# No day for a monthly budget that would last beyond the end of the month: it restores first.
RUN_OUT_SQL = """(
    SELECT CASE WHEN {left} <= CASE WHEN {budget_type} = '{monthly}' THEN {last_day} - {day} ELSE {longest} END
        THEN {later} END
    FROM budgets_expenditure e
    WHERE e.customer_id = {customer} AND e.month = {month} AND e.total > 0 AND {used} < {amount}
        AND e.reported_at >= '{begins}' AND e.reported_at < '{ends}' AND {day} >= {fewest}
)"""


def run_out_sql(month: int, *, customer: str, budget_type: str, amount: str, used: str) -> str:
    """SQL for the day on which a budget runs out, or NULL; `month` is the current billing month (YYYYMM).

    The other arguments are SQL too: the key of the customer and the terms of its budget, with amounts in cents.
    """
    as_of = DAY_OF_TOTAL[connection.vendor].format(zone=settings.BILLING_TIME_ZONE)
    day = DAY_OF_MONTH[connection.vendor].format(as_of=as_of)
    left = f"({amount} - {used}) * {day} / e.total"
    return RUN_OUT_SQL.format(
        left=left,
        later=DAYS_LATER[connection.vendor].format(as_of=as_of, days=left),
        day=day,
        customer=customer,
        budget_type=budget_type,
        amount=amount,
        used=used,
        month=month,
        monthly=BudgetType.MONTHLY,
        last_day=monthrange(month // 100, month % 100)[1],
        longest=LONGEST_DAYS,
        fewest=FEWEST_DAYS,
        begins=db_datetime(first_moment(month)),
        ends=db_datetime(first_moment(next_month(month))),
    )


def run_out_expression(month: int, *, customer: str, budget_type: str, amount: str, used: str) -> RawSQL:
    """`run_out_sql` as an expression for querysets whose SQL contains these columns."""
    sql = run_out_sql(month, customer=customer, budget_type=budget_type, amount=amount, used=used)
    return RawSQL(sql, [], output_field=DateField())  # noqa: S611 - made from months and columns, not from user input


def explain_run_out(budget: Budget | None, total: Decimal | None, reported_at: datetime | None) -> str:
    """Explain in a sentence how the day on which a budget runs out was computed; "" if there is no such day.

    `total` is the expenditure of the current month, as of `reported_at`.
    """
    if budget is None or budget.runs_out_on is None or total is None or reported_at is None:
        return ""
    last = first_moment_of_day(reported_at).date()
    return _("At %(rate)s a day, the average from %(first)s to %(last)s, with %(left)s left.") % {
        "rate": show_amount((total / last.day).quantize(Decimal("0.01"), ROUND_HALF_UP)),
        "first": last.replace(day=1).isoformat(),
        "last": last.isoformat(),
        "left": show_amount(budget.remaining),
    }
