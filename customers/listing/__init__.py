"""The list of customers: narrowed, ordered and paged, as fast among a million as among a thousand."""
