"""The functions that change partners, their grants, operations and jobs. Nothing else writes them."""
