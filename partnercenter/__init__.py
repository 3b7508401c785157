"""The console itself, and who signs in to it."""
