"""Domain 4 in plain Python: an account, how it is frozen, and what is done to it by hand."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from budgets.actions.freeze_terms import FreezeRequest
from budgets.actions.terms import BudgetTerms
from customers.models import AccountFreezing, ExclusionReason, FreezeEffect, FreezeKind, FreezeOrigin

STRENGTH = {FreezeKind.NONE: 0, FreezeKind.ACCOUNT: 1, FreezeKind.ACCOUNT_AND_RESOURCE: 2}
FREEZES = {
    AccountFreezing.MANUAL: FreezeKind.NONE,
    AccountFreezing.AUTOMATIC: FreezeKind.ACCOUNT,
    AccountFreezing.AUTOMATIC_WITH_RESOURCES: FreezeKind.ACCOUNT_AND_RESOURCE,
}


@dataclass
class Account:
    """A customer as association leaves it (4.1), and the numbers of its records."""

    since: datetime | None
    terms: BudgetTerms | None = None
    counted_from: int = 0
    kind: FreezeKind = FreezeKind.ACCOUNT
    origin: FreezeOrigin = FreezeOrigin.ASSOCIATION
    adjustments: int = 0
    freezes: int = 1
    unfreezes: int = 0
    # Frozen in a stronger kind by a person since: no restore lifts that (3.11).
    worsened: bool = False

    def freeze(self, kind: FreezeKind, origin: FreezeOrigin, at: datetime) -> None:
        """Frozen already: the origin stays, the kind escalates (3.7); the same kind again changes nothing (4.5)."""
        if STRENGTH[kind] > STRENGTH[self.kind]:
            self.worsened = bool(self.kind) and origin == FreezeOrigin.PARTNER
            self.kind, self.origin, self.freezes = kind, self.origin or origin, self.freezes + 1
            self.since = self.since or at

    def unfreeze(self) -> None:
        if self.kind:
            self.kind, self.origin, self.unfreezes = FreezeKind.NONE, FreezeOrigin.NONE, self.unfreezes + 1
            self.since, self.worsened = None, False

    @property
    def seen(self) -> tuple[Any, ...]:
        """What must not have changed between review and OK."""
        return self.adjustments if self.terms else None, self.kind, self.since

    def why_not(self, asked: FreezeRequest, due: FreezeKind) -> ExclusionReason:
        """What does not apply changes nothing (4.5); `due` is what its budget asks for while it is used up (3.9)."""
        if self.kind == asked.kind and asked.freezes:
            return ExclusionReason.FROZEN_SO
        if not self.kind and not asked.freezes:
            return ExclusionReason.NOT_FROZEN
        # Freezing goes from weak to strong, unfreezing names the kind of the freeze (4.3).
        if STRENGTH[self.kind] > STRENGTH[asked.kind] or (self.kind != asked.kind and not asked.freezes):
            return ExclusionReason.OTHER_KIND
        return ExclusionReason.USED_UP if due and not asked.freezes else ExclusionReason.NONE

    def effect(self, asked: FreezeRequest, due: FreezeKind) -> FreezeEffect:
        """What would become of it."""
        if self.why_not(asked, due):
            return FreezeEffect.NONE
        if not asked.freezes:
            return FreezeEffect.UNFROZEN
        return FreezeEffect.ESCALATED if self.kind else FreezeEffect.FROZEN

    def act(self, asked: FreezeRequest, at: datetime) -> None:
        """What is asked for applies to it."""
        if asked.freezes:
            self.freeze(asked.kind, FreezeOrigin.PARTNER, at)
        else:
            self.unfreeze()
