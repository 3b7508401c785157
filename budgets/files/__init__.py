"""Files that people and clouds send: budgets, and reports of expenditure."""
