"""Whatever happens in whatever order, budgets and freezing are as a reference model in plain Python says.

Hypothesis takes random steps in the console and in the model; see section 3 (docs/rules.md).
"""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from budgets.actions.terms import BudgetTerms
from customers.agreement import CURRENT_VERSION
from partnercenter.lib.money import LARGEST_BUDGET
from partnercenter.models import BudgetType, Partner, User
from tests.state_machine import CENT, TERMS, UNFREEZE, BudgetMachine, run_machine

WITHIN_A_CENT = st.sampled_from([Decimal(0), CENT, -CENT])


class EdgeCaseMachine(BudgetMachine):
    """The steps of BudgetMachine, and amounts that are exactly at the limit or one cent off."""

    @rule(data=st.data(), terms=TERMS, more=WITHIN_A_CENT, unfreeze=UNFREEZE)
    def set_the_used_amount(self, data: Any, terms: BudgetTerms, more: Decimal, *, unfreeze: bool) -> None:
        """Set a budget of exactly what is used, or one cent more or less."""
        name = data.draw(st.sampled_from(sorted(self.model.accounts)))
        amount = min(max(self.model.used(name) + more, CENT), LARGEST_BUDGET)
        self.set_budgets({name}, replace(terms, amount=amount), unfreeze=unfreeze)

    @precondition(lambda self: self.names_with_budget())
    @rule(data=st.data(), with_policy=st.booleans(), unfreeze=UNFREEZE)
    def set_the_same_budget(self, data: Any, *, with_policy: bool, unfreeze: bool) -> None:
        name = data.draw(st.sampled_from(self.names_with_budget()))
        terms = self.model.accounts[name].terms
        assert terms is not None
        policy = terms.account_freezing if with_policy else None
        same = replace(terms, account_freezing=policy, unfreeze_on_restore=None, agreement=CURRENT_VERSION)
        self.set_budgets({name}, same, unfreeze=unfreeze)

    @precondition(lambda self: self.names_with_budget())
    @rule(data=st.data(), offset=st.sampled_from([0, 1]), more=WITHIN_A_CENT)
    def use_up(self, data: Any, offset: int, more: Decimal) -> None:
        """Report exactly the budget's amount, or one cent more or less, for this month or in advance for the next."""
        name = data.draw(st.sampled_from(self.names_with_budget()))
        terms = self.model.accounts[name].terms
        assert terms is not None
        self.import_report({(name, self.month + offset): terms.amount + more}, timedelta(0))

    @rule(data=st.data(), terms=TERMS, more=WITHIN_A_CENT, opens_page=st.booleans())
    def use_up_with_the_next_month(self, data: Any, terms: BudgetTerms, more: Decimal, *, opens_page: bool) -> None:
        """A budget is not used up until the next month begins, for which expenditure was reported in advance.

        See rules 3.2 and 3.14 (docs/rules.md).
        """
        name = data.draw(st.sampled_from(sorted(self.model.accounts)))
        amount = min(max(self.model.used(name) + 1, terms.amount), LARGEST_BUDGET)
        if self.model.used(name) < amount:
            self.set_budgets({name}, replace(terms, amount=amount), unfreeze=True)
            counted = self.model.used(name) if terms.budget_type == BudgetType.ONE_TIME else Decimal(0)
            self.import_report({(name, self.month + 1): amount - counted + more}, timedelta(0))
        self.months_pass(1, opens_page=opens_page)


def test_budgets_follow_the_rules_whatever_happens(ann: User, acme: Partner) -> None:
    run_machine(EdgeCaseMachine, ann, acme, examples=30, steps=30)
