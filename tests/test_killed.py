"""A process killed in the middle of a batch, an undo or an import leaves nothing of it, and another can do it again."""

import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, models

from budgets.actions.billing_month import current_month
from budgets.actions.undo import review_undo
from budgets.models import AdjustmentRecord, Budget, Expenditure, ExpenditureReport
from budgets.months import month_name
from customers.models import AccountFreezing, Customer, FreezeRecord
from partnercenter.models import Confirmation, Grant, Partner, User
from tests import factories
from tests.crash_process import STOPPED
from tests.invariants import check_invariants

pytestmark = pytest.mark.django_db(transaction=True)

WRITTEN: tuple[type[models.Model], ...] = (
    AdjustmentRecord, Budget, Confirmation, Customer, Expenditure, ExpenditureReport, FreezeRecord, Grant,
)  # fmt: skip
GIVE_UP = 20

# By which the server knows the process from others that came and went.
NAME = "to be killed"


class Elsewhere:
    """The database as another process gets it: PostgreSQL as it is, SQLite as a file that goes there and comes back."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "partnercenter.sqlite3"
        self.in_memory = connection.vendor == "sqlite"
        server = settings.DATABASE_URL.rpartition("/")[0]
        self.url = f"sqlite:///{self.file}" if self.in_memory else f"{server}/{connection.settings_dict['NAME']}"

    def begin(self, *words: object) -> subprocess.Popen[str]:
        """Start a process that is no test: it finds the console's own settings."""
        if self.in_memory and not self.file.exists():
            with sqlite3.connect(self.file) as file:
                connection.connection.backup(file)
        env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "TEST_"))}
        env |= {"DATABASE_URL": self.url, "DJANGO_SETTINGS_MODULE": "partnercenter.settings", "PGAPPNAME": NAME}
        command = [sys.executable, "-m", "tests.crash_process", *map(str, words)]
        return subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def kill(self, *words: object) -> None:
        """Do it up to where it stops, and end it with SIGKILL there."""
        with self.begin(*words) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            process.kill()
            assert first.strip() == STOPPED, process.stderr and process.stderr.read()
        self.come_back()

    def run(self, *words: object) -> None:
        with self.begin(*words) as process:
            _out, error = process.communicate()
        assert process.returncode == 0, error
        self.come_back()

    def come_back(self) -> None:
        """See what the process left, once the database has noticed that it is gone."""
        if self.in_memory:
            with sqlite3.connect(self.file) as file:
                file.backup(connection.connection)
            return
        until = time.monotonic() + GIVE_UP
        while self._sessions() and time.monotonic() < until:
            time.sleep(0.02)
        assert not self._sessions()

    def _sessions(self) -> int:
        with connection.cursor() as cursor:
            sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s"
            cursor.execute(sql, [NAME])
            return cursor.fetchone()[0]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Elsewhere:
    return Elsewhere(tmp_path)


@pytest.fixture
def customers(acme: Partner, ann: User) -> list[Customer]:
    """One who has used up what the batch gives, one who has not, one who is frozen, one who never had a budget."""
    used_up, running, frozen, new = factories.customers(acme, 4)
    factories.budget(running, ann, "300")
    factories.budget(used_up, ann, "500", account_freezing=AccountFreezing.MANUAL)
    factories.budget(frozen, ann, "50", unfreeze=False)
    factories.report((used_up, this_month(), "200"))
    return [used_up, running, frozen, new]


def this_month() -> str:
    return month_name(current_month())


def everything() -> dict[str, list[Any]]:
    return {model.__name__: list(model._default_manager.order_by("pk").values()) for model in WRITTEN}


def is_all_or_nothing(elsewhere: Elsewhere, *words: object, tables: tuple[str, ...]) -> None:
    before = everything()
    for table in tables:
        elsewhere.kill(*words, table)
        assert everything() == before, table
    elsewhere.run(*words)
    check_invariants()


# What is written last, the confirmation, stops the process when all the rest is done.
LAST = ("budgets_budget", "customers_freezerecord", "partnercenter_confirmation")


def test_a_batch_killed_in_the_middle_is_not_set_and_can_be_confirmed_again(elsewhere, customers, ann):
    batch = factories.reviewed(customers, ann, "150")
    is_all_or_nothing(elsewhere, "ok", batch.pk, tables=LAST)
    assert [factories.stored(customer).amount for customer in customers] == [150] * 4
    assert [factories.fresh(customer).is_frozen for customer in customers] == [True, False, False, False]
    assert Confirmation.objects.filter(pk=batch.pk).exists()


def test_an_undo_killed_in_the_middle_is_not_done_and_can_be_confirmed_again(elsewhere, customers, ann):
    batch = factories.reviewed(customers, ann, "150")
    factories.confirmed(batch)
    undo = review_undo(batch.pk, operator=ann, unfreeze=True)
    is_all_or_nothing(elsewhere, "ok", undo.pk, tables=LAST)
    stand = dict(Budget.objects.values_list("customer", "amount"))
    assert [stand.get(customer.pk) for customer in customers] == [500, 300, 50, None]
    assert not Customer.objects.frozen().exists()


def test_an_import_killed_in_the_middle_is_not_taken_in_and_can_be_done_again(elsewhere, customers, tmp_path):
    file = tmp_path / "report.csv"
    lines = [f"{customer.customer_id},{this_month()},777\n" for customer in customers]
    file.write_text("customer_id,month,list_price_total\n" + "".join(lines))
    is_all_or_nothing(elsewhere, "import", file, tables=("budgets_expenditure", *LAST[:2]))
    assert [budget.used for budget in Budget.objects.all()] == [777] * 3
