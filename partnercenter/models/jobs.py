"""Background jobs."""

import uuid
from datetime import timedelta
from typing import ClassVar, Self

from django.db import models
from django.db.models import PROTECT, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from partnercenter.models.operations import Operation
from partnercenter.models.users import User

# A job that has not reported for this long counts as silent.
SILENT_AFTER = timedelta(seconds=60)


class JobQuerySet(models.QuerySet["Job"]):
    """Querysets of jobs, by who may see them and whether they still report."""

    def visible_to(self, user: User) -> Self:
        """A person's own jobs; for an administrator, those of everybody in the company."""
        if user.partner is not None and user.role == User.Role.ADMINISTRATOR:
            return self.filter(operator__partner=user.partner)
        return self.filter(operator=user)

    def silent(self) -> Self:
        """The jobs that have not ended, and have not reported for a minute."""
        return self.filter(finished_at=None, alive_at__lt=timezone.now() - SILENT_AFTER)


class Job(models.Model):
    """A background job, its progress and its result. One transaction makes its changes and ends it.

    Each run of the job has a token of its own. Once another run has begun, or the job waits for one, an earlier run
    changes nothing any more.
    """

    class State(models.TextChoices):
        WAITING = "WAITING", _("Waiting")
        READING = "READING", _("Reading and checking")
        APPLYING = "APPLYING", _("Applying")
        DONE = "DONE", _("Done")
        REFUSED = "REFUSED", _("Refused")
        FAILED = "FAILED", _("Failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    task = models.CharField(max_length=100, help_text="The dotted path of the task function.")
    title = models.CharField(max_length=100)
    operator = models.ForeignKey(User, PROTECT, related_name="jobs")
    operation = models.OneToOneField(Operation, PROTECT, null=True, related_name="job")
    terms = models.JSONField(default=dict)
    files = models.JSONField(default=list, help_text="The name and the storage path of each uploaded file.")
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    size = models.BigIntegerField(default=0, help_text="Bytes to be read.")
    read = models.BigIntegerField(default=0, help_text="Bytes read so far.")
    created_at = models.DateTimeField(default=timezone.now)
    alive_at = models.DateTimeField(default=timezone.now, help_text="When its worker last reported progress.")
    finished_at = models.DateTimeField(null=True)
    message = models.TextField(blank=True)
    status = models.PositiveSmallIntegerField(default=200, help_text="The HTTP status for the page that started it.")
    link = models.CharField(max_length=200, blank=True, help_text="The address of the page with its result.")
    problems = models.JSONField(default=list, help_text="The bad lines of its files.")
    token = models.UUIDField(null=True, editable=False, help_text="Its present run. Other runs change nothing.")
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0, help_text="How many runs have begun.")

    objects = JobQuerySet.as_manager()

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        indexes: ClassVar = [
            models.Index(fields=["operator", "-created_at"], name="job_by_operator"),
            # Workers look for silent jobs every few seconds.
            models.Index(fields=["alive_at"], name="job_unfinished", condition=Q(finished_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.title} {self.pk}"

    @property
    def is_silent(self) -> bool:
        """Whether the job has not ended, and has not reported for a minute."""
        return self.finished_at is None and self.alive_at < timezone.now() - SILENT_AFTER
