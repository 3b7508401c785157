"""Several people act at the same time, in real threads on PostgreSQL."""
