"""Background jobs, run by a worker or, if none is set up, within the request.

A job's task first reads and checks. Then one transaction makes all its changes and ends the job. So a worker that is
killed leaves nothing half done. Each run has a token. A job that has not reported for a minute is taken over: its token
is withdrawn, so that a run that wakes up later changes nothing, and another run begins.
"""

import logging
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import Any

from django.conf import settings
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.core.mail import mail_admins
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django_tasks.base import Task, TaskResultStatus
from django_tasks_db.models import DBTaskResult

from partnercenter.lib.csv_files import BadFile
from partnercenter.lib.errors import ActionError, Conflict, InvalidRequest, PermissionRefused, StorageFailed
from partnercenter.models import Job, JobQuerySet, Operation, User

# An action on more customers than this is left to a worker.
WORKER_THRESHOLD = 3_000

# In seconds: how often a running job reports its progress.
REPORT_INTERVAL = 1.0
# How many runs may stop without an end before the job counts as failed.
MOST_ATTEMPTS = 3
RECENT, MAX_RECENT_JOBS = timedelta(days=1), 10

logger = logging.getLogger(__name__)


def uses_worker() -> bool:
    """Whether jobs are run by a worker, not within the request."""
    return settings.TASKS_BACKEND != "immediate"


class TakenOver(Exception):
    """The job was taken over or has ended, so the changes of this run must be rolled back."""


class FilesMissing(Exception):
    """The uploaded files of a job are not there, so it cannot be done."""


class JobRun:
    """A run of a job, as its task sees it. It changes something only as long as the job has its token."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.state = Job.State.READING
        self.bytes_read = 0
        # The page on which the user can go on if the job is refused.
        self.link_if_refused = ""
        self._reported_at = 0.0

    @property
    def _rows(self) -> JobQuerySet:
        """The job's row, as long as this run is the present one and has not ended."""
        return Job.objects.filter(pk=self.job.pk, token=self.job.token, finished_at=None)

    def begin(self) -> bool:
        """Give the job the token of this run. False if the job has ended, or another run of it is under way."""
        self.job.token = uuid.uuid4()
        now = timezone.now()
        unfinished = Job.objects.filter(pk=self.job.pk, finished_at=None)
        waiting = unfinished.filter(state=Job.State.WAITING) | unfinished.silent()
        began = waiting.update(token=self.job.token, attempts=F("attempts") + 1, state=self.state, alive_at=now, read=0)
        self._reported_at = monotonic()
        return bool(began)

    def progress(self, number: int) -> None:
        """Report that this many more bytes were read."""
        self.bytes_read += number
        if not uses_worker() and monotonic() - self._reported_at >= REPORT_INTERVAL:
            self.report()

    def applying(self) -> None:
        """Report that everything is read and checked, and the transaction that makes the changes begins.

        Raises TakenOver.
        """
        self.state = Job.State.APPLYING
        if not self.report():
            raise TakenOver

    def report(self) -> bool:
        """Give a sign of life and save the progress. False if this run is no longer the present one."""
        self._reported_at = monotonic()
        return bool(self._rows.update(alive_at=timezone.now(), state=self.state, read=self.bytes_read))

    def ensure_present(self) -> None:
        """Lock the job until the transaction ends, so that nobody takes it over meanwhile. Raises TakenOver.

        For a task that makes its changes in several transactions: call it in each. The last one calls `end` instead.
        """
        if not self._rows.select_for_update(no_key=True).exists():
            raise TakenOver

    @contextmanager
    def files(self) -> Iterator[list[tuple[str, Any]]]:
        """Open the job's files for the duration of a block, as names and contents. Raises FilesMissing."""
        with open_files(self.job.files) as files:
            yield files

    def keep_files(self) -> list[tuple[str, str]]:
        """Hand over the job's files: they are not deleted when it ends. Returns their names and storage paths."""
        kept, self.job.files = self.job.files, []
        return kept

    def end(self, message: str, *, link: str = "", problems: Iterable[str] = (), status: int = 200) -> None:
        """End the job as done. Call this in the transaction that made the changes. Raises TakenOver."""
        if not self._end(Job.State.DONE, message, link=link, problems=problems, status=status):
            raise TakenOver

    def run(self, task: Callable[["JobRun"], None]) -> None:
        """Run the task, and end the job if the task is refused or fails.

        If the connection to the database is lost, the job stays as it is, and a worker takes it over.
        """
        connected = connection.connection
        try:
            with self._reporting_progress():
                task(self)
        except TakenOver:
            logger.warning("job %s was taken over or has ended; this run changed nothing", self.job.pk)
        except BadFile as error:
            names = ", ".join(name for name, _path in self.job.files)
            message = _("%(files)s: not imported. Correct the errors in the file and try again.") % {"files": names}
            self._end(Job.State.REFUSED, message, problems=error.lines, status=422)
        except ActionError as error:
            self._end(Job.State.REFUSED, error.message, link=self.link_if_refused, status=error.status)
        except FilesMissing:
            logger.exception("job %s: its uploaded files are missing", self.job.pk)
            message = _("The uploaded files are missing, so nothing was changed. Upload them again.")
            self._end(Job.State.FAILED, message, status=500)
        except Exception as error:
            if not _lost(connected, error):
                # The worker logs the error; the job's page shows that there was one.
                self._end(Job.State.FAILED, _("An error stopped the job. Nothing was changed."), status=500)
            raise

    def _end(
        self, state: Job.State, message: str, *, link: str = "", problems: Iterable[str] = (), status: int
    ) -> bool:
        """End the job and delete its files. Returns False if this run is no longer the present one."""
        # The update locks the row, so the job cannot be taken over between this and the end of the transaction.
        ended = self._rows.update(
            state=state, finished_at=timezone.now(), message=message, link=link, problems=list(problems), status=status
        )
        if ended:
            transaction.on_commit(partial(delete_uploads, self.job.pk, [path for _name, path in self.job.files]))
        return bool(ended)

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
        try:
            while True:
                try:
                    self.report()
                except Exception:  # noqa: BLE001
                    # On SQLite this cannot be saved while the job's own transaction is open. On PostgreSQL the
                    # connection may have been cut; the next report opens another one.
                    connection.close()
                if stop.wait(REPORT_INTERVAL):
                    return
        finally:
            connection.close()


