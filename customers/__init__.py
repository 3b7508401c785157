"""The customers of a partner: their accounts, how they are frozen, and the pages that list them."""
