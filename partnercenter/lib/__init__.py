"""General tools that Django lacks. All apps use them; none of them knows a model of ours."""
