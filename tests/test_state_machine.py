"""The console does what a model of a few lines of plain Python says, whatever comes in whatever order.

See section 3 (docs/rules.md).
"""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from budgets.actions.terms import BudgetTerms
from customers.agreement import CURRENT_VERSION
from partnercenter.actions.partners import give_grant
from partnercenter.lib.money import LARGEST_BUDGET
from partnercenter.models import BudgetType, Partner, User
from tests.state_machine import CENT, QUOTA, TERMS, UNFREEZE, Console


class Edges(Console):
    """What Console does, and amounts to the cent."""

    @rule(data=st.data(), terms=TERMS, more=st.sampled_from([Decimal(0), CENT, -CENT]), unfreeze=UNFREEZE)
    def set_what_is_used(self, data: Any, terms: BudgetTerms, more: Decimal, *, unfreeze: bool) -> None:
        """To the cent, or a cent beside it."""
        name = data.draw(st.sampled_from(sorted(self.model.accounts)))
        amount = min(max(self.model.used(name) + more, CENT), LARGEST_BUDGET)
        self.set_budgets({name}, replace(terms, amount=amount), unfreeze=unfreeze)

    @precondition(lambda self: any(account.terms for account in self.model.accounts.values()))
    @rule(data=st.data(), policy_said=st.booleans(), unfreeze=UNFREEZE)
    def set_what_stands(self, data: Any, *, policy_said: bool, unfreeze: bool) -> None:
        name = data.draw(st.sampled_from(self.with_budget()))
        terms = self.model.accounts[name].terms
        assert terms is not None
        policy = terms.account_freezing if policy_said else None
        given = replace(terms, account_freezing=policy, unfreeze_on_restore=None, agreement=CURRENT_VERSION)
        self.set_budgets({name}, given, unfreeze=unfreeze)

    @precondition(lambda self: any(account.terms for account in self.model.accounts.values()))
    @rule(data=st.data(), offset=st.sampled_from([0, 1]), more=st.sampled_from([Decimal(0), CENT, -CENT]))
    def use_up(self, data: Any, offset: int, more: Decimal) -> None:
        """A total of just the budget's amount, or a cent beside it, this month or said ahead for the next."""
        name = data.draw(st.sampled_from(self.with_budget()))
        terms = self.model.accounts[name].terms
        assert terms is not None
        self.take_in({(name, self.current + offset): terms.amount + more}, timedelta(0))

    @rule(data=st.data(), terms=TERMS, more=st.sampled_from([Decimal(0), CENT, -CENT]), looked_at=st.booleans())
    def use_up_ahead(self, data: Any, terms: BudgetTerms, more: Decimal, *, looked_at: bool) -> None:
        """A budget that suffices is used up by what was said of the next month, as soon as that begins (3.2, 3.14)."""
        name = data.draw(st.sampled_from(sorted(self.model.accounts)))
        amount = min(max(self.model.used(name) + 1, terms.amount), LARGEST_BUDGET)
        if self.model.used(name) < amount:
            self.set_budgets({name}, replace(terms, amount=amount), unfreeze=True)
            counted = self.model.used(name) if terms.budget_type == BudgetType.ONE_TIME else Decimal(0)
            self.take_in({(name, self.current + 1): amount - counted + more}, timedelta(0))
        self.months_pass(1, looked_at=looked_at)


@pytest.fixture
def console(ann: User, acme: Partner) -> Any:
    """Makes a console each time it is called."""
    give_grant(acme, monthly_quota=QUOTA, one_time_quota=QUOTA, operator=None)
    return lambda: Edges(ann, acme)


def test_whatever_happens_the_console_agrees_with_the_rules_of_budgets(console: Any) -> None:
    run_state_machine_as_test(
        console,
        # The same examples each time: a build that fails fails again. Other ones come with other rules and strategies.
        settings=settings(
            settings.get_profile("ci"),
            max_examples=30,
            stateful_step_count=30,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
