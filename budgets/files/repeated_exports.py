"""Recognises two exports of the same month among the files of one report, whose sums would count everything twice.

See rule 8.3 (docs/rules.md). Parts of one export have different lines; a later export repeats the lines of an earlier
one. So lines are compared by their checksums, of large files only a sample.
"""

import zlib
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations

from django.utils.translation import gettext as _

from partnercenter.lib.errors import InvalidRequest

# Files with fewer lines than this are compared line by line.
FEWEST_LINES_TO_SAMPLE = 10_000
# Of larger files, the lines whose checksum is divisible by this number are compared, if there are enough of them.
SAMPLED, FEWEST_SAMPLED = 64, 20


@dataclass
class _Lines:
    """The checksums of a file's different lines: all of them while there are few, and those in the sample."""

    name: str
    number: int = 0
    every: array = field(default_factory=lambda: array("I"))
    sample: array = field(default_factory=lambda: array("I"))

    @property
    def is_large(self) -> bool:
        return self.number >= FEWEST_LINES_TO_SAMPLE


class ExportComparison:
    """Collects the lines of the files of one report, and compares each two files."""

    def __init__(self) -> None:
        self._files: list[_Lines] = []

    @contextmanager
    def file(self, name: str) -> Iterator[Callable[[list[str]], None]]:
        """Yield a function that takes each row of the file during a block."""
        lines = _Lines(name)
        every: set[int] = set()
        sample: set[int] = set()

        def add(row: list[str]) -> None:
            lines.number += 1
            checksum = zlib.crc32("\x1f".join(row).encode())
            if not checksum % SAMPLED:
                sample.add(checksum)
            if lines.number < FEWEST_LINES_TO_SAMPLE:
                every.add(checksum)

        yield add
        lines.sample = array("I", sample)
        if not lines.is_large:
            lines.every = array("I", every)
        self._files.append(lines)

    def refuse_repeated(self) -> None:
        """Raise InvalidRequest, which names both files, if two of them are exports of the same lines."""
        for one, other in combinations(self._files, 2):
            if _is_repeated(one, other):
                names = {"one": one.name, "other": other.name}
                raise InvalidRequest(
                    _(
                        "%(one)s and %(other)s have most of their lines in common: they are two exports of the same "
                        "month, and together they would count it twice. Import only the newest export."
                    )
                    % names
                )


def _is_repeated(one: _Lines, other: _Lines) -> bool:
    """Whether more than half of the different lines of the smaller file are also in the other."""
    by_sample = one.is_large or other.is_large
    smaller, larger = sorted((lines.sample if by_sample else lines.every for lines in (one, other)), key=len)
    if by_sample and len(smaller) < FEWEST_SAMPLED:
        return False
    return len(set(smaller).intersection(larger)) * 2 > len(smaller)
