"""Housekeeping removes what jobs and sign-ins leave behind, and nothing that is still needed."""

import os
import time
from datetime import timedelta
from io import StringIO
from pathlib import Path
from uuid import uuid4

import pytest
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from partnercenter.models import Job


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def run(*options: str) -> str:
    output = StringIO()
    call_command("housekeeping", *options, stdout=output)
    return output.getvalue()


def folder(uploads: Path, name: object, *, file: bool, days: int) -> Path:
    """An upload folder, with a file or empty, in which nothing was written for so many days."""
    made = uploads / str(name)
    made.mkdir()
    if file:
        (made / "0").write_text("x")
    at = time.time() - timedelta(days=days, hours=1).total_seconds()
    os.utime(made, (at, at))
    return made


def job(ann, *, ended_days: int | None) -> Job:
    ended = None if ended_days is None else timezone.now() - timedelta(days=ended_days, hours=1)
    return Job.objects.create(task="x", title="x", operator=ann, finished_at=ended)


def task(status: str, *, days: int) -> DBTaskResult:
    at = timezone.now() - timedelta(days=days, hours=1)
    return DBTaskResult.objects.create(
        status=status, started_at=at, finished_at=None if status == "RUNNING" else at,
        args_kwargs={"args": [], "kwargs": {}}, task_path="x", backend_name="default",
    )  # fmt: skip


def test_it_removes_leftovers_and_keeps_what_is_needed(uploads, ann):
    kept_tasks = {task("RUNNING", days=0).pk, task("SUCCESSFUL", days=13).pk, task("READY", days=30).pk}
    for status, days in (("RUNNING", 1), ("SUCCESSFUL", 14), ("FAILED", 20)):
        task(status, days=days)
    kept = {
        folder(uploads, uuid4(), file=False, days=0),
        folder(uploads, job(ann, ended_days=None).pk, file=True, days=9),
        folder(uploads, job(ann, ended_days=0).pk, file=True, days=9),
        folder(uploads, "lost+found", file=False, days=9),
    }
    for file, name in ((False, uuid4()), (True, uuid4()), (True, job(ann, ended_days=1).pk)):
        folder(uploads, name, file=file, days=1)
    Session.objects.create(session_key="ended", expire_date=timezone.now() - timedelta(seconds=1))
    Session.objects.create(session_key="running", expire_date=timezone.now() + timedelta(hours=1))
    lines = ["finished tasks: 2", "tasks whose worker has stopped: 1", "ended sessions: 1"]
    lines += ["empty upload folders: 1", "uploads of ended jobs: 2"]

    assert run("--dry-run").splitlines() == [f"Would remove {line}" for line in lines]
    assert (DBTaskResult.objects.count(), Session.objects.count(), len(list(uploads.iterdir()))) == (6, 2, 7)
    assert run().splitlines() == [f"Removed {line}" for line in lines]
    assert set(DBTaskResult.objects.values_list("pk", flat=True)) == kept_tasks
    assert set(uploads.iterdir()) == kept
    assert Session.objects.get().session_key == "running"
    assert all(line.endswith(": 0") for line in run().splitlines())
