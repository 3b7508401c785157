"""Customers, the state of their accounts, their records, and what operators keep about them."""

from customers.models.customer import CURRENT, NOBODY, Company, Customer, CustomerQuerySet, company_of
from customers.models.kept import CustomerNote, SavedView, Snooze
from customers.models.records import AgreementRecord, ExportRecord, FreezeRecord, RevealRecord
from customers.models.reviews import AsItIs, Effect, LeftOut, ReviewedCustomer
from customers.models.states import BUDGETS, STATES, AccountFreezing, FreezeKind, FreezeOrigin, State, in_effect

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