@contextmanager
def open_files(stored: Iterable[tuple[str, str]]) -> Iterator[list[tuple[str, Any]]]:
    """Open stored files, given as names and storage paths, for the duration of a block, as names and contents.

    Raises FilesMissing if one is not there, or if there are none.
    """
    with ExitStack() as stack:
        try:
            files = [(name, stack.enter_context(default_storage.open(path))) for name, path in stored]
        except FileNotFoundError as error:
            raise FilesMissing from error
        if not files:
            raise FilesMissing
        yield files


def _lost(connected: object, error: Exception) -> bool:
    """Whether an error is that this connection to the database was lost. Django may have opened another already."""
    if not isinstance(error, InterfaceError | OperationalError):
        return False
    return connection.connection is not connected or not connection.is_usable()


def run_job(pk: str, task: Callable[[JobRun], None]) -> None:
    """Run a job's task, unless the job has already ended or is being run. Called by the tasks themselves."""
    job = Job.objects.select_related("operator__partner", "operation__operator__partner").get(pk=pk)
    run = JobRun(job)
    if not run.begin():
        return
    # Days in filters and times in messages are in the time zone of the operator's partner.
    with timezone.override(job.operator.partner.zone if job.operator.partner else None):
        run.run(task)


def start_job(
    task: Task,
    title: str,
    *,
    operator: User,
    operation: Operation | None = None,
    terms: Mapping[str, Any] | None = None,
    files: Sequence[UploadedFile] = (),
) -> Job:
    """Create a job, and hand its task to the worker or run it immediately. Returns the job as it is afterwards.

    An operation has one job. Starting it again changes nothing while the job runs or if it is done, and tries again
    if it was refused or failed. Raises StorageFailed, and leaves nothing behind, if the files cannot be stored.
    """
    pk = uuid.uuid4()
    fields = {"task": task.module_path, "title": title, "operator": operator, "terms": dict(terms or {})}
    stored = _store_uploads(pk, files)
    try:
        with transaction.atomic():
            size = sum(file.size or 0 for file in files)
            if operation is None:
                job, is_waiting = Job.objects.create(pk=pk, files=stored, size=size, **fields), True
            else:
                job, is_waiting = Job.objects.get_or_create(operation=operation, defaults=fields)
            if not is_waiting:
                unsuccessful = Job.objects.filter(pk=job.pk, state__in=[Job.State.REFUSED, Job.State.FAILED])
                is_waiting = bool(
                    unsuccessful.update(
                        **_waiting(), finished_at=None, created_at=timezone.now(), attempts=0, terms=fields["terms"]
                    )
                )
            if is_waiting and uses_worker():
                _enqueue(job)
    except BaseException:
        delete_uploads(pk, [path for _name, path in stored])
        raise
    if is_waiting and not uses_worker():
        _enqueue(job)
    job.refresh_from_db()
    return job


