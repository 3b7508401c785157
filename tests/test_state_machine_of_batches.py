"""Batches do what the same model says: reviewed, edited, confirmed whatever came between, undone.

See rules 3.9, 3.10 (docs/rules.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from budgets.actions.review_edits import edit_review
from budgets.actions.review_kinds import review_kind
from budgets.actions.reviews import review_budgets
from budgets.actions.terms import BudgetChange, BudgetTerms, RelativeAmount
from budgets.actions.undo import review_undo
from customers.agreement import CURRENT_VERSION
from customers.models import Customer, ExclusionReason
from partnercenter.actions.partners import give_grant
from partnercenter.lib.errors import ActionError, Conflict, OperationFinished, PermissionRefused
from partnercenter.models import BudgetType, Operation, Partner, User
from tests import factories
from tests.reference_model import Done, Model, Review, included, refused
from tests.state_machine import AGREED, AMOUNTS, CENT, ON_RESTORE, POLICIES, QUOTA, TERMS, UNFREEZE, Console, amounts

STEPS = st.sampled_from([None, None, Decimal("0.05"), Decimal(5), Decimal(100)])
RELATIVE = st.one_of(
    st.builds(RelativeAmount, percent=st.one_of(st.just(Decimal(110)), amounts(1_000, 11_250)), round_up_to=STEPS),
    st.builds(RelativeAmount, plus=amounts(-5_000, 1), round_up_to=STEPS),
    st.builds(RelativeAmount, last_month_times=st.sampled_from([Decimal("0.5"), Decimal("1.25")]), round_up_to=STEPS),
)
TYPE = st.sampled_from(BudgetType)
TYPES = st.one_of(st.none(), TYPE)
AMOUNT = st.one_of(st.none(), RELATIVE, AMOUNTS)
GIVEN = st.one_of(TERMS, st.builds(BudgetChange, TYPES, AMOUNT, POLICIES, ON_RESTORE, AGREED))
GO_BY_WHAT_STANDS = st.builds(BudgetChange, TYPES, RELATIVE, POLICIES, ON_RESTORE, AGREED)


@dataclass(frozen=True)
class Setting:
    """A batch that is asked for: for whom, and what; the amounts that an edit gave to some stay theirs."""

    names: frozenset[str]
    given: BudgetTerms | BudgetChange
    unfreeze: bool
    amounts: Mapping[str, Decimal] = field(default_factory=dict)

    def ask(self, operator: User, replaces: Operation | None = None) -> Operation:
        if replaces:
            return review_kind(replaces).review_again()
        customers = Customer.objects.filter(customer_id__in=self.names)
        return review_budgets(customers, self.given, operator=operator, unfreeze=self.unfreeze)

    def modelled(self, model: Model) -> Review:
        review = model.review(self.names, self.given, unfreeze=self.unfreeze)
        model.edit(review, set(), set(), self.amounts)
        return review

    def refused(self, model: Model, *, may_unfreeze: bool) -> bool:
        unfreeze = self.unfreeze and not self.amounts
        return refused(self.modelled(model), unfreeze=unfreeze, may_unfreeze=may_unfreeze)

    def again(self, review: Review) -> "Setting":
        """Whom the operator left out is left alone."""
        return replace(self, names=self.names - by_operator(review))


@dataclass(frozen=True)
class Undoing:
    """An undo that is asked for."""

    batch: UUID
    done: Done
    unfreeze: bool
    left_out: frozenset[str] = frozenset()

    def ask(self, operator: User, replaces: Operation | None = None) -> Operation:
        return review_undo(self.batch, operator=operator, unfreeze=self.unfreeze, replaces=replaces)

    def modelled(self, model: Model) -> Review:
        return model.review_undo(self.done, unfreeze=self.unfreeze, left_out=self.left_out)

    def refused(self, model: Model, *, may_unfreeze: bool) -> bool:
        return refused(self.modelled(model), unfreeze=False, may_unfreeze=may_unfreeze)

    def again(self, review: Review) -> "Undoing":
        """Whom the operator left out stays left out."""
        return replace(self, left_out=by_operator(review))


def by_operator(review: Review) -> frozenset[str]:
    return frozenset(name for name, row in review.items() if row.left_out == ExclusionReason.BY_OPERATOR)


@dataclass(frozen=True)
class Pending:
    """A review that waits for its OK, as the console has it and as the model has it."""

    operation: Operation
    review: Review
    asked: Setting | Undoing


class ConsoleOfBatches(Console):
    """What Console does, and batches."""

    def __init__(self, operator: User, partner: Partner) -> None:
        super().__init__(operator, partner)
        self.pending: list[Pending] = []

    @rule(data=st.data(), given=GIVEN, unfreeze=UNFREEZE)
    def review_any(self, data: Any, given: BudgetTerms | BudgetChange, *, unfreeze: bool) -> None:
        self.review(Setting(self.draw_names(data), given, unfreeze))

    def draw_names(self, data: Any) -> frozenset[str]:
        return data.draw(st.frozensets(st.sampled_from(sorted(self.model.accounts)), min_size=1))

    @precondition(lambda self: self.batches)
    @rule(data=st.data(), unfreeze=UNFREEZE, at_once=UNFREEZE)
    def undo_any(self, data: Any, *, unfreeze: bool, at_once: bool) -> None:
        """One of the last batches, undos among them, and what was set for one; mostly confirmed at once."""
        batch, done = data.draw(st.sampled_from(self.batches[-4:]))
        if self.review(Undoing(batch, done, unfreeze)) and at_once:
            self.confirm(data, self.pending[-1])

    def review(self, asked: Setting | Undoing, replaces: Pending | None = None) -> bool:
        """Whether there is a review, which then holds what the model says; what is refused leaves all as it was."""
        after, replaced = self.after_restore(), replaces.operation if replaces else None
        review = asked.modelled(after)
        if asked.refused(after, may_unfreeze=self.may_unfreeze):
            with pytest.raises(
                ActionError,
                match=r"cannot be unfrozen|None of the customers|Nothing can be undone|frozen by its distributor",
            ):
                asked.ask(self.operator, replaced)
            return False
        self.keep(asked.ask(self.operator, replaced), review, asked, after, replaces)
        return True

    def keep(
        self, operation: Operation, review: Review, asked: Setting | Undoing, after: Model, former: Pending | None
    ) -> None:
        assert stored(operation) == said(review)
        self.model = after
        self.pending.append(Pending(operation, review, asked))
        if former:
            self.pending.remove(former)

    @precondition(lambda self: self.pending)
    @rule(data=st.data(), amount=AMOUNTS)
    def edit_any(self, data: Any, amount: Decimal) -> None:
        """Some are left out, others taken in again or given another amount; an undo goes back to what was."""
        former = data.draw(st.sampled_from(self.pending))
        draw_some = st.sets(st.sampled_from(sorted(former.review)), max_size=1)
        leave_out, take_in, other = data.draw(draw_some), data.draw(draw_some), data.draw(draw_some)
        given = {} if isinstance(former.asked, Undoing) else dict.fromkeys(other, amount)
        if not self.expired(former):
            self.edit(former, leave_out, take_in, given)

    def edit(self, former: Pending, leave_out: set[str], take_in: set[str], given: dict[str, Decimal]) -> None:
        after = self.after_restore()
        review = {name: replace(row) for name, row in former.review.items()}
        after.edit(review, leave_out, take_in, given)
        act = partial(edit_review, former.operation, leave_out=leave_out, take_in=take_in, amounts=given)
        if refused(review, unfreeze=False, may_unfreeze=self.may_unfreeze):
            with pytest.raises(
                ActionError,
                match=r"Nothing can be undone|Keep at least one|None of the customers|frozen by its distributor",
            ):
                act()
        else:
            asked = former.asked
            if isinstance(asked, Setting):
                asked = replace(asked, amounts={**asked.amounts, **given})
            self.keep(act(), review, asked, after, former)

    def expired(self, pending: Pending) -> bool:
        """Whether its time is over; then nothing can be done with it."""
        if self.now < pending.operation.expires_at:
            return False
        for act in (lambda: factories.confirmed(pending.operation), lambda: edit_review(pending.operation)):
            with pytest.raises(OperationFinished, match="expired"):
                act()
        self.pending.remove(pending)
        return True

    @precondition(lambda self: self.pending)
    @rule(data=st.data())
    def confirm_any(self, data: Any) -> None:
        self.confirm(data, data.draw(st.sampled_from(self.pending)))

    @rule(data=st.data(), terms=TERMS, unfreeze=UNFREEZE, between=st.sampled_from(["edit", "cent", "used up"]))
    def batch_and_what_comes_between(self, data: Any, terms: BudgetTerms, *, unfreeze: bool, between: str) -> None:
        """One of its customers is set, moves by a cent, or would be used up at once, before its OK."""
        if self.review(Setting(self.draw_names(data), terms, unfreeze)):
            pending = self.pending[-1]
            name = data.draw(st.sampled_from(sorted(included(pending.review))))
            if between == "edit":
                self.set_budgets({name}, data.draw(TERMS), unfreeze=True)
            else:
                total = terms.amount if between == "used up" else CENT
                self.take_in({(name, self.current): total}, timedelta(0))
            self.confirm(data, pending)

    @precondition(lambda self: self.with_budget())
    @rule(data=st.data(), given=GO_BY_WHAT_STANDS, last_month=amounts(1, 50, 15_015))
    def batch_by_what_stands(self, data: Any, given: BudgetChange, last_month: Decimal) -> None:
        """By percent, plus, or last month's expenditure, for those who have a budget."""
        names = data.draw(st.frozensets(st.sampled_from(self.with_budget()), min_size=1))
        self.take_in({(min(names), self.current - 1): last_month}, timedelta(0))
        if self.review(Setting(names, given, unfreeze=False)):
            self.confirm(data, self.pending[-1])

    @rule(data=st.data(), amount=AMOUNTS, unfreeze=UNFREEZE, months=st.sampled_from([0, 1, 2]), first=TYPE)
    def change_of_type_undone(
        self, data: Any, amount: Decimal, months: int, first: BudgetType, *, unfreeze: bool
    ) -> None:
        """There and back, some months later: what counted before counts again (3.3)."""
        names = self.draw_names(data)
        for budget_type in (first, *(each for each in BudgetType if each != first)):
            terms = BudgetTerms(budget_type, amount, data.draw(POLICIES), agreement=CURRENT_VERSION)
            if self.review(Setting(names, terms, unfreeze=unfreeze)):
                self.confirm(data, self.pending[-1])
            if months and budget_type == first:
                self.months_pass(months, looked_at=False)
        batch, done = self.batches[-1] if self.batches else (None, None)
        if batch and done and self.review(Undoing(batch, done, unfreeze)):
            self.confirm(data, self.pending[-1])

    def confirm(self, data: Any, pending: Pending) -> None:
        """OK; where somebody is not as reviewed nothing is set, until it is said what to do."""
        if self.expired(pending):
            return
        names, as_reviewed = included(pending.review), self.after_restore().standing(pending.review)
        if refused(pending.review, unfreeze=False, may_unfreeze=self.may_unfreeze):
            with pytest.raises(PermissionRefused, match="frozen by its distributor"):
                factories.confirmed(pending.operation)
            return
        if as_reviewed == set(names):
            self.apply(pending, as_reviewed)
            return
        with pytest.raises(Conflict):
            factories.confirmed(pending.operation)
        then = data.draw(st.sampled_from(["unchanged", "again", "later"]))
        if then == "unchanged" and not as_reviewed:
            with pytest.raises(Conflict):
                factories.confirmed(pending.operation, only_unchanged=True)
        elif then == "unchanged":
            self.apply(pending, as_reviewed)
        elif then == "again" and self.review(pending.asked.again(pending.review), pending):
            self.confirm(data, self.pending[-1])

    def apply(self, pending: Pending, names: set[str]) -> None:
        after = self.after_restore()
        done = after.apply(pending.review, names)
        only_unchanged = names != set(included(pending.review))
        outcome = factories.confirmed(pending.operation, only_unchanged=only_unchanged)
        assert (outcome.customers, outcome.changed) == (len(names), len(done.records))
        self.model = after
        self.pending.remove(pending)
        self.batches.append((outcome.batch, done))
        with pytest.raises(OperationFinished, match="already"):
            factories.confirmed(pending.operation)


def stored(operation: Operation) -> dict[str, Any]:
    """A review as it is stored: what it says of each customer, and the terms of those that are set."""
    return {
        row.customer.customer_id: (
            (row.left_out,)
            if row.left_out
            else ("", row.exhausts, row.effect, row.budget_type, row.amount, row.account_freezing, row.unfreeze)
        )
        for row in operation.reviewed.select_related("customer")
    }


def said(review: Review) -> dict[str, Any]:
    """A review of the model in the same form."""
    return {
        name: (
            (row.left_out,)
            if row.left_out
            else ("", *row.said, row.budget_type, row.amount, row.account_freezing, row.unfreeze)
        )
        for name, row in review.items()
    }


@pytest.fixture
def console(ann: User, acme: Partner) -> Any:
    give_grant(acme, monthly_quota=QUOTA, one_time_quota=QUOTA, operator=None)
    return lambda: ConsoleOfBatches(ann, acme)


def test_whatever_happens_batches_agree_with_the_rules_of_budgets(console: Any) -> None:
    run_state_machine_as_test(
        console,
        settings=settings(
            settings.get_profile("ci"),
            max_examples=25,
            stateful_step_count=25,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
