"""Actions on customers: freezing, notes, saved views, and records of what was seen and exported."""
