"""Turn budgets, records, reports and reviews into what templates show, and results into messages."""
