"""A directory in which exports arrive: each subfolder is one run, of which the newest complete one is imported.

Runs that were imported are moved to `done`, refused ones to `refused` with the reason beside them. They are moved by
renaming, so both lie on the same file system.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.utils.translation import gettext as _

from partnercenter.lib.errors import InvalidRequest, LockTimeout

DONE, REFUSED = "done", "refused"
REPORT_FILES = ("*.csv", "*.csv.gz")
# A run with one of these files is complete.
MARKERS = ("*manifest*.json", "_SUCCESS")


@dataclass(frozen=True)
class ExportRun:
    """One run of an export: a subfolder, or all files that lie in the directory itself."""

    directory: Path
    folder: Path

    @property
    def name(self) -> str:
        """How output and refusals call the run."""
        return self.folder.name

    @property
    def is_whole_directory(self) -> bool:
        return self.folder == self.directory

    def files(self) -> list[Path]:
        """The files of the report, in the order of their paths."""
        return sorted({path for pattern in REPORT_FILES for path in self._find(pattern)})

    def changed_at(self) -> float:
        """When one of its files last changed, in seconds since 1970; 0 if it has none."""
        return max((path.stat().st_mtime for path in self._find("*")), default=0)

    def is_complete(self, *, settled_before: float) -> bool:
        """Whether the exporter has finished: it says so, or no file has changed since `settled_before`."""
        has_marker = any(True for pattern in MARKERS for _path in self._find(pattern))
        return bool(self.files()) and (has_marker or self.changed_at() <= settled_before)

    def move_to(self, place: str) -> Path:
        """Move the run to the subfolder `done` or `refused`, and return its new folder."""
        parent = self.directory / place
        parent.mkdir(exist_ok=True)
        if not self.is_whole_directory:
            target = _unused(parent / self.name)
            self.folder.rename(target)
            return target
        target = _unused(parent / datetime.now(UTC).strftime("%Y-%m-%dT%H%M%SZ"))
        target.mkdir()
        for path in self._find("*"):
            path.rename(target / path.name)
        return target

    def refuse(self, reasons: str) -> Path:
        """Move the run to `refused`, with the reasons as a text file beside it."""
        target = self.move_to(REFUSED)
        target.with_name(f"{target.name}.txt").write_text(f"{reasons}\n")
        return target

    def _find(self, pattern: str) -> Iterator[Path]:
        found = self.folder.glob(pattern) if self.is_whole_directory else self.folder.rglob(pattern)
        return (path for path in found if path.is_file())


def export_runs(directory: Path) -> list[ExportRun]:
    """The runs in the directory, oldest first."""
    folders = [path for path in directory.iterdir() if path.is_dir() and path.name not in (DONE, REFUSED)]
    runs = [ExportRun(directory, path) for path in folders if not path.name.startswith(".")]
    return sorted(runs or [ExportRun(directory, directory)], key=lambda run: (run.changed_at(), run.name))


@contextmanager
def lock_directory(directory: Path) -> Iterator[None]:
    """Keep other processes from importing from the directory during a block. Raises LockTimeout if one does.

    Raises InvalidRequest if it is not a directory.
    """
    if not directory.is_dir():
        raise InvalidRequest(_("%(path)s is not a directory.") % {"path": directory})
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LockTimeout(_("Another command is importing from %(path)s.") % {"path": directory}) from None
    else:
        yield
    finally:
        os.close(descriptor)


def _unused(path: Path) -> Path:
    """The path itself, or the first of path-2, path-3 and so on that does not exist."""
    number, unused = 1, path
    while unused.exists():
        number += 1
        unused = path.with_name(f"{path.name}-{number}")
    return unused
