"""Batches follow the reference model, whatever happens: they are reviewed, edited, confirmed and undone in any order.

Hypothesis takes random steps in the console and in the model; see rules 3.9 and 3.10 (docs/rules.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from budgets.actions.review_edits import edit_review
from budgets.actions.review_kinds import review_kind
from budgets.actions.reviews import review_budgets
from budgets.actions.terms import BudgetChange, BudgetTerms, RelativeAmount
from budgets.actions.undo import review_undo
from customers.agreement import CURRENT_VERSION
from customers.models import Customer, ExclusionReason
from partnercenter.lib.errors import ActionError, Conflict, OperationFinished, PermissionRefused
from partnercenter.models import BudgetType, Operation, Partner, User
from tests import factories
from tests.reference_model import AppliedBatch, Model, Review, included, is_refused
from tests.state_machine import (
    AGREEMENT,
    AMOUNTS,
    CENT,
    ON_RESTORE,
    POLICIES,
    TERMS,
    UNFREEZE,
    BudgetMachine,
    amounts,
    run_machine,
)

STEPS = st.sampled_from([None, None, Decimal("0.05"), Decimal(5), Decimal(100)])
RELATIVE_AMOUNTS = st.one_of(
    st.builds(RelativeAmount, percent=st.one_of(st.just(Decimal(110)), amounts(1_000, 11_250)), round_up_to=STEPS),
    st.builds(RelativeAmount, plus=amounts(-5_000, 1), round_up_to=STEPS),
    st.builds(RelativeAmount, last_month_times=st.sampled_from([Decimal("0.5"), Decimal("1.25")]), round_up_to=STEPS),
)
TYPES = st.sampled_from(BudgetType)
OPTIONAL_TYPES = st.one_of(st.none(), TYPES)
OPTIONAL_AMOUNTS = st.one_of(st.none(), RELATIVE_AMOUNTS, AMOUNTS)
TERMS_OR_CHANGES = st.one_of(
    TERMS, st.builds(BudgetChange, OPTIONAL_TYPES, OPTIONAL_AMOUNTS, POLICIES, ON_RESTORE, AGREEMENT)
)
RELATIVE_CHANGES = st.builds(BudgetChange, OPTIONAL_TYPES, RELATIVE_AMOUNTS, POLICIES, ON_RESTORE, AGREEMENT)


@dataclass(frozen=True)
class SetRequest:
    """A request to set budgets of these customers; `amounts` are those that edits of the review have changed."""

    names: frozenset[str]
    terms: BudgetTerms | BudgetChange
    unfreeze: bool
    amounts: Mapping[str, Decimal] = field(default_factory=dict)

    def review(self, operator: User, replaces: Operation | None = None) -> Operation:
        """The review in the console."""
        if replaces:
            return review_kind(replaces).review_again()
        customers = Customer.objects.filter(customer_id__in=self.names)
        return review_budgets(customers, self.terms, operator=operator, unfreeze=self.unfreeze)

    def expected_review(self, model: Model) -> Review:
        """The review in the model."""
        review = model.review(self.names, self.terms, unfreeze=self.unfreeze)
        model.edit(review, set(), set(), self.amounts)
        return review

    def is_refused(self, model: Model, *, may_unfreeze: bool) -> bool:
        unfreeze = self.unfreeze and not self.amounts
        return is_refused(self.expected_review(model), unfreeze=unfreeze, may_unfreeze=may_unfreeze)

    def again(self, review: Review) -> "SetRequest":
        """The same request without the customers that the operator excluded."""
        return replace(self, names=self.names - excluded_by_operator(review))


@dataclass(frozen=True)
class UndoRequest:
    """A request to undo a batch; `excluded` are the customers that the operator excluded before."""

    batch: UUID
    applied: AppliedBatch
    unfreeze: bool
    excluded: frozenset[str] = frozenset()

    def review(self, operator: User, replaces: Operation | None = None) -> Operation:
        """The review in the console."""
        return review_undo(self.batch, operator=operator, unfreeze=self.unfreeze, replaces=replaces)

    def expected_review(self, model: Model) -> Review:
        """The review in the model."""
        return model.review_undo(self.applied, unfreeze=self.unfreeze, excluded=self.excluded)

    def is_refused(self, model: Model, *, may_unfreeze: bool) -> bool:
        return is_refused(self.expected_review(model), unfreeze=False, may_unfreeze=may_unfreeze)

    def again(self, review: Review) -> "UndoRequest":
        """The same request; the customers that the operator excluded stay excluded."""
        return replace(self, excluded=excluded_by_operator(review))


def excluded_by_operator(review: Review) -> frozenset[str]:
    return frozenset(name for name, item in review.items() if item.exclusion == ExclusionReason.BY_OPERATOR)


@dataclass(frozen=True)
class PendingReview:
    """A review that waits for its OK, in the console (`operation`) and in the model (`review`)."""

    operation: Operation
    review: Review
    request: SetRequest | UndoRequest


class BatchMachine(BudgetMachine):
    """The steps of BudgetMachine, and batches."""

    def __init__(self, operator: User, partner: Partner) -> None:
        super().__init__(operator, partner)
        self.pending: list[PendingReview] = []

    @rule(data=st.data(), terms=TERMS_OR_CHANGES, unfreeze=UNFREEZE)
    def review_any(self, data: Any, terms: BudgetTerms | BudgetChange, *, unfreeze: bool) -> None:
        self.review(SetRequest(self.draw_names(data), terms, unfreeze))

    def draw_names(self, data: Any) -> frozenset[str]:
        return data.draw(st.frozensets(st.sampled_from(sorted(self.model.accounts)), min_size=1))

    @precondition(lambda self: self.batches)
    @rule(data=st.data(), unfreeze=UNFREEZE, confirms=UNFREEZE)
    def undo_any(self, data: Any, *, unfreeze: bool, confirms: bool) -> None:
        """Review the undo of one of the last batches, which may be an undo itself, and mostly confirm it."""
        batch, applied = data.draw(st.sampled_from(self.batches[-4:]))
        if self.review(UndoRequest(batch, applied, unfreeze)) and confirms:
            self.confirm(data, self.pending[-1])

    def review(self, request: SetRequest | UndoRequest, replaces: PendingReview | None = None) -> bool:
        """Make the review and compare it with the model's; return False if it is refused, which changes nothing."""
        after, replaced = self.restored_model(), replaces.operation if replaces else None
        expected = request.expected_review(after)
        if request.is_refused(after, may_unfreeze=self.may_unfreeze):
            with pytest.raises(
                ActionError,
                match=r"cannot be unfrozen|None of the customers|Nothing can be undone|you cannot unfreeze customers",
            ):
                request.review(self.operator, replaced)
            return False
        self.keep(request.review(self.operator, replaced), expected, request, after, replaces)
        return True

    def keep(
        self,
        operation: Operation,
        expected: Review,
        request: SetRequest | UndoRequest,
        after: Model,
        replaces: PendingReview | None,
    ) -> None:
        assert stored_items(operation) == expected_items(expected)
        self.model = after
        self.pending.append(PendingReview(operation, expected, request))
        if replaces:
            self.pending.remove(replaces)

    @precondition(lambda self: self.pending)
    @rule(data=st.data(), amount=AMOUNTS)
    def edit_any(self, data: Any, amount: Decimal) -> None:
        """Exclude a customer, include one again or give one another amount, which an undo does not allow."""
        former = data.draw(st.sampled_from(self.pending))
        draw_some = st.sets(st.sampled_from(sorted(former.review)), max_size=1)
        exclude, include, edited = data.draw(draw_some), data.draw(draw_some), data.draw(draw_some)
        amounts = {} if isinstance(former.request, UndoRequest) else dict.fromkeys(edited, amount)
        if not self.is_expired(former):
            self.edit(former, exclude, include, amounts)

    def edit(self, former: PendingReview, exclude: set[str], include: set[str], amounts: dict[str, Decimal]) -> None:
        after = self.restored_model()
        expected = {name: replace(item) for name, item in former.review.items()}
        after.edit(expected, exclude, include, amounts)
        edit = partial(edit_review, former.operation, exclude=exclude, include=include, amounts=amounts)
        if is_refused(expected, unfreeze=False, may_unfreeze=self.may_unfreeze):
            with pytest.raises(
                ActionError,
                match=r"Nothing can be undone|Keep at least one|None of the customers|you cannot unfreeze customers",
            ):
                edit()
        else:
            request = former.request
            if isinstance(request, SetRequest):
                request = replace(request, amounts={**request.amounts, **amounts})
            self.keep(edit(), expected, request, after, former)

    def is_expired(self, pending: PendingReview) -> bool:
        """Whether the review has expired; then it can be neither confirmed nor edited, and is dropped."""
        if self.now < pending.operation.expires_at:
            return False
        for action in (lambda: factories.confirmed(pending.operation), lambda: edit_review(pending.operation)):
            with pytest.raises(OperationFinished, match="expired"):
                action()
        self.pending.remove(pending)
        return True

    @precondition(lambda self: self.pending)
    @rule(data=st.data())
    def confirm_any(self, data: Any) -> None:
        self.confirm(data, data.draw(st.sampled_from(self.pending)))

    @rule(data=st.data(), terms=TERMS, unfreeze=UNFREEZE, change=st.sampled_from(["edit", "cent", "used up"]))
    def change_a_customer_before_ok(self, data: Any, terms: BudgetTerms, *, unfreeze: bool, change: str) -> None:
        """Between review and OK, set a customer's budget, or report a cent or what would use up the new budget."""
        if self.review(SetRequest(self.draw_names(data), terms, unfreeze)):
            pending = self.pending[-1]
            name = data.draw(st.sampled_from(sorted(included(pending.review))))
            if change == "edit":
                self.set_budgets({name}, data.draw(TERMS), unfreeze=True)
            else:
                total = terms.amount if change == "used up" else CENT
                self.import_report({(name, self.month): total}, timedelta(0))
            self.confirm(data, pending)

    @precondition(lambda self: self.names_with_budget())
    @rule(data=st.data(), change=RELATIVE_CHANGES, last_month=amounts(1, 50, 15_015))
    def change_budgets_by_relative_amount(self, data: Any, change: BudgetChange, last_month: Decimal) -> None:
        """Change budgets by percent, by a sum or to a multiple of last month's expenditure."""
        names = data.draw(st.frozensets(st.sampled_from(self.names_with_budget()), min_size=1))
        self.import_report({(min(names), self.month - 1): last_month}, timedelta(0))
        if self.review(SetRequest(names, change, unfreeze=False)):
            self.confirm(data, self.pending[-1])

    @rule(data=st.data(), amount=AMOUNTS, unfreeze=UNFREEZE, months=st.sampled_from([0, 1, 2]), first=TYPES)
    def change_the_type_and_undo(
        self, data: Any, amount: Decimal, months: int, first: BudgetType, *, unfreeze: bool
    ) -> None:
        """Set one budget type, some months later the other, and undo that: what counted before counts again.

        See rule 3.3 (docs/rules.md).
        """
        names = self.draw_names(data)
        for budget_type in (first, *(each for each in BudgetType if each != first)):
            terms = BudgetTerms(budget_type, amount, data.draw(POLICIES), agreement=CURRENT_VERSION)
            if self.review(SetRequest(names, terms, unfreeze=unfreeze)):
                self.confirm(data, self.pending[-1])
            if months and budget_type == first:
                self.months_pass(months, opens_page=False)
        batch, applied = self.batches[-1] if self.batches else (None, None)
        if batch and applied and self.review(UndoRequest(batch, applied, unfreeze)):
            self.confirm(data, self.pending[-1])

    def confirm(self, data: Any, pending: PendingReview) -> None:
        """Press OK. If a customer is not as reviewed, nothing is set until the operator chooses what to do."""
        if self.is_expired(pending):
            return
        names, unchanged = included(pending.review), self.restored_model().unchanged(pending.review)
        if is_refused(pending.review, unfreeze=False, may_unfreeze=self.may_unfreeze):
            with pytest.raises(PermissionRefused, match="you cannot unfreeze customers"):
                factories.confirmed(pending.operation)
            return
        if unchanged == set(names):
            self.apply(pending, unchanged)
            return
        with pytest.raises(Conflict):
            factories.confirmed(pending.operation)
        choice = data.draw(st.sampled_from(["unchanged", "again", "later"]))
        if choice == "unchanged" and not unchanged:
            with pytest.raises(Conflict):
                factories.confirmed(pending.operation, only_unchanged=True)
        elif choice == "unchanged":
            self.apply(pending, unchanged)
        elif choice == "again" and self.review(pending.request.again(pending.review), pending):
            self.confirm(data, self.pending[-1])

    def apply(self, pending: PendingReview, names: set[str]) -> None:
        after = self.restored_model()
        applied = after.apply(pending.review, names)
        only_unchanged = names != set(included(pending.review))
        result = factories.confirmed(pending.operation, only_unchanged=only_unchanged)
        assert (result.customers, result.changed) == (len(names), len(applied.records))
        self.model = after
        self.pending.remove(pending)
        self.batches.append((result.batch, applied))
        with pytest.raises(OperationFinished, match="already"):
            factories.confirmed(pending.operation)


def stored_items(operation: Operation) -> dict[str, Any]:
    """The review as it is stored: why a customer is excluded, or its predicted effects and new terms."""
    return {
        item.customer.customer_id: (
            (item.left_out,)
            if item.left_out
            else ("", item.exhausts, item.effect, item.budget_type, item.amount, item.account_freezing, item.unfreeze)
        )
        for item in operation.reviewed.select_related("customer")
    }


def expected_items(review: Review) -> dict[str, Any]:
    """A review of the model in the same form."""
    return {
        name: (
            (item.exclusion,)
            if item.exclusion
            else ("", *item.predicted, item.budget_type, item.amount, item.account_freezing, item.unfreeze)
        )
        for name, item in review.items()
    }


def test_batches_follow_the_rules_whatever_happens(ann: User, acme: Partner) -> None:
    run_machine(BatchMachine, ann, acme, examples=25, steps=25)
