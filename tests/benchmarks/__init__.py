"""How fast the product is, beside bare SQL and Django admin: `make bench`; docs/performance.md has the table."""
