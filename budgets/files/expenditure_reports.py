"""Expenditure reports, FOCUS or plain CSV, as exact totals per customer and month (section 8 (docs/rules.md)).

Files are read as streams: memory holds the current record and one integer per customer and month. Amounts are summed
in units of 10^-12 and rounded to cents once, in `ReadReport.totals` (section 2 (docs/rules.md)). A report with a bad
line gives no totals.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import chain
from typing import BinaryIO

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from budgets.files.repeated_exports import ExportComparison
from budgets.months import LONGEST_SHOWN, month_name, parse_moment, parse_month, parse_month_of_date
from partnercenter.lib.csv_files import BadLines, CellPicker, CsvFile, CsvHeader, Progress, require_value

# The columns that a file of each format must have, and those that are read if it has them.
FORMATS = {
    "focus": ("SubAccountId", "BillingPeriodStart", "ListCost", "BillingCurrency"),
    "plain": ("customer_id", "month", "list_price_total"),
}
OPTIONAL_REPORT_COLUMNS = {"focus": ("ChargePeriodEnd",), "plain": ()}
LONGEST_CUSTOMER_ID = 128
AMOUNT_IN_REPORT = re.compile(r"([+-]?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,9}))?")
DECIMALS, WHOLE_DIGITS = 12, 13
UNITS_PER_CENT = 10 ** (DECIMALS - 2)
LARGEST_TOTAL = 10 ** (DECIMALS + WHOLE_DIGITS)


@dataclass
class ReadReport:
    """The contents of all files of one report.

    `format` is "focus", "plain" or "mixed". `lines` counts the records without the headers, `unattributed_lines` the
    records without a sub-account. `covers_until` is the latest ChargePeriodEnd, `usage_until` the latest that is not in
    the future, both in UTC. `file_hashes` are the SHA-256 digests of the files' uncompressed bytes.
    """

    format: str = ""
    lines: int = 0
    unattributed_lines: int = 0
    covers_until: datetime | None = None
    usage_until: datetime | None = None
    sources: list[str] = field(default_factory=list)
    file_hashes: list[bytes] = field(default_factory=list, repr=False)
    unattributed_units: int = field(default=0, repr=False)
    # Units of 10^-12 by month and customer ID: sums of FOCUS lines, and totals as stated by plain files. The key is one
    # string, which takes half the memory of a pair.
    summed: dict[str, int] = field(default_factory=dict, repr=False)
    stated: dict[str, int] = field(default_factory=dict, repr=False)

    @property
    def unattributed_total(self) -> Decimal:
        """The sum of the lines without a sub-account, with two decimals."""
        return Decimal(_to_cents(self.unattributed_units)).scaleb(-2)

    @property
    def content_hash(self) -> str:
        """Identifies the content, in any order of the files: 64 hexadecimal digits (rule 8.1 (docs/rules.md)).

        Empty if the report was not read from files.
        """
        return hashlib.sha256(b"".join(sorted(self.file_hashes))).hexdigest() if self.file_hashes else ""

    def totals(self) -> Iterator[tuple[str, int, int]]:
        """Stream (customer ID, month as YYYYMM, cents), once per customer and month, in no particular order."""
        for key, units in chain(self.summed.items(), self.stated.items()):
            yield key[6:], int(key[:6]), _to_cents(units)


def read_report(
    files: Iterable[tuple[str, BinaryIO]], *, format: str | None = None, progress: Progress = None
) -> ReadReport:
    """Read all files of one report, given as (name, content), gzipped or not (section 8 (docs/rules.md)).

    With `format` ("focus" or "plain") every header must fit that format, otherwise each header decides. `progress` is
    called about once per MiB. Raises BadFile if a file or a line cannot be read, and InvalidRequest if two files are
    exports of the same lines (rule 8.3 (docs/rules.md)).
    """
    reader = _ReportReader(format)
    for name, content in files:
        reader.read(CsvFile(name, content, progress))
    reader.bad_lines.raise_if_any()
    reader.comparison.refuse_repeated()
    return reader.report


class _ReportReader:
    """Adds up the files of a report."""

    def __init__(self, required_format: str | None) -> None:
        self.required_format = required_format
        self.report = ReadReport()
        self.bad_lines = BadLines()
        self.comparison = ExportComparison()
        self.now = timezone.now()

    def read(self, file: CsvFile) -> None:
        """Add a file. Raises BadFile as soon as there are more bad lines than are collected."""
        self.report.sources.append(file.name)
        try:
            format, pick = self._read_header(file)
        except ValueError as error:
            self.bad_lines.add(file, error)
            return
        self.report.format = format if self.report.format in ("", format) else "mixed"
        add: Callable[..., None] = self._add_focus if format == "focus" else self._add_plain
        with self.comparison.file(file.name) as compare:
            while True:
                try:
                    if not (row := file.next_record()):
                        break
                    self.report.lines += 1
                    compare(row)
                    add(*pick(row))
                except ValueError as error:
                    self.bad_lines.add(file, error)
        self.report.file_hashes.append(file.sha256.digest())

    def _read_header(self, file: CsvFile) -> tuple[str, CellPicker]:
        """Return the file's format, and the picker of that format's cells from a row."""
        header = CsvHeader(file)
        format = self.required_format
        if format is None:
            missing = {name: header.missing(columns) for name, columns in FORMATS.items()}
            format = next((name for name, columns in missing.items() if not columns), None)
            if format is None:
                columns = ", ".join(f"{name} ({', '.join(columns)})" for name, columns in missing.items())
                raise ValueError(_("the header fits no format; missing columns: %(columns)s") % {"columns": columns})
        return format, header.picker(FORMATS[format], OPTIONAL_REPORT_COLUMNS[format], clean=self._clean)

    @staticmethod
    def _clean(cell: str) -> str:
        cell = cell.strip()
        return "" if cell.upper() == "NULL" else cell

    def _add_focus(self, customer_id: str, period_start: str, cost: str, currency: str, charge_end: str) -> None:
        month = parse_month_of_date(require_value("BillingPeriodStart", period_start))
        units = _to_units(require_value("ListCost", cost))
        if require_value("BillingCurrency", currency) != settings.CURRENCY:
            names = {"found": currency[:LONGEST_SHOWN], "expected": settings.CURRENCY}
            raise ValueError(_("the currency is %(found)r, it must be %(expected)s") % names)
        if moment := parse_moment(charge_end[:LONGEST_SHOWN]):
            self.report.covers_until = max(moment, self.report.covers_until or moment)
            if moment <= self.now:
                self.report.usage_until = max(moment, self.report.usage_until or moment)
        if customer_id:
            # A customer's month that a plain file states as a total would be counted twice.
            key = _key(customer_id, month, self.report.stated)
            self.report.summed[key] = _ensure_storable(self.report.summed.get(key, 0) + units)
        else:
            self.report.unattributed_lines += 1
            self.report.unattributed_units += units

    def _add_plain(self, customer_id: str, month_text: str, total: str) -> None:
        month = parse_month(require_value("month", month_text))
        units = _to_units(require_value("list_price_total", total))
        key = _key(require_value("customer_id", customer_id), month, self.report.stated, self.report.summed)
        self.report.stated[key] = _ensure_storable(units)


def _key(customer_id: str, month: int, *taken: dict[str, int]) -> str:
    """The key of a customer and month. Raises ValueError if the ID is not valid or the key is in one of `taken`."""
    if len(customer_id) > LONGEST_CUSTOMER_ID or not customer_id.isprintable():
        raise ValueError(_("%(text)r is not a customer ID") % {"text": customer_id[:LONGEST_SHOWN]})
    key = f"{month}{customer_id}"
    if any(key in amounts for amounts in taken):
        names = {"customer": customer_id, "month": month_name(month)}
        raise ValueError(_("%(customer)s is stated twice for %(month)s") % names)
    return key


def _to_units(text: str) -> int:
    """Parse an amount exactly, in units of 10^-12 (rule 2.3 (docs/rules.md)). Raises ValueError."""
    match = AMOUNT_IN_REPORT.fullmatch(text)
    if match is None:
        raise ValueError(_("%(text)r is not a number") % {"text": text[:LONGEST_SHOWN]})
    sign, whole, fraction, exponent = match.groups("")
    digits = (whole + fraction).lstrip("0")
    significant = digits.rstrip("0")
    # The power of ten of the last significant digit: an exponent is checked before it can make a huge integer.
    power = int(exponent or 0) - len(fraction) + len(digits) - len(significant)
    if significant and (power < -DECIMALS or power + len(significant) > WHOLE_DIGITS):
        names = {"text": text[:LONGEST_SHOWN], "whole": WHOLE_DIGITS, "decimals": DECIMALS}
        raise ValueError(_("%(text)s has over %(whole)s digits before or %(decimals)s after the decimal point") % names)
    return int(sign + significant) * 10 ** (power + DECIMALS) if significant else 0


def _ensure_storable(units: int) -> int:
    """Return the total as it is. Raises ValueError if sums of such totals could overflow in the database."""
    if abs(units) >= LARGEST_TOTAL:
        raise ValueError(_("the total of this customer and month is 10,000,000,000,000 or more"))
    return units


def _to_cents(units: int) -> int:
    """Convert units of 10^-12 to cents, rounding halves away from zero (rule 2.3 (docs/rules.md))."""
    cents = (abs(units) + UNITS_PER_CENT // 2) // UNITS_PER_CENT
    return -cents if units < 0 else cents
