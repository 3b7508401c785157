"""Killing the process in the middle of a batch, an undo or an import changes nothing, and the action can be repeated.

See rule 8.6 (docs/rules.md).
"""

import os
import sqlite3
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.db import connection, models
from django.utils import timezone

from budgets.actions.billing_month import current_month, month_state
from budgets.actions.undo import review_undo
from budgets.models import AdjustmentRecord, Budget, Expenditure, ExpenditureReport, ReportImport, ReportTotal
from budgets.months import first_moment, month_name, month_of, previous_month
from customers.models import AccountFreezing, Customer, FreezeRecord
from partnercenter.models import BudgetType, Confirmation, Grant, Partner, User
from tests import factories
from tests.crash_process import WAITING
from tests.invariants import check_invariants

pytestmark = pytest.mark.django_db(transaction=True)

WRITTEN_MODELS: tuple[type[models.Model], ...] = (
    AdjustmentRecord, Budget, Confirmation, Customer, Expenditure, ExpenditureReport, FreezeRecord, Grant,
)  # fmt: skip
# Seconds after which a test fails.
TIMEOUT = 20

# By this name the test finds the process among the sessions of PostgreSQL.
APPLICATION_NAME = "to be killed"


class ProcessRunner:
    """Runs `tests.crash_process` on the database of the test.

    On PostgreSQL the process connects to the same database. The test's SQLite database is in memory, so it is copied
    into a file for the process and copied back afterwards.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / "partnercenter.sqlite3"
        self.in_memory = connection.vendor == "sqlite"
        server = settings.DATABASE_URL.rpartition("/")[0]
        self.url = f"sqlite:///{self.file}" if self.in_memory else f"{server}/{connection.settings_dict['NAME']}"

    def start(self, *args: object) -> subprocess.Popen[str]:
        """Start the process with the console's own settings, not with those of the tests."""
        if self.in_memory and not self.file.exists():
            with sqlite3.connect(self.file) as file:
                connection.connection.backup(file)
        env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "TEST_"))}
        env |= {
            "DATABASE_URL": self.url,
            "DJANGO_SETTINGS_MODULE": "partnercenter.settings",
            "PGAPPNAME": APPLICATION_NAME,
        }
        command = [sys.executable, "-m", "tests.crash_process", *map(str, args)]
        return subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run_and_kill(self, *args: object) -> None:
        """Run the process until it waits before a write, and end it there with SIGKILL."""
        with self.start(*args) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            process.kill()
            assert first.strip() == WAITING, process.stderr and process.stderr.read()
        self.load_results()

    def run(self, *args: object) -> None:
        with self.start(*args) as process:
            _output, errors = process.communicate()
        assert process.returncode == 0, errors
        self.load_results()

    def load_results(self) -> None:
        """Let the test see what the process has written, once the database has noticed that the process is gone."""
        if self.in_memory:
            with sqlite3.connect(self.file) as file:
                file.backup(connection.connection)
            return
        deadline = time.monotonic() + TIMEOUT
        while self._count_sessions() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not self._count_sessions()

    def _count_sessions(self) -> int:
        with connection.cursor() as cursor:
            sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s"
            cursor.execute(sql, [APPLICATION_NAME])
            return cursor.fetchone()[0]


@pytest.fixture
def runner(tmp_path: Path) -> ProcessRunner:
    return ProcessRunner(tmp_path)


@pytest.fixture
def customers(acme: Partner, ann: User) -> list[Customer]:
    """Four customers: one has used more than the batch's budget, one has used nothing, one is frozen, one is new."""
    used_up, unused, frozen, new = factories.customers(acme, 4)
    factories.budget(unused, ann, "300")
    factories.budget(used_up, ann, "500", account_freezing=AccountFreezing.MANUAL)
    factories.budget(frozen, ann, "50", unfreeze=False)
    factories.report((used_up, this_month(), "200"))
    return [used_up, unused, frozen, new]


def this_month() -> str:
    return month_name(current_month())


def write_report(file: Path, customers: list[Customer]) -> None:
    """A report of this moment that states 777 for each customer."""
    lines = [f"{customer.customer_id},{this_month()},777\n" for customer in customers]
    file.write_text("customer_id,month,list_price_total\n" + "".join(lines))
    # The test may run with another clock than the file system.
    os.utime(file, (time.time(), time.time()))


def all_rows() -> dict[str, list[Any]]:
    return {model.__name__: list(model._default_manager.order_by("pk").values()) for model in WRITTEN_MODELS}


