"""The console beside the model of plain_model, step by step; what steps there are besides these says each test."""

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
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
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
from partnercenter.lib.errors import ActionError
from partnercenter.lib.money import LARGEST_BUDGET
from partnercenter.models import BudgetType, Partner, User
from tests import factories
from tests.reference_accounts import Account
from tests.reference_model import Done, Model, as_stored, refused

BILLING_ZONE = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 10, 30, 9, 0, tzinfo=UTC)
QUOTA = Decimal("99999999999.00")
CENT = Decimal("0.01")


def amount_of(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)


def amounts(smallest: int, *special: int) -> st.SearchStrategy[Decimal]:
    """From so many cents up to 300.00, and some special ones."""
    return st.one_of(st.integers(smallest, 30_000), st.sampled_from(special)).map(amount_of)


NAMES = ("a", "b", "c", "d")
TOTALS = amounts(-5_000, 0, 7_499, 7_500, 8_999, 9_000, 9_999, 10_000, 12_345, 10**12)
AMOUNTS = amounts(1, 1, 10_000, 12_345, int(LARGEST_BUDGET * 100))
POLICIES = st.one_of(st.none(), st.sampled_from(AccountFreezing))
ON_RESTORE = st.sampled_from([None, True, False])
AGREED = st.just(CURRENT_VERSION)
TERMS = st.builds(BudgetTerms, st.sampled_from(BudgetType), AMOUNTS, POLICIES, ON_RESTORE, AGREED)
BY_HAND = st.builds(
    FreezeRequest,
    st.sampled_from([FreezeKind.ACCOUNT, FreezeKind.ACCOUNT_AND_RESOURCE]),
    st.just("Unpaid invoice"),
    AGREED,
    freezes=st.booleans(),
)
# Mostly: an account that stays frozen as it came shows little.
UNFREEZE = st.sampled_from([True, True, True, False])
AGES = st.sampled_from([0, 0, 1, 2, 60]).map(lambda minutes: timedelta(minutes=minutes))
STATED = st.dictionaries(st.tuples(st.sampled_from(NAMES), st.integers(-3, 2)), TOTALS, min_size=1, max_size=5)


