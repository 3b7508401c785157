"""Domain 3 in plain Python: what the console is compared with in test_state_machine.

Amounts have two decimals; months are numbers that count from January of year 0, so that they can be added to.
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
from tests.reference_accounts import FREEZES, Account

CENT = Decimal("0.01")


@dataclass
class Reviewed:
    """A customer of a review: what it gets (no type: no budget), how it was seen, and what was said to happen.

    `counted_from` None follows the rules.
    """

    budget_type: BudgetType | None
    amount: Decimal | None
    account_freezing: AccountFreezing | None
    unfreeze: bool
    seen: tuple[Any, ...]
    on_restore: bool = False
    counted_from: int | None = None
    left_out: ExclusionReason = ExclusionReason.NONE
    said: tuple[bool, FreezeEffect] = (False, FreezeEffect.NONE)

    @property
    def terms(self) -> BudgetTerms | None:
        if self.budget_type is None or self.amount is None:
            return None
        return BudgetTerms(self.budget_type, self.amount, self.account_freezing, self.keeps_on_restore)

    @property
    def keeps_on_restore(self) -> bool:
        """Only a monthly budget with automatic freezing has a freeze to be lifted at restore (3.11)."""
        automatic = bool(self.account_freezing and FREEZES[self.account_freezing])
        return self.on_restore and automatic and self.budget_type == BudgetType.MONTHLY


@dataclass
class Done:
    """What an OK did, when: per customer the number of the record and the budget that stood before; who was frozen."""

    at: datetime
    records: dict[str, tuple[int, BudgetTerms | None, int]] = field(default_factory=dict)
    frozen: set[str] = field(default_factory=set)


Review = dict[str, Reviewed]


@dataclass
class Model:
    """The rules of section 3 (docs/rules.md).

    `totals` are time and amount per account and month; `gone` are those of who has left.
    """

    now: datetime
    month: int = 0
    accounts: dict[str, Account] = field(default_factory=dict)
    totals: dict[tuple[str, int], tuple[datetime, Decimal]] = field(default_factory=dict)
    gone: set[tuple[str, int]] = field(default_factory=set)

    def used(self, name: str) -> Decimal:
        """The sum of the months that count, up to the current one (3.2)."""
        return self.spent(name, self.accounts[name].counted_from, self.month)

    def spent(self, name: str, first: int, last: int) -> Decimal:
        months = {(name, month) for month in range(first, last + 1)} & (self.totals.keys() - self.gone)
        return sum((self.totals[month][1] for month in months), Decimal("0.00"))

    def due(self, name: str) -> FreezeKind:
        """What the policy asks for while the budget is used up (3.7)."""
        terms = self.accounts[name].terms
        exhausted = terms is not None and self.used(name) >= terms.amount
        return FREEZES[terms.account_freezing] if terms and terms.account_freezing and exhausted else FreezeKind.NONE

    def follow(self) -> None:
        """Freezing follows the state, not the crossing (3.7)."""
        for name, account in self.accounts.items():
            account.freeze(self.due(name), FreezeOrigin.BUDGET_EXHAUSTED, self.now)

    def restore(self, month: int) -> None:
        """Monthly budgets start anew; a freeze is lifted where the budget did it and was to lift it (3.2, 3.11)."""
        moves, self.month = month != self.month, month
        for account in self.accounts.values():
            if moves and account.terms and account.terms.budget_type == BudgetType.MONTHLY:
                account.counted_from = month
                lifts = account.terms.unfreeze_on_restore and account.origin == FreezeOrigin.BUDGET_EXHAUSTED
                if lifts and not account.worsened:
                    account.unfreeze()
        self.follow()

    def leave(self, name: str) -> None:
        """It goes with its budget; the months before this one stay what it spent, whoever has the ID then (8.4)."""
        del self.accounts[name]
        self.gone |= {(its, month) for its, month in self.totals if its == name and month < self.month}

    def review(self, names: Iterable[str], terms: BudgetTerms | BudgetChange, *, unfreeze: bool) -> Review:
        """What each would get by what it has; who cannot be given it is left out."""
        review = {name: self._reviewed(name, terms, unfreeze=unfreeze) for name in names}
        self._say(review)
        return review

    def _reviewed(self, name: str, given: BudgetTerms | BudgetChange, *, unfreeze: bool) -> Reviewed:
        """Without a policy: unchanged, at first Manual (3.6)."""
        stands = self.accounts[name].terms
        policy = given.account_freezing or (stands.account_freezing if stands else AccountFreezing.MANUAL)
        goes_by_budget = not isinstance(given.amount, Decimal) and not (given.amount and given.amount.last_month_times)
        row = Reviewed(given.budget_type, None, policy, unfreeze, self.accounts[name].seen)
        row.on_restore = bool(stands and stands.unfreeze_on_restore)
        if given.unfreeze_on_restore is not None:
            row.on_restore = given.unfreeze_on_restore
        if stands and row.budget_type is None:
            row.budget_type = stands.budget_type
        if not stands and (goes_by_budget or given.budget_type is None):
            row.left_out = ExclusionReason.NO_BUDGET
        else:
            row.amount = self._amount(name, given.amount)
            row.left_out = possible(row)
        return row

    def _amount(self, name: str, given: Decimal | RelativeAmount | None) -> Decimal:
        if isinstance(given, Decimal):
            return given
        stands = self.accounts[name].terms
        present = stands.amount if stands else Decimal(0)
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

    def edit(self, review: Review, leave_out: set[str], take_in: set[str], amounts: Mapping[str, Decimal]) -> None:
        """Left out, taken in again or given another amount. The states seen stay, what will happen is said anew."""
        for name, row in review.items():
            row.amount = amounts.get(name, row.amount)
            if row.left_out == ExclusionReason.MOVED_ON:
                continue
            if name in leave_out:
                row.left_out = ExclusionReason.BY_OPERATOR
            elif name in take_in or name in amounts:
                row.left_out = possible(row)
        self._say(review)

    def _say(self, review: Review) -> None:
        for name, row in review.items():
            row.said = self.foresee(name, row)

    def counts_from(self, name: str, row: Reviewed) -> int:
        """A budget that stays one-time counts on (3.2)."""
        if row.counted_from is not None:
            return row.counted_from
        stands = self.accounts[name].terms
        stays = stands and stands.budget_type == row.budget_type == BudgetType.ONE_TIME
        return self.accounts[name].counted_from if stays else self.month

    def foresee(self, name: str, row: Reviewed) -> tuple[bool, FreezeEffect]:
        """Whether the budget would be used up at once, and what would become of the account."""
        spent = self.spent(name, self.counts_from(name, row), self.month)
        exhausts = row.amount is not None and spent >= row.amount
        freezes = bool(exhausts and row.account_freezing and FREEZES[row.account_freezing])
        if self.accounts[name].kind:
            if row.unfreeze and not freezes:
                return exhausts, FreezeEffect.UNFROZEN
            with_resources = row.account_freezing == AccountFreezing.AUTOMATIC_WITH_RESOURCES
            escalates = exhausts and with_resources and self.accounts[name].kind == FreezeKind.ACCOUNT
            return exhausts, FreezeEffect.ESCALATED if escalates else FreezeEffect.STAYS_FROZEN
        return exhausts, FreezeEffect.FROZEN if freezes else FreezeEffect.NONE

    def standing(self, review: Review) -> set[str]:
        """Who is as reviewed, and to whom the same would happen."""
        return {
            name for name in included(review)
            if (self.accounts[name].seen, self.foresee(name, review[name])) == (review[name].seen, review[name].said)
        }  # fmt: skip

    def apply(self, review: Review, names: Iterable[str]) -> Done:
        """What stands already is not written again (3.1); who would be frozen again stays frozen (3.9)."""
        done, freezes = Done(self.now), {name: account.freezes for name, account in self.accounts.items()}
        for name in names:
            account, row = self.accounts[name], review[name]
            if account.terms != row.terms or row.counted_from not in (None, account.counted_from):
                account.adjustments += 1
                done.records[name] = (account.adjustments, account.terms, account.counted_from)
            account.counted_from, account.terms = self.counts_from(name, row), row.terms
            if row.unfreeze and not self.due(name):
                account.unfreeze()
        self.follow()
        done.frozen = {name for name, account in self.accounts.items() if account.freezes > freezes[name]}
        return done

    def review_undo(self, done: Done, *, unfreeze: bool, left_out: Iterable[str] = ()) -> Review:
        """Who still stands as the batch left it goes back to what it had; whom the batch froze is unfrozen if asked."""
        review: Review = {}
        for name, (number, before, counted_from) in done.records.items():
            account = self.accounts[name]
            thaws = unfreeze and name in done.frozen and account.since == done.at
            review[name] = row = Reviewed(None, None, None, thaws, account.seen)
            if before:
                row.budget_type, row.amount = before.budget_type, before.amount
                row.account_freezing, row.on_restore = before.account_freezing, bool(before.unfreeze_on_restore)
                row.counted_from = counted_from if before.budget_type == BudgetType.ONE_TIME else None
            if account.adjustments != number:
                row.left_out = ExclusionReason.MOVED_ON
            elif name in left_out:
                row.left_out = ExclusionReason.BY_OPERATOR
        self._say(review)
        return review

    def take_in(self, at: datetime, stated: dict[tuple[str, int], Decimal]) -> None:
        """A total of the same time or newer replaces the earlier one (8.1)."""
        for key, total in stated.items():
            if key not in self.totals or self.totals[key][0] <= at:
                self.totals[key] = (at, total)
        self.follow()

    def shown(self, name: str) -> dict[str, Any]:
        """A customer as it must be stored: freeze, numbers of records, and its budget with all that follows from it."""
        account = self.accounts[name]
        return {
            "frozen": (account.kind, account.origin, account.since),
            "records": (account.adjustments, account.freezes, account.unfreezes),
            "budget": account.terms and budget(account.terms, account.counted_from, self.used(name)),
        }


def included(review: Review) -> list[str]:
    return [name for name, row in review.items() if not row.left_out]


def possible(row: Reviewed) -> ExclusionReason:
    """Why a customer cannot be given this; nothing where it can, or where its budget is taken away."""
    if row.account_freezing is None:
        return ExclusionReason.NONE
    if row.budget_type is None or row.amount is None:
        return ExclusionReason.NO_BUDGET
    if row.amount <= 0:
        return ExclusionReason.NOT_POSITIVE
    return ExclusionReason.TOO_LARGE if row.amount > LARGEST_BUDGET else ExclusionReason.NONE


def refused(review: Review, *, unfreeze: bool, may_unfreeze: bool) -> bool:
    """Nobody to set; one alone who cannot be unfrozen (3.9); somebody unfrozen by a frozen reseller's people (4.7)."""
    effects = [review[name].said[1] for name in included(review)]
    stuck = unfreeze and effects in ([FreezeEffect.STAYS_FROZEN], [FreezeEffect.ESCALATED])
    return not effects or stuck or (FreezeEffect.UNFROZEN in effects and not may_unfreeze)


def budget(terms: BudgetTerms, counted_from: int, used: Decimal) -> tuple[Any, ...]:
    """Type, amount, policy, unfreezing at restore, first month that counts, used, whole percents, highest mark."""
    level = max(mark for mark in (0, 75, 90, 100) if mark == 0 or used * 100 >= terms.amount * mark)
    percents = int(used * 100 // terms.amount)
    asked = (terms.budget_type, terms.amount, terms.account_freezing, terms.unfreeze_on_restore)
    return *asked, as_stored(counted_from), used, percents, level


def as_stored(month: int) -> int:
    """The month as the console writes it: YYYYMM."""
    return month // 12 * 100 + month % 12 + 1
