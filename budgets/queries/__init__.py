"""What pages and commands read about budgets and accounts; nothing here writes."""
