"""Budget files, read line by line: what each line sets, or what is wrong with it."""

from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from budgets.files.expenditure_reports import LONGEST_CUSTOMER_ID
from budgets.months import LONGEST_SHOWN
from customers.models import AccountFreezing
from partnercenter.lib.csv_files import (
    BadFile,
    BadLine,
    CellPicker,
    CsvFile,
    CsvHeader,
    Progress,
    Unreadable,
    require_value,
    unescape_formula,
)
from partnercenter.lib.money import LARGEST_BUDGET, AmountField, to_cents
from partnercenter.models import BudgetType

REQUIRED_BUDGET_COLUMNS = ("customer_id", "amount")
OPTIONAL_BUDGET_COLUMNS = ("budget_type", "account_freezing", "unfreeze_now")
YES, NO = ("1", "true", "yes"), ("", "0", "false", "no")


class BudgetLine(NamedTuple):
    """A line of a budget file. `error` says what is wrong with it, "" if nothing is.

    `amount` is in cents. A type, amount or policy of None keeps that of the current budget.
    """

    line: int
    account: str
    budget_type: str | None
    amount: int | None
    account_freezing: str | None
    unfreeze: bool
    error: str


def read_budgets(name: str, content: BinaryIO, progress: Progress = None) -> Iterator[BudgetLine]:
    """Stream the lines of a budget file, including bad ones.

    Raises BadFile if the file cannot be used at all: wrong header or damaged gzip data.
    """
    return _BudgetReader(CsvFile(name, content, progress)).lines()


class _BudgetReader:
    """Turns the records of a budget file into lines."""

    def __init__(self, file: CsvFile) -> None:
        self.file = file
        self.amount_field = AmountField(largest=LARGEST_BUDGET, required=False)

    def lines(self) -> Iterator[BudgetLine]:
        try:
            header = CsvHeader(self.file)
            pick = header.picker(REQUIRED_BUDGET_COLUMNS, OPTIONAL_BUDGET_COLUMNS, clean=self._clean)
            while line := self._next_line(pick):
                yield line
        except ValueError as error:
            raise BadFile([BadLine(self.file.name, self.file.record_line, str(error))]) from None

    @staticmethod
    def _clean(cell: str) -> str:
        return unescape_formula(cell.strip()).strip()

    def _next_line(self, pick: CellPicker) -> BudgetLine | None:
        account = ""
        try:
            row = self.file.next_record()
            if not row:
                return None
            account, amount, budget_type, account_freezing, unfreeze_now = pick(row)
            require_value("customer_id", account)
            if len(account) > LONGEST_CUSTOMER_ID or not account.isprintable():
                raise ValueError(unknown_id_message(account))
            return BudgetLine(
                line=self.file.record_line,
                account=account,
                amount=self._amount(amount),
                unfreeze=self._yes_or_no("unfreeze_now", unfreeze_now),
                budget_type=self._choice("budget_type", budget_type, BudgetType.values),
                account_freezing=self._choice("account_freezing", account_freezing, AccountFreezing.values),
                error="",
            )
        except Unreadable:
            raise
        except ValueError as error:
            known = account if len(account) <= LONGEST_CUSTOMER_ID else ""
            return BudgetLine(self.file.record_line, known, None, None, None, unfreeze=False, error=str(error))

    def _amount(self, text: str) -> int | None:
        """Parse an amount, in cents. Raises ValueError if it is not valid."""
        try:
            amount = self.amount_field.clean(text)
        except ValidationError as error:
            raise ValueError(error.messages[0]) from None
        return None if amount is None else to_cents(amount)

    def _choice(self, column: str, cell: str, values: Sequence[str]) -> str | None:
        if cell and cell.upper() not in values:
            raise _invalid_choice(column, cell, values)
        return cell.upper() or None

    def _yes_or_no(self, column: str, cell: str) -> bool:
        if cell.lower() not in (*YES, *NO):
            raise _invalid_choice(column, cell, ("1", "0"))
        return cell.lower() in YES


def _invalid_choice(column: str, cell: str, values: Sequence[str]) -> ValueError:
    names = {"column": column, "text": cell[:LONGEST_SHOWN], "values": ", ".join(values)}
    return ValueError(_("%(column)s is %(text)r, it must be one of: %(values)s") % names)


def unknown_id_message(customer_id: str) -> str:
    """Why an ID is refused: the same text for unknown IDs and for another partner's (rule 5.6 (docs/rules.md))."""
    return _("%(id)r is not the ID of one of your customers") % {"id": customer_id[:LONGEST_SHOWN]}
