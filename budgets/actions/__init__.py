"""The actions on budgets: all code that writes budgets, expenditure and adjustment records or freezes accounts.

How an action is written:

- **Only actions write.** Pages, commands and jobs call an action. It takes the operator as a keyword argument (None is
  the system), and never an HTTP request. If it refuses, it raises an error of partnercenter.lib.errors and changes
  nothing. Checks that raise are named `ensure_*`.
- **One customer is a batch of one.** The same function sets one budget or a hundred thousand. The number of statements
  does not depend on the number of customers: rows are selected, inserted and updated in sets, never in a loop.
- **Review, confirm, apply.** A review stores an operation with one item per customer: the state in which the customer
  was seen, what it gets, and what that does. The operator confirms it, with a verification code if one is needed.
  Applying reads the items alone, and compares each with the current state first. An action that needs no confirmation,
  such as `set_budgets` or `freeze_now`, reviews and applies in one transaction.
- **Lock, record, write.** An action is one `write_transaction`. It takes the locks it needs in this order: the
  operator, the month, the report, the grants of the resellers, the customers; grants and customers in key order. Then
  it reads again what it is about to change, and inserts the records. Finally it writes everything else from the
  records, so what is stored cannot differ from them. Derived figures are written in the same transaction as what they
  follow from, and the command `check_budgets` verifies them.
- **The month first.** In a new billing month, `current_month` first moves the month. As that takes the month lock, it
  is called before any lock except the operator's, and the month is passed on as an argument. Customers whose budgets
  have not followed yet are restored as soon as they are locked (`restore_customers`), or before they are reviewed or
  shown (`restore_if_behind`, `restore_customer`).

Where to look:

- Set Budget and Unfreeze Now: `set_budgets`, with the terms and their effects in `terms` and the review in `reviews`
- freezing and unfreezing by hand: `manual_freeze`, with the request and its effects in `freeze_terms`
- the month restore: `billing_month`, with `usage` for what budgets have used
- the import of expenditure: `import_report` checks, with `report_totals` and `plausibility`; `report_steps` applies,
  with `usage`; `report_imports` keeps what becomes of each attempt; the import of budgets: `import_budgets`
- figures that the former version leaves out of date during an upgrade: `derived_figures`
- reviews that are edited or made again: `review_edits`; the undo of a batch: `undo`
"""
