"""Reading expenditure report files, FOCUS and plain CSV, into totals per customer and month.

See sections 2, 8 (docs/rules.md).

Files are read as streams: in memory are the current record and one whole number per customer and month.
Amounts are summed exactly in units of 10^-12 and rounded to cents once, as totals are handed out. A report with
a bad line gives no totals at all.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import chain
from operator import itemgetter
from typing import BinaryIO

from django.conf import settings
from django.utils.translation import gettext as _

from budgets.months import LONGEST_SHOWN, month_name, parse_moment, parse_month, parse_month_of_date
from partnercenter.lib.csv_files import BadLines, CsvFile, Progress

FORMATS = {
    "focus": ("SubAccountId", "BillingPeriodStart", "ListCost", "BillingCurrency"),
    "plain": ("customer_id", "month", "list_price_total"),
}
OPTIONAL_COLUMNS = {"focus": ("ChargePeriodEnd",), "plain": ()}
LONGEST_CUSTOMER_ID = 128
AMOUNT_IN_REPORT = re.compile(r"([+-]?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,9}))?")
DECIMALS, WHOLE_DIGITS = 12, 13
UNITS_PER_CENT = 10 ** (DECIMALS - 2)
LARGEST_TOTAL = 10 ** (DECIMALS + WHOLE_DIGITS)


@dataclass
class ReadReport:
    """What the files of one report say, all together.

    `format` is "focus", "plain" or "mixed"; `lines` counts records without headers; `covers_until` is the
    latest ChargePeriodEnd, in UTC.
    """

    format: str = ""
    lines: int = 0
    unattributed_lines: int = 0
    covers_until: datetime | None = None
    sources: list[str] = field(default_factory=list)
    unattributed_units: int = field(default=0, repr=False)
    # Units of 10^-12 under month and ID in one string: half the memory of pairs as keys, or of nested dicts.
    summed: dict[str, int] = field(default_factory=dict, repr=False)
    stated: dict[str, int] = field(default_factory=dict, repr=False)

    @property
    def unattributed_total(self) -> Decimal:
        """What the lines without a sub-account sum up to, with two decimals."""
        return Decimal(_cents(self.unattributed_units)).scaleb(-2)

    def totals(self) -> Iterator[tuple[str, int, int]]:
        """Customer ID, month (YYYYMM) and cents, each pair once, in no order; may be asked for again."""
        for key, units in chain(self.summed.items(), self.stated.items()):
            yield key[6:], int(key[:6]), _cents(units)


def read_report(
    files: Iterable[tuple[str, BinaryIO]], *, format: str | None = None, progress: Progress = None
) -> ReadReport:
    """Read all files (name, content) of one report, gzipped or not, whatever their names say.

    See section 8 (docs/rules.md).

    With `format` ("focus" or "plain") every header must fit it, else each header decides. `progress` is told
    the bytes read since it was last called, about once per MiB. Raises BadFile.
    """
    reading = _Reading(format)
    for name, content in files:
        reading.read(CsvFile(name, content, progress))
    reading.bad_lines.refuse()
    return reading.report


class _Reading:
    """A report as far as it has been read."""

    def __init__(self, wanted: str | None) -> None:
        self.wanted = wanted
        self.report = ReadReport()
        self.bad_lines = BadLines()

    def read(self, file: CsvFile) -> None:
        """Add one file; BadFile as soon as there are more bad lines than are kept."""
        self.report.sources.append(file.name)
        try:
            kind, pick = _columns(file.next_record(), self.wanted)
        except ValueError as error:
            self.bad_lines.add(file, error)
            return
        self.report.format = kind if self.report.format in ("", kind) else "mixed"
        take: Callable[..., None] = self._take_focus if kind == "focus" else self._take_plain
        self._read_lines(file, lambda row: take(*map(_cell, pick(row))))

    def _read_lines(self, file: CsvFile, take: Callable[[list[str]], None]) -> None:
        while True:
            try:
                if not (row := file.next_record()):
                    return
                self.report.lines += 1
                take(row)
            except ValueError as error:
                self.bad_lines.add(file, error)

    def _take_focus(self, customer_id: str, start: str, cost: str, currency: str, end: str = "") -> None:
        month = parse_month_of_date(_present(start, "BillingPeriodStart"))
        units = _units(_present(cost, "ListCost"))
        if _present(currency, "BillingCurrency") != settings.CURRENCY:
            names = {"found": currency[:LONGEST_SHOWN], "expected": settings.CURRENCY}
            raise ValueError(_("the currency is %(found)r, it must be %(expected)s") % names)
        if moment := parse_moment(end[:LONGEST_SHOWN]):
            self.report.covers_until = max(moment, self.report.covers_until or moment)
        if customer_id:
            # A stated total is whole already: parts beside it would count twice.
            key = _key(customer_id, month, self.report.stated)
            self.report.summed[key] = _bounded(self.report.summed.get(key, 0) + units)
        else:
            self.report.unattributed_lines += 1
            self.report.unattributed_units += units

    def _take_plain(self, customer_id: str, month_text: str, total: str) -> None:
        month = parse_month(_present(month_text, "month"))
        units = _units(_present(total, "list_price_total"))
        customer_id = _present(customer_id, "customer_id")
        self.report.stated[_key(customer_id, month, self.report.stated, self.report.summed)] = _bounded(units)


def _columns(header: list[str], wanted: str | None) -> tuple[str, Callable[[list[str]], tuple[str, ...]]]:
    """The format a header is of, and what picks the cells it needs from a row."""
    if not header:
        raise ValueError(_("the file is empty, it needs a header"))
    names = [name.strip() for name in header]
    missing = {kind: sorted({*FORMATS[kind]} - {*names}) for kind in ([wanted] if wanted else FORMATS)}
    kind = next((kind for kind, absent in missing.items() if not absent), None)
    if kind is None:
        columns = "; ".join(f"{kind}: {', '.join(absent)}" for kind, absent in missing.items())
        raise ValueError(_("the header lacks columns (%(columns)s)") % {"columns": columns})
    read = [*FORMATS[kind], *(name for name in OPTIONAL_COLUMNS[kind] if name in names)]
    for name in read:
        if names.count(name) > 1:
            raise ValueError(_("the header has the column %(name)s twice") % {"name": name})
    return kind, itemgetter(*map(names.index, read))


def _cell(text: str) -> str:
    text = text.strip()
    return "" if text.upper() == "NULL" else text


def _present(text: str, column: str) -> str:
    if not text:
        raise ValueError(_("%(column)s is absent") % {"column": column})
    return text


def _key(customer_id: str, month: int, *taken: dict[str, int]) -> str:
    """Under what an amount is kept; ValueError for an ID that cannot be one, or that was stated before."""
    if len(customer_id) > LONGEST_CUSTOMER_ID or not customer_id.isprintable():
        raise ValueError(_("%(text)r is not a customer ID") % {"text": customer_id[:LONGEST_SHOWN]})
    key = f"{month}{customer_id}"
    if any(key in amounts for amounts in taken):
        names = {"customer": customer_id, "month": month_name(month)}
        raise ValueError(_("%(customer)s is stated twice for %(month)s") % names)
    return key


def _units(text: str) -> int:
    """An amount, exactly, in units of 10^-12: below 10^13, at most twelve decimals; see section 2 (docs/rules.md)."""
    match = AMOUNT_IN_REPORT.fullmatch(text)
    if match is None:
        raise ValueError(_("%(text)r is not a number") % {"text": text[:LONGEST_SHOWN]})
    sign, whole, fraction, exponent = match.groups("")
    digits = (whole + fraction).lstrip("0")
    significant = digits.rstrip("0")
    # The power of ten of the last significant digit: sizes are judged before any large number is made.
    power = int(exponent or 0) - len(fraction) + len(digits) - len(significant)
    if significant and (power < -DECIMALS or power + len(significant) > WHOLE_DIGITS):
        raise ValueError(_("%(text)s is too large or too fine a number") % {"text": text[:LONGEST_SHOWN]})
    return int(sign + significant) * 10 ** (power + DECIMALS) if significant else 0


def _bounded(units: int) -> int:
    """A total, unless it is so large that the database could not count on with it."""
    if abs(units) >= LARGEST_TOTAL:
        raise ValueError(_("the total of this customer and month is 10,000,000,000,000 or more"))
    return units


def _cents(units: int) -> int:
    """Units of 10^-12 as cents, halves away from zero; see section 2 (docs/rules.md)."""
    cents = (abs(units) + UNITS_PER_CENT // 2) // UNITS_PER_CENT
    return -cents if units < 0 else cents
