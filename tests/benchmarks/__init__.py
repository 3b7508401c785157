"""How fast the product is, compared with bare SQL and Django admin: `make bench`. See docs/performance.md."""
