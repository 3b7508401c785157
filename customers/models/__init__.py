"""Customers, the state of their accounts, their records, and what operators keep about them."""

from customers.models.account_flags import BUDGETS, STATES, AccountFreezing, FreezeKind, FreezeOrigin, State, in_effect
from customers.models.customer import CURRENT, NOBODY, Company, Customer, CustomerQuerySet, company_of
from customers.models.freeze_records import AgreementRecord, ExportRecord, FreezeRecord, RevealRecord
from customers.models.notes import CustomerNote, SavedView, Snooze
from customers.models.review_items import AsItIs, Effect, LeftOut, ReviewedCustomer

__all__ = [
    "BUDGETS",
    "CURRENT",
    "NOBODY",
    "STATES",
    "AccountFreezing",
    "AgreementRecord",
    "AsItIs",
    "Company",
    "Customer",
    "CustomerNote",
    "CustomerQuerySet",
    "Effect",
    "ExportRecord",
    "FreezeKind",
    "FreezeOrigin",
    "FreezeRecord",
    "LeftOut",
    "RevealRecord",
    "ReviewedCustomer",
    "SavedView",
    "Snooze",
    "State",
    "company_of",
    "in_effect",
]
