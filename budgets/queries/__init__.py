"""What is read of budgets and accounts, and put into words; nothing here writes."""
