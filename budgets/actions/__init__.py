"""All that writes budgets, expenditure and adjustment records: one function per verb of the console.

Each is one transaction: month, report, grants and customers are locked in that order, records are written first and
are the snapshot that the rest is written from, in a number of statements that does not grow with the customers.
"""
