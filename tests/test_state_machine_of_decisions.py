"""Whatever happens, each decision is open or snoozed and none is missing; a snooze ends on its day.

Hypothesis takes random steps in the console and in a model; see rule 10.3 (docs/rules.md).
"""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.http import QueryDict
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from budgets.actions.decisions import snooze_decisions, wake_decisions
from budgets.actions.terms import BudgetTerms
from budgets.queries.decisions import Decisions
from customers.models import AccountFreezing, Customer, FreezeKind
from partnercenter.lib.money import LARGEST_BUDGET
from partnercenter.models import BudgetType, Partner, User
from tests.state_machine import BILLING_ZONE, CENT, BudgetMachine, run_machine


class DecisionMachine(BudgetMachine):
    """The steps of BudgetMachine, and decisions that are snoozed and woken.

    `snoozes` has for each customer when the snooze ends, and since when the budget that it is about is used up.
    """

    def __init__(self, operator: User, partner: Partner) -> None:
        super().__init__(operator, partner)
        self.snoozes: dict[str, tuple[datetime, datetime]] = {}

    @initialize()
    def begin_used_up(self) -> None:
        for name in sorted(self.model.accounts):
            self.use_up(name)

    def use_up(self, name: str) -> None:
        """Set a budget under Manual of exactly what has been spent, so it is used up immediately."""
        self.import_report({(name, self.month): Decimal(100)}, timedelta(0))
        self.set_manual_budget(name, Decimal(0))

    def set_manual_budget(self, name: str, more: Decimal) -> None:
        amount = self.restored_model().used(name) + more
        if 0 < amount <= LARGEST_BUDGET:
            self.set_budgets({name}, BudgetTerms(BudgetType.ONE_TIME, amount, AccountFreezing.MANUAL), unfreeze=True)

    @rule(data=st.data())
    def use_up_any_budget(self, data: Any) -> None:
        self.use_up(data.draw(st.sampled_from(sorted(self.model.accounts))))

    @precondition(lambda self: self.expected_decisions())
    @rule(data=st.data())
    def use_up_again(self, data: Any) -> None:
        """Raise a used up budget, and use it up again a minute later."""
        name = data.draw(st.sampled_from(sorted(self.expected_decisions())))
        self.set_manual_budget(name, CENT)
        self.move_clock(self.now + timedelta(minutes=1))
        self.set_manual_budget(name, Decimal(0))

    @precondition(lambda self: self.expected_decisions())
    @rule(data=st.data(), days=st.lists(st.sampled_from([1, 3, 40]), min_size=1, max_size=2))
    def snooze_any(self, data: Any, days: list[int]) -> None:
        """Snooze once, or twice in a row, of which the second counts."""
        names = data.draw(st.sets(st.sampled_from(sorted(self.model.accounts)), min_size=1))
        for each in days:
            self.snooze(self.now.astimezone(BILLING_ZONE).date() + timedelta(days=each), names)

    def snooze(self, until: date, names: set[str]) -> None:
        """Snooze the decisions of these customers; customers that need no decision stay unchanged."""
        customers = Customer.objects.filter(customer_id__in=names)
        number = snooze_decisions(customers, until=until, reason="Pays on Friday", operator=self.operator)
        self.model.restore(self.month)
        snoozed = {name: since for name, since in self.expected_decisions().items() if name in names}
        assert number == len(snoozed)
        ends_at = datetime(until.year, until.month, until.day, tzinfo=BILLING_ZONE)
        self.snoozes |= {name: (ends_at, since) for name, since in snoozed.items()}

    @precondition(lambda self: self.snoozes)
    @rule(data=st.data())
    def wake(self, data: Any) -> None:
        name = data.draw(st.sampled_from(sorted(self.snoozes)))
        wake_decisions(Customer.objects.filter(customer_id=name), operator=self.operator)
        self.model.restore(self.month)
        if name in self.expected_decisions():
            del self.snoozes[name]

    @precondition(lambda self: self.snoozes)
    @rule(days=st.sampled_from([1, 2, 5]))
    def days_pass(self, days: int) -> None:
        self.move_clock(self.now + timedelta(days=days))

    def expected_decisions(self) -> dict[str, datetime]:
        """The customers with a used up budget under Manual that are not frozen, and since when it is used up.

        Computed customer by customer in plain Python.
        """
        customers = Customer.objects.filter(budget__isnull=False).select_related("budget")
        return {
            each.customer_id: each.budget.exhausted_since
            for each in customers
            if each.budget.exhausted_since is not None
            and each.budget.used >= each.budget.amount
            and each.budget.account_freezing == AccountFreezing.MANUAL
            and each.freeze_kind == FreezeKind.NONE
        }

    def listed(self, query: str) -> set[str]:
        """The customers that the decisions page lists for this query string."""
        page = Decisions(self.operator, QueryDict(query), self.now).page(0)
        return {row.customer_id for row in page.object_list}

    @invariant()
    def each_decision_is_open_or_snoozed_and_none_is_missing(self) -> None:
        decisions = self.expected_decisions()
        snoozed = {
            name
            for name, since in decisions.items()
            if name in self.snoozes and self.now < self.snoozes[name][0] and self.snoozes[name][1] == since
        }
        assert self.listed("snoozed=1") == snoozed
        assert self.listed("") == decisions.keys() - snoozed


def test_each_decision_is_open_or_snoozed_and_none_is_ever_missing(ann: User, acme: Partner) -> None:
    run_machine(DecisionMachine, ann, acme, examples=20, steps=25)