class Console(RuleBasedStateMachine):
    """The console beside the model: each step is taken by both. At the end the database is as it was."""

    def __init__(self, operator: User, partner: Partner) -> None:
        super().__init__()
        self.operator, self.partner, self.model = operator, partner, Model(START)
        self.batches: list[tuple[UUID, Done]] = []
        self.may_unfreeze = True
        self.now, self.undo = START, ExitStack()
        self.undo.enter_context(taken_back())
        self.clock = self.undo.enter_context(time_machine.travel(START, tick=False))

    def teardown(self) -> None:
        with self.undo:
            connection.check_constraints()

    @property
    def current(self) -> int:
        """The month it is, by the clock."""
        local = self.now.astimezone(BILLING_ZONE)
        return local.year * 12 + local.month - 1

    def move_clock(self, to: datetime) -> None:
        self.now = self.model.now = to
        self.clock.move_to(to)

    @initialize(number=st.integers(1, 3))
    def begin(self, number: int) -> None:
        for _each in range(number):
            self.associate()

    @precondition(lambda self: 0 < len(self.model.accounts) < len(NAMES))
    @rule()
    def associate(self) -> None:
        """The next one comes, whatever was reported for it before."""
        name = next(name for name in NAMES if name not in self.model.accounts)
        factories.customer(self.partner, name)
        self.model.restore(self.current)
        self.model.accounts[name] = Account(self.now)

    @rule(data=st.data(), terms=TERMS, unfreeze=UNFREEZE)
    def set_any(self, data: Any, terms: BudgetTerms, *, unfreeze: bool) -> None:
        """For one customer or several."""
        names = data.draw(st.sets(st.sampled_from(sorted(self.model.accounts)), min_size=1))
        self.set_budgets(names, terms, unfreeze=unfreeze)

    def with_budget(self) -> list[str]:
        return [name for name, account in self.model.accounts.items() if account.terms]

    def set_budgets(self, names: set[str], terms: BudgetTerms, *, unfreeze: bool) -> None:
        """What is refused leaves both as they were, the month too."""
        customers = Customer.objects.filter(customer_id__in=names)
        after = self.after_restore()
        review = after.review(names, terms, unfreeze=unfreeze)
        if refused(review, unfreeze=unfreeze, may_unfreeze=self.may_unfreeze):
            with pytest.raises(ActionError, match=r"cannot be unfrozen|frozen by its distributor"):
                set_budgets(customers, terms, operator=self.operator, unfreeze=unfreeze)
        else:
            outcome = set_budgets(customers, terms, operator=self.operator, unfreeze=unfreeze)
            self.model, done = after, after.apply(review, names)
            self.batches.append((outcome.batch, done))

    def after_restore(self) -> Model:
        """What an action finds that has seen to the current month."""
        after = deepcopy(self.model)
        after.restore(self.current)
        return after

    @rule(stated=STATED, age=AGES)
    def take_in_any(self, stated: dict[tuple[str, int], Decimal], age: timedelta) -> None:
        """Of now or earlier; for months past, current and to come; for accounts that nobody knows too."""
        self.take_in({(name, self.current + offset): total for (name, offset), total in stated.items()}, age)

    def take_in(self, totals: dict[tuple[str, int], Decimal], age: timedelta) -> None:
        lines = [(name, f"{month // 12}-{month % 12 + 1:02}", f"{total}") for (name, month), total in totals.items()]
        taken = factories.report(*lines, at=self.now - age)
        before = dict(self.model.totals)
        self.model.restore(self.current)
        self.model.take_in(self.now - age, totals)
        # The same report again writes nothing (8.1).
        assert (taken.report is not None) == (self.model.totals != before)

    @rule(data=st.data(), asked=BY_HAND)
    def freeze_or_unfreeze(self, data: Any, asked: FreezeRequest) -> None:
        """One customer or several."""
        self.act_by_hand(data.draw(st.sets(st.sampled_from(sorted(self.model.accounts)), min_size=1)), asked)

    def act_by_hand(self, names: set[str], asked: FreezeRequest) -> None:
        """To whom it does not apply nothing is done."""
        customers, after = Customer.objects.filter(customer_id__in=names), self.after_restore()
        meant = [name for name in names if not after.accounts[name].why_not(asked, after.due(name))]
        if not meant or not (asked.freezes or self.may_unfreeze):
            with pytest.raises(ActionError):
                freeze_now(customers, asked, operator=self.operator)
        else:
            assert freeze_now(customers, asked, operator=self.operator).customers == len(meant)
            for name in meant:
                after.accounts[name].act(asked, self.now)
            self.model = after

    @rule(minutes=st.sampled_from([1, 2, 60]))
    def minutes_pass(self, minutes: int) -> None:
        self.move_clock(self.now + timedelta(minutes=minutes))

    @rule(months=st.sampled_from([1, 1, 2, 3]), looked_at=st.booleans())
    def months_pass(self, months: int, *, looked_at: bool) -> None:
        """To 00:00:00 on day 1. A page comes first and restores the budgets, or the next action does."""
        month = self.current + months
        self.move_clock(datetime(month // 12, month % 12 + 1, 1, tzinfo=BILLING_ZONE))
        if looked_at:
            assert current_month() == as_stored(month)
            self.model.restore(month)

    @invariant()
    def every_customer_is_as_the_model_says(self) -> None:
        stored = (
            Customer.objects.filter(disassociated_on=None)
            .select_related("budget")
            .annotate(
                adjustments=Count("adjustment_records", distinct=True),
                freezes=Count("freeze_records", Q(freeze_records__operation="FREEZE"), distinct=True),
                unfreezes=Count("freeze_records", Q(freeze_records__operation="UNFREEZE"), distinct=True),
            )
        )
        modelled = {name: self.model.shown(name) for name in self.model.accounts}
        assert {each.customer_id: shown(each) for each in stored} == modelled

    @invariant()
    def every_total_is_as_last_reported(self) -> None:
        stored = Expenditure.objects.values_list("account", "month", "reported_at", "total", "customer__customer_id")
        assert set(stored) == {
            (name, as_stored(month), at, total, self.whose(name, month))
            for (name, month), (at, total) in self.model.totals.items()
        }

    def whose(self, name: str, month: int) -> str | None:
        """Nobody's, where nobody has the ID or had it then."""
        return name if name in self.model.accounts or (name, month) in self.model.gone else None

    @invariant()
    def what_is_stored_equals_what_it_is_derived_from(self) -> None:
        assert list(differences()) == []


def shown(customer: Any) -> dict[str, Any]:
    """A customer as it is stored, in the form of the model."""
    terms = ("budget_type", "amount", "account_freezing", "unfreeze_on_restore")
    names = (*terms, "counted_from", "used", "usage", "level")
    budget = getattr(customer, "budget", None)
    return {
        "frozen": (customer.freeze_kind, customer.freeze_origin, customer.frozen_since),
        "records": (customer.adjustments, customer.freezes, customer.unfreezes),
        "budget": budget and tuple(getattr(budget, name) for name in names),
    }


@contextmanager
def taken_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
