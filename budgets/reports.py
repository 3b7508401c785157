"""Reading expenditure report files, FOCUS and plain CSV, into totals per customer and month (domain 2, 8).

Files are read as streams: in memory are the current record and one whole number per customer and month.
Amounts are summed exactly in units of 10^-12 and rounded to cents once, as totals are handed out. A report with
a bad line gives no totals at all.
"""

import codecs
import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import chain
from operator import itemgetter
from typing import Any, BinaryIO

from django.conf import settings
from django.utils.translation import gettext as _

from budgets.months import LONGEST_SHOWN, moment_stated, month_name, month_stated, parse_month

Progress = Callable[[int], None] | None
FORMATS = {
    "focus": ("SubAccountId", "BillingPeriodStart", "ListCost", "BillingCurrency"),
    "plain": ("customer_id", "month", "list_price_total"),
}
OPTIONAL = {"focus": ("ChargePeriodEnd",), "plain": ()}
MOST_BAD_LINES = 100
LONGEST_RECORD = CHUNK = 2**20
LONGEST_CUSTOMER_ID = 128
NUMBER = re.compile(r"([+-]?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,9}))?")
DECIMALS, WHOLE_DIGITS = 12, 13
CENT = 10 ** (DECIMALS - 2)


@dataclass(frozen=True)
class BadLine:
    """A line that refuses the report: its file, the physical line (from 1) where its record begins, why."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return _("%(file)s, line %(line)s: %(reason)s") % vars(self)


class BadReport(Exception):
    """The report is refused as a whole (domain 8.4): its first hundred bad lines; `more` if there are more."""

    def __init__(self, bad_lines: list[BadLine], *, more: bool = False) -> None:
        super().__init__("\n".join(map(str, bad_lines)))
        self.bad_lines = bad_lines
        self.more = more


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
    """Read all files (name, content) of one report, gzipped or not, whatever their names say (domain 8).

    With `format` ("focus" or "plain") every header must fit it, else each header decides. `progress` is told
    the bytes read since it was last called, about once per MiB. Raises BadReport.
    """
    reading = _Reading(format)
    for name, content in files:
        reading.read(_File(name, content, progress))
    if reading.bad_lines:
        raise BadReport(reading.bad_lines)
    return reading.report


class _Reading:
    """A report as far as it has been read."""

    def __init__(self, wanted: str | None) -> None:
        self.wanted = wanted
        self.report = ReadReport()
        self.bad_lines: list[BadLine] = []

    def read(self, file: "_File") -> None:
        """Add one file; BadReport as soon as there are more bad lines than are kept."""
        self.report.sources.append(file.name)
        try:
            kind, pick = _columns(file.next_record(), self.wanted)
        except ValueError as error:
            self._refuse(file, error)
            return
        self.report.format = kind if self.report.format in ("", kind) else "mixed"
        take: Callable[..., None] = self._take_focus if kind == "focus" else self._take_plain
        self._read_lines(file, lambda row: take(*map(_cell, pick(row))))

    def _read_lines(self, file: "_File", take: Callable[[list[str]], None]) -> None:
        while True:
            try:
                if not (row := file.next_record()):
                    return
                self.report.lines += 1
                take(row)
            except ValueError as error:
                self._refuse(file, error)

    def _take_focus(self, customer_id: str, start: str, cost: str, currency: str, end: str = "") -> None:
        month = month_stated(_present(start, "BillingPeriodStart"))
        units = _units(_present(cost, "ListCost"))
        if _present(currency, "BillingCurrency") != settings.CURRENCY:
            names = {"found": currency[:LONGEST_SHOWN], "expected": settings.CURRENCY}
            raise ValueError(_("the currency is %(found)r, it must be %(expected)s") % names)
        if moment := moment_stated(end[:LONGEST_SHOWN]):
            self.report.covers_until = max(moment, self.report.covers_until or moment)
        if customer_id:
            # A stated total is whole already: parts beside it would count twice.
            key = _key(customer_id, month, self.report.stated)
            self.report.summed[key] = self.report.summed.get(key, 0) + units
        else:
            self.report.unattributed_lines += 1
            self.report.unattributed_units += units

    def _take_plain(self, customer_id: str, month_text: str, total: str) -> None:
        month = parse_month(_present(month_text, "month"))
        units = _units(_present(total, "list_price_total"))
        customer_id = _present(customer_id, "customer_id")
        self.report.stated[_key(customer_id, month, self.report.stated, self.report.summed)] = units

    def _refuse(self, file: "_File", error: ValueError) -> None:
        if len(self.bad_lines) == MOST_BAD_LINES:
            raise BadReport(self.bad_lines, more=True)
        self.bad_lines.append(BadLine(file.name, file.record_line, str(error)))


class _File(Iterator[str]):
    """One file as CSV records, and as the physical lines they are made of."""

    def __init__(self, name: str, content: BinaryIO, progress: Progress) -> None:
        self.name = name
        self.record_line = 1
        self._line = 0
        self._room = LONGEST_RECORD
        self._width = 0
        raw = io.BufferedReader(_Counted(content, progress), CHUNK)
        zipped = raw.peek(2)[:2] == b"\x1f\x8b"
        self._stream: BinaryIO = io.BufferedReader(gzip.GzipFile(fileobj=raw), CHUNK) if zipped else raw
        self._rows = csv.reader(self, strict=True)

    def next_record(self) -> list[str]:
        """The cells of the next record that is not blank, none at the end; ValueError if it is broken."""
        row: list[str] | None = []
        while row == []:
            self.record_line, self._room = self._line + 1, LONGEST_RECORD
            try:
                row = next(self._rows, None)
            except csv.Error:
                raise ValueError(_("broken quoting, or a cell too long")) from None
        cells = row or []
        width = self._width = self._width or len(cells)
        if cells and len(cells) != width:
            raise ValueError(_("%(cells)s cells, the header has %(width)s") % {"cells": len(cells), "width": width})
        return cells

    def __next__(self) -> str:
        """The next physical line, for the CSV reader; ValueError if it is no text, or the record too long."""
        line = self._read(self._room + 1).removeprefix(b"" if self._line else codecs.BOM_UTF8)
        if not line:
            raise StopIteration
        self._line += 1
        self._room -= len(line)
        if self._room < 0:
            while line and not line.endswith(b"\n"):
                line = self._read(CHUNK)
            raise ValueError(_("longer than 1 MiB: no line end, or a quoted cell that is never closed"))
        return _text(line)

    def _read(self, most: int) -> bytes:
        try:
            return self._stream.readline(most)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            self._stream = io.BytesIO()
            raise ValueError(_("the gzip data is damaged or cut off")) from None


class _Counted(io.RawIOBase):
    """A file that tells how many bytes were read of it; closing it leaves the caller's file open."""

    def __init__(self, content: BinaryIO, progress: Progress) -> None:
        self._content = content
        self._progress = progress

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._content.read(len(buffer))
        buffer[: len(data)] = data
        if self._progress and data:
            self._progress(len(data))
        return len(data)


def _text(line: bytes) -> str:
    if b"\0" in line:
        raise ValueError(_("a NUL character"))
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise ValueError(_("not UTF-8 text")) from None


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
    read = [*FORMATS[kind], *(name for name in OPTIONAL[kind] if name in names)]
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
    """An amount, exactly, in units of 10^-12: below 10^13, at most twelve decimals (domain 2)."""
    match = NUMBER.fullmatch(text)
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


def _cents(units: int) -> int:
    """Units of 10^-12 as cents, halves away from zero (domain 2)."""
    cents = (abs(units) + CENT // 2) // CENT
    return -cents if units < 0 else cents
