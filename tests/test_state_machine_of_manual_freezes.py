"""Freezing by hand follows the reference model, whatever happens between a review and its OK.

Budgets are used up, a frozen reseller unfreezes nobody, and customers are disassociated and associated again.
Hypothesis takes random steps in the console and in the model; see sections 4 and 9 (docs/rules.md).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from budgets.actions.association import disassociate_customers
from budgets.actions.freeze_terms import FreezeRequest
from budgets.actions.manual_freeze import review_freeze
from budgets.actions.review_edits import edit_review
from budgets.actions.review_kinds import review_kind
from budgets.actions.set_budgets import BatchResult
from budgets.actions.terms import BudgetTerms
from customers.models import AccountFreezing, Customer, ExclusionReason, FreezeEffect
from partnercenter.actions.partners import set_partner_status
from partnercenter.lib.errors import ActionError, Conflict
from partnercenter.lib.money import LARGEST_BUDGET
from partnercenter.models import BudgetType, Operation, Partner, User
from tests import factories
from tests.reference_model import Model
from tests.state_machine import FREEZE_REQUESTS, TOTALS, run_machine
from tests.test_state_machine_of_batches import BatchMachine

# What a review says of each customer, and the freeze state (kind and since when) in which each was first reviewed.
Items = dict[str, tuple[ExclusionReason, FreezeEffect]]
States = dict[str, tuple[Any, Any]]
# What the operator chooses when a customer is not as reviewed.
CHOICES = st.sampled_from(["unchanged", "again", "later"])
STATUSES = st.sampled_from([Partner.Status.NORMAL, *Partner.Status])


@dataclass
class PendingFreeze:
    """A review of freezing or unfreezing by hand that waits for its OK, and what it says according to the model."""

    operation: Operation
    request: FreezeRequest
    items: Items
    states: States

    @property
    def included(self) -> set[str]:
        return {name for name, (exclusion, _effect) in self.items.items() if not exclusion}

    def confirm(self, *, only_unchanged: bool = False) -> BatchResult:
        return factories.freeze_confirmed(self.operation, only_unchanged=only_unchanged)


class ManualFreezeMachine(BatchMachine):
    """The steps of BatchMachine, reviews of freezing by hand, statuses of the reseller, and disassociations."""

    def __init__(self, operator: User, partner: Partner) -> None:
        super().__init__(operator, partner)
        self.pending_freezes: list[PendingFreeze] = []

    @rule(status=STATUSES)
    def set_reseller_status(self, status: Partner.Status) -> None:
        """This changes no customer; the people of a frozen reseller cannot unfreeze. See rule 4.7 (docs/rules.md)."""
        set_partner_status(self.partner, status=status, reason="Unpaid invoice", operator=None)
        self.may_unfreeze = status != Partner.Status.FROZEN

    @precondition(lambda self: len(self.model.accounts) > 1)
    @rule(data=st.data(), spent=TOTALS)
    def disassociate(self, data: Any, spent: Decimal) -> None:
        """This month's expenditure will be that of the customer who has the ID next; see rule 8.4 (docs/rules.md)."""
        name = data.draw(st.sampled_from(sorted(self.model.accounts)))
        self.import_report({(name, self.month - 1): spent, (name, self.month): spent}, timedelta(0))
        disassociate_customers(Customer.objects.filter(customer_id=name))
        self.model.disassociate(name)
        self.batches = [each for each in self.batches if name not in each[1].records]
        self.pending = [each for each in self.pending if name not in each.review]
        self.pending_freezes = [each for each in self.pending_freezes if name not in each.items]

    @rule(data=st.data(), request=FREEZE_REQUESTS)
    def review_any_freeze(self, data: Any, request: FreezeRequest) -> None:
        self.review_freeze(self.draw_names(data), request)

    @rule(data=st.data(), request=FREEZE_REQUESTS, faster=FREEZE_REQUESTS, choice=CHOICES)
    def freeze_a_customer_before_ok(
        self, data: Any, request: FreezeRequest, faster: FreezeRequest, choice: str
    ) -> None:
        """Freeze or unfreeze one of the customers between the review and its OK."""
        if self.review_freeze(self.draw_names(data), request):
            pending = self.pending_freezes[-1]
            self.freeze_by_hand({data.draw(st.sampled_from(sorted(pending.included)))}, faster)
            self.confirm_freeze(pending, choice)

    @rule(data=st.data(), request=FREEZE_REQUESTS, choice=CHOICES)
    def freeze_the_reseller_before_ok(self, data: Any, request: FreezeRequest, choice: str) -> None:
        if self.review_freeze(self.draw_names(data), request):
            self.set_reseller_status(Partner.Status.FROZEN)
            self.confirm_freeze(self.pending_freezes[-1], choice)

    @precondition(lambda self: self.frozen_names())
    @rule(data=st.data(), choice=CHOICES)
    def use_up_a_budget_before_ok(self, data: Any, choice: str) -> None:
        """A customer that is to be unfrozen stays frozen if its budget is used up under an automatic policy.

        This holds for the review and for unfreezing without a review; see rule 3.9 (docs/rules.md).
        """
        name = data.draw(st.sampled_from(self.frozen_names()))
        request = FreezeRequest(self.model.accounts[name].kind, "Paid", freezes=False)
        self.set_budgets(
            {name}, BudgetTerms(BudgetType.MONTHLY, LARGEST_BUDGET, AccountFreezing.AUTOMATIC), unfreeze=False
        )
        if self.review_freeze(self.draw_names(data) | {name}, request):
            self.import_report({(name, self.month): LARGEST_BUDGET}, timedelta(0))
            self.confirm_freeze(self.pending_freezes[-1], choice)
            self.freeze_by_hand({name}, request)

    def frozen_names(self) -> list[str]:
        return [name for name, account in self.model.accounts.items() if account.kind]

    def review_freeze(self, names: frozenset[str], request: FreezeRequest) -> bool:
        customers = Customer.objects.filter(customer_id__in=names)
        return self.compare_review(names, request, partial(review_freeze, customers, request, operator=self.operator))

    def compare_review(self, names: Iterable[str], request: FreezeRequest, review: Callable[[], Operation]) -> bool:
        """Call `review` and compare the result with the model; return False if it is refused."""
        after = self.restored_model()
        items = {name: expected_item(after, name, request) for name in names}
        states = {name: (after.accounts[name].kind, after.accounts[name].since) for name in names}
        return self.keep_freeze(review, request, items, states, after)

    def keep_freeze(
        self, review: Callable[[], Operation], request: FreezeRequest, items: Items, states: States, after: Model
    ) -> bool:
        if self.is_refused(request, items):
            with pytest.raises(ActionError):
                review()
            return False
        self.pending_freezes.append(PendingFreeze(review(), request, items, states))
        self.model = after
        assert stored_items(self.pending_freezes[-1].operation) == items
        return True

    def is_refused(self, request: FreezeRequest, items: Items) -> bool:
        return all(exclusion for exclusion, _effect in items.values()) or not (request.freezes or self.may_unfreeze)

    @precondition(lambda self: self.pending_freezes)
    @rule(data=st.data())
    def edit_freeze(self, data: Any) -> None:
        """Exclude or include customers: the states stay those of the first review, the effects are predicted again."""
        former = data.draw(st.sampled_from(self.pending_freezes))
        draw_some = st.sets(st.sampled_from(sorted(former.items)), max_size=1)
        exclude, include = data.draw(draw_some), data.draw(draw_some)
        after = self.restored_model()
        items = {}
        for name, (former_exclusion, _effect) in former.items.items():
            exclusion, effect = expected_item(after, name, former.request)
            if name in exclude:
                exclusion = ExclusionReason.BY_OPERATOR
            elif name not in include:
                exclusion = former_exclusion
            items[name] = (exclusion, effect)
        edit = partial(edit_review, former.operation, exclude=exclude, include=include)
        if not self.drop_expired(former) and self.keep_freeze(edit, former.request, items, former.states, after):
            self.pending_freezes.remove(former)

    def drop_expired(self, pending: PendingFreeze) -> bool:
        """Drop the review if it has expired, and return whether it has."""
        if self.now < pending.operation.expires_at:
            return False
        self.pending_freezes.remove(pending)
        return True

    @precondition(lambda self: self.pending_freezes)
    @rule(data=st.data(), choice=CHOICES)
    def confirm_any_freeze(self, data: Any, choice: str) -> None:
        self.confirm_freeze(data.draw(st.sampled_from(self.pending_freezes)), choice)

    def confirm_freeze(self, pending: PendingFreeze, choice: str) -> None:
        """Press OK. If a customer is not as reviewed, nothing is done until the operator chooses what to do."""
        after = self.restored_model()
        unchanged = {name for name in pending.included if is_unchanged(after, name, pending)}
        if self.drop_expired(pending):
            return
        if self.is_refused(pending.request, pending.items):
            with pytest.raises(ActionError):
                pending.confirm()
        elif unchanged == pending.included:
            self.apply_freeze(pending, unchanged, after, pending.confirm())
        else:
            with pytest.raises(Conflict):
                pending.confirm()
            if choice == "unchanged" and not unchanged:
                with pytest.raises(Conflict):
                    pending.confirm(only_unchanged=True)
            elif choice == "unchanged":
                self.apply_freeze(pending, unchanged, after, pending.confirm(only_unchanged=True))
            elif choice == "again":
                names = [name for name, item in pending.items.items() if item[0] != ExclusionReason.BY_OPERATOR]
                if self.compare_review(names, pending.request, review_kind(pending.operation).review_again):
                    self.pending_freezes.remove(pending)

    def apply_freeze(self, pending: PendingFreeze, names: set[str], after: Model, result: BatchResult) -> None:
        for name in names:
            after.accounts[name].apply(pending.request, self.now)
        assert (result.customers, result.skipped) == (len(names), len(pending.included) - len(names))
        self.model = after
        self.pending_freezes.remove(pending)


def expected_item(model: Model, name: str, request: FreezeRequest) -> tuple[ExclusionReason, FreezeEffect]:
    account, required = model.accounts[name], model.required_kind(name)
    return account.exclusion(request, required), account.effect(request, required)


def is_unchanged(model: Model, name: str, pending: PendingFreeze) -> bool:
    """Whether the customer is in the state in which it was reviewed, and the effect would be the same."""
    account = model.accounts[name]
    same_state = (account.kind, account.since) == pending.states[name]
    return same_state and expected_item(model, name, pending.request)[1] == pending.items[name][1]


def stored_items(operation: Operation) -> Items:
    reviewed = operation.reviewed.values_list("customer__customer_id", "left_out", "effect")
    return {name: (ExclusionReason(left_out), FreezeEffect(effect)) for name, left_out, effect in reviewed}


def test_freezing_by_hand_follows_the_rules_whatever_happens(ann: User, acme: Partner) -> None:
    run_machine(ManualFreezeMachine, ann, acme, examples=30, steps=30)
