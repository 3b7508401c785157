"""Models of customers, the state of their accounts, their records, and the notes and views of operators."""

from customers.models.account_flags import (
    BUDGET_FLAGS,
    FLAG_COMBINATIONS,
    AccountFlags,
    AccountFreezing,
    FreezeKind,
    FreezeOrigin,
    effective_flags,
)
from customers.models.audit_records import AgreementRecord, ExportRecord, RevealRecord
from customers.models.customer import NO_OWNER, Customer, CustomerQuerySet, ListOwner, list_owner
from customers.models.freeze_records import FreezeRecord
from customers.models.notes import CustomerNote, SavedView, Snooze
from customers.models.review_items import ExclusionReason, FreezeEffect, ReviewItem, UnchangedTerms

__all__ = [
    "BUDGET_FLAGS",
    "FLAG_COMBINATIONS",
    "NO_OWNER",
    "AccountFlags",
    "AccountFreezing",
    "AgreementRecord",
    "Customer",
    "CustomerNote",
    "CustomerQuerySet",
    "ExclusionReason",
    "ExportRecord",
    "FreezeEffect",
    "FreezeKind",
    "FreezeOrigin",
    "FreezeRecord",
    "ListOwner",
    "RevealRecord",
    "ReviewItem",
    "SavedView",
    "Snooze",
    "UnchangedTerms",
    "effective_flags",
    "list_owner",
]
