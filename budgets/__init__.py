"""Budgets: what customers may spend and have spent, every change of it, and the freezing that follows."""
