"""The pages of Set Budget, Budget Batches, Import Budgets and Customer Expenditure."""
