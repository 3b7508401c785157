"""What a customer spent month by month, and the budgets that were in force.

See rules 3.2, 3.5 (docs/rules.md).
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Max, Q

from budgets.models import AdjustmentRecord
from budgets.months import first_moment, month_name, next_month, previous_month
from customers.models import Customer
from partnercenter.models import BudgetType

MONTHS_SHOWN = 12
ZERO = Decimal("0.00")


@dataclass(frozen=True)
class Month:
    """One billing month of a customer.

    `total` is None if nothing was reported; `as_of` is the time of the report. The budget is the one in force at the
    end of the month, or now for the current month; all its fields are None if there was none. `used` is what the budget
    had counted by the end of the month, including later reports; see rule 3.5 (docs/rules.md).
    """

    month: int
    is_current: bool
    total: Decimal | None = None
    as_of: datetime | None = None
    budget_type: BudgetType | None = None
    amount: Decimal | None = None
    used: Decimal | None = None

    @property
    def name(self) -> str:
        return month_name(self.month)

    @property
    def exceeded_by(self) -> Decimal | None:
        """By how much the budget was exceeded, 0.00 if it was used up exactly; None if it was not used up."""
        if self.amount is None or self.used is None or self.used < self.amount:
            return None
        return self.used - self.amount

    @property
    def is_exceeded(self) -> bool:
        return self.exceeded_by is not None


def last_months(customer: Customer, current: int) -> list[Month]:
    """The twelve months up to `current`, oldest first, in three queries."""
    reported = {each.month: each for each in customer.expenditures.filter(month__lte=current)}
    months = [current]
    while len(months) < MONTHS_SHOWN:
        months.insert(0, previous_month(months[0]))
    records = _records_in_force(customer, months)
    history = []
    for month in months:
        expenditure, record = reported.get(month), records.get(month)
        total, as_of = (expenditure.total, expenditure.reported_at) if expenditure else (None, None)
        if record is None or record.amount_after is None:
            history.append(Month(month, month == current, total, as_of))
            continue
        budget_type = BudgetType(record.budget_type_after or "")
        first = month if budget_type == BudgetType.MONTHLY else record.counted_from_after or month
        used = sum((each.total for key, each in reported.items() if first <= key <= month), ZERO)
        history.append(Month(month, month == current, total, as_of, budget_type, record.amount_after, used))
    return history


def _records_in_force(customer: Customer, months: list[int]) -> dict[int, AdjustmentRecord]:
    """By month, the newest adjustment record written before the end of the month."""
    ends = {str(month): Max("pk", filter=Q(at__lt=first_moment(next_month(month)))) for month in months}
    newest = customer.adjustment_records.aggregate(**ends)
    records = AdjustmentRecord.objects.in_bulk({key for key in newest.values() if key})
    return {int(month): records[key] for month, key in newest.items() if key}
