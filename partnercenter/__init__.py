"""The project's settings; partners and users; operations that are reviewed and confirmed; background jobs."""
