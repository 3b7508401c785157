"""No decision is ever missing: whatever happens, each is open or snoozed, and a snooze ends when it is to."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.http import QueryDict
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test

from budgets.actions.decisions import snooze_decisions, wake_decisions
from budgets.actions.terms import BudgetTerms
from budgets.queries.decisions import Decisions
from customers.models import AccountFreezing, Customer, FreezeKind
from partnercenter.actions.partners import give_grant
from partnercenter.lib.money import LARGEST_BUDGET
from partnercenter.models import BudgetType, Partner, User
from tests.state_machine import BILLING_ZONE, CENT, QUOTA, Console


class Deciding(Console):
    """What Console does, and decisions put off and woken: until when, and about which using up, is kept beside."""

    def __init__(self, operator: User, partner: Partner) -> None:
        super().__init__(operator, partner)
        self.put_off: dict[str, tuple[datetime, datetime]] = {}

    @initialize()
    def begin_used_up(self) -> None:
        for name in sorted(self.model.accounts):
            self.use_up(name)

    def use_up(self, name: str) -> None:
        """A budget under Manual of what was spent already is used up at once."""
        self.take_in({(name, self.current): Decimal(100)}, timedelta(0))
        self.set_manual(name, Decimal(0))

    def set_manual(self, name: str, more: Decimal) -> None:
        amount = self.after_restore().used(name) + more
        if 0 < amount <= LARGEST_BUDGET:
            self.set_budgets({name}, BudgetTerms(BudgetType.ONE_TIME, amount, AccountFreezing.MANUAL), unfreeze=True)

    @rule(data=st.data())
    def use_up_one(self, data: Any) -> None:
        self.use_up(data.draw(st.sampled_from(sorted(self.model.accounts))))

    @precondition(lambda self: self.to_decide())
    @rule(data=st.data())
    def use_up_once_more(self, data: Any) -> None:
        """Raised, and a minute later used up again."""
        name = data.draw(st.sampled_from(sorted(self.to_decide())))
        self.set_manual(name, CENT)
        self.move_clock(self.now + timedelta(minutes=1))
        self.set_manual(name, Decimal(0))

    @precondition(lambda self: self.to_decide())
    @rule(data=st.data(), days=st.lists(st.sampled_from([1, 3, 40]), min_size=1, max_size=2))
    def snooze(self, data: Any, days: list[int]) -> None:
        """Once, or twice in a row: the second counts."""
        names = data.draw(st.sets(st.sampled_from(sorted(self.model.accounts)), min_size=1))
        for each in days:
            self.put_off_until(self.now.astimezone(BILLING_ZONE).date() + timedelta(days=each), names)

    def put_off_until(self, until: date, names: set[str]) -> None:
        chosen = Customer.objects.filter(customer_id__in=names)
        number = snooze_decisions(chosen, until=until, reason="Pays on Friday", operator=self.operator)
        self.model.restore(self.current)
        meant = {name: since for name, since in self.to_decide().items() if name in names}
        assert number == len(meant)
        begins = datetime(until.year, until.month, until.day, tzinfo=BILLING_ZONE)
        self.put_off |= {name: (begins, since) for name, since in meant.items()}

    @precondition(lambda self: self.put_off)
    @rule(data=st.data())
    def wake(self, data: Any) -> None:
        name = data.draw(st.sampled_from(sorted(self.put_off)))
        wake_decisions(Customer.objects.filter(customer_id=name), operator=self.operator)
        self.model.restore(self.current)
        if name in self.to_decide():
            del self.put_off[name]

    @precondition(lambda self: self.put_off)
    @rule(days=st.sampled_from([1, 2, 5]))
    def days_pass(self, days: int) -> None:
        self.move_clock(self.now + timedelta(days=days))

    def to_decide(self) -> dict[str, datetime]:
        """Customer by customer in plain Python: used up under Manual and not frozen, and since when."""
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
        page = Decisions(self.operator, QueryDict(query), self.now).page(0)
        return {row.customer_id for row in page.object_list}

    @invariant()
    def each_is_open_or_snoozed_and_none_is_missing(self) -> None:
        decisions = self.to_decide()
        asleep = {
            name
            for name, since in decisions.items()
            if name in self.put_off and self.now < self.put_off[name][0] and self.put_off[name][1] == since
        }
        assert self.listed("snoozed=1") == asleep
        assert self.listed("") == decisions.keys() - asleep


@pytest.fixture
def console(ann: User, acme: Partner) -> Any:
    give_grant(acme, monthly_quota=QUOTA, one_time_quota=QUOTA, operator=None)
    return lambda: Deciding(ann, acme)


def test_each_decision_is_open_or_snoozed_and_none_is_ever_missing(console: Any) -> None:
    run_state_machine_as_test(
        console,
        settings=settings(
            settings.get_profile("ci"),
            max_examples=20,
            stateful_step_count=25,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
