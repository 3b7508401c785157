"""The pages of the console itself."""
