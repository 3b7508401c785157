"""Freezing by hand in between, a reseller frozen itself at times, customers who leave and come again.

See sections 4, 9 (docs/rules.md).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from budgets.actions.association import disassociate_customers
from budgets.actions.freeze_terms import FreezeRequest
from budgets.actions.manual_freeze import review_freeze
from budgets.actions.review_edits import edit_review
from budgets.actions.review_kinds import review_kind
from budgets.actions.set_budgets import BatchResult
from budgets.actions.terms import BudgetTerms
from customers.models import AccountFreezing, Customer, ExclusionReason, FreezeEffect
from partnercenter.actions.partners import give_grant, set_partner_status
from partnercenter.lib.errors import ActionError, Conflict
from partnercenter.lib.money import LARGEST_BUDGET
from partnercenter.models import BudgetType, Operation, Partner, User
from tests import factories
from tests.reference_model import Model
from tests.state_machine import BY_HAND, QUOTA, TOTALS
from tests.test_state_machine_of_batches import ConsoleOfBatches

Said = dict[str, tuple[ExclusionReason, FreezeEffect]]
Seen = dict[str, tuple[Any, Any]]
THEN = st.sampled_from(["unchanged", "again", "later"])
STATUSES = st.sampled_from([Partner.Status.NORMAL, *Partner.Status])


@dataclass
class Waiting:
    """A review of freezing or unfreezing by hand, and what the model says it is: to whom what is done, or why not."""

    operation: Operation
    asked: FreezeRequest
    said: Said
    seen: Seen

    @property
    def meant(self) -> set[str]:
        return {name for name, (left_out, _effect) in self.said.items() if not left_out}

    def ok(self, *, only_unchanged: bool = False) -> BatchResult:
        return factories.freeze_confirmed(self.operation, only_unchanged=only_unchanged)


class ConsoleByHand(ConsoleOfBatches):
    """What ConsoleOfBatches does, and these."""

    def __init__(self, operator: User, partner: Partner) -> None:
        super().__init__(operator, partner)
        self.waiting: list[Waiting] = []

    @rule(status=STATUSES)
    def reseller_is(self, status: Partner.Status) -> None:
        """No customer is changed; a frozen reseller's people unfreeze nobody (4.7)."""
        set_partner_status(self.partner, status=status, reason="Unpaid invoice", operator=None)
        self.may_unfreeze = status != Partner.Status.FROZEN

    @precondition(lambda self: len(self.model.accounts) > 1)
    @rule(data=st.data(), spent=TOTALS)
    def one_leaves(self, data: Any, spent: Decimal) -> None:
        """With what it had; what it spent this month is whoever's who has the ID next (8.4)."""
        name = data.draw(st.sampled_from(sorted(self.model.accounts)))
        self.take_in({(name, self.current - 1): spent, (name, self.current): spent}, timedelta(0))
        disassociate_customers(Customer.objects.filter(customer_id=name))
        self.model.leave(name)
        self.batches = [each for each in self.batches if name not in each[1].records]
        self.pending = [each for each in self.pending if name not in each.review]
        self.waiting = [each for each in self.waiting if name not in each.said]

    @rule(data=st.data(), asked=BY_HAND)
    def review_by_hand(self, data: Any, asked: FreezeRequest) -> None:
        self.review_of(self.draw_names(data), asked)

    @rule(data=st.data(), asked=BY_HAND, faster=BY_HAND, then=THEN)
    def a_colleague_is_faster(self, data: Any, asked: FreezeRequest, faster: FreezeRequest, then: str) -> None:
        """With one of them, before OK."""
        if self.review_of(self.draw_names(data), asked):
            self.act_by_hand({data.draw(st.sampled_from(sorted(self.waiting[-1].meant)))}, faster)
            self.confirm_this(self.waiting[-1], then)

    @rule(data=st.data(), asked=BY_HAND, then=THEN)
    def the_reseller_is_frozen_meanwhile(self, data: Any, asked: FreezeRequest, then: str) -> None:
        if self.review_of(self.draw_names(data), asked):
            self.reseller_is(Partner.Status.FROZEN)
            self.confirm_this(self.waiting[-1], then)

    @precondition(lambda self: self.frozen())
    @rule(data=st.data(), then=THEN)
    def a_budget_is_used_up_meanwhile(self, data: Any, then: str) -> None:
        """Whoever was to be unfrozen stays frozen under an automatic policy, in the review and alone (3.9)."""
        name = data.draw(st.sampled_from(self.frozen()))
        asked = FreezeRequest(self.model.accounts[name].kind, "Paid", freezes=False)
        self.set_budgets(
            {name}, BudgetTerms(BudgetType.MONTHLY, LARGEST_BUDGET, AccountFreezing.AUTOMATIC), unfreeze=False
        )
        if self.review_of(self.draw_names(data) | {name}, asked):
            self.take_in({(name, self.current): LARGEST_BUDGET}, timedelta(0))
            self.confirm_this(self.waiting[-1], then)
            self.act_by_hand({name}, asked)

    def frozen(self) -> list[str]:
        return [name for name, account in self.model.accounts.items() if account.kind]

    def review_of(self, names: frozenset[str], asked: FreezeRequest) -> bool:
        customers = Customer.objects.filter(customer_id__in=names)
        return self.review_these(names, asked, partial(review_freeze, customers, asked, operator=self.operator))

    def review_these(self, names: Iterable[str], asked: FreezeRequest, act: Callable[[], Operation]) -> bool:
        after = self.after_restore()
        said = {name: foreseen(after, name, asked) for name in names}
        seen = {name: (after.accounts[name].kind, after.accounts[name].since) for name in names}
        return self.wait_for(act, asked, said, seen, after)

    def wait_for(
        self, act: Callable[[], Operation], asked: FreezeRequest, said: Said, seen: Seen, after: Model
    ) -> bool:
        """Whether there is a review, which then says what the model says."""
        if self.refuses(asked, said):
            with pytest.raises(ActionError):
                act()
            return False
        self.waiting.append(Waiting(act(), asked, said, seen))
        self.model = after
        assert stored(self.waiting[-1].operation) == said
        return True

    def refuses(self, asked: FreezeRequest, said: Said) -> bool:
        return all(left_out for left_out, _effect in said.values()) or not (asked.freezes or self.may_unfreeze)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def edit_by_hand(self, data: Any) -> None:
        """States seen stay those of the first review, what would happen is said anew."""
        former = data.draw(st.sampled_from(self.waiting))
        draw_some = st.sets(st.sampled_from(sorted(former.said)), max_size=1)
        leave_out, take_in = data.draw(draw_some), data.draw(draw_some)
        after = self.after_restore()
        said = {}
        for name, (left_out, _effect) in former.said.items():
            why_not, effect = foreseen(after, name, former.asked)
            said[name] = (
                ExclusionReason.BY_OPERATOR if name in leave_out else why_not if name in take_in else left_out,
                effect,
            )
        act = partial(edit_review, former.operation, leave_out=leave_out, take_in=take_in)
        if self.still_waits(former) and self.wait_for(act, former.asked, said, former.seen, after):
            self.waiting.remove(former)

    def still_waits(self, waiting: Waiting) -> bool:
        """Whether its time is not over."""
        if self.now < waiting.operation.expires_at:
            return True
        self.waiting.remove(waiting)
        return False

    @precondition(lambda self: self.waiting)
    @rule(data=st.data(), then=THEN)
    def confirm_by_hand(self, data: Any, then: str) -> None:
        self.confirm_this(data.draw(st.sampled_from(self.waiting)), then)

    def confirm_this(self, waiting: Waiting, then: str) -> None:
        """OK; where somebody is not as reviewed nothing is done, until it is said what to do."""
        after = self.after_restore()
        unchanged = {name for name in waiting.meant if as_reviewed(after, name, waiting)}
        if not self.still_waits(waiting):
            return
        if self.refuses(waiting.asked, waiting.said):
            with pytest.raises(ActionError):
                waiting.ok()
        elif unchanged == waiting.meant:
            self.done(waiting, unchanged, after, waiting.ok())
        else:
            with pytest.raises(Conflict):
                waiting.ok()
            if then == "unchanged" and not unchanged:
                with pytest.raises(Conflict):
                    waiting.ok(only_unchanged=True)
            elif then == "unchanged":
                self.done(waiting, unchanged, after, waiting.ok(only_unchanged=True))
            elif then == "again":
                names = {name for name in waiting.said if waiting.said[name][0] != ExclusionReason.BY_OPERATOR}
                if self.review_these(names, waiting.asked, review_kind(waiting.operation).review_again):
                    self.waiting.remove(waiting)

    def done(self, waiting: Waiting, names: set[str], after: Model, outcome: BatchResult) -> None:
        for name in names:
            after.accounts[name].act(waiting.asked, self.now)
        assert (outcome.customers, outcome.skipped) == (len(names), len(waiting.meant) - len(names))
        self.model = after
        self.waiting.remove(waiting)


