"""Twelve threads run random actions on the same customers across the end of a month (on PostgreSQL)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from random import Random, getrandbits
from typing import Any

import pytest
from django.utils import timezone

from budgets.actions.association import associate_customers
from budgets.actions.billing_month import current_month
from budgets.actions.review_edits import edit_review
from budgets.actions.reviews import review_budgets
from budgets.actions.set_budgets import apply_budgets
from budgets.actions.terms import BudgetChange, BudgetTerms, RelativeAmount
from budgets.actions.undo import review_undo
from budgets.models import AdjustmentRecord, BillingMonth, ExpenditureReport
from customers.agreement import CURRENT_VERSION
from customers.files import NewCustomer
from customers.models import AccountFreezing, Customer
from partnercenter.actions.operations import confirm_operation
from partnercenter.actions.partners import give_grant
from partnercenter.lib.errors import ActionError, LockTimeout
from partnercenter.models import BudgetType, Confirmation, Operation
from tests import factories
from tests.concurrency.threads import run_together

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

THREADS, STEPS = 12, 12
LAST_MINUTE_OF_SEPTEMBER = datetime(2026, 9, 30, 15, 59, 30, tzinfo=UTC)
OCTOBER = LAST_MINUTE_OF_SEPTEMBER + timedelta(minutes=1)


class RandomActions:
    """Partners, people and customers, and the actions on them; `run` also moves the clock into October."""

    def __init__(self, partners, operators, distributor, clock) -> None:
        self.partners, self.operators, self.distributor, self.clock = partners, operators, distributor, clock
        self.customers = [customer for partner in partners for customer in factories.customers(partner, 5)]
        for operator in (operators[0], operators[-1]):
            factories.budget(Customer.objects.visible_to(operator)[:4], operator, "100")
        self.newcomers = [f"late-{n}" for n in range(6)]
        self.operations = list[Operation]()

    def _terms(self, chance: Random) -> BudgetTerms:
        policy = chance.choice([None, *AccountFreezing])
        return BudgetTerms(
            chance.choice(list(BudgetType)), Decimal(chance.randint(50, 300)), policy, agreement=CURRENT_VERSION
        )

    def _some(self, chance: Random, operator) -> Any:
        """One to five of the customers that the operator may see."""
        companies = {operator.partner, *operator.partner.resellers.all()}
        theirs = [customer for customer in self.customers if customer.partner in companies]
        keys = [customer.pk for customer in chance.sample(theirs, chance.randint(1, 5))]
        return Customer.objects.filter(pk__in_array=keys)

    def _review(self, operator, chance: Random) -> Operation:
        terms: BudgetTerms | BudgetChange = self._terms(chance)
        if chance.random() < 0.3:
            terms = BudgetChange(amount=RelativeAmount(percent=Decimal(110), round_up_to=Decimal(5)))
        return review_budgets(self._some(chance, operator), terms, operator=operator, unfreeze=chance.random() < 0.5)

    def set_some(self, chance: Random) -> None:
        operator = chance.choice([*self.operators, self.distributor])
        terms = self._terms(chance)
        unfreeze = chance.random() < 0.5
        factories.budget(
            self._some(chance, operator),
            operator,
            str(terms.amount),
            terms.budget_type,
            terms.account_freezing,
            unfreeze=unfreeze,
        )

    def report_some(self, chance: Random) -> None:
        accounts = [*(customer.customer_id for customer in self.customers), *self.newcomers]
        lines = [
            (account, month, str(chance.randint(-50, 250)))
            for account in chance.sample(accounts, 8)
            for month in ("2026-09", "2026-10")
        ]
        factories.report(*lines, at=timezone.now() - timedelta(seconds=chance.randint(0, 30)))

    def grant(self, chance: Random) -> None:
        quota = chance.choice([None, Decimal(500), Decimal(2000), Decimal(5000)])
        give_grant(self.partners[0], monthly_quota=quota, one_time_quota=quota, operator=self.distributor)

    def review(self, chance: Random) -> None:
        self.operations.append(self._review(chance.choice(self.operators), chance))

    def edit(self, chance: Random) -> None:
        operation = self._any_operation(chance)
        rows = operation.reviewed.select_related("customer").order_by("?")
        first, *_rest, last = [row.customer.customer_id for row in (rows[0], *rows)]
        amounts = {} if operation.kind == Operation.Kind.UNDO_BATCH else {last: Decimal(chance.randint(50, 300))}
        self.operations.append(edit_review(operation, exclude=[first], amounts=amounts))

    def confirm(self, chance: Random) -> None:
        """Confirm any of the last operations, even if it is confirmed already; mostly for unchanged customers only."""
        operation, only_unchanged = self._any_operation(chance), chance.random() < 0.7
        confirm_operation(operation, "", lambda: apply_budgets(operation, only_unchanged=only_unchanged))

    def undo(self, chance: Random) -> None:
        """Review the undo of one of the last batches by somebody of the same company, and mostly confirm it."""
        batches = list(Confirmation.objects.select_related("operation").order_by("-at")[:3])
        if batches:
            batch = chance.choice(batches)
            people = [*self.operators, self.distributor]
            operator = chance.choice([each for each in people if each.partner == batch.operation.partner])
            undo = review_undo(batch.pk, operator=operator, unfreeze=chance.random() < 0.5)
            self.operations.append(undo)
            if chance.random() < 0.7:
                confirm_operation(undo, "", lambda: apply_budgets(undo))

    def _any_operation(self, chance: Random) -> Operation:
        if not self.operations:
            self.review(chance)
        return chance.choice(self.operations[-8:])

    def associate(self, chance: Random) -> None:
        # `pop` is atomic, so no two threads associate the same ID.
        if self.newcomers:
            name = self.newcomers.pop()
            newcomer = NewCustomer(name, name, name, chance.choice(self.partners))
            associate_customers([newcomer])

    def open_a_page(self, _chance: Random) -> None:
        """What every page does first: restore the budgets if a new month has begun."""
        current_month()

    def run(self, seed: int) -> list[ActionError]:
        """Run a number of random actions; return the errors of those that were refused."""
        chance, errors = Random(seed), list[ActionError]()
        weights: dict[Callable[[Random], None], int] = {
            self.set_some: 3, self.report_some: 4, self.grant: 1, self.associate: 1, self.open_a_page: 1,
            self.review: 4, self.edit: 2, self.confirm: 5, self.undo: 3,
        }  # fmt: skip
        for step in range(STEPS):
            try:
                chance.choices(list(weights), list(weights.values()))[0](chance)
            except ActionError as error:
                errors.append(error)
            if step == STEPS // 2:
                self.clock.move_to(OCTOBER)
        return errors


def test_the_data_is_consistent_after_twelve_threads_of_random_actions(acme, ann, ben, sol_solutions, sol, dora, clock):
    clock.move_to(LAST_MINUTE_OF_SEPTEMBER)
    actions = RandomActions([acme, sol_solutions], [ann, ben, sol], dora, clock)
    seed = getrandbits(64)
    errors = run_together([partial(actions.run, seed + n) for n in range(THREADS)])
    assert not [each for of_thread in errors for each in of_thread if isinstance(each, LockTimeout)]
    assert BillingMonth.objects.get().month == 202610
    assert Confirmation.objects.exists()
    assert AdjustmentRecord.objects.exists()
    assert ExpenditureReport.objects.exists()
