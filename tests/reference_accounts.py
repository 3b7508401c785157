"""The rules of freezing in plain Python: an account, how it is frozen, and freezing and unfreezing it by hand.

See section 4 (docs/rules.md). tests/reference_model.py adds the rules of budgets.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from budgets.actions.freeze_terms import FreezeRequest
from budgets.actions.terms import BudgetTerms
from customers.models import AccountFreezing, ExclusionReason, FreezeEffect, FreezeKind, FreezeOrigin

STRENGTH = {FreezeKind.NONE: 0, FreezeKind.ACCOUNT: 1, FreezeKind.ACCOUNT_AND_RESOURCE: 2}
KIND_BY_POLICY = {
    AccountFreezing.MANUAL: FreezeKind.NONE,
    AccountFreezing.AUTOMATIC: FreezeKind.ACCOUNT,
    AccountFreezing.AUTOMATIC_WITH_RESOURCES: FreezeKind.ACCOUNT_AND_RESOURCE,
}


@dataclass
class Account:
    """A customer, at first as association leaves it: frozen. See rule 4.1 (docs/rules.md).

    `adjustments`, `freezes` and `unfreezes` are the numbers of its records. `escalated_by_hand`: a person has escalated
    the present freeze, so a month restore does not lift it; see rule 3.11 (docs/rules.md).
    """

    since: datetime | None
    terms: BudgetTerms | None = None
    counted_from: int = 0
    kind: FreezeKind = FreezeKind.ACCOUNT
    origin: FreezeOrigin = FreezeOrigin.ASSOCIATION
    adjustments: int = 0
    freezes: int = 1
    unfreezes: int = 0
    escalated_by_hand: bool = False

    def freeze(self, kind: FreezeKind, origin: FreezeOrigin, at: datetime) -> None:
        """Freeze the account, or escalate its freeze; a freeze that is as strong already stays as it is.

        An escalated freeze keeps its origin. See rules 3.7 and 4.5 (docs/rules.md).
        """
        if STRENGTH[kind] > STRENGTH[self.kind]:
            self.escalated_by_hand = bool(self.kind) and origin == FreezeOrigin.PARTNER
            self.kind, self.origin, self.freezes = kind, self.origin or origin, self.freezes + 1
            self.since = self.since or at

    def unfreeze(self) -> None:
        if self.kind:
            self.kind, self.origin, self.unfreezes = FreezeKind.NONE, FreezeOrigin.NONE, self.unfreezes + 1
            self.since, self.escalated_by_hand = None, False

    @property
    def state(self) -> tuple[Any, ...]:
        """What must not change between a review of budgets and its OK."""
        return self.adjustments if self.terms else None, self.kind, self.since

    def exclusion(self, request: FreezeRequest, required: FreezeKind) -> ExclusionReason:
        """Why the request does not apply to the account; see rules 3.9, 4.3 and 4.5 (docs/rules.md).

        `required` is the kind of freeze that the budget requires now, because it is used up.
        """
        if self.kind == request.kind and request.freezes:
            return ExclusionReason.FROZEN_SO
        if not self.kind and not request.freezes:
            return ExclusionReason.NOT_FROZEN
        # Freezing can only make a freeze stronger; unfreezing must name the kind of the freeze.
        if STRENGTH[self.kind] > STRENGTH[request.kind] or (self.kind != request.kind and not request.freezes):
            return ExclusionReason.OTHER_KIND
        return ExclusionReason.USED_UP if required and not request.freezes else ExclusionReason.NONE

    def effect(self, request: FreezeRequest, required: FreezeKind) -> FreezeEffect:
        """What the request would do to the account."""
        if self.exclusion(request, required):
            return FreezeEffect.NONE
        if not request.freezes:
            return FreezeEffect.UNFROZEN
        return FreezeEffect.ESCALATED if self.kind else FreezeEffect.FROZEN

    def apply(self, request: FreezeRequest, at: datetime) -> None:
        """Freeze or unfreeze as requested; the request must apply to the account."""
        if request.freezes:
            self.freeze(request.kind, FreezeOrigin.PARTNER, at)
        else:
            self.unfreeze()
