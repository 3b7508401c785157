"""Every event changes an account in every state exactly as one table says, whatever the status of its reseller is.

The events are freezing, unfreezing, budgets, reports, months and statuses. See sections 3 and 4 (docs/rules.md).
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

import pytest
import time_machine
from django.utils import timezone

from budgets.actions.association import disassociate_customers
from budgets.actions.terms import BudgetTerms
from budgets.queries.integrity import differences
from budgets.queries.standing import Action, standing_of
from customers.models import AccountFreezing, Customer, FreezeKind, FreezeRecord
from partnercenter.lib.errors import ActionError, PermissionRefused
from partnercenter.models import BudgetType, Operation, Partner, User
from tests.account_states import (
    KINDS,
    NOW,
    ORIGINS,
    STATES,
    AccountSnapshot,
    AccountState,
    Scenario,
    create_scenario,
    take_snapshots,
)
from tests.invariants import check_invariants
from tests.state_machine import rolled_back

# For each event, what happens to an account. Columns: the budget; how the account is frozen; how it is frozen then;
# since when; the new freeze records; and the error if the event is an action on this customer only. The first line
# counts whose words on budget and freeze are all true of the account; `any` is always true. `kept`: the same origin.
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
    "Set less than used, Manual": NOTHING,
    "Set less than used, Automatic": """
        any                     | no        | account, by budget    | new  | FREEZE          |
        any                     | any       | same                  | same |                 |
    """,
    "Set less than used, Automatic, Unfreeze Now": """
        any                     | no        | account, by budget    | new  | FREEZE          |
        any                     | any       | same                  | same |                 | of a budget of 10.00
    """,
    "Set less than used, with resources": """
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
    "A month begins, its budgets are used up": """
        with resources          | no        | resources, by budget  | new  | FREEZE          |
        with resources          | account   | resources, kept       | same | FREEZE          |
        Automatic               | no        | account, by budget    | new  | FREEZE          |
        any                     | any       | same                  | same |                 |
    """,
    "A month begins, Unfreeze on restore is chosen": """
        monthly, Automatic      | by budget | no                    | none | UNFREEZE        |
        any                     | any       | same                  | same |                 |
    """,
    "A month begins, its budgets are used up, Unfreeze on restore is chosen": """
        monthly, with resources | by budget | resources, by budget  | new  | UNFREEZE FREEZE |
        monthly, Automatic      | by budget | account, by budget    | new  | UNFREEZE FREEZE |
        with resources          | no        | resources, by budget  | new  | FREEZE          |
        with resources          | account   | resources, kept       | same | FREEZE          |
        Automatic               | no        | account, by budget    | new  | FREEZE          |
        any                     | any       | same                  | same |                 |
    """,
    "Its reseller is restricted": NOTHING,
    "Its reseller is frozen": NOTHING,
    "The status of its reseller is lifted": NOTHING,
    "The association ends": NOTHING,
}

AUTOMATIC, MANUAL, WITH_RESOURCES = AccountFreezing
ACCOUNT, RESOURCES = FreezeKind.ACCOUNT, FreezeKind.ACCOUNT_AND_RESOURCE
FREEZE, UNFREEZE = Operation.Kind.FREEZE, Operation.Kind.UNFREEZE
RAISED = BudgetTerms(BudgetType.ONE_TIME, Decimal(1000))
LESS = BudgetTerms(BudgetType.ONE_TIME, Decimal(10), AUTOMATIC)
EVENTS: dict[str, Callable[[Scenario], object]] = {
    "Freeze Account": lambda scenario: scenario.freeze_or_unfreeze(FREEZE, ACCOUNT),
    "Freeze Account and Resources": lambda scenario: scenario.freeze_or_unfreeze(FREEZE, RESOURCES),
    "Unfreeze, kind account": lambda scenario: scenario.freeze_or_unfreeze(UNFREEZE, ACCOUNT),
    "Unfreeze, kind account and resources": lambda scenario: scenario.freeze_or_unfreeze(UNFREEZE, RESOURCES),
    "Raise the amount": lambda scenario: scenario.set_budgets(RAISED),
    "Raise the amount, Unfreeze Now": lambda scenario: scenario.set_budgets(RAISED, unfreeze=True),
    "Set less than used, Manual": lambda scenario: scenario.set_budgets(replace(LESS, account_freezing=MANUAL)),
    "Set less than used, Automatic": lambda scenario: scenario.set_budgets(LESS),
    "Set less than used, Automatic, Unfreeze Now": lambda scenario: scenario.set_budgets(LESS, unfreeze=True),
    "Set less than used, with resources": lambda scenario: scenario.set_budgets(
        replace(LESS, account_freezing=WITH_RESOURCES)
    ),
    "A report uses up every budget": lambda scenario: scenario.import_report("120"),
    "A report refunds everything": lambda scenario: scenario.import_report("-5"),
    "A month begins": lambda scenario: scenario.begin_month(),
    "A month begins, its budgets are used up": lambda scenario: scenario.begin_month(used_up=True),
    "A month begins, Unfreeze on restore is chosen": lambda scenario: scenario.begin_month(unfreeze_on_restore=True),
    "A month begins, its budgets are used up, Unfreeze on restore is chosen": lambda scenario: scenario.begin_month(
        used_up=True, unfreeze_on_restore=True
    ),
    "Its reseller is restricted": lambda scenario: scenario.set_reseller_status(Partner.Status.RESTRICTED),
    "Its reseller is frozen": lambda scenario: scenario.set_reseller_status(Partner.Status.FROZEN),
    "The status of its reseller is lifted": lambda scenario: scenario.set_reseller_status(Partner.Status.NORMAL),
    "The association ends": lambda scenario: disassociate_customers(scenario.customers),
}
# The people of a frozen reseller cannot cause these events; see rule 4.7 (docs/rules.md).
UNFREEZING_EVENTS = ["Unfreeze, kind account", "Unfreeze, kind account and resources", "Raise the amount, Unfreeze Now"]