def _store_uploads(pk: uuid.UUID, files: Iterable[UploadedFile]) -> list[tuple[str, str]]:
    """Store uploaded files; their names and storage paths. Raises StorageFailed if the disk is full, for example."""
    stored: list[tuple[str, str]] = []
    try:
        for number, file in enumerate(files):
            # Listed first, so that a file that was stored in part is deleted too.
            stored.append((file.name or "", f"{pk}/{number}"))
            stored[-1] = (file.name or "", default_storage.save(f"{pk}/{number}", file))
    except OSError as error:
        logger.exception("uploaded files could not be stored")
        delete_uploads(pk, [path for _name, path in stored])
        message = _(
            "The upload could not be stored, because the disk of the console is full or cannot be written. Nothing was "
            "changed. Try again later, or tell those who run the console."
        )
        raise StorageFailed(message) from error
    return stored


def delete_uploads(pk: uuid.UUID, paths: Iterable[str]) -> None:
    """Delete uploaded files of a job, and their folder."""
    for path in paths:
        default_storage.delete(path)
    # Storages delete empty folders, too. It may hold files that the job's end has left to somebody else.
    with suppress(OSError):
        default_storage.delete(str(pk))


def _enqueue(job: Job) -> None:
    import_string(job.task).enqueue(str(job.pk))


def _waiting() -> dict[str, Any]:
    """The values of a job that waits for another run. Without its token an earlier run changes nothing."""
    return {"state": Job.State.WAITING, "token": None, "read": 0, "alive_at": timezone.now()}


def restart_job(job: Job) -> None:
    """Run a silent job again. Raises InvalidRequest if it is not silent."""
    with transaction.atomic():
        if not Job.objects.filter(pk=job.pk).silent().update(**_waiting()):
            raise InvalidRequest(_("This job is running or has finished, so it cannot be started again."))
        if uses_worker():
            _enqueue(job)
    if not uses_worker():
        _enqueue(job)


def take_over_silent_jobs() -> None:
    """Let every job whose run has stopped be run again, and end those that have stopped three times as failed."""
    for pk in list(Job.objects.silent().values_list("pk", flat=True)):
        with transaction.atomic():
            # Another worker may take it over at the same time, or its own run may just be ending.
            silent = Job.objects.silent().select_for_update(skip_locked=True, no_key=True, of=("self",))
            job = silent.filter(pk=pk).first()
            if job is not None:
                _take_over(job)


def _take_over(job: Job) -> None:
    if job.state == Job.State.WAITING and _is_queued(job):
        return
    if job.attempts < MOST_ATTEMPTS:
        logger.warning("job %s has not reported for a minute and is run again", job.pk)
        Job.objects.filter(pk=job.pk).update(**_waiting())
        _enqueue(job)
        return
    message = _("The work was begun three times and stopped each time. Nothing was changed; the platform was informed.")
    Job.objects.filter(pk=job.pk).update(
        state=Job.State.FAILED, token=None, finished_at=timezone.now(), message=message, status=500
    )
    paths = [path for _name, path in job.files]
    transaction.on_commit(partial(delete_uploads, job.pk, paths))
    transaction.on_commit(partial(_report_failure, job), robust=True)


def _is_queued(job: Job) -> bool:
    """Whether a task for the job waits for a worker."""
    waiting = DBTaskResult.objects.filter(status=TaskResultStatus.READY, task_path=job.task)
    return waiting.filter(args_kwargs={"args": [str(job.pk)], "kwargs": {}}).exists()


def _report_failure(job: Job) -> None:
    logger.error("job %s failed: it was begun %s times and stopped each time", job.pk, job.attempts)
    text = _(
        "%(title)s, job %(job)s, started by %(operator)s at %(time)s (UTC), was begun %(n)s times and stopped each "
        "time. Nothing was changed."
    )
    names = {"title": job.title, "job": job.pk, "operator": job.operator, "n": job.attempts}
    names["time"] = f"{job.created_at:%Y-%m-%d %H:%M}"
    mail_admins(_("A job failed: %(title)s") % names, text % names)


def ensure_not_under_way(operation: Operation) -> None:
    """Raise InvalidRequest if a job is applying the operation, so that it can no longer be changed."""
    if Job.objects.filter(operation=operation, finished_at=None).exists():
        raise InvalidRequest(_("This was confirmed and is being carried out. Follow it in Budget Batches."))


def job_error(job: Job) -> ActionError:
    """The error with which the job was refused."""
    error_class: type[ActionError] = {403: PermissionRefused, 409: Conflict}.get(job.status, InvalidRequest)
    return error_class(job.message)


def recent_jobs(user: User, *tasks: Task) -> QuerySet[Job]:
    """The newest jobs since yesterday that the user may see, for these tasks, or for any if none is given."""
    jobs = Job.objects.visible_to(user).filter(created_at__gt=timezone.now() - RECENT).select_related("operator")
    if tasks:
        jobs = jobs.filter(task__in=[task.module_path for task in tasks])
    return jobs.order_by("-created_at")[:MAX_RECENT_JOBS]
