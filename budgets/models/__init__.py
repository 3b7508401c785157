"""Models of budgets and their adjustment records, expenditure and its reports, and the current billing month."""

from budgets.models.adjustment_records import RECORDED_TERMS, AdjustmentRecord
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
    SILENT_AFTER,
    BillingMonth,
    Expenditure,
    ExpenditureReport,
    ReportImport,
    ReportSum,
    ReportTotal,
    UnassociatedExpenditure,
    expenditure_between,
)

__all__ = [
    "CURRENT_MONTH",
    "FREEZE_KIND_BY_POLICY",
    "MARKS",
    "RECORDED_TERMS",
    "SILENT_AFTER",
    "AdjustmentRecord",
    "BillingMonth",
    "Budget",
    "Expenditure",
    "ExpenditureReport",
    "ReportImport",
    "ReportSum",
    "ReportTotal",
    "UnassociatedExpenditure",
    "budget_flags",
    "exhausted_since",
    "expenditure_between",
    "usage_level",
    "usage_percent",
]