def foreseen(model: Model, name: str, asked: FreezeRequest) -> tuple[ExclusionReason, FreezeEffect]:
    account, due = model.accounts[name], model.due(name)
    return account.why_not(asked, due), account.effect(asked, due)


def as_reviewed(model: Model, name: str, waiting: Waiting) -> bool:
    """In the state that was seen, and the same would happen."""
    account = model.accounts[name]
    seen = (account.kind, account.since) == waiting.seen[name]
    return seen and foreseen(model, name, waiting.asked)[1] == waiting.said[name][1]


def stored(operation: Operation) -> Said:
    reviewed = operation.reviewed.values_list("customer__customer_id", "left_out", "effect")
    return {name: (ExclusionReason(left_out), FreezeEffect(effect)) for name, left_out, effect in reviewed}


@pytest.fixture
def console(ann: User, acme: Partner) -> Any:
    give_grant(acme, monthly_quota=QUOTA, one_time_quota=QUOTA, operator=None)
    return lambda: ConsoleByHand(ann, acme)


def test_whatever_happens_freezing_by_hand_agrees_with_the_rules_of_freezing(console: Any) -> None:
    run_state_machine_as_test(
        console,
        settings=settings(
            settings.get_profile("ci"),
            max_examples=30,
            stateful_step_count=30,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
