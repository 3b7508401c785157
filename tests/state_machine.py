"""A state machine that takes random steps in the console and in the reference model, and compares the two.

The tests of state machines add their own steps to these; tests/reference_model.py has the model.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import connection, transaction
from django.db.models import Count, Q
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from budgets.actions.billing_month import current_month
from budgets.actions.freeze_terms import FreezeRequest
from budgets.actions.manual_freeze import freeze_now
from budgets.actions.set_budgets import set_budgets
from budgets.actions.terms import BudgetTerms
from budgets.models import Expenditure
from budgets.queries.integrity import differences
from customers.agreement import CURRENT_VERSION
from customers.models import AccountFreezing, Customer, FreezeKind
from partnercenter.actions.partners import give_grant
from partnercenter.lib.errors import ActionError
from partnercenter.lib.money import LARGEST_BUDGET
from partnercenter.models import BudgetType, Partner, User
from tests import factories
from tests.clock import restore_skipped_months
from tests.reference_accounts import Account
from tests.reference_model import AppliedBatch, Model, is_refused, stored_month

BILLING_ZONE = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 10, 30, 9, 0, tzinfo=UTC)
QUOTA = Decimal("99999999999.00")
CENT = Decimal("0.01")


def amounts(smallest: int, *special: int) -> st.SearchStrategy[Decimal]:
    """Amounts from this number of cents up to 300.00, and special ones that are also given in cents."""
    return st.one_of(st.integers(smallest, 30_000), st.sampled_from(special)).map(lambda n: Decimal(n).scaleb(-2))


NAMES = ("a", "b", "c", "d")
TOTALS = amounts(-5_000, 0, 7_499, 7_500, 8_999, 9_000, 9_999, 10_000, 12_345, 10**12)
AMOUNTS = amounts(1, 1, 10_000, 12_345, int(LARGEST_BUDGET * 100))
POLICIES = st.one_of(st.none(), st.sampled_from(AccountFreezing))
ON_RESTORE = st.sampled_from([None, True, False])
AGREEMENT = st.just(CURRENT_VERSION)
TERMS = st.builds(BudgetTerms, st.sampled_from(BudgetType), AMOUNTS, POLICIES, ON_RESTORE, AGREEMENT)
FREEZE_REQUESTS = st.builds(
    FreezeRequest,
    st.sampled_from([FreezeKind.ACCOUNT, FreezeKind.ACCOUNT_AND_RESOURCE]),
    st.just("Unpaid invoice"),
    AGREEMENT,
    freezes=st.booleans(),
)
# Mostly True, because accounts that stay frozen since association show little.
UNFREEZE = st.sampled_from([True, True, True, False])
AGES = st.sampled_from([0, 0, 1, 2, 60]).map(lambda minutes: timedelta(minutes=minutes))
REPORTED_TOTALS = st.dictionaries(st.tuples(st.sampled_from(NAMES), st.integers(-3, 2)), TOTALS, min_size=1, max_size=5)


class BudgetMachine(RuleBasedStateMachine):
    """Takes each step in the console and in the model. At the end everything in the database is rolled back."""

    def __init__(self, operator: User, partner: Partner) -> None:
        super().__init__()
        self.operator, self.partner, self.model = operator, partner, Model(START)
        self.batches: list[tuple[UUID, AppliedBatch]] = []
        # Lines and time of the last report.
        self.last_report: tuple[list[tuple[str, str, str]], datetime] = ([], factories.moment("2000-01-01 00:00"))
        self.may_unfreeze = True
        self.now, self.cleanup = START, ExitStack()
        self.cleanup.enter_context(rolled_back())
        self.clock = self.cleanup.enter_context(time_machine.travel(START, tick=False))

    def teardown(self) -> None:
        with self.cleanup:
            connection.check_constraints()

    @property
    def month(self) -> int:
        """The billing month by the clock; the model may still be in an earlier one."""
        local = self.now.astimezone(BILLING_ZONE)
        return local.year * 12 + local.month - 1

    def move_clock(self, to: datetime) -> None:
        self.now = self.model.now = to
        self.clock.move_to(to)
        if restore_skipped_months():
            self.model.restore(self.month)

    @initialize(number=st.integers(1, 3))
    def begin(self, number: int) -> None:
        for _each in range(number):
            self.associate()

    @precondition(lambda self: 0 < len(self.model.accounts) < len(NAMES))
    @rule()
    def associate(self) -> None:
        """Associate the next free customer ID, whatever was reported for it before."""
        name = next(name for name in NAMES if name not in self.model.accounts)
        factories.customer(self.partner, name)
        self.model.restore(self.month)
        self.model.accounts[name] = Account(self.now)

    @rule(data=st.data(), terms=TERMS, unfreeze=UNFREEZE)
    def set_any_budgets(self, data: Any, terms: BudgetTerms, *, unfreeze: bool) -> None:
        """Set the budgets of one customer or several."""
        names = data.draw(st.sets(st.sampled_from(sorted(self.model.accounts)), min_size=1))
        self.set_budgets(names, terms, unfreeze=unfreeze)

    def names_with_budget(self) -> list[str]:
        return [name for name, account in self.model.accounts.items() if account.terms]

    def set_budgets(self, names: set[str], terms: BudgetTerms, *, unfreeze: bool) -> None:
        """Set budgets without a review. If that is refused nothing changes, not even the month."""
        customers = Customer.objects.filter(customer_id__in=names)
        after = self.restored_model()
        review = after.review(names, terms, unfreeze=unfreeze)
        if is_refused(review, unfreeze=unfreeze, may_unfreeze=self.may_unfreeze):
            with pytest.raises(ActionError, match=r"cannot be unfrozen|you cannot unfreeze customers"):
                set_budgets(customers, terms, operator=self.operator, unfreeze=unfreeze)
        else:
            result = set_budgets(customers, terms, operator=self.operator, unfreeze=unfreeze)
            self.model, applied = after, after.apply(review, names)
            self.batches.append((result.batch, applied))

    def restored_model(self) -> Model:
        """A copy of the model in the current month, as an action finds it; the model itself stays as it is."""
        after = deepcopy(self.model)
        after.restore(self.month)
        return after

    @rule(totals=REPORTED_TOTALS, age=AGES)
    def import_any_report(self, totals: dict[tuple[str, int], Decimal], age: timedelta) -> None:
        """A report of now or earlier, for past, current and coming months, also for unassociated accounts."""
        self.import_report({(name, self.month + offset): total for (name, offset), total in totals.items()}, age)

    def import_report(self, totals: dict[tuple[str, int], Decimal], age: timedelta) -> None:
        """Import it. The same content again, for the same time or earlier, is not a report; see rule 8.1."""
        lines = [(name, f"{month // 12}-{month % 12 + 1:02}", f"{total}") for (name, month), total in totals.items()]
        result = factories.report(*lines, at=self.now - age)
        before = dict(self.model.totals)
        self.model.restore(self.month)
        self.model.import_report(self.now - age, totals)
        last_lines, last_at = self.last_report
        if lines == last_lines and self.now - age <= last_at:
            assert result.report is None
            assert self.model.totals == before
        else:
            assert (result.report is None) == (not lines)
            self.last_report = (lines, self.now - age) if lines else self.last_report

    @rule(data=st.data(), request=FREEZE_REQUESTS)
    def freeze_or_unfreeze(self, data: Any, request: FreezeRequest) -> None:
        """Freeze or unfreeze one customer or several by hand."""
        self.freeze_by_hand(data.draw(st.sets(st.sampled_from(sorted(self.model.accounts)), min_size=1)), request)

    def freeze_by_hand(self, names: set[str], request: FreezeRequest) -> None:
        """Freeze or unfreeze without a review; customers to whom the request does not apply stay unchanged."""
        customers, after = Customer.objects.filter(customer_id__in=names), self.restored_model()
        included = [name for name in names if not after.accounts[name].exclusion(request, after.required_kind(name))]
        if not included or not (request.freezes or self.may_unfreeze):
            with pytest.raises(ActionError):
                freeze_now(customers, request, operator=self.operator)
        else:
            assert freeze_now(customers, request, operator=self.operator).customers == len(included)
            for name in included:
                after.accounts[name].apply(request, self.now)
            self.model = after

    @rule(minutes=st.sampled_from([1, 2, 60]))
    def minutes_pass(self, minutes: int) -> None:
        self.move_clock(self.now + timedelta(minutes=minutes))

    @rule(months=st.sampled_from([1, 1, 2, 3]), opens_page=st.booleans())
    def months_pass(self, months: int, *, opens_page: bool) -> None:
        """Move to 00:00:00 on day 1 of a later month. Opening a page restores the budgets, or the next action does."""
        month = self.month + months
        self.move_clock(datetime(month // 12, month % 12 + 1, 1, tzinfo=BILLING_ZONE))
        if opens_page:
            assert current_month() == stored_month(month)
            self.model.restore(month)

    @invariant()
    def every_customer_is_as_in_the_model(self) -> None:
        customers = (
            Customer.objects.filter(disassociated_on=None)
            .select_related("budget")
            .annotate(
                adjustments=Count("adjustment_records", distinct=True),
                freezes=Count("freeze_records", Q(freeze_records__operation="FREEZE"), distinct=True),
                unfreezes=Count("freeze_records", Q(freeze_records__operation="UNFREEZE"), distinct=True),
            )
        )
        expected = {name: self.model.expected(name) for name in self.model.accounts}
        assert {each.customer_id: stored_customer(each) for each in customers} == expected

    @invariant()
    def every_total_is_as_last_reported(self) -> None:
        stored = Expenditure.objects.values_list("account", "month", "reported_at", "total", "customer__customer_id")
        assert set(stored) == {
            (name, stored_month(month), at, total, self.customer_of_total(name, month))
            for (name, month), (at, total) in self.model.totals.items()
        }

    def customer_of_total(self, name: str, month: int) -> str | None:
        """The ID of the customer that has this total, None where no customer has the ID or had it in this month."""
        return name if name in self.model.accounts or (name, month) in self.model.former_totals else None

    @invariant()
    def stored_figures_equal_what_they_are_derived_from(self) -> None:
        assert list(differences()) == []


def stored_customer(customer: Any) -> dict[str, Any]:
    """A customer as it is stored, in the form of `Model.expected`."""
    terms = ("budget_type", "amount", "account_freezing", "unfreeze_on_restore")
    names = (*terms, "counted_from", "used", "usage", "level")
    budget = getattr(customer, "budget", None)
    return {
        "frozen": (customer.freeze_kind, customer.freeze_origin, customer.frozen_since),
        "records": (customer.adjustments, customer.freezes, customer.unfreezes),
        "budget": budget and tuple(getattr(budget, name) for name in names),
    }


@contextmanager
def rolled_back() -> Iterator[None]:
    """Roll back everything that is written inside."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def run_machine(machine: type[BudgetMachine], operator: User, partner: Partner, *, examples: int, steps: int) -> None:
    """Run the machine with this number of examples, each of at most this number of steps.

    The examples are the same in each run, so a build that fails fails again. They change with the rules and strategies.
    """
    give_grant(partner, monthly_quota=QUOTA, one_time_quota=QUOTA, operator=None)
    run_state_machine_as_test(
        lambda: machine(operator, partner),  # type: ignore[arg-type]  # Any callable that makes a machine will do.
        settings=settings(
            settings.get_profile("ci"),
            max_examples=examples,
            stateful_step_count=steps,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
