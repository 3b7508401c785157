"""Whom a partner serves, and whether the account is frozen."""
