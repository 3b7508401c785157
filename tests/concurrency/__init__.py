"""Actions of several people at the same time, on PostgreSQL with real threads."""
