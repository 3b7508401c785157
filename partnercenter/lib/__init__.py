"""General tools that Django lacks. All apps use them; none depends on the project's models."""
