"""The pages about customers: their list, decisions, freezing, the page of one customer, and resellers."""
