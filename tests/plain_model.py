"""Domain 3 in plain Python: what the console is compared with in test_state_machine.

Amounts have two decimals; months are numbers that count from January of year 0, so that they can be added to.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from budgets.actions import Terms
from customers.models import AccountFreezing, FreezeKind, FreezeOrigin
from partnercenter.models import BudgetType

STRENGTH = {FreezeKind.NONE: 0, FreezeKind.ACCOUNT: 1, FreezeKind.ACCOUNT_AND_RESOURCE: 2}
FREEZES = {
    AccountFreezing.MANUAL: FreezeKind.NONE,
    AccountFreezing.AUTOMATIC: FreezeKind.ACCOUNT,
    AccountFreezing.AUTOMATIC_WITH_RESOURCES: FreezeKind.ACCOUNT_AND_RESOURCE,
}


@dataclass
class Account:
    """A customer as association leaves it (4.1), and the numbers of its records."""

    terms: Terms | None = None
    counted_from: int = 0
    kind: FreezeKind = FreezeKind.ACCOUNT
    origin: FreezeOrigin = FreezeOrigin.ASSOCIATION
    adjustments: int = 0
    freezes: int = 1
    unfreezes: int = 0

    def freeze(self, kind: FreezeKind, origin: FreezeOrigin) -> None:
        """Frozen already: the origin stays, the kind escalates (3.7); the same kind again changes nothing (4.5)."""
        if STRENGTH[kind] > STRENGTH[self.kind]:
            self.kind, self.origin, self.freezes = kind, self.origin or origin, self.freezes + 1

    def unfreeze(self) -> None:
        if self.kind:
            self.kind, self.origin, self.unfreezes = FreezeKind.NONE, FreezeOrigin.NONE, self.unfreezes + 1

    def set_budget(self, terms: Terms, month: int) -> None:
        """Without a policy: unchanged, at first Manual (3.6). A budget that stays one-time counts on (3.2)."""
        former = self.terms
        policy = terms.account_freezing or (former.account_freezing if former else AccountFreezing.MANUAL)
        if not (former and former.budget_type == terms.budget_type == BudgetType.ONE_TIME):
            self.counted_from = month
        self.terms = Terms(terms.budget_type, terms.amount, policy)
        self.adjustments += self.terms != former


@dataclass
class Model:
    """The rules of domain 3. `totals` are time and amount per account and month."""

    month: int = 0
    accounts: dict[str, Account] = field(default_factory=dict)
    totals: dict[tuple[str, int], tuple[datetime, Decimal]] = field(default_factory=dict)

    def used(self, name: str) -> Decimal:
        """The sum of the months that count, up to the current one (3.2)."""
        months = range(self.accounts[name].counted_from, self.month + 1)
        return sum((self.totals[name, month][1] for month in months if (name, month) in self.totals), Decimal("0.00"))

    def due(self, name: str) -> FreezeKind:
        """What the policy asks for while the budget is used up (3.7)."""
        terms = self.accounts[name].terms
        exhausted = terms is not None and self.used(name) >= terms.amount
        return FREEZES[terms.account_freezing] if terms and terms.account_freezing and exhausted else FreezeKind.NONE

    def follow(self) -> None:
        """Freezing follows the state, not the crossing (3.7)."""
        for name, account in self.accounts.items():
            account.freeze(self.due(name), FreezeOrigin.BUDGET_EXHAUSTED)

    def restore(self, month: int) -> None:
        """Monthly budgets start anew, no freeze is lifted (3.2, 3.11)."""
        self.month = month
        for account in self.accounts.values():
            if account.terms and account.terms.budget_type == BudgetType.MONTHLY:
                account.counted_from = month
        self.follow()

    def set_budgets(self, names: set[str], terms: Terms, *, unfreeze: bool) -> bool:
        """False where it is refused: one customer cannot be unfrozen. In a batch such a customer stays frozen (3.9)."""
        for name in names:
            self.accounts[name].set_budget(terms, self.month)
        stuck = {name for name in names if unfreeze and self.due(name) and self.accounts[name].kind}
        for name in names - stuck if unfreeze else ():
            self.accounts[name].unfreeze()
        self.follow()
        return not stuck or len(names) > 1

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
            "frozen": (account.kind, account.origin),
            "records": (account.adjustments, account.freezes, account.unfreezes),
            "budget": account.terms and budget(account.terms, account.counted_from, self.used(name)),
        }


def budget(terms: Terms, counted_from: int, used: Decimal) -> tuple[Any, ...]:
    """Type, amount, policy, month from which it counts, used, whole percents cut off, highest mark reached."""
    level = max(mark for mark in (0, 75, 90, 100) if mark == 0 or used * 100 >= terms.amount * mark)
    percents = int(used * 100 // terms.amount)
    return terms.budget_type, terms.amount, terms.account_freezing, as_stored(counted_from), used, percents, level


def as_stored(month: int) -> int:
    """The month as the console writes it: YYYYMM."""
    return month // 12 * 100 + month % 12 + 1