class Line(NamedTuple):
    """A line of the table."""

    budget: str
    frozen: str
    new_state: str
    since: str
    records: str
    error: str

    def matches(self, state: AccountState) -> bool:
        columns = ((self.budget, state.budget), (self.frozen, state.frozen))
        return all(words == "any" or set(words.split(", ")) <= set(of_state.split(", ")) for words, of_state in columns)


LINES = {
    event: [Line(*map(str.strip, line.split("|"))) for line in text.strip().splitlines()]
    for event, text in TABLE.items()
}


@pytest.fixture(scope="module")
def shared_scenario(ann: User) -> Scenario:
    with time_machine.travel(NOW, tick=False) as clock:
        return create_scenario(ann, clock)


@pytest.fixture
def scenario(shared_scenario: Scenario) -> Iterator[Scenario]:
    """A customer in each state, and a clock that the test may move."""
    with time_machine.travel(NOW, tick=False) as clock:
        yield replace(shared_scenario, clock=clock)


def matching_line(event: str, state: AccountState) -> Line:
    return next(line for line in LINES[event] if line.matches(state))


def expected_snapshot(line: Line, before: AccountSnapshot) -> AccountSnapshot:
    """How an account must be after the event, by the line of the table and how the account was before."""
    if line.new_state == "same":
        return before
    kind, _comma, origin = line.new_state.partition(", ")
    return AccountSnapshot(
        KINDS[kind],
        before.origin if origin == "kept" else ORIGINS[origin],
        {"new": timezone.now(), "same": before.since, "none": None}[line.since],
        timezone.now() + timedelta(days=15) if kind == "resources" else None,
        line.records,
    )


def expected_purchases(customer: Customer) -> tuple[bool, bool]:
    """Whether the customer may purchase yearly or monthly, and pay-per-use.

    See rules 3.7, 3.13 and 4.8 (docs/rules.md).
    """
    budget = getattr(customer, "budget", None)
    if customer.is_frozen or customer.partner.status or budget is None:
        return False, False
    return budget.used < budget.amount, True


def test_the_table_has_a_line_for_each_state_and_needs_every_line():
    assert list(LINES) == list(EVENTS)
    for event, lines in LINES.items():
        assert {matching_line(event, state) for state in STATES} == set(lines)
    assert len(STATES) == 81


@pytest.mark.parametrize("event", TABLE)
def test_an_event_changes_each_account_state_as_the_table_says(event, scenario, subtests):
    for status in Partner.Status:
        with subtests.test(reseller=status.label), rolled_back():
            scenario.clock.move_to(NOW)
            scenario.set_reseller_status(status)
            check_event(event, scenario, forbidden=status == Partner.Status.FROZEN and event in UNFREEZING_EVENTS)
            assert list(differences()) == []
            # These checks go customer by customer and take long, so they run for one status only.
            if status == Partner.Status.NORMAL:
                check_invariants()


def check_event(event: str, scenario: Scenario, *, forbidden: bool) -> None:
    last = FreezeRecord.objects.latest("pk").pk
    before = take_snapshots(last)
    if forbidden:
        with pytest.raises(PermissionRefused, match="you cannot unfreeze customers"):
            EVENTS[event](scenario)
        assert take_snapshots(last) == before
    else:
        EVENTS[event](scenario)
        assert take_snapshots(last) == {
            str(state): expected_snapshot(matching_line(event, state), before[str(state)]) for state in STATES
        }
    for customer in Customer.objects.select_related("partner", "budget"):
        standing = standing_of(customer)
        purchases = (standing.may(Action.PURCHASE), standing.may(Action.PURCHASE_PAY_PER_USE))
        assert purchases == expected_purchases(customer)


@pytest.mark.parametrize("event", [event for event, lines in LINES.items() if any(line.error for line in lines)])
def test_an_action_that_does_not_apply_to_the_only_customer_says_why_and_changes_nothing(event, scenario):
    last = FreezeRecord.objects.latest("pk").pk
    before = take_snapshots(last)
    for state in STATES:
        if error := matching_line(event, state).error:
            with pytest.raises(ActionError, match=re.escape(error)):
                EVENTS[event](scenario.with_only(state))
    assert take_snapshots(last) == before
