"""All that writes customers: freezing, notes, saved views, and records of what people saw."""
