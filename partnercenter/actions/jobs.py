"""Background jobs, run by a worker or, if none is set up, within the request.

A job's task first reads and checks. Then one transaction makes all its changes and ends the job. So a worker that is
killed leaves nothing half done, and a job that runs twice makes its changes once.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django_tasks.base import Task

from partnercenter.lib.csv_files import BadFile
from partnercenter.lib.errors import ActionError, Conflict, InvalidRequest, PermissionRefused
from partnercenter.models import Job, Operation, User

# An action on more customers than this is left to a worker.
WORKER_THRESHOLD = 3_000

# In seconds: how often a running job reports its progress.
REPORT_INTERVAL = 1.0
# A job that has not reported for this long counts as stalled.
STALLED_AFTER = timedelta(seconds=60)
RECENT, MAX_RECENT_JOBS = timedelta(days=1), 5

logger = logging.getLogger(__name__)


def uses_worker() -> bool:
    """Whether jobs are run by a worker, not within the request."""
    return settings.TASKS_BACKEND != "immediate"


class AlreadyFinished(Exception):
    """Another run has finished the job, so the changes of this run must be rolled back."""


class JobRun:
    """A run of a job, as its task sees it."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.state = Job.State.READING
        self.bytes_read = 0
        # The page on which the user can go on if the job is refused.
        self.link_if_refused = ""

    def progress(self, number: int) -> None:
        """Report that this many more bytes were read."""
        self.bytes_read += number

    def applying(self) -> None:
        """Report that everything is read and checked, and the transaction that makes the changes begins."""
        self.state = Job.State.APPLYING

    @contextmanager
    def files(self) -> Iterator[list[tuple[str, Any]]]:
        """Open the job's files for the duration of a block, as names and contents."""
        with open_files(self.job.files) as files:
            yield files

    def keep_files(self) -> list[tuple[str, str]]:
        """Hand over the job's files: they are not deleted when it ends. Returns their names and storage paths."""
        kept, self.job.files = self.job.files, []
        return kept

    def end(self, message: str, *, link: str = "", problems: Iterable[str] = (), status: int = 200) -> None:
        """End the job as done. Call this in the transaction that made the changes. Raises AlreadyFinished."""
        if not self._end(Job.State.DONE, message, link=link, problems=problems, status=status):
            raise AlreadyFinished

    def run(self, task: Callable[["JobRun"], None]) -> None:
        """Run the task, and end the job if the task is refused or fails."""
        try:
            with self._reporting_progress():
                task(self)
        except AlreadyFinished:
            logger.info("job %s was finished by another run", self.job.pk)
        except BadFile as error:
            names = ", ".join(name for name, _path in self.job.files)
            message = _("%(files)s: not imported. Correct the errors in the file and try again.") % {"files": names}
            self._end(Job.State.REFUSED, message, problems=error.lines, status=422)
        except ActionError as error:
            self._end(Job.State.REFUSED, error.message, link=self.link_if_refused, status=error.status)
        except Exception:
            # The worker logs the error; the job's page shows that there was one.
            self._end(Job.State.FAILED, _("An error stopped the job. Nothing was changed."), status=500)
            raise

    def _end(
        self, state: Job.State, message: str, *, link: str = "", problems: Iterable[str] = (), status: int
    ) -> bool:
        """End the job and delete its files. Returns False if it had already ended."""
        job = Job.objects.filter(pk=self.job.pk)
        # Changes that were made count, even if another run of the job was refused in the meantime.
        unfinished = job.exclude(state=Job.State.DONE) if state == Job.State.DONE else job.filter(finished_at=None)
        ended = unfinished.update(
            state=state, finished_at=timezone.now(), message=message, link=link, problems=list(problems), status=status
        )
        if ended:
            transaction.on_commit(self._delete_files)
        return bool(ended)

    def _delete_files(self) -> None:
        for _name, path in self.job.files:
            default_storage.delete(path)

    @contextmanager
    def _reporting_progress(self) -> Iterator[None]:
        """Save the progress every second during a block, over a separate database connection."""
        if not uses_worker():
            yield
            return
        stop = threading.Event()
        thread = threading.Thread(target=self._report_progress, args=[stop], daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _report_progress(self, stop: threading.Event) -> None:
        unfinished = Job.objects.filter(pk=self.job.pk, finished_at=None)
        try:
            while True:
                # On SQLite this cannot be saved while the job's own transaction is open.
                with suppress(Exception):
                    unfinished.update(alive_at=timezone.now(), state=self.state, read=self.bytes_read)
                if stop.wait(REPORT_INTERVAL):
                    return
        finally:
            connection.close()


@contextmanager
def open_files(files: Iterable[tuple[str, str]]) -> Iterator[list[tuple[str, Any]]]:
    """Open stored files, given as names and storage paths, for the duration of a block, as names and contents."""
    with ExitStack() as stack:
        yield [(name, stack.enter_context(default_storage.open(path))) for name, path in files]


def run_job(pk: str, task: Callable[[JobRun], None]) -> None:
    """Run a job's task, unless the job has already ended. Called by the tasks themselves."""
    job = Job.objects.select_related("operator__partner", "operation__operator__partner").get(pk=pk)
    if job.finished_at is not None:
        return
    # Days in filters and times in messages are in the time zone of the operator's partner.
    with timezone.override(job.operator.partner.zone if job.operator.partner else None):
        JobRun(job).run(task)


def start_job(
    task: Task,
    title: str,
    *,
    operator: User,
    operation: Operation | None = None,
    terms: Mapping[str, Any] | None = None,
    files: Iterable[UploadedFile] = (),
) -> Job:
    """Create a job, and hand its task to the worker or run it immediately. Returns the job as it is afterwards.

    An operation has one job. Starting it again changes nothing while the job runs or if it is done, and tries again
    if it was refused or failed.
    """
    fields = {"task": task.module_path, "title": title, "operator": operator, "terms": dict(terms or {})}
    if operation is None:
        job, is_waiting = Job.objects.create(**fields), True
    else:
        job, is_waiting = Job.objects.get_or_create(operation=operation, defaults=fields)
    if files:
        job.files = [(file.name, default_storage.save(f"{job.pk}/{number}", file)) for number, file in enumerate(files)]
        job.size = sum(default_storage.size(path) for _name, path in job.files)
        job.save(update_fields=["files", "size"])
    if not is_waiting:
        now = timezone.now()
        waiting = {"state": Job.State.WAITING, "finished_at": None, "read": 0, "created_at": now, "alive_at": now}
        unsuccessful = Job.objects.filter(pk=job.pk, state__in=[Job.State.REFUSED, Job.State.FAILED])
        is_waiting = bool(unsuccessful.update(**waiting, terms=fields["terms"]))
    if is_waiting:
        task.enqueue(str(job.pk))
    job.refresh_from_db()
    return job


def restart_job(job: Job) -> None:
    """Run a stalled job again. Raises InvalidRequest if it is not stalled."""
    if not is_stalled(job):
        raise InvalidRequest(_("This job is running or has finished, so it cannot be started again."))
    Job.objects.filter(pk=job.pk, finished_at=None).update(alive_at=timezone.now(), state=Job.State.WAITING, read=0)
    import_string(job.task).enqueue(str(job.pk))


def is_stalled(job: Job) -> bool:
    """Whether the job has not ended, and no worker has reported progress for a minute."""
    return job.finished_at is None and job.alive_at < timezone.now() - STALLED_AFTER


def ensure_not_under_way(operation: Operation) -> None:
    """Raise InvalidRequest if a job is applying the operation, so that it can no longer be changed."""
    if Job.objects.filter(operation=operation, finished_at=None).exists():
        raise InvalidRequest(_("This was confirmed and is being carried out. Follow it in Budget Batches."))


def job_error(job: Job) -> ActionError:
    """The error with which the job was refused."""
    error_class: type[ActionError] = {403: PermissionRefused, 409: Conflict}.get(job.status, InvalidRequest)
    return error_class(job.message)


def recent_jobs(user: User, *tasks: Task) -> QuerySet[Job]:
    """The newest jobs that the user has started since yesterday, for these tasks, or for any if none is given."""
    jobs = Job.objects.filter(operator=user, created_at__gt=timezone.now() - RECENT)
    if tasks:
        jobs = jobs.filter(task__in=[task.module_path for task in tasks])
    return jobs.order_by("-created_at")[:MAX_RECENT_JOBS]
