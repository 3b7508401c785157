"""import_expenditure --directory: of the runs that arrived, the newest complete one is imported, once."""

import os
import time
from pathlib import Path

import pytest
from django.core.management import CommandError

from budgets.files.report_directory import lock_directory
from budgets.models import Expenditure
from tests import factories
from tests.commands import run_command

pytestmark = pytest.mark.clock("2026-09-20 04:00")

PLAIN = "customer_id,month,list_price_total\n"


@pytest.fixture
def arrivals(acme, tmp_path) -> Path:
    """A directory in which exports about thirty customers arrive."""
    for number in range(30):
        factories.customer(acme, f"c-{number}")
    return tmp_path


def deliver(folder: Path, total: str, *, age: float = 3600, marker: str = "", name: str = "totals.csv") -> Path:
    """A run whose files were last changed `age` seconds ago."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(PLAIN + "".join(f"c-{n},2026-09,{total}\n" for n in range(30)))
    if marker:
        (folder / marker).write_text("{}")
    for path in folder.iterdir():
        os.utime(path, (time.time() - age,) * 2)
    return folder


def run_import(directory: Path, *more: object) -> str:
    return run_command("import_expenditure", "--directory", directory, *more)


def exit_status(directory: Path, *more: object) -> int:
    with pytest.raises(CommandError) as error:
        run_import(directory, *more)
    return error.value.returncode


def stored() -> set[int]:
    return {int(total) for total in Expenditure.objects.values_list("total", flat=True)}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_newest_complete_run_is_imported_and_older_ones_are_put_aside_unread(arrivals):
    deliver(arrivals / "0900", "10", age=3600)
    deliver(arrivals / "1000", "11", age=1800)
    output = run_import(arrivals)
    assert stored() == {11}
    assert "0900: older, not imported" in output
    assert names(arrivals) == {"done"}
    assert names(arrivals / "done") == {"0900", "1000"}


def test_a_run_that_is_still_being_written_waits_and_one_with_a_manifest_does_not(arrivals):
    deliver(arrivals / "writing", "10", age=5)
    assert "No complete run" in run_import(arrivals)
    assert names(arrivals) == {"writing"}
    run_import(arrivals, "--settle", 2)
    assert stored() == {10}
    for total, marker in ((11, "run-manifest.json"), (12, "_SUCCESS")):
        deliver(arrivals / marker, str(total), age=0, marker=marker)
        run_import(arrivals)
        assert stored() == {total}


def test_an_older_complete_run_is_imported_while_a_newer_one_is_being_written(arrivals):
    deliver(arrivals / "0900", "10", age=3600)
    deliver(arrivals / "1000", "11", age=5)
    run_import(arrivals)
    assert stored() == {10}
    assert names(arrivals) == {"1000", "done"}


def test_without_subfolders_the_files_of_the_directory_are_one_run(arrivals):
    (arrivals / "readme.txt").write_text("not a report")
    deliver(arrivals, "10")
    run_import(arrivals)
    assert stored() == {10}
    assert names(arrivals) == {"done"}
    [moved] = (arrivals / "done").iterdir()
    assert names(moved) == {"totals.csv", "readme.txt"}
    assert "No complete run" in run_import(arrivals)


def test_a_refused_run_is_moved_with_its_reasons_beside_it(arrivals):
    run = deliver(arrivals / "0900", "ten")
    assert exit_status(arrivals) == 1
    assert not run.exists()
    assert names(arrivals / "refused") == {"0900", "0900.txt"}
    assert "totals.csv, line 2: 'ten' is not a number" in (arrivals / "refused" / "0900.txt").read_text()


def test_a_run_that_needs_a_confirmation_stays_where_it_is(arrivals):
    deliver(arrivals / "0900", "10")
    run_import(arrivals)
    deliver(arrivals / "1000", "1", age=1800)
    with pytest.raises(CommandError) as error:
        run_import(arrivals)
    assert error.value.returncode == 3
    assert names(arrivals) == {"1000", "done"}
    run_import(arrivals, "--confirm", str(error.value).rpartition(" ")[2])
    assert stored() == {1}
    assert names(arrivals) == {"done"}


def test_parts_in_nested_folders_belong_to_the_run_and_other_files_are_not_read(arrivals):
    deliver(arrivals / "0900", "10")
    nested = arrivals / "0900" / "BILLING_PERIOD=2026-08"
    deliver(nested, "5", name="part.csv")
    (nested / "part.csv").write_text((nested / "part.csv").read_text().replace("2026-09", "2026-08"))
    os.utime(nested / "part.csv", (time.time() - 3600,) * 2)
    (arrivals / "0900" / "notes.txt").write_text("not a report")
    os.utime(arrivals / "0900" / "notes.txt", (time.time() - 3600,) * 2)
    run_import(arrivals)
    assert stored() == {5, 10}


def test_a_run_with_the_name_of_an_earlier_one_is_moved_beside_it(arrivals):
    for total in ("10", "11"):
        deliver(arrivals / "current", total)
        run_import(arrivals)
    assert names(arrivals / "done") == {"current", "current-2"}


def test_two_commands_do_not_import_from_one_directory_at_the_same_time(arrivals):
    deliver(arrivals / "0900", "10")
    with lock_directory(arrivals):
        assert exit_status(arrivals) == 4
    assert names(arrivals) == {"0900"}
    run_import(arrivals)
    assert stored() == {10}


def test_a_missing_directory_is_refused(db, tmp_path):
    assert exit_status(tmp_path / "nowhere") == 1
