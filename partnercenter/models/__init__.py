"""Models of partners, users, resellers' grants, operations awaiting confirmation, and background jobs."""

from partnercenter.models.grants import Grant, GrantRecord, Pool
from partnercenter.models.jobs import SILENT_AFTER, Job, JobQuerySet
from partnercenter.models.operations import AcceptedCode, CodeRequest, Confirmation, Operation
from partnercenter.models.partner_records import PartnerStatusRecord, VerificationSwitchRecord
from partnercenter.models.partners import (
    LONGEST_REASON,
    BudgetType,
    Channel,
    Partner,
    default_time_zone,
    validate_time_zone,
)
from partnercenter.models.users import User

__all__ = [
    "LONGEST_REASON",
    "SILENT_AFTER",
    "AcceptedCode",
    "BudgetType",
    "Channel",
    "CodeRequest",
    "Confirmation",
    "Grant",
    "GrantRecord",
    "Job",
    "JobQuerySet",
    "Operation",
    "Partner",
    "PartnerStatusRecord",
    "Pool",
    "User",
    "VerificationSwitchRecord",
    "default_time_zone",
    "validate_time_zone",
]
