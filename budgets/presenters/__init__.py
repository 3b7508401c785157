"""Turning budgets, records, reports and reviews into template contexts, and results into messages."""
