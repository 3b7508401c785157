"""Pages: home, Partner Information, operations to confirm, and background jobs."""
