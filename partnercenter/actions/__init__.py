"""All that writes partners, their grants and their operations."""
