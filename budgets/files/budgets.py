"""Reading files of budgets, line by line: what each line asks for, or what is wrong with its values."""

from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Any, BinaryIO, NamedTuple

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from budgets.files.expenditure_reports import LONGEST_CUSTOMER_ID
from budgets.months import LONGEST_SHOWN
from customers.models import AccountFreezing
from partnercenter.lib.csv_files import BadFile, BadLine, CsvFile, Progress, Unreadable, unescape_formula
from partnercenter.lib.money import LARGEST_BUDGET, AmountField, to_cents
from partnercenter.models import BudgetType

REQUIRED_COLUMNS = ("customer_id", "amount")
BUDGET_COLUMNS = ("customer_id", "budget_type", "amount", "account_freezing", "unfreeze_now")
YES, NO = ("1", "true", "yes"), ("", "0", "false", "no")

Pick = Callable[[list[str]], list[str]]


class BudgetLine(NamedTuple):
    """A line of the file: its number, what it asks for (amount in cents, None leaves as it is), why it is bad."""

    line: int
    account: str
    budget_type: str | None
    amount: int | None
    account_freezing: str | None
    unfreeze: bool
    error: str


def read_budgets(name: str, content: BinaryIO, progress: Progress = None) -> Iterator[BudgetLine]:
    """The lines of a file, as a stream, bad ones among them; `progress` is told the bytes read since last called.

    Raises BadFile where no line can be relied on: no header that fits, damaged gzip data.
    """
    return iter(_Reading(CsvFile(name, content, progress)))


class _Reading:
    """A file of budgets as far as it has been read."""

    def __init__(self, file: CsvFile) -> None:
        self.file = file
        self._amount = AmountField(largest=LARGEST_BUDGET, required=False)

    def __iter__(self) -> Iterator[BudgetLine]:
        try:
            pick = _columns(self.file.next_record())
            while line := self._next(pick):
                yield line
        except ValueError as error:
            raise BadFile([BadLine(self.file.name, self.file.record_line, str(error))]) from None

    def _next(self, pick: Pick) -> BudgetLine | None:
        account = ""
        try:
            row = self.file.next_record()
            if not row:
                return None
            account, *cells = pick(row)
            _refuse_no_id(account)
            return BudgetLine(self.file.record_line, account, *self._terms(*cells), error="")
        except Unreadable:
            raise
        except ValueError as error:
            known = account if len(account) <= LONGEST_CUSTOMER_ID else ""
            return BudgetLine(self.file.record_line, known, None, None, None, unfreeze=False, error=str(error))

    def _terms(
        self, budget_type: str, amount: str, account_freezing: str, unfreeze_now: str
    ) -> tuple[str | None, int | None, str | None, bool]:
        """Type, amount in cents, policy, Unfreeze Now. Raises ValueError."""
        try:
            clean = self._amount.clean(amount)
        except ValidationError as error:
            raise ValueError(error.messages[0]) from None
        if unfreeze_now.lower() not in (*YES, *NO):
            raise ValueError(_not_one_of("unfreeze_now", unfreeze_now, ("1", "0")))
        return (
            _choice("budget_type", budget_type, BudgetType.values),
            None if clean is None else to_cents(clean),
            _choice("account_freezing", account_freezing, AccountFreezing.values),
            unfreeze_now.lower() in YES,
        )


def _columns(header: list[str]) -> Pick:
    """What picks the cells of `COLUMNS` from a row, "" for those the file does not have."""
    if not header:
        raise ValueError(_("the file is empty, it needs a header"))
    names = [name.strip() for name in header]
    missing = [name for name in REQUIRED_COLUMNS if name not in names]
    if missing:
        raise ValueError(_("the header lacks columns (%(columns)s)") % {"columns": ", ".join(missing)})
    for name in BUDGET_COLUMNS:
        if names.count(name) > 1:
            raise ValueError(_("the header has the column %(name)s twice") % {"name": name})
    # One cell too many at the end stands for all that are not there.
    pick = itemgetter(*(names.index(name) if name in names else -1 for name in BUDGET_COLUMNS))
    return lambda row: [unescape_formula(cell.strip()).strip() for cell in pick([*row, ""])]


def _refuse_no_id(account: str) -> None:
    if not account:
        raise ValueError(_("%(column)s is absent") % {"column": "customer_id"})
    if len(account) > LONGEST_CUSTOMER_ID or not account.isprintable():
        raise ValueError(unknown_id_message(account))


def _choice(column: str, text: str, values: list[str]) -> str | None:
    if text and text.upper() not in values:
        raise ValueError(_not_one_of(column, text, values))
    return text.upper() or None


def _not_one_of(column: str, text: str, values: Any) -> str:
    names = {"column": column, "text": text[:LONGEST_SHOWN], "values": _(" or ").join(values)}
    return _("%(column)s is %(text)r, it must be %(values)s") % names


def unknown_id_message(account: str) -> str:
    """The same for an ID nobody has, another partner's and one that left; see rule 5.6 (docs/rules.md)."""
    return _("%(id)r is no customer ID of yours") % {"id": account[:LONGEST_SHOWN]}
