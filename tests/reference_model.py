"""The rules of budgets in plain Python. The state machine tests compare the console with this model.

See section 3 (docs/rules.md). Amounts have two decimals. Months are numbers that count from January of year 0, so that
they can be added to.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from typing import Any

from budgets.actions.terms import BudgetChange, BudgetTerms, RelativeAmount
from customers.models import AccountFreezing, ExclusionReason, FreezeEffect, FreezeKind, FreezeOrigin
from partnercenter.lib.money import LARGEST_BUDGET
from partnercenter.models import BudgetType
from tests.reference_accounts import KIND_BY_POLICY, Account

CENT = Decimal("0.01")


@dataclass
class Item:
    """A customer in a review: the new terms, the state in which it was first reviewed, and the predicted effects.

    Without a budget type the budget is removed. `counted_from` is None where it follows from rule 3.2 (docs/rules.md).
    `predicted` says whether the new budget would be used up immediately, and what would happen to the account.
    """

    budget_type: BudgetType | None
    amount: Decimal | None
    account_freezing: AccountFreezing | None
    unfreeze: bool
    state: tuple[Any, ...]
    on_restore: bool = False
    counted_from: int | None = None
    exclusion: ExclusionReason = ExclusionReason.NONE
    predicted: tuple[bool, FreezeEffect] = (False, FreezeEffect.NONE)

    @property
    def terms(self) -> BudgetTerms | None:
        if self.budget_type is None or self.amount is None:
            return None
        return BudgetTerms(self.budget_type, self.amount, self.account_freezing, self.unfreeze_on_restore)

    @property
    def unfreeze_on_restore(self) -> bool:
        """Whether a month restore unfreezes the account.

        Only a monthly budget with automatic freezing has this choice; see rule 3.11 (docs/rules.md).
        """
        automatic = bool(self.account_freezing and KIND_BY_POLICY[self.account_freezing])
        return self.on_restore and automatic and self.budget_type == BudgetType.MONTHLY


@dataclass
class AppliedBatch:
    """What a confirmed batch did: when, its records, and the customers whose accounts it froze.

    `records` has for each customer that was changed the number of the record, and the terms and `counted_from` before.
    """

    at: datetime
    records: dict[str, tuple[int, BudgetTerms | None, int]] = field(default_factory=dict)
    frozen: set[str] = field(default_factory=set)


Review = dict[str, Item]


@dataclass
class Model:
    """All accounts by customer ID, and all reported totals.

    `totals` has the time and the amount of each customer ID and month. `former_totals` are those of them that belong to
    customers that have been disassociated.
    """

    now: datetime
    month: int = 0
    accounts: dict[str, Account] = field(default_factory=dict)
    totals: dict[tuple[str, int], tuple[datetime, Decimal]] = field(default_factory=dict)
    former_totals: set[tuple[str, int]] = field(default_factory=set)

    def used(self, name: str) -> Decimal:
        """The expenditure from the first month that counts to the current one; see rule 3.2 (docs/rules.md)."""
        return self.spent(name, self.accounts[name].counted_from, self.month)

    def spent(self, name: str, first: int, last: int) -> Decimal:
        months = {(name, month) for month in range(first, last + 1)} & (self.totals.keys() - self.former_totals)
        return sum((self.totals[month][1] for month in months), Decimal("0.00"))

    def required_kind(self, name: str) -> FreezeKind:
        """The kind of freeze that the policy requires, if the budget is used up; see rule 3.7 (docs/rules.md)."""
        terms = self.accounts[name].terms
        if terms is None or terms.account_freezing is None or self.used(name) < terms.amount:
            return FreezeKind.NONE
        return KIND_BY_POLICY[terms.account_freezing]

    def freeze_exhausted(self) -> None:
        """Freeze every account whose budget is used up and requires it; see rule 3.7 (docs/rules.md)."""
        for name, account in self.accounts.items():
            account.freeze(self.required_kind(name), FreezeOrigin.BUDGET_EXHAUSTED, self.now)

    def restore(self, month: int) -> None:
        """Restore the monthly budgets if this is a new month, and lift the freezes that end with that.

        See rules 3.2 and 3.11 (docs/rules.md).
        """
        is_new, self.month = month != self.month, month
        for account in self.accounts.values():
            if is_new and account.terms and account.terms.budget_type == BudgetType.MONTHLY:
                account.counted_from = month
                lifts = account.terms.unfreeze_on_restore and account.origin == FreezeOrigin.BUDGET_EXHAUSTED
                if lifts and not account.escalated_by_hand:
                    account.unfreeze()
        self.freeze_exhausted()

    def disassociate(self, name: str) -> None:
        """Remove the account with its budget; its totals before this month will never be those of another customer.

        See rule 8.4 (docs/rules.md).
        """
        del self.accounts[name]
        self.former_totals |= {(its, month) for its, month in self.totals if its == name and month < self.month}

    def review(self, names: Iterable[str], terms: BudgetTerms | BudgetChange, *, unfreeze: bool) -> Review:
        """The budget that each customer would get; those that cannot get it are excluded."""
        review = {name: self._item(name, terms, unfreeze=unfreeze) for name in names}
        self._predict_all(review)
        return review

    def _item(self, name: str, given: BudgetTerms | BudgetChange, *, unfreeze: bool) -> Item:
        """Without a policy the present one stays; a first budget is then Manual. See rule 3.6 (docs/rules.md)."""
        present = self.accounts[name].terms
        policy = given.account_freezing or (present.account_freezing if present else AccountFreezing.MANUAL)
        needs_budget = not isinstance(given.amount, Decimal) and not (given.amount and given.amount.last_month_times)
        item = Item(given.budget_type, None, policy, unfreeze, self.accounts[name].state)
        item.on_restore = bool(present and present.unfreeze_on_restore)
        if given.unfreeze_on_restore is not None:
            item.on_restore = given.unfreeze_on_restore
        if present and item.budget_type is None:
            item.budget_type = present.budget_type
        if not present and (needs_budget or given.budget_type is None):
            item.exclusion = ExclusionReason.NO_BUDGET
        else:
            item.amount = self._amount(name, given.amount)
            item.exclusion = exclusion_by_terms(item)
        return item

    def _amount(self, name: str, given: Decimal | RelativeAmount | None) -> Decimal:
        if isinstance(given, Decimal):
            return given
        terms = self.accounts[name].terms
        present = terms.amount if terms else Decimal(0)
        if given is None:
            return present
        exact = present + (given.plus or 0)
        if given.percent is not None:
            exact = present * given.percent / 100
        elif given.last_month_times is not None:
            exact = self.spent(name, self.month - 1, self.month - 1) * given.last_month_times
        amount = exact.quantize(CENT, ROUND_HALF_UP)
        step = given.round_up_to
        return (amount / step).to_integral_value(ROUND_CEILING) * step if step else amount

    def edit(self, review: Review, exclude: set[str], include: set[str], amounts: Mapping[str, Decimal]) -> None:
        """Exclude customers, include them again or give them other amounts; predict the effects again.

        Each item keeps the state in which the customer was first reviewed.
        """
        for name, item in review.items():
            item.amount = amounts.get(name, item.amount)
            if item.exclusion == ExclusionReason.MOVED_ON:
                continue
            if name in exclude:
                item.exclusion = ExclusionReason.BY_OPERATOR
            elif name in include or name in amounts:
                item.exclusion = exclusion_by_terms(item)
        self._predict_all(review)

    def _predict_all(self, review: Review) -> None:
        for name, item in review.items():
            item.predicted = self.predict(name, item)

    def new_counted_from(self, name: str, item: Item) -> int:
        """The first month that the new budget counts: a budget that stays one-time keeps the month it counts from.

        See rule 3.2 (docs/rules.md).
        """
        if item.counted_from is not None:
            return item.counted_from
        present = self.accounts[name].terms
        stays_one_time = present and present.budget_type == item.budget_type == BudgetType.ONE_TIME
        return self.accounts[name].counted_from if stays_one_time else self.month

    def predict(self, name: str, item: Item) -> tuple[bool, FreezeEffect]:
        """Whether the new budget would be used up immediately, and what would happen to the account."""
        spent = self.spent(name, self.new_counted_from(name, item), self.month)
        exhausted = item.amount is not None and spent >= item.amount
        freezes = bool(exhausted and item.account_freezing and KIND_BY_POLICY[item.account_freezing])
        if self.accounts[name].kind:
            if item.unfreeze and not freezes:
                return exhausted, FreezeEffect.UNFROZEN
            with_resources = item.account_freezing == AccountFreezing.AUTOMATIC_WITH_RESOURCES
            escalates = exhausted and with_resources and self.accounts[name].kind == FreezeKind.ACCOUNT
            return exhausted, FreezeEffect.ESCALATED if escalates else FreezeEffect.STAYS_FROZEN
        return exhausted, FreezeEffect.FROZEN if freezes else FreezeEffect.NONE

    def unchanged(self, review: Review) -> set[str]:
        """The included customers that are in the reviewed state and have the same predicted effects."""
        return {
            name
            for name in included(review)
            if self.accounts[name].state == review[name].state
            and self.predict(name, review[name]) == review[name].predicted
        }

    def apply(self, review: Review, names: Iterable[str]) -> AppliedBatch:
        """Set the reviewed budgets of these customers, unfreeze where that is allowed, and freeze exhausted accounts.

        A budget that stays the same gets no record. See rules 3.1 and 3.9 (docs/rules.md).
        """
        batch, freezes = AppliedBatch(self.now), {name: account.freezes for name, account in self.accounts.items()}
        for name in names:
            account, item = self.accounts[name], review[name]
            if account.terms != item.terms or item.counted_from not in (None, account.counted_from):
                account.adjustments += 1
                batch.records[name] = (account.adjustments, account.terms, account.counted_from)
            account.counted_from, account.terms = self.new_counted_from(name, item), item.terms
            if item.unfreeze and not self.required_kind(name):
                account.unfreeze()
        self.freeze_exhausted()
        batch.frozen = {name for name, account in self.accounts.items() if account.freezes > freezes[name]}
        return batch

    def review_undo(self, batch: AppliedBatch, *, unfreeze: bool, excluded: Iterable[str] = ()) -> Review:
        """The budget that each customer of the batch had before; those that were changed since then are excluded.

        With `unfreeze`, accounts that the batch froze are unfrozen.
        """
        review: Review = {}
        for name, (number, before, counted_from) in batch.records.items():
            account = self.accounts[name]
            unfreezes = unfreeze and name in batch.frozen and account.since == batch.at
            review[name] = item = Item(None, None, None, unfreezes, account.state)
            if before:
                item.budget_type, item.amount = before.budget_type, before.amount
                item.account_freezing, item.on_restore = before.account_freezing, bool(before.unfreeze_on_restore)
                item.counted_from = counted_from if before.budget_type == BudgetType.ONE_TIME else None
            if account.adjustments != number:
                item.exclusion = ExclusionReason.MOVED_ON
            elif name in excluded:
                item.exclusion = ExclusionReason.BY_OPERATOR
        self._predict_all(review)
        return review

    def import_report(self, at: datetime, totals: dict[tuple[str, int], Decimal]) -> None:
        """A total of the same time or newer replaces the earlier one; see rule 8.1 (docs/rules.md)."""
        for key, total in totals.items():
            if key not in self.totals or self.totals[key][0] <= at:
                self.totals[key] = (at, total)
        self.freeze_exhausted()

    def expected(self, name: str) -> dict[str, Any]:
        """How the customer must be stored: its freeze, the numbers of its records, and its budget with all figures."""
        account = self.accounts[name]
        return {
            "frozen": (account.kind, account.origin, account.since),
            "records": (account.adjustments, account.freezes, account.unfreezes),
            "budget": account.terms and expected_budget(account.terms, account.counted_from, self.used(name)),
        }


def included(review: Review) -> list[str]:
    return [name for name, item in review.items() if not item.exclusion]


def exclusion_by_terms(item: Item) -> ExclusionReason:
    """Why a customer cannot get this budget; NONE where it can, or where its budget is removed."""
    if item.account_freezing is None:
        return ExclusionReason.NONE
    if item.budget_type is None or item.amount is None:
        return ExclusionReason.NO_BUDGET
    if item.amount <= 0:
        return ExclusionReason.NOT_POSITIVE
    return ExclusionReason.TOO_LARGE if item.amount > LARGEST_BUDGET else ExclusionReason.NONE


def is_refused(review: Review, *, unfreeze: bool, may_unfreeze: bool) -> bool:
    """Whether the review is refused: it includes no customer, or it must not unfreeze an account.

    A single customer that is to be unfrozen must not stay frozen (rule 3.9 (docs/rules.md)). The people of a frozen
    reseller unfreeze no customer (rule 4.7 (docs/rules.md)).
    """
    effects = [review[name].predicted[1] for name in included(review)]
    stays_frozen = unfreeze and effects in ([FreezeEffect.STAYS_FROZEN], [FreezeEffect.ESCALATED])
    return not effects or stays_frozen or (FreezeEffect.UNFROZEN in effects and not may_unfreeze)


def expected_budget(terms: BudgetTerms, counted_from: int, used: Decimal) -> tuple[Any, ...]:
    """How a budget must be stored: its terms, first month that counts, used, usage in whole percents, and level."""
    level = max(mark for mark in (0, 75, 90, 100) if mark == 0 or used * 100 >= terms.amount * mark)
    usage = int(used * 100 // terms.amount)
    stored_terms = (terms.budget_type, terms.amount, terms.account_freezing, terms.unfreeze_on_restore)
    return *stored_terms, stored_month(counted_from), used, usage, level


def stored_month(month: int) -> int:
    """The month as the console stores it: YYYYMM."""
    return month // 12 * 100 + month % 12 + 1
