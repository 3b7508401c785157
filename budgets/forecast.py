"""The day on which a budget will be used up, at the rate of the current billing month so far.

The rate is what the month has come to, over its days up to the one of which that total is. One SQL expression for
whatever stores the day and whatever checks it; nothing else computes one.
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

# With fewer days of the month there is too little to go by.
FEWEST_DAYS = 3
# A one-time budget that lasts longer than this has no day.
LONGEST_DAYS = 3650

# The day of which a total is, in the billing time zone; the day so many days later; a moment as a literal.
DAY_OF_TOTAL = {
    "postgresql": "(e.reported_at AT TIME ZONE '{zone}')::date",
    "sqlite": "django_datetime_cast_date(e.reported_at, '{zone}', 'UTC')",
}
DAY_OF_MONTH = {"postgresql": "EXTRACT(DAY FROM {as_of})::int", "sqlite": "CAST(substr({as_of}, 9, 2) AS integer)"}
DAYS_LATER = {"postgresql": "{as_of} + CAST({days} AS integer)", "sqlite": "date({as_of}, '+' || ({days}) || ' days')"}

# `IS ..`: another value, where none is a value too.
IS_DISTINCT = {"postgresql": "DISTINCT FROM", "sqlite": "NOT"}

# A monthly budget that outlasts the month restores before it is used up.
RUN_OUT_SQL = """(
    SELECT CASE WHEN {left} <= CASE WHEN {budget_type} = '{monthly}' THEN {last_day} - {day} ELSE {longest} END
        THEN {later} END
    FROM budgets_expenditure e
    WHERE e.customer_id = {customer} AND e.month = {month} AND e.total > 0 AND {used} < {amount}
        AND e.reported_at >= '{begins}' AND e.reported_at < '{ends}' AND {day} >= {fewest}
)"""


def run_out_sql(month: int, *, customer: str, budget_type: str, amount: str, used: str) -> str:
    """SQL for the day a budget runs out, NULL where none can be said, in the billing month (YYYYMM) that is current.

    The arguments are SQL for a customer's key and for the terms of its budget, amounts in cents.
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
        begins=_literal(month),
        ends=_literal(next_month(month)),
    )


def _literal(month: int) -> str:
    """When a month begins, as the database writes times."""
    return str(db_datetime(first_moment(month)))


def run_out_expression(month: int, *, customer: str, budget_type: str, amount: str, used: str) -> RawSQL:
    """The same as an expression over a queryset whose statement knows these columns."""
    sql = run_out_sql(month, customer=customer, budget_type=budget_type, amount=amount, used=used)
    return RawSQL(sql, [], output_field=DateField())  # noqa: S611 - of months and columns, nothing that was typed


def explain_run_out(budget: Budget | None, total: Decimal | None, reported_at: datetime | None) -> str:
    """How the day came about, in words: by what is left and what a day has cost; "" where there is none.

    `total` is what the current month has come to, as of when it was reported.
    """
    if budget is None or budget.runs_out_on is None or total is None or reported_at is None:
        return ""
    last = first_moment_of_day(reported_at).date()
    return _("At %(a_day)s a day, the rate from %(first)s to %(last)s, with %(left)s left.") % {
        "a_day": show_amount((total / last.day).quantize(Decimal("0.01"), ROUND_HALF_UP)),
        "first": last.replace(day=1).isoformat(),
        "last": last.isoformat(),
        "left": show_amount(budget.remaining),
    }
