"""One customer in each possible combination of budget and freeze state, and the actions that can change them.

tests/shared_data/test_state_machine_of_freezing.py uses them to test freezing as a whole.
"""

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import product
from typing import Any, NamedTuple

from django.db import transaction
from django.utils import timezone

from budgets.actions.account_state import freeze_accounts, unfreeze_accounts
from budgets.actions.association import associate_customers
from budgets.actions.billing_month import current_month
from budgets.actions.freeze_terms import FreezeRequest
from budgets.actions.manual_freeze import freeze_now
from budgets.actions.set_budgets import set_budgets
from budgets.actions.terms import BudgetChange, BudgetTerms
from customers.agreement import CURRENT_VERSION
from customers.files import NewCustomer
from customers.models import AccountFreezing, Customer, CustomerQuerySet, FreezeKind, FreezeOrigin, FreezeRecord
from partnercenter.actions.authorship import Author
from partnercenter.actions.partners import set_partner_status
from partnercenter.models import BudgetType, Channel, Operation, Partner, User
from tests import factories

KINDS = dict(zip(("no", "account", "resources"), FreezeKind, strict=True))
ORIGINS = dict(zip(("", "by association", "by partner", "by budget"), FreezeOrigin, strict=True))
TYPES = dict(zip(("one-time", "monthly"), BudgetType, strict=True))
POLICIES = dict(zip(("Automatic", "Manual", "Automatic, with resources"), AccountFreezing, strict=True))
# The kinds of freeze that an account can have while its budget is used up under this policy.
REQUIRED_KINDS = {"used up, Automatic": ("account", "resources"), "used up, Automatic, with resources": ("resources",)}
NOW = factories.moment("2026-09-20 04:00")


class AccountState(NamedTuple):
    """A budget and a freeze state in words; as text it is the ID of the customer that is in this state."""

    budget: str
    frozen: str

    def __str__(self) -> str:
        return f"{self.budget} / {self.frozen}".replace(",", ";")

    @property
    def is_possible(self) -> bool:
        """Whether the account is frozen as the policy requires while the budget is used up.

        See rule 3.7 (docs/rules.md).
        """
        _type, _comma, usage_and_policy = self.budget.partition(", ")
        return self.frozen.startswith(REQUIRED_KINDS.get(usage_and_policy, ("",)))


BUDGETS = ["none", *map(", ".join, product(TYPES, ("partly used", "used up"), POLICIES))]
FROZEN = ["no", *map(", ".join, product(("account", "resources"), ("by association", "by partner", "by budget")))]
STATES = [state for state in (AccountState(*words) for words in product(BUDGETS, FROZEN)) if state.is_possible]


@dataclass(frozen=True)
class Scenario:
    """The customers on which to act, the operator, and the clock."""

    customers: CustomerQuerySet
    operator: User
    clock: Any

    def with_only(self, state: AccountState) -> "Scenario":
        """The same scenario, with only the customer in this state to act on."""
        return replace(self, customers=_customers([state]))

    def freeze_or_unfreeze(self, operation: Operation.Kind, kind: FreezeKind) -> None:
        request = FreezeRequest(kind, "Unpaid invoice", CURRENT_VERSION, freezes=operation == Operation.Kind.FREEZE)
        freeze_now(self.customers, request, operator=self.operator)

    def set_budgets(self, terms: BudgetTerms | BudgetChange, *, unfreeze: bool = False) -> None:
        set_budgets(
            self.customers, replace(terms, agreement=CURRENT_VERSION), operator=self.operator, unfreeze=unfreeze
        )

    def import_report(self, total: str, month: str = "2026-09") -> None:
        factories.report(*[(customer, month, total) for customer in self.customers])

    def begin_month(self, *, used_up: bool = False, unfreeze_on_restore: bool = False) -> None:
        """Move to the next month and restore the budgets.

        With `used_up`, expenditure that was reported in advance uses up the budgets. With `unfreeze_on_restore`,
        unfreezing with the restore is chosen for every budget that has this choice.
        """
        if unfreeze_on_restore:
            self.set_budgets(BudgetChange(unfreeze_on_restore=True))
        if used_up:
            self.import_report("120", "2026-10")
        self.clock.move_to(factories.moment("2026-10-01 04:00"))
        current_month()

    def set_reseller_status(self, status: Partner.Status) -> None:
        partner = Partner.objects.get(users=self.operator)
        set_partner_status(partner, status=status, reason="Unpaid invoice", operator=None)


def create_scenario(operator: User, clock: Any) -> Scenario:
    """Create a customer in each state some days ago: of a budget of 100, 40 is used, or 120."""
    clock.move_to(factories.moment("2026-09-10 04:00"), tick=False)
    partner = Partner.objects.get(users=operator)
    associate_customers(NewCustomer(str(state), "account", "Name", partner) for state in STATES)
    for frozen in FROZEN:
        _freeze([state for state in STATES if state.frozen == frozen], frozen)
    for budget in BUDGETS[1:]:
        _set_budget([state for state in STATES if state.budget == budget], budget, operator)
    factories.report(*[(str(state), "2026-09", "120" if "used up" in state.budget else "40") for state in STATES])
    clock.move_to(NOW, tick=False)
    return Scenario(Customer.objects.all(), operator, clock)


def _freeze(states: list[AccountState], frozen: str) -> None:
    """Bring accounts from the freeze since association to this freeze state."""
    kind, _comma, origin = frozen.partition(", ")
    customers, author = _customers(states), Author(None, Channel.SYSTEM, timezone.now())
    with transaction.atomic():
        if origin != "by association":
            unfreeze_accounts(customers, author=author)
        if kind != "no":
            freeze_accounts(customers, KINDS[kind], ORIGINS[origin], author=author)


def _set_budget(states: list[AccountState], budget: str, operator: User) -> None:
    budget_type, _usage, policy = budget.split(", ", 2)
    factories.budget(_customers(states), operator, "100", TYPES[budget_type], POLICIES[policy], unfreeze=False)


def _customers(states: list[AccountState]) -> CustomerQuerySet:
    return Customer.objects.filter(customer_id__in=list(map(str, states)))


class AccountSnapshot(NamedTuple):
    """How an account is frozen, and the operations of its new freeze records."""

    kind: str
    origin: str
    since: datetime | None
    retention_until: datetime | None
    records: str


def take_snapshots(after: int) -> dict[str, AccountSnapshot]:
    """A snapshot of every customer by ID, with the freeze records after the one with this key."""
    records: dict[int, list[str]] = defaultdict(list)
    for record in FreezeRecord.objects.filter(pk__gt=after).order_by("pk"):
        records[record.customer_id].append(record.operation)
    return {
        each.customer_id: AccountSnapshot(
            each.freeze_kind, each.freeze_origin, each.frozen_since, each.retention_until, " ".join(records[each.pk])
        )
        for each in Customer.objects.all()
    }
