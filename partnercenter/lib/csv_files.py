"""CSV files as streams.

Those that come in, gzipped or not, are told line by line what is wrong with them and refused as a whole (rule 8.4
(docs/rules.md)); those that go out are written as they are sent.
"""

import codecs
import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, BinaryIO

from django.conf import settings
from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _

Progress = Callable[[int], None] | None

MOST_BAD_LINES = 100
LONGEST_RECORD = CHUNK = 2**20
ROWS_AT_ONCE = 500
# So many times UPLOAD_MAX_MEGABYTES may a gzipped file unpack to.
UNPACKED = 50


# What a spreadsheet would take for a formula, also behind apostrophes: those it takes off, and so do we.
FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def escape_formula(text: str) -> str:
    """A text as a cell that no spreadsheet takes for a formula: with one apostrophe in front where it might."""
    return f"'{text}" if FORMULA.match(text) else text


def unescape_formula(cell: str) -> str:
    """The text that was `defused`, exactly."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell, 1) else cell


@dataclass(frozen=True)
class BadLine:
    """A line that refuses the whole: its file, the physical line (from 1) where its record begins, why."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return _("%(file)s, line %(line)s: %(reason)s") % vars(self)


class BadFile(Exception):
    """A file, or all files of a report, refused as a whole (rule 8.4 (docs/rules.md)): a hundred bad lines.

    Or `more`.
    """

    def __init__(self, bad_lines: list[BadLine], *, more: bool = False) -> None:
        super().__init__("\n".join(map(str, bad_lines)))
        self.bad_lines = bad_lines
        self.more = more

    def told(self) -> str:
        """The bad lines, one a line, and that nothing was changed."""
        more = [_("and more")] if self.more else []
        return "\n".join([*map(str, self.bad_lines), *more, _("Refused as a whole: nothing was changed.")])


@dataclass
class BadLines:
    """The bad lines found so far, over all files."""

    found: list[BadLine] = field(default_factory=list)

    def add(self, file: "CsvFile", error: ValueError, line: int = 0) -> None:
        """Note why the present record of the file, or that of an earlier `line`, is bad.

        Raises BadFile as soon as there are more than are kept.
        """
        if len(self.found) == MOST_BAD_LINES:
            raise BadFile(self.found, more=True)
        self.found.append(BadLine(file.name, line or file.record_line, str(error)))

    def refuse(self) -> None:
        """BadFile where there are any, in the order of their lines."""
        if self.found:
            raise BadFile(self.found)


class Unreadable(ValueError):
    """The rest of the file cannot be read at all, or should not be: no line of it may count."""


class CsvFile(Iterator[str]):
    """One file as CSV records, and as the physical lines they are made of."""

    def __init__(self, name: str, content: BinaryIO, progress: Progress) -> None:
        self.name = name
        self.record_line = 1
        self._line = 0
        self._room = LONGEST_RECORD
        self._width = 0
        self._megabytes = settings.UPLOAD_MAX_MEGABYTES * UNPACKED
        self._left = self._megabytes * 2**20
        raw = io.BufferedReader(_Counted(content, progress), CHUNK)
        self._zipped = raw.peek(2)[:2] == b"\x1f\x8b"
        self._stream: BinaryIO = io.BufferedReader(gzip.GzipFile(fileobj=raw), CHUNK) if self._zipped else raw
        self._rows = csv.reader(self, strict=True)

    def next_record(self) -> list[str]:
        """The cells of the next record that is not blank, none at the end; ValueError if it is broken."""
        row: list[str] | None = []
        while row == []:
            self.record_line, self._room = self._line + 1, LONGEST_RECORD
            try:
                row = next(self._rows, None)
            except csv.Error:
                raise self._broken(_("broken quoting, or a cell too long")) from None
            except Unreadable:
                raise
            except ValueError as error:
                raise self._broken(str(error)) from None
        cells = row or []
        width = self._width = self._width or len(cells)
        if cells and len(cells) != width:
            raise ValueError(_("%(cells)s cells, the header has %(width)s") % {"cells": len(cells), "width": width})
        return cells

    def _broken(self, reason: str) -> ValueError:
        """Why the present record is bad; where it took in lines that may be others' nothing can be relied on."""
        if self._line == self.record_line:
            return ValueError(reason)
        return Unreadable(
            _("%(reason)s, which takes in the lines up to %(last)s") % {"reason": reason, "last": self._line}
        )

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
            read = self._stream.readline(most)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            self._stream = io.BytesIO()
            raise Unreadable(_("the gzip data is damaged or cut off")) from None
        self._left -= len(read)
        if self._zipped and self._left < 0:
            self._stream = io.BytesIO()
            raise Unreadable(_("the gzip data unpacks to more than %(limit)s MB") % {"limit": self._megabytes})
        return read


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


def csv_download(name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    """Rows as a CSV file to be saved, sent as they come: UTF-8 with a byte order mark, which spreadsheets go by.

    Texts are `defused`; None is an empty cell.
    """
    answer = StreamingHttpResponse(_csv(chain([header], rows)), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name)
    return answer


def _csv(rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    rest, begin = iter(rows), codecs.BOM_UTF8
    while chunk := list(islice(rest, ROWS_AT_ONCE)):
        lines = io.StringIO()
        csv.writer(lines).writerows(
            [escape_formula(cell) if isinstance(cell, str) else cell for cell in row] for row in chunk
        )
        yield begin + lines.getvalue().encode()
        begin = b""
