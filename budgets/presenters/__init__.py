"""Budgets, records, reports and reviews as templates and messages show them."""
