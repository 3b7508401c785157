"""Budgets, the expenditure they are counted on, the reports it came in, and every adjustment."""

from budgets.models.adjustment_records import AdjustmentRecord
from budgets.models.budgets import (
    FREEZE_KIND_BY_POLICY,
    MARKS,
    Budget,
    budget_flags,
    exhausted_since,
    usage_level,
    usage_percent,
)
from budgets.models.expenditure import (
    CURRENT_MONTH,
    BillingMonth,
    Expenditure,
    ExpenditureReport,
    UnassociatedExpenditure,
    expenditure_between,
)

__all__ = [
    "CURRENT_MONTH",
    "FREEZE_KIND_BY_POLICY",
    "MARKS",
    "AdjustmentRecord",
    "BillingMonth",
    "Budget",
    "Expenditure",
    "ExpenditureReport",
    "UnassociatedExpenditure",
    "budget_flags",
    "exhausted_since",
    "expenditure_between",
    "usage_level",
    "usage_percent",
]
