"""The pages of budgets: Set Budget for one customer and for many, and Customer Expenditure."""
