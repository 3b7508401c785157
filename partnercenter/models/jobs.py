"""Background jobs."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import PROTECT
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from partnercenter.models.operations import Operation
from partnercenter.models.users import User


class Job(models.Model):
    """A background job, its progress and its result. One transaction makes its changes and ends it."""

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

    class Meta:
        indexes: ClassVar = [models.Index(fields=["operator", "-created_at"], name="job_by_operator")]

    def __str__(self) -> str:
        return f"{self.title} {self.pk}"
