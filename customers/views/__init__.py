"""The pages of customers: their list, what is kept of it, and the page of one."""
