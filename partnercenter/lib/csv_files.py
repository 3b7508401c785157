"""Reading and writing CSV files as streams.

Uploaded files may be gzipped. They are read record by record, and every bad line is collected with its number, so that
the file can be refused as a whole (rule 8.4 (docs/rules.md)). Downloads are sent while they are being written.
"""

import codecs
import csv
import gzip
import hashlib
import io
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING, BinaryIO

from django.conf import settings
from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# Called with the number of bytes read since the last call.
Progress = Callable[[int], None] | None
# Picks the wanted cells from a row.
CellPicker = Callable[[list[str]], list[str]]

MAX_BAD_LINES = 100
MAX_RECORD_BYTES = CHUNK_BYTES = 2**20
# A gzipped file may unpack to this many times UPLOAD_MAX_MEGABYTES.
MAX_UNPACKING_FACTOR = 50
ROWS_PER_CHUNK = 500

# What a spreadsheet would take for a formula. Leading apostrophes count too: a spreadsheet strips one, and so do we.
FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def escape_formula(text: str) -> str:
    """Put an apostrophe in front of text that a spreadsheet would run as a formula."""
    return f"'{text}" if FORMULA.match(text) else text


def unescape_formula(cell: str) -> str:
    """Undo `escape_formula`."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell, 1) else cell


@dataclass(frozen=True)
class BadLine:
    """What is wrong with a record of a file. `line` is the physical line on which it begins, counted from 1."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return _("%(file)s, line %(line)s: %(reason)s") % vars(self)


class BadFile(Exception):
    """A file has bad lines and was refused as a whole: nothing was changed (rule 8.4 (docs/rules.md)).

    `bad_lines` holds at most `MAX_BAD_LINES`; `more` says whether there were others.
    """

    def __init__(self, bad_lines: list[BadLine], *, more: bool = False) -> None:
        super().__init__("\n".join(map(str, bad_lines)))
        self.bad_lines = bad_lines
        self.more = more

    @property
    def message(self) -> str:
        """A heading for `lines` that says what happened and what to do."""
        return _("Nothing was changed. Correct the errors in the file and try again.")

    @property
    def lines(self) -> list[str]:
        """The bad lines as text."""
        return [str(line) for line in self.bad_lines] + ([_("There are more bad lines.")] if self.more else [])


@dataclass
class BadLines:
    """Collects the bad lines of one or more files."""

    found: list[BadLine] = field(default_factory=list)

    def add(self, file: "CsvFile", error: ValueError, line: int = 0) -> None:
        """Add what is wrong with the file's current record, or with the record that begins on `line`.

        Raises BadFile if there are more than `MAX_BAD_LINES`.
        """
        if len(self.found) == MAX_BAD_LINES:
            raise BadFile(self.found, more=True)
        self.found.append(BadLine(file.name, line or file.record_line, str(error)))

    def raise_if_any(self) -> None:
        """Raise BadFile if any line was bad."""
        if self.found:
            raise BadFile(self.found)


class Unreadable(ValueError):
    """The rest of the file cannot or must not be read, so its earlier lines must not be used either."""


