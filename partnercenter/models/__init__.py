"""Partners, the people who sign in for them, what a distributor granted, and operations that wait for confirmation."""

from partnercenter.models.operations import AcceptedCode, CodeRequest, Confirmation, Job, Operation
from partnercenter.models.partners import (
    BudgetType,
    Channel,
    Grant,
    GrantRecord,
    Partner,
    PartnerStatusRecord,
    Pool,
    User,
    VerificationSwitchRecord,
    default_time_zone,
    validate_time_zone,
)

__all__ = [
    "AcceptedCode",
    "BudgetType",
    "Channel",
    "CodeRequest",
    "Confirmation",
    "Grant",
    "GrantRecord",
    "Job",
    "Operation",
    "Partner",
    "PartnerStatusRecord",
    "Pool",
    "User",
    "VerificationSwitchRecord",
    "default_time_zone",
    "validate_time_zone",
]
