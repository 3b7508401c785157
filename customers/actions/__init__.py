"""Everything that writes customers: freezing, notes, saved views, and records of what was seen and exported."""
