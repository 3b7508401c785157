"""Freezing whole: each state of an account, and all that can happen to it, against one table.

See sections 3 and 4 (docs/rules.md).
"""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from django.utils import timezone

from budgets.actions.association import disassociate_customers
from budgets.actions.terms import BudgetTerms
from budgets.queries.integrity import differences
from budgets.queries.standing import Action, standing_of
from customers.models import AccountFreezing, Customer, FreezeKind, FreezeRecord
from partnercenter.lib.errors import ActionError, PermissionRefused
from partnercenter.models import BudgetType, Operation, Partner, User
from tests.account_states import KINDS, NOW, ORIGINS, STATES, Found, State, World, found, world_of
from tests.invariants import check_invariants
from tests.state_machine import taken_back

# By the budget and by how the account is frozen, in words that must all be true of them or `any`: what becomes of it,
# since when it is that, the records written, and what is told where it is meant alone and nothing can be done. The
# first line that fits counts. `kept`: the origin it had.
NOTHING = "any | any | same | same | |"
TABLE = {
    "Freeze Account": """
        any                     | no        | account, by partner   | new  | FREEZE          |
        any                     | account   | same                  | same |                 | already frozen in this
        any                     | resources | same                  | same |                 | with its resources
    """,
    "Freeze Account and Resources": """
        any                     | no        | resources, by partner | new  | FREEZE          |
        any                     | account   | resources, kept       | same | FREEZE          |
        any                     | resources | same                  | same |                 | already frozen in this
    """,
    "Unfreeze, kind account": """
        any                     | no        | same                  | same |                 | is not frozen
        any                     | resources | same                  | same |                 | is frozen in another way
        used up, Automatic      | account   | same                  | same |                 | 120.00 is used of
        any                     | account   | no                    | none | UNFREEZE        |
    """,
    "Unfreeze, kind account and resources": """
        any                     | no        | same                  | same |                 | is not frozen
        any                     | account   | same                  | same |                 | is frozen in another way
        used up, Automatic      | resources | same                  | same |                 | 120.00 is used of
        any                     | resources | no                    | none | UNFREEZE        |
    """,
    "Raise the amount": NOTHING,
    "Raise the amount, Unfreeze Now": """
        any                     | no        | same                  | same |                 |
        any                     | any       | no                    | none | UNFREEZE        |
    """,
    "Set less than is used, Manual": NOTHING,
    "Set less than is used, Automatic": """
        any                     | no        | account, by budget    | new  | FREEZE          |
        any                     | any       | same                  | same |                 |
    """,
    "Set less than is used, Automatic, Unfreeze Now": """
        any                     | no        | account, by budget    | new  | FREEZE          |
        any                     | any       | same                  | same |                 | of a budget of 10.00
    """,
    "Set less than is used, with resources": """
        any                     | no        | resources, by budget  | new  | FREEZE          |
        any                     | account   | resources, kept       | same | FREEZE          |
        any                     | resources | same                  | same |                 |
    """,
    "A report uses up every budget": """
        with resources          | no        | resources, by budget  | new  | FREEZE          |
        with resources          | account   | resources, kept       | same | FREEZE          |
        Automatic               | no        | account, by budget    | new  | FREEZE          |
        any                     | any       | same                  | same |                 |
    """,
    "A report refunds everything": NOTHING,
    "A month begins": NOTHING,
    "A month begins, its budgets used up": """
        with resources          | no        | resources, by budget  | new  | FREEZE          |
        with resources          | account   | resources, kept       | same | FREEZE          |
        Automatic               | no        | account, by budget    | new  | FREEZE          |
        any                     | any       | same                  | same |                 |
    """,
    "A month begins, to unfreeze was chosen": """
        monthly, Automatic      | by budget | no                    | none | UNFREEZE        |
        any                     | any       | same                  | same |                 |
    """,
    "A month begins, its budgets used up, to unfreeze was chosen": """
        monthly, with resources | by budget | resources, by budget  | new  | UNFREEZE FREEZE |
        monthly, Automatic      | by budget | account, by budget    | new  | UNFREEZE FREEZE |
        with resources          | no        | resources, by budget  | new  | FREEZE          |
        with resources          | account   | resources, kept       | same | FREEZE          |
        Automatic               | no        | account, by budget    | new  | FREEZE          |
        any                     | any       | same                  | same |                 |
    """,
    "Its reseller is restricted": NOTHING,
    "Its reseller is frozen": NOTHING,
    "Its reseller is let be": NOTHING,
    "The association ends": NOTHING,
}

