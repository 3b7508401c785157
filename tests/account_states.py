"""A customer in each state an account can be in, and what can happen to them, for tests of freezing as a whole."""

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
FREEZES = {"used up, Automatic": ("account", "resources"), "used up, Automatic, with resources": ("resources",)}
NOW = factories.moment("2026-09-20 04:00")


class State(NamedTuple):
    """What can be of a budget and an account, in words; together they are their customer's ID."""

    budget: str
    frozen: str

    def __str__(self) -> str:
        return f"{self.budget} / {self.frozen}".replace(",", ";")

    @property
    def can_be(self) -> bool:
        """Used up under an automatic policy an account is frozen, and as strictly as the policy says (3.7)."""
        _type, _comma, budget = self.budget.partition(", ")
        return self.frozen.startswith(FREEZES.get(budget, ("",)))


BUDGETS = ["none", *map(", ".join, product(TYPES, ("suffices", "used up"), POLICIES))]
FROZEN = ["no", *map(", ".join, product(("account", "resources"), ("by association", "by partner", "by budget")))]
STATES = [state for state in (State(*words) for words in product(BUDGETS, FROZEN)) if state.can_be]


@dataclass(frozen=True)
class World:
    """The customers that are meant, who acts on them, and the clock."""

    customers: CustomerQuerySet
    operator: User
    clock: Any

    def alone(self, state: State) -> "World":
        return replace(self, customers=_customers([state]))

    def by_hand(self, act: Operation.Kind, kind: FreezeKind) -> None:
        asked = FreezeRequest(kind, "Unpaid invoice", CURRENT_VERSION, freezes=act == Operation.Kind.FREEZE)
        freeze_now(self.customers, asked, operator=self.operator)

    def set(self, terms: BudgetTerms | BudgetChange, *, unfreeze: bool = False) -> None:
        set_budgets(
            self.customers, replace(terms, agreement=CURRENT_VERSION), operator=self.operator, unfreeze=unfreeze
        )

    def report(self, total: str, month: str = "2026-09") -> None:
        factories.report(*[(customer, month, total) for customer in self.customers])

    def next_month(self, *, used_up: bool = False, to_unfreeze: bool = False) -> None:
        """Used up by what was reported for it before; to unfreeze is chosen wherever it can be."""
        if to_unfreeze:
            self.set(BudgetChange(unfreeze_on_restore=True))
        if used_up:
            self.report("120", "2026-10")
        self.clock.move_to(factories.moment("2026-10-01 04:00"))
        current_month()

    def status(self, status: Partner.Status) -> None:
        partner = Partner.objects.get(users=self.operator)
        set_partner_status(partner, status=status, reason="Unpaid invoice", operator=None)


def world_of(operator: User, clock: Any) -> World:
    """A customer in each state, as of some days ago: 40 of a budget of 100 is used, or 120."""
    clock.move_to(factories.moment("2026-09-10 04:00"), tick=False)
    partner = Partner.objects.get(users=operator)
    associate_customers(NewCustomer(str(state), "account", "Name", partner) for state in STATES)
    for frozen in FROZEN:
        _freeze([state for state in STATES if state.frozen == frozen], frozen)
    for budget in BUDGETS[1:]:
        _give([state for state in STATES if state.budget == budget], budget, operator)
    factories.report(*[(str(state), "2026-09", "120" if "used up" in state.budget else "40") for state in STATES])
    clock.move_to(NOW, tick=False)
    return World(Customer.objects.all(), operator, clock)


def _freeze(states: list[State], frozen: str) -> None:
    """From association on to how they are to be frozen."""
    kind, _comma, origin = frozen.partition(", ")
    chosen, author = _customers(states), Author(None, Channel.SYSTEM, timezone.now())
    with transaction.atomic():
        if origin != "by association":
            unfreeze_accounts(chosen, author=author)
        if kind != "no":
            freeze_accounts(chosen, KINDS[kind], ORIGINS[origin], author=author)


def _give(states: list[State], budget: str, operator: User) -> None:
    budget_type, _used, policy = budget.split(", ", 2)
    factories.budget(_customers(states), operator, "100", TYPES[budget_type], POLICIES[policy], unfreeze=False)


def _customers(states: list[State]) -> CustomerQuerySet:
    return Customer.objects.filter(customer_id__in=list(map(str, states)))


class Found(NamedTuple):
    """How an account is frozen, and which freezings and unfreezings were recorded."""

    kind: str
    origin: str
    since: datetime | None
    retention_until: datetime | None
    records: str


def found(after: int) -> dict[str, Found]:
    """All customers by ID, with the freeze records after this one."""
    records: dict[int, list[str]] = defaultdict(list)
    for record in FreezeRecord.objects.filter(pk__gt=after).order_by("pk"):
        records[record.customer_id].append(record.operation)
    return {
        each.customer_id: Found(
            each.freeze_kind, each.freeze_origin, each.frozen_since, each.retention_until, " ".join(records[each.pk])
        )
        for each in Customer.objects.all()
    }
