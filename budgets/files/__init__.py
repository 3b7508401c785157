"""Reading the files that people import: budgets, and expenditure reports."""
