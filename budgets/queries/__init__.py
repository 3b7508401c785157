"""Queries about budgets and accounts for pages and commands; nothing here writes."""
