"""All that writes budgets, expenditure and adjustment records: one function per verb of the console (house rule 1).

Each is one transaction: month, report, grants and customers are locked in that order, records are written first and
are the snapshot that the rest is written from, in a number of statements that does not grow with the customers.
"""

from budgets.actions.association import associate_customers, disassociate_customers
from budgets.actions.by_hand import act_by_hand, apply_by_hand, apply_reviewed, review_by_hand
from budgets.actions.editing import edit_review, review_again
from budgets.actions.freeze_terms import ByHand
from budgets.actions.importing import Imported, review_import
from budgets.actions.month import Restored, current_month, restore_budgets
from budgets.actions.reviewing import review_budgets
from budgets.actions.setting import Outcome, apply_budgets, set_budgets
from budgets.actions.taking_in import TakenIn, take_in_report
from budgets.actions.terms import Changes, Relative, Terms
from budgets.actions.undoing import review_undo

__all__ = [
    "ByHand",
    "Changes",
    "Imported",
    "Outcome",
    "Relative",
    "Restored",
    "TakenIn",
    "Terms",
    "act_by_hand",
    "apply_budgets",
    "apply_by_hand",
    "apply_reviewed",
    "associate_customers",
    "current_month",
    "disassociate_customers",
    "edit_review",
    "restore_budgets",
    "review_again",
    "review_budgets",
    "review_by_hand",
    "review_import",
    "review_undo",
    "set_budgets",
    "take_in_report",
]
