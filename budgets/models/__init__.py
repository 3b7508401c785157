"""Models of budgets and their adjustment records, expenditure and its reports, and the current billing month."""

from budgets.models.adjustment_records import RECORDED_TERMS, AdjustmentRecord
from budgets.models.budgets import (
    FREEZE_KIND_BY_POLICY,
    MARKS,
    Budget,
    UsedRank,
    budget_flags,
    exhausted_since,
    usage_level,
    usage_percent,
    used_rank_sql,
)
from budgets.models.expenditure import (
    CURRENT_MONTH,
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
    "AdjustmentRecord",
    "BillingMonth",
    "Budget",
    "Expenditure",
    "ExpenditureReport",
    "ReportImport",
    "ReportSum",
    "ReportTotal",
    "UnassociatedExpenditure",
    "UsedRank",
    "budget_flags",
    "exhausted_since",
    "expenditure_between",
    "usage_level",
    "usage_percent",
    "used_rank_sql",
]
