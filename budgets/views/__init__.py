"""The pages Set Budget, Budget Batches, Import Budgets and Customer Expenditure."""
