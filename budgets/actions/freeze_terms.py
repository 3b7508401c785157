"""What is asked for by hand, and what it would do: freezing and unfreezing as columns of a queryset.

See rules 4.2 to 4.5 (docs/rules.md).

As with the terms of budgets, the rows may be customers themselves (`prefix` ""), or point to one ("customer__").
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import models
from django.db.models import Case, CharField, Q, QuerySet, Value, When

from budgets.models import FREEZE_KIND_BY_POLICY
from customers.models import ExclusionReason, FreezeEffect, FreezeKind
from partnercenter.models import Operation


@dataclass(frozen=True)
class FreezeRequest:
    """What is asked for. `kind` is what is to be frozen, or names the freeze that is to be lifted.

    See rule 4.3 (docs/rules.md).

    `reason` has 1 to 256 characters; `agreement` is the version accepted, needed to freeze resources; see rule 4.4
    (docs/rules.md).
    """

    kind: FreezeKind
    reason: str
    agreement: str = ""
    freezes: bool = field(kw_only=True)

    @property
    def operation_kind(self) -> Operation.Kind:
        """The kind of operation that carries it out."""
        return Operation.Kind.FREEZE if self.freezes else Operation.Kind.UNFREEZE

    @property
    def freezes_resources(self) -> bool:
        return self.freezes and self.kind == FreezeKind.ACCOUNT_AND_RESOURCE

    def as_json(self) -> dict[str, str]:
        """As an operation keeps it beside its kind."""
        return {"freeze_kind": self.kind, "reason": self.reason, "agreement": self.agreement}


def freeze_request_from(kept: Mapping[str, Any], *, freezes: bool) -> FreezeRequest:
    """The request that an operation or a job keeps as JSON."""
    return FreezeRequest(FreezeKind(kept["freeze_kind"]), kept["reason"], kept["agreement"], freezes=freezes)


def exclusion_reasons(asked: FreezeRequest, prefix: str = "") -> dict[ExclusionReason, Q]:
    """To whom it does not apply, by the reason: there it changes nothing (rule 4.5 (docs/rules.md)).

    Or must not (3.9, 4.3).
    """
    kind = f"{prefix}freeze_kind"
    if asked.freezes_resources:
        return {ExclusionReason.FROZEN_SO: Q(**{kind: asked.kind})}
    if asked.freezes:
        # Escalation goes one way: frozen with its resources, an account is not frozen without them.
        return {
            ExclusionReason.FROZEN_SO: Q(**{kind: asked.kind}),
            ExclusionReason.OTHER_KIND: Q(**{kind: FreezeKind.ACCOUNT_AND_RESOURCE}),
        }
    return {
        ExclusionReason.NOT_FROZEN: Q(**{kind: FreezeKind.NONE}),
        ExclusionReason.OTHER_KIND: ~Q(**{kind: asked.kind}),
        ExclusionReason.USED_UP: Q(
            **{f"{prefix}budget__level": 100, f"{prefix}budget__account_freezing__in": list(FREEZE_KIND_BY_POLICY)}
        ),
    }


def freeze_exclusion(
    asked: FreezeRequest, beyond: Mapping[ExclusionReason, Q] | None = None, *, prefix: str = ""
) -> Case:
    """Why it is not done to a row, first of all whoever is `beyond` reach; "" where it is."""
    reasons = {**(beyond or {}), **exclusion_reasons(asked, prefix)}
    return Case(
        *[When(condition, then=Value(reason)) for reason, condition in reasons.items()],
        default=Value(ExclusionReason.NONE),
        output_field=CharField(),
    )


def with_freeze_effects(rows: QuerySet[Any], asked: FreezeRequest, *, prefix: str = "") -> QuerySet[Any]:
    """The rows with `effect_after`, what would become of the account; under the name budgets have, `exhausts_after`."""
    untouched = [
        When(condition, then=Value(FreezeEffect.NONE)) for condition in exclusion_reasons(asked, prefix).values()
    ]
    escalates = When(**{f"{prefix}freeze_kind": FreezeKind.ACCOUNT}, then=Value(FreezeEffect.ESCALATED))
    changes = [escalates] if asked.freezes else []
    done = FreezeEffect.FROZEN if asked.freezes else FreezeEffect.UNFROZEN
    return rows.annotate(
        effect_after=Case(*untouched, *changes, default=Value(done), output_field=CharField()),
        exhausts_after=Value(False, output_field=models.BooleanField()),
    )
