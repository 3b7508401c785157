"""Actions on partners, their grants, operations and jobs. Nothing else writes these."""
