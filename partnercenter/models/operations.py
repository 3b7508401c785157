"""Operations awaiting confirmation, their verification codes, and how they were confirmed."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import PROTECT
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from partnercenter.lib.append_only import Record
from partnercenter.models.partners import Partner
from partnercenter.models.users import User


class Operation(Record):
    """A change that an operator reviewed and may confirm (rule 6.3 (docs/rules.md)).

    Its primary key becomes the batch ID of the records that it writes. The row never changes: a `CodeRequest` records
    that a code was sent, and a `Confirmation` that the operation was confirmed.
    """

    class Kind(models.TextChoices):
        SET_BUDGET = "SET_BUDGET", _("Set Budget")
        UNDO_BATCH = "UNDO_BATCH", _("Undo Batch")
        FREEZE = "FREEZE", _("Freeze")
        UNFREEZE = "UNFREEZE", _("Unfreeze")
        TURN_OFF_VERIFICATION = "TURN_OFF_VERIFICATION", _("Turn Off Verification Code")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=30, choices=Kind)
    operator = models.ForeignKey(User, PROTECT, related_name="operations")
    partner = models.ForeignKey(Partner, PROTECT, related_name="+")
    terms = models.JSONField(default=dict)
    replaces = models.ForeignKey(
        "self", PROTECT, null=True, related_name="replaced_by", help_text="The review that was edited to make this one."
    )
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"


class CodeRequest(Record):
    """A verification code was sent for this operation. A code is valid only for the operator's latest request."""

    operation = models.ForeignKey(Operation, PROTECT, related_name="code_requests")
    operator = models.ForeignKey(User, PROTECT, related_name="code_requests")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["operator", "at"])]

    def __str__(self) -> str:
        return f"{self.operation_id} {self.at:%Y-%m-%d %H:%M}"


class Confirmation(Record):
    """An operation was confirmed and applied. The operation is the primary key, so this happens only once."""

    class How(models.TextChoices):
        WITHOUT_CODE = "WITHOUT_CODE", _("Without a code")
        EMAIL = "EMAIL", _("E-mail code")
        TOTP = "TOTP", _("Authenticator code")

    operation = models.OneToOneField(Operation, PROTECT, primary_key=True)
    at = models.DateTimeField(default=timezone.now)
    how = models.CharField(max_length=20, choices=How)

    def __str__(self) -> str:
        return f"{self.operation_id} {self.how}"


class AcceptedCode(Record):
    """The right code was entered for an operation that a background job applies, so the job needs no code."""

    operation = models.OneToOneField(Operation, PROTECT, primary_key=True, related_name="accepted_code")
    at = models.DateTimeField(default=timezone.now)
    how = models.CharField(max_length=20, choices=Confirmation.How)

    def __str__(self) -> str:
        return f"{self.operation_id} {self.how}"
