"""Work that takes long, outside the request: started, followed, ended once, started again where its worker died.

A task reads and checks first; what it changes is one transaction, in which it also ends its job. So a worker that is
killed leaves nothing half done, and a job that is started twice is done once.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django_tasks.base import Task

from partnercenter.lib.csv_files import BadFile
from partnercenter.lib.errors import ActionError, Conflict, InvalidRequest, PermissionRefused
from partnercenter.models import Job, Operation, User

# More customers are worth a worker.
WORKER_THRESHOLD = 3_000

BEAT = 1.0
SILENT = timedelta(seconds=60)
RECENT, SHOWN = timedelta(days=1), 5

logger = logging.getLogger(__name__)


def uses_worker() -> bool:
    """Whether there is a worker, or everything is done in the request."""
    return settings.TASKS_BACKEND != "immediate"


class AlreadyFinished(Exception):
    """The job was ended by another run of it: what this one did is rolled back."""


class JobRun:
    """A job as its task goes about it."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.state = Job.State.READING
        self.read = 0
        self.way_back = ""  # where to go on from where it is refused

    def progress(self, number: int) -> None:
        """So many more bytes were read."""
        self.read += number

    def applying(self) -> None:
        """All is read and checked; what follows is one step."""
        self.state = Job.State.APPLYING

    @contextmanager
    def files(self) -> Iterator[list[tuple[str, Any]]]:
        """The name and the content of each file to be read."""
        with ExitStack() as stack:
            yield [(name, stack.enter_context(default_storage.open(kept))) for name, kept in self.job.files]

    def end(self, message: str, *, link: str = "", problems: Iterable[str] = (), status: int = 200) -> None:
        """The job is done. In the transaction of what it did; raises Ended where it was done before."""
        if not _end(self.job, Job.State.DONE, message=message, link=link, problems=problems, status=status):
            raise AlreadyFinished


def start_job(
    task: Task,
    title: str,
    *,
    operator: User,
    operation: Operation | None = None,
    terms: Mapping[str, Any] | None = None,
    files: Iterable[Any] = (),
) -> Job:
    """Have the task done: at once, or by a worker. Gives the job as it is then.

    An operation has one job: pressed again, what is under way goes on, and what was refused is tried anew.
    """
    given: dict[str, Any] = {
        "task": task.module_path,
        "title": title,
        "operator": operator,
        "terms": dict(terms or {}),
    }
    if operation is None:
        job, is_new = Job.objects.create(**given), True
    else:
        job, is_new = Job.objects.get_or_create(operation=operation, defaults=given)
    if files:
        _keep(job, files)
    if is_new or _renew(job, given["terms"]):
        task.enqueue(str(job.pk))
    job.refresh_from_db()
    return job


def _keep(job: Job, files: Iterable[Any]) -> None:
    kept = [(file.name, default_storage.save(f"{job.pk}/{number}", file)) for number, file in enumerate(files)]
    job.files, job.size = kept, sum(default_storage.size(path) for _name, path in kept)
    job.save(update_fields=["files", "size"])


def _renew(job: Job, terms: dict[str, Any]) -> bool:
    """Make a job that came to nothing wait once more, for whoever asks first."""
    now = timezone.now()
    anew = {"state": Job.State.WAITING, "finished_at": None, "read": 0, "created_at": now, "alive_at": now}
    unsuccessful = Job.objects.filter(pk=job.pk, state__in=[Job.State.REFUSED, Job.State.FAILED])
    return bool(unsuccessful.update(**anew, terms=terms))


def restart_job(job: Job) -> None:
    """Where its worker gave no sign of life: another run.

    Raises InvalidRequest while there is nothing to start again.
    """
    if not is_stalled(job):
        raise InvalidRequest(_("This is under way, or it has ended: there is nothing to start again."))
    Job.objects.filter(pk=job.pk, finished_at=None).update(alive_at=timezone.now(), state=Job.State.WAITING, read=0)
    import_string(job.task).enqueue(str(job.pk))


def is_stalled(job: Job) -> bool:
    """Whether it has not ended, and nobody has seen to it for a minute."""
    return job.finished_at is None and job.alive_at < timezone.now() - SILENT


def ensure_not_under_way(operation: Operation) -> None:
    """Raises InvalidRequest where a job is carrying the operation out: nothing of it can be changed any more."""
    if Job.objects.filter(operation=operation, finished_at=None).exists():
        raise InvalidRequest(_("This was confirmed and is being carried out: Budget Batches leads to it."))


def job_error(job: Job) -> ActionError:
    """Why it was refused, as whoever started it is told."""
    kind: type[ActionError] = {403: PermissionRefused, 409: Conflict}.get(job.status, InvalidRequest)
    return kind(job.message)


def recent_jobs(user: User, *tasks: Task) -> QuerySet[Job]:
    """The person's own jobs of the last day, newest first, the latest few; of these tasks only, if any are named."""
    own = Job.objects.filter(operator=user, created_at__gt=timezone.now() - RECENT)
    if tasks:
        own = own.filter(task__in=[task.module_path for task in tasks])
    return own.order_by("-created_at")[:SHOWN]


def run_job(pk: str, do: Callable[[JobRun], None]) -> None:
    """Do the work of a job and end it, whatever becomes of it. A job that has ended is left as it is."""
    job = Job.objects.select_related("operator__partner", "operation__operator__partner").get(pk=pk)
    if job.finished_at is not None:
        return
    doing = JobRun(job)
    # A day of a filter, and a time in a message, are those of whoever started it.
    zone = job.operator.partner.zone if job.operator.partner else None
    with timezone.override(zone), _signs_of_life(doing):
        try:
            do(doing)
        except AlreadyFinished:
            logger.info("job %s was ended by another run", pk)
        except BadFile as error:
            _end(job, Job.State.REFUSED, message=error.message, problems=error.lines, status=422)
        except ActionError as refused:
            _end(job, Job.State.REFUSED, message=refused.message, link=doing.way_back, status=refused.status)
        except Exception:
            # Told on its page, not only in the log of a worker that nobody watches.
            _end(job, Job.State.FAILED, message=_("An error stopped it. Nothing was changed."), status=500)
            raise


def _end(job: Job, state: str, *, message: str, link: str = "", problems: Iterable[str] = (), status: int) -> bool:
    """End it once: False where it has ended. What was done is done, though another run was refused meanwhile."""
    same = Job.objects.filter(pk=job.pk)
    ended = (same.exclude(state=state) if state == Job.State.DONE else same.filter(finished_at=None)).update(
        state=state, finished_at=timezone.now(), message=message, link=link, problems=list(problems), status=status
    )
    if ended:
        transaction.on_commit(lambda: _forget_files(job))
    return bool(ended)


def _forget_files(job: Job) -> None:
    for _name, kept in job.files:
        default_storage.delete(kept)


@contextmanager
def _signs_of_life(doing: JobRun) -> Iterator[None]:
    """While it works, its page learns every second how far it is, over a connection of its own."""
    if not uses_worker():
        yield
        return
    over = threading.Event()
    beating = threading.Thread(target=_beat, args=[doing, over], daemon=True)
    beating.start()
    try:
        yield
    finally:
        over.set()
        beating.join()


def _beat(doing: JobRun, over: threading.Event) -> None:
    here = Job.objects.filter(pk=doing.job.pk, finished_at=None)
    try:
        while True:
            # On SQLite nobody can write while the one step is taken.
            with suppress(Exception):
                here.update(alive_at=timezone.now(), state=doing.state, read=doing.read)
            if over.wait(BEAT):
                return
    finally:
        connection.close()
