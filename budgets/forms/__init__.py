"""Forms about budgets: Set Budget for one customer or many, amounts typed into a review, and file uploads."""
