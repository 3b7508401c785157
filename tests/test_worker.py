"""The worker as a process: it survives cut connections, its successor completes what it left, and it stops cleanly."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from budgets.models import AdjustmentRecord, Budget
from partnercenter.actions import jobs
from partnercenter.models import Job
from partnercenter.models.jobs import SILENT_AFTER
from tests import factories

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

# By this name the tests find the worker among the sessions of PostgreSQL.
APPLICATION_NAME = "worker of a test"


def database_url() -> str:
    database = connection.settings_dict
    return f"postgres://{database['USER']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"


@pytest.fixture
def start_worker() -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Start a worker; the test's end kills it."""
    processes = []

    def start() -> subprocess.Popen[str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "TEST_"))}
        env |= {
            "DATABASE_URL": database_url(),
            "TASKS_BACKEND": "database",
            "DJANGO_SETTINGS_MODULE": "partnercenter.settings",
            "PGAPPNAME": APPLICATION_NAME,
        }
        command = [sys.executable, "manage.py", "worker", "--interval", "0.1"]
        process = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL, text=True)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()
    wait_until(lambda: not sessions())


@pytest.fixture
def waiting_job(settings, monkeypatch, client, three, ann) -> Job:
    """A batch of three customers that waits for a worker."""
    settings.TASKS_BACKEND = "database"
    settings.TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
    monkeypatch.setattr(jobs, "WORKER_THRESHOLD", 1)
    client.post(f"/operations/{factories.reviewed(three, ann, '100', unfreeze=False).pk}/")
    return Job.objects.get()


@contextmanager
def customers_locked() -> Iterator[None]:
    """Lock all customers, so that a batch has begun its transaction and waits in the middle of it."""
    with psycopg.connect(database_url()) as other:
        other.execute("SELECT id FROM customers_customer FOR UPDATE")
        yield


def wait_until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 40
    while not condition():
        assert time.monotonic() < deadline, "the condition did not become true in time"
        time.sleep(0.1)


def query(sql: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} WHERE datname = current_database() AND application_name = %s", [APPLICATION_NAME])
        return cursor.fetchall()


def sessions() -> list[Any]:
    return query("SELECT pid FROM pg_stat_activity")


def waits_for_a_lock() -> bool:
    return any(kind == "Lock" for (kind,) in query("SELECT wait_event_type FROM pg_stat_activity"))


def cut_connections() -> None:
    query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity")


def a_minute_passes() -> None:
    Job.objects.filter(finished_at=None).update(alive_at=timezone.now() - SILENT_AFTER - timedelta(seconds=1))


def assert_done_once(job: Job, *, attempts: int) -> None:
    wait_until(lambda: Job.objects.filter(pk=job.pk, state="DONE").exists())
    assert Job.objects.get().attempts == attempts
    assert AdjustmentRecord.objects.count() == Budget.objects.count() == 3


def test_a_worker_whose_connection_is_cut_while_it_waits_goes_on(start_worker, request):
    process = start_worker()
    wait_until(sessions)
    before = sessions()
    cut_connections()
    wait_until(lambda: not set(sessions()) & set(before))
    job = request.getfixturevalue("waiting_job")
    assert_done_once(job, attempts=1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0


def test_a_worker_whose_connection_is_cut_in_a_job_goes_on_and_does_the_job_once(start_worker, waiting_job):
    process = start_worker()
    with customers_locked():
        wait_until(waits_for_a_lock)
        cut_connections()
        wait_until(DBTaskResult.objects.filter(status="FAILED").exists)
    assert Job.objects.get().finished_at is None
    a_minute_passes()
    assert_done_once(waiting_job, attempts=2)
    assert process.poll() is None


def test_the_job_of_a_killed_worker_is_completed_by_the_next_one_once(start_worker, waiting_job):
    process = start_worker()
    with customers_locked():
        wait_until(waits_for_a_lock)
        process.kill()
        process.wait()
    wait_until(lambda: not sessions())
    assert not AdjustmentRecord.objects.exists()
    a_minute_passes()
    start_worker()
    assert_done_once(waiting_job, attempts=2)


def test_a_worker_that_is_told_to_stop_completes_its_job_first(start_worker, waiting_job):
    process = start_worker()
    with customers_locked():
        wait_until(waits_for_a_lock)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
    assert process.wait(timeout=20) == 0
    assert_done_once(waiting_job, attempts=1)


def test_a_worker_that_would_have_nothing_to_do_says_so():
    with pytest.raises(CommandError, match="TASKS_BACKEND is immediate"):
        call_command("worker")
