"""The pages of budgets: Set Budget for one customer and for many, and Customer Expenditure."""

from budgets.views.batches import batch, batches, export_batch, undo
from budgets.views.expenditure import expenditure, expenditure_report, unassociated
from budgets.views.importing import import_budgets
from budgets.views.many import terms
from budgets.views.one import adjustment_records, set_budget

__all__ = [
    "adjustment_records",
    "batch",
    "batches",
    "expenditure",
    "expenditure_report",
    "export_batch",
    "import_budgets",
    "set_budget",
    "terms",
    "unassociated",
    "undo",
]
