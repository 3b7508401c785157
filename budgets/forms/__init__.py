"""The forms of budgets: set for one customer or many, imported, and typed into a review."""