def assert_all_or_nothing(runner: ProcessRunner, *args: object, tables: tuple[str, ...]) -> None:
    """Kill the process before its first write to each table, which changes nothing; then let it run to the end."""
    before = all_rows()
    for table in tables:
        runner.run_and_kill(*args, table)
        assert all_rows() == before, table
    runner.run(*args)
    check_invariants()


# The confirmation is written last: a process that waits there has done everything else.
TABLES_OF_A_BATCH = ("budgets_budget", "customers_freezerecord", "partnercenter_confirmation")


def test_a_batch_killed_in_the_middle_changes_nothing_and_can_be_confirmed_again(runner, customers, ann):
    batch = factories.reviewed(customers, ann, "150")
    assert_all_or_nothing(runner, "confirm", batch.pk, tables=TABLES_OF_A_BATCH)
    assert [factories.stored(customer).amount for customer in customers] == [150] * 4
    assert [factories.fresh(customer).is_frozen for customer in customers] == [True, False, False, False]
    assert Confirmation.objects.filter(pk=batch.pk).exists()


def test_an_undo_killed_in_the_middle_changes_nothing_and_can_be_confirmed_again(runner, customers, ann):
    batch = factories.reviewed(customers, ann, "150")
    factories.confirmed(batch)
    undo = review_undo(batch.pk, operator=ann, unfreeze=True)
    assert_all_or_nothing(runner, "confirm", undo.pk, tables=TABLES_OF_A_BATCH)
    amounts = dict(Budget.objects.values_list("customer", "amount"))
    assert [amounts.get(customer.pk) for customer in customers] == [500, 300, 50, None]
    assert not Customer.objects.frozen().exists()


# The report freezes one account only.
@pytest.mark.parametrize(
    ("table", "kills"), [("budgets_expenditure", 2), ("budgets_budget", 2), ("customers_freezerecord", 1)]
)
def test_an_import_killed_in_any_step_is_completed_by_the_next_command(runner, customers, tmp_path, table, kills):
    file = tmp_path / "report.csv"
    write_report(file, customers)
    for number in range(1, kills + 1):
        runner.run_and_kill("steps", file, table, number)
        check_invariants()
        assert ReportImport.objects.filter(state="APPLYING").count() == 1
        fall_silent(runner)
    runner.run("steps", file)
    assert [budget.used for budget in Budget.objects.all()] == [777] * 3
    assert ExpenditureReport.objects.latest("imported_at").summary["frozen"] == 1
    assert not ReportTotal.objects.exists()
    check_invariants()


def fall_silent(runner: ProcessRunner) -> None:
    """Make the killed process look as if it had died two minutes ago."""
    silent = {"alive_at": timezone.now() - timedelta(minutes=2)}
    ReportImport.objects.filter(state="APPLYING").update(**silent)
    for suffix in ("", "-wal", "-shm"):
        runner.file.with_name(runner.file.name + suffix).unlink(missing_ok=True)


def test_an_import_killed_in_the_middle_changes_nothing_and_can_be_repeated(runner, customers, tmp_path):
    file = tmp_path / "report.csv"
    write_report(file, customers)
    assert_all_or_nothing(runner, "import", file, tables=("budgets_expenditure", *TABLES_OF_A_BATCH[:2]))
    assert [budget.used for budget in Budget.objects.all()] == [777] * 3


def test_a_restore_killed_in_the_middle_is_completed_by_the_command_and_lifts_each_freeze_once(runner, acme, ann):
    month = month_of(timezone.now())
    with time_machine.travel(first_moment(previous_month(month)) + timedelta(days=9)):
        customers = factories.customers(acme, 3)
        factories.budget(customers, ann, "100", BudgetType.MONTHLY, unfreeze_on_restore=True)
        factories.report(*[(each, this_month(), "50" if each is customers[0] else "120") for each in customers])
    runner.run_and_kill("restore", "", "customers_freezerecord")
    assert month_state() == (month, previous_month(month), month)
    counted_to = [factories.stored(each).counted_to for each in customers]
    assert counted_to == [month, previous_month(month), previous_month(month)]
    runner.run("restore", "")
    runner.run("restore", "")
    assert [(factories.stored(each).used, factories.fresh(each).is_frozen) for each in customers] == [(0, False)] * 3
    lifted = FreezeRecord.objects.filter(operation="UNFREEZE", operator_name="system").order_by("customer")
    assert [record.customer for record in lifted] == customers[1:]
    check_invariants()