AUTOMATIC, MANUAL, WITH_RESOURCES = AccountFreezing
ACCOUNT, RESOURCES = FreezeKind.ACCOUNT, FreezeKind.ACCOUNT_AND_RESOURCE
FREEZE, UNFREEZE = Operation.Kind.FREEZE, Operation.Kind.UNFREEZE
RAISED = BudgetTerms(BudgetType.ONE_TIME, Decimal(1000))
LESS = BudgetTerms(BudgetType.ONE_TIME, Decimal(10), AUTOMATIC)
EVENTS: dict[str, Callable[[World], object]] = {
    "Freeze Account": lambda world: world.by_hand(FREEZE, ACCOUNT),
    "Freeze Account and Resources": lambda world: world.by_hand(FREEZE, RESOURCES),
    "Unfreeze, kind account": lambda world: world.by_hand(UNFREEZE, ACCOUNT),
    "Unfreeze, kind account and resources": lambda world: world.by_hand(UNFREEZE, RESOURCES),
    "Raise the amount": lambda world: world.set(RAISED),
    "Raise the amount, Unfreeze Now": lambda world: world.set(RAISED, unfreeze=True),
    "Set less than is used, Manual": lambda world: world.set(replace(LESS, account_freezing=MANUAL)),
    "Set less than is used, Automatic": lambda world: world.set(LESS),
    "Set less than is used, Automatic, Unfreeze Now": lambda world: world.set(LESS, unfreeze=True),
    "Set less than is used, with resources": lambda world: world.set(replace(LESS, account_freezing=WITH_RESOURCES)),
    "A report uses up every budget": lambda world: world.report("120"),
    "A report refunds everything": lambda world: world.report("-5"),
    "A month begins": lambda world: world.next_month(),
    "A month begins, its budgets used up": lambda world: world.next_month(used_up=True),
    "A month begins, to unfreeze was chosen": lambda world: world.next_month(to_unfreeze=True),
    "A month begins, its budgets used up, to unfreeze was chosen": lambda world: world.next_month(
        used_up=True, to_unfreeze=True
    ),
    "Its reseller is restricted": lambda world: world.status(Partner.Status.RESTRICTED),
    "Its reseller is frozen": lambda world: world.status(Partner.Status.FROZEN),
    "Its reseller is let be": lambda world: world.status(Partner.Status.NORMAL),
    "The association ends": lambda world: disassociate_customers(world.customers),
}
# What a frozen reseller's own people may not do (4.7).
UNFREEZES = ["Unfreeze, kind account", "Unfreeze, kind account and resources", "Raise the amount, Unfreeze Now"]


class Line(NamedTuple):
    """A line of the table."""

    budget: str
    frozen: str
    becomes: str
    since: str
    records: str
    alone: str

    def fits(self, state: State) -> bool:
        pairs = ((self.budget, state.budget), (self.frozen, state.frozen))
        return all(asked == "any" or set(asked.split(", ")) <= set(its.split(", ")) for asked, its in pairs)


LINES = {
    event: [Line(*map(str.strip, line.split("|"))) for line in text.strip().splitlines()]
    for event, text in TABLE.items()
}


@pytest.fixture
def world(ann: User, time_machine: Any) -> World:
    return world_of(ann, time_machine)


def line_of(event: str, state: State) -> Line:
    return next(line for line in LINES[event] if line.fits(state))


def expected(line: Line, before: Found) -> Found:
    """What the line says of an account that was found like this."""
    if line.becomes == "same":
        return before
    kind, _comma, origin = line.becomes.partition(", ")
    return Found(
        KINDS[kind],
        before.origin if origin == "kept" else ORIGINS[origin],
        {"new": timezone.now(), "same": before.since, "none": None}[line.since],
        timezone.now() + timedelta(days=15) if kind == "resources" else None,
        line.records,
    )


def buys(customer: Customer) -> tuple[bool, bool]:
    """Whether it may purchase yearly/monthly, and pay-per-use (4.8, 3.7, 3.13)."""
    budget = getattr(customer, "budget", None)
    if customer.is_frozen or customer.partner.status or budget is None:
        return False, False
    return budget.used < budget.amount, True


def test_the_table_has_a_line_for_each_state_and_no_line_is_idle():
    assert list(LINES) == list(EVENTS)
    for event, lines in LINES.items():
        assert {line_of(event, state) for state in STATES} == set(lines)
    assert len(STATES) == 81


@pytest.mark.parametrize("event", TABLE)
def test_each_state_becomes_what_the_table_says_whatever_its_reseller_may(event, world, subtests):
    for status in Partner.Status:
        with subtests.test(reseller=status.label), taken_back():
            world.clock.move_to(NOW)
            world.status(status)
            happens(event, world, forbidden=status == Partner.Status.FROZEN and event in UNFREEZES)
            assert list(differences()) == []
            # Customer by customer: once is enough.
            if status == Partner.Status.NORMAL:
                check_invariants()


def happens(event: str, world: World, *, forbidden: bool) -> None:
    last = FreezeRecord.objects.latest("pk").pk
    before = found(last)
    if forbidden:
        with pytest.raises(PermissionRefused, match="has frozen your company"):
            EVENTS[event](world)
        assert found(last) == before
    else:
        EVENTS[event](world)
        assert found(last) == {str(state): expected(line_of(event, state), before[str(state)]) for state in STATES}
    for customer in Customer.objects.select_related("partner", "budget"):
        standing = standing_of(customer)
        assert (standing.may(Action.PURCHASE), standing.may(Action.PURCHASE_PAY_PER_USE)) == buys(customer)


@pytest.mark.parametrize("event", [event for event, lines in LINES.items() if any(line.alone for line in lines)])
def test_where_one_customer_is_meant_it_is_told_why_nothing_is_done(event, world):
    last = FreezeRecord.objects.latest("pk").pk
    before = found(last)
    for state in STATES:
        if told := line_of(event, state).alone:
            with pytest.raises(ActionError, match=re.escape(told)):
                EVENTS[event](world.alone(state))
    assert found(last) == before
