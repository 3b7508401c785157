"""Reading the files that people import: budget files and expenditure reports."""
