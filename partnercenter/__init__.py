"""The project's settings, partners and users, and operations that are reviewed and confirmed."""
