"""The pages of customers: their list, decisions, freezing, the page of one customer, and resellers."""
