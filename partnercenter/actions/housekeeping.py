"""Removing what jobs and sign-ins leave behind: rows of tasks, uploaded files, ended sessions.

Whatever may still be in use is kept: each thing is removed a day after it ended, and finished tasks after two weeks.
"""

import os
import shutil
import time
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from django.contrib.sessions.models import Session
from django.core.files.storage import default_storage
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django_tasks_db.models import DBTaskResult

from partnercenter.models import Job

KEPT_AFTER_END, TASKS_KEPT = timedelta(days=1), timedelta(days=14)


def remove_leftovers(*, dry_run: bool) -> dict[str, int]:
    """Remove them, or with `dry_run` only count them. Returns how many there are of each kind."""
    now = timezone.now()
    rows: dict[str, QuerySet] = {
        _("finished tasks"): DBTaskResult.objects.finished().filter(finished_at__lt=now - TASKS_KEPT),
        # Their worker was killed; the job itself was taken over under another row.
        _("tasks whose worker has stopped"): DBTaskResult.objects.running().filter(started_at__lt=now - KEPT_AFTER_END),
        _("ended sessions"): Session.objects.filter(expire_date__lt=now),
    }
    empty: list[Path] = []
    ended: list[Path] = []
    for folder in _old_upload_folders():
        if not any(folder.iterdir()):
            empty.append(folder)
        elif not _is_needed(folder):
            ended.append(folder)
    counts = {name: found.count() for name, found in rows.items()}
    counts |= {_("empty upload folders"): len(empty), _("uploads of ended jobs"): len(ended)}
    if not dry_run:
        for found in rows.values():
            found.delete()
        for folder in empty + ended:
            shutil.rmtree(folder, ignore_errors=True)
    return counts


def _old_upload_folders() -> list[Path]:
    """The folders of uploads, named like their jobs, in which nothing was written for a day."""
    root, oldest = Path(default_storage.path("")), time.time() - KEPT_AFTER_END.total_seconds()
    if not root.is_dir():
        return []
    folders = [Path(entry.path) for entry in os.scandir(root) if entry.is_dir() and _is_uuid(entry.name)]
    return [folder for folder in folders if folder.stat().st_mtime < oldest]


def _is_uuid(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False


def _is_needed(folder: Path) -> bool:
    """Whether the folder's job may still read its files."""
    recent = timezone.now() - KEPT_AFTER_END
    return Job.objects.filter(pk=folder.name).exclude(finished_at__lt=recent).exists()