class CsvFile:
    """A reader of a CSV file, gzipped or not, record by record.

    `record_line` is the physical line on which the current record begins. `sha256` hashes the uncompressed bytes, and
    is complete once the file has been read to its end.
    """

    def __init__(self, name: str, content: BinaryIO, progress: Progress) -> None:
        self.name = name
        self.record_line = 1
        self._line = 0
        self._record_bytes_left = MAX_RECORD_BYTES
        self._width = 0
        self._unpacked_megabytes = settings.UPLOAD_MAX_MEGABYTES * MAX_UNPACKING_FACTOR
        self._unpacked_bytes_left = self._unpacked_megabytes * 2**20
        self.sha256 = hashlib.sha256()
        raw = io.BufferedReader(_ObservedReader(content, lambda data: progress and progress(len(data))), CHUNK_BYTES)
        self._is_gzipped = raw.peek(2)[:2] == b"\x1f\x8b"
        uncompressed = gzip.GzipFile(fileobj=raw) if self._is_gzipped else raw
        self._stream: BinaryIO = io.BufferedReader(_ObservedReader(uncompressed, self.sha256.update), CHUNK_BYTES)
        # Unlike a generator, this iterator goes on after `_next_line` has raised an error.
        self._rows = csv.reader(iter(self._next_line, ""), strict=True)

    def next_record(self) -> list[str]:
        """Return the cells of the next non-blank record, [] at the end of the file. Raises ValueError if it is bad."""
        row: list[str] | None = []
        while row == []:
            self.record_line, self._record_bytes_left = self._line + 1, MAX_RECORD_BYTES
            try:
                row = next(self._rows, None)
            except csv.Error:
                raise self._bad_record(_("broken quoting, or a cell too long")) from None
            except Unreadable:
                raise
            except ValueError as error:
                raise self._bad_record(str(error)) from None
        cells = row or []
        width = self._width = self._width or len(cells)
        if cells and len(cells) != width:
            names = {"width": width, "cells": len(cells)}
            raise ValueError(_("expected %(width)s cells as in the header, found %(cells)s") % names)
        return cells

    def _bad_record(self, reason: str) -> ValueError:
        """The error for the current record: Unreadable if it spans several lines, as they may be lost records."""
        if self._line == self.record_line:
            return ValueError(reason)
        return Unreadable(
            _("%(reason)s (this record runs on to line %(last)s)") % {"reason": reason, "last": self._line}
        )

    def _next_line(self) -> str:
        """Return the next physical line, "" at the end of the file. Raises ValueError if it is too long or not text."""
        line = self._read(self._record_bytes_left + 1).removeprefix(b"" if self._line else codecs.BOM_UTF8)
        if not line:
            return ""
        self._line += 1
        self._record_bytes_left -= len(line)
        if self._record_bytes_left < 0:
            while line and not line.endswith(b"\n"):
                line = self._read(CHUNK_BYTES)
            raise ValueError(_("longer than 1 MiB: a line end is missing, or a quote is never closed"))
        if b"\0" in line:
            raise ValueError(_("contains a NUL character"))
        try:
            return line.decode()
        except UnicodeDecodeError:
            raise ValueError(_("not UTF-8 text")) from None

    def _read(self, limit: int) -> bytes:
        """Read the next line, or its first `limit` bytes. After raising Unreadable, the file is at its end."""
        try:
            line = self._stream.readline(limit)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            self._stream = io.BytesIO()
            raise Unreadable(_("the gzip data is damaged or cut off")) from None
        self._unpacked_bytes_left -= len(line)
        if self._is_gzipped and self._unpacked_bytes_left < 0:
            self._stream = io.BytesIO()
            names = {"limit": self._unpacked_megabytes}
            raise Unreadable(_("the gzip data unpacks to more than %(limit)s MB") % names)
        return line


class _ObservedReader(io.RawIOBase):
    """Passes on the bytes of a file, and shows each chunk to a function. Closing it leaves the file itself open."""

    def __init__(self, content: BinaryIO | gzip.GzipFile, observe: Callable[[memoryview], object]) -> None:
        self._content = content
        self._observe = observe

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer)
        data = self._content.read(len(view))
        view[: len(data)] = data
        if data:
            self._observe(view[: len(data)])
        return len(data)


class CsvHeader:
    """The column names of a CSV file, read from its first record. Raises ValueError if the file is empty."""

    def __init__(self, file: CsvFile) -> None:
        self.names = [name.strip() for name in file.next_record()]
        if not self.names:
            raise ValueError(_("the file is empty: it needs a header line"))

    def missing(self, columns: Sequence[str]) -> list[str]:
        """Return the columns that the file does not have."""
        return [name for name in columns if name not in self.names]

    def picker(
        self, required: Sequence[str], optional: Sequence[str] = (), *, clean: Callable[[str], str] = str.strip
    ) -> CellPicker:
        """Return a function that picks the cleaned cells of these columns from a row.

        The cell of an optional column that is not there is "". Raises ValueError if a required column is missing, or
        one of the columns occurs twice.
        """
        if missing := self.missing(required):
            raise ValueError(_("missing columns: %(columns)s") % {"columns": ", ".join(missing)})
        columns = [*required, *optional]
        if repeated := [name for name in columns if self.names.count(name) > 1]:
            raise ValueError(_("columns that occur twice: %(columns)s") % {"columns": ", ".join(repeated)})
        # Columns that are not there point to an empty cell that is appended to each row.
        positions = [self.names.index(name) if name in self.names else -1 for name in columns]

        def pick(row: list[str]) -> list[str]:
            cells = [*row, ""]
            return [clean(cells[position]) for position in positions]

        return pick


def require_value(column: str, cell: str) -> str:
    """Return the cell as it is. Raises ValueError if it is empty."""
    if not cell:
        raise ValueError(_("%(column)s is missing") % {"column": column})
    return cell


def csv_download(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> StreamingHttpResponse:
    """Stream rows as a CSV download. None becomes an empty cell, and formulas are escaped."""

    def chunks() -> Iterator[bytes]:
        remaining = chain([header], rows)
        # Spreadsheets need the byte order mark to recognise UTF-8.
        mark = codecs.BOM_UTF8
        while chunk := list(islice(remaining, ROWS_PER_CHUNK)):
            text = io.StringIO()
            csv.writer(text).writerows(
                [escape_formula(cell) if isinstance(cell, str) else cell for cell in row] for row in chunk
            )
            yield mark + text.getvalue().encode()
            mark = b""

    response = StreamingHttpResponse(chunks(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name)
    return response
