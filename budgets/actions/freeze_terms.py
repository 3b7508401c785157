"""Requests to freeze or unfreeze by hand, and annotations that say what one would do to each customer.

As in budgets.actions.terms, rows are either customers (`prefix` "") or have a foreign key to one ("customer__").
See rules 4.2 to 4.5 (docs/rules.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db import models
from django.db.models import Case, CharField, Q, QuerySet, Value, When

from budgets.models import FREEZE_KIND_BY_POLICY
from customers.models import ExclusionReason, FreezeEffect, FreezeKind
from partnercenter.models import Operation


@dataclass(frozen=True)
class FreezeRequest:
    """A request to freeze or unfreeze accounts by hand.

    `kind` is what to freeze, or the kind of freeze to lift; see rule 4.3 (docs/rules.md). `reason` has 1 to 256
    characters. `agreement` is the version of the agreement that was accepted, which is required to freeze resources;
    see rule 4.4 (docs/rules.md).
    """

    kind: FreezeKind
    reason: str
    agreement: str = ""
    freezes: bool = field(kw_only=True)

    @property
    def operation_kind(self) -> Operation.Kind:
        """The kind of operation that performs the request."""
        return Operation.Kind.FREEZE if self.freezes else Operation.Kind.UNFREEZE

    @property
    def freezes_resources(self) -> bool:
        return self.freezes and self.kind == FreezeKind.ACCOUNT_AND_RESOURCE

    def as_json(self) -> dict[str, str]:
        """Return the request as an operation stores it. Whether it freezes follows from the operation's kind."""
        return {"freeze_kind": self.kind, "reason": self.reason, "agreement": self.agreement}


def freeze_request_from(stored: Mapping[str, str], *, freezes: bool) -> FreezeRequest:
    """Convert the JSON that an operation or a job has stored back to a request."""
    return FreezeRequest(FreezeKind(stored["freeze_kind"]), stored["reason"], stored["agreement"], freezes=freezes)


def exclusion_reasons(request: FreezeRequest, prefix: str = "") -> dict[ExclusionReason, Q]:
    """By reason, the condition for customers whose account the request would not or must not change.

    See rules 3.9, 4.3 and 4.5 (docs/rules.md).
    """
    kind = f"{prefix}freeze_kind"
    if request.freezes_resources:
        return {ExclusionReason.FROZEN_SO: Q(**{kind: request.kind})}
    if request.freezes:
        # An account that is frozen with its resources cannot be frozen without them.
        return {
            ExclusionReason.FROZEN_SO: Q(**{kind: request.kind}),
            ExclusionReason.OTHER_KIND: Q(**{kind: FreezeKind.ACCOUNT_AND_RESOURCE}),
        }
    return {
        ExclusionReason.NOT_FROZEN: Q(**{kind: FreezeKind.NONE}),
        ExclusionReason.OTHER_KIND: ~Q(**{kind: request.kind}),
        ExclusionReason.USED_UP: Q(
            **{f"{prefix}budget__level": 100, f"{prefix}budget__account_freezing__in": list(FREEZE_KIND_BY_POLICY)}
        ),
    }


def freeze_exclusion(
    request: FreezeRequest, not_actionable: Mapping[ExclusionReason, Q] | None = None, *, prefix: str = ""
) -> Case:
    """The first reason why the request does not apply to a row; "" if it does.

    `not_actionable` maps further reasons to their conditions, which are checked first.
    """
    reasons = {**(not_actionable or {}), **exclusion_reasons(request, prefix)}
    return Case(
        *[When(condition, then=Value(reason)) for reason, condition in reasons.items()],
        default=Value(ExclusionReason.NONE),
        output_field=CharField(),
    )


def with_freeze_effects(rows: QuerySet, request: FreezeRequest, *, prefix: str = "") -> QuerySet:
    """Annotate rows with what the request would do to the account: `effect_after`.

    `exhausts_after` is always False; the effects of budget terms have the same two columns.
    """
    unchanged = [
        When(condition, then=Value(FreezeEffect.NONE)) for condition in exclusion_reasons(request, prefix).values()
    ]
    escalated = When(**{f"{prefix}freeze_kind": FreezeKind.ACCOUNT}, then=Value(FreezeEffect.ESCALATED))
    changed = [escalated] if request.freezes else []
    otherwise = FreezeEffect.FROZEN if request.freezes else FreezeEffect.UNFROZEN
    return rows.annotate(
        effect_after=Case(*unchanged, *changed, default=Value(otherwise), output_field=CharField()),
        exhausts_after=Value(False, output_field=models.BooleanField()),
    )
