"""What is asked for by hand, and what it would do: freezing and unfreezing as columns of a queryset (domain 4.2-4.5).

As with the terms of budgets, the rows may be customers themselves (`prefix` ""), or point to one ("customer__").
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.db.models import Case, CharField, Q, QuerySet, Value, When

from budgets.models import FROZEN_BY
from customers.models import Effect, FreezeKind, LeftOut
from partnercenter.models import Operation

BY_HAND = (Operation.Kind.FREEZE, Operation.Kind.UNFREEZE)


@dataclass(frozen=True)
class ByHand:
    """What is asked for. `kind` is what is to be frozen, or names the freeze that is to be lifted (domain 4.3).

    `reason` has 1 to 256 characters; `agreement` is the version accepted, needed to freeze resources (domain 4.4).
    """

    act: Operation.Kind
    kind: FreezeKind
    reason: str
    agreement: str = ""

    @property
    def freezes(self) -> bool:
        return self.act == Operation.Kind.FREEZE

    @property
    def freezes_resources(self) -> bool:
        return self.freezes and self.kind == FreezeKind.ACCOUNT_AND_RESOURCE

    def as_json(self) -> dict[str, str]:
        """As an operation keeps it beside its kind."""
        return {"freeze_kind": self.kind, "reason": self.reason, "agreement": self.agreement}


def is_by_hand(operation: Operation) -> bool:
    """Whether it freezes or unfreezes, and sets no budget."""
    return operation.kind in BY_HAND


def by_hand_from(act: str, kept: Mapping[str, Any]) -> ByHand:
    """What an operation of this kind keeps."""
    return ByHand(Operation.Kind(act), FreezeKind(kept["freeze_kind"]), kept["reason"], kept["agreement"])


def why_left_out(asked: ByHand, prefix: str = "") -> dict[LeftOut, Q]:
    """To whom it does not apply, by the reason: there it changes nothing (domain 4.5), or must not (3.9, 4.3)."""
    kind = f"{prefix}freeze_kind"
    if asked.freezes_resources:
        return {LeftOut.FROZEN_SO: Q(**{kind: asked.kind})}
    if asked.freezes:
        # Escalation goes one way: frozen with its resources, an account is not frozen without them.
        return {
            LeftOut.FROZEN_SO: Q(**{kind: asked.kind}),
            LeftOut.OTHER_KIND: Q(**{kind: FreezeKind.ACCOUNT_AND_RESOURCE}),
        }
    return {
        LeftOut.NOT_FROZEN: Q(**{kind: FreezeKind.NONE}),
        LeftOut.OTHER_KIND: ~Q(**{kind: asked.kind}),
        LeftOut.USED_UP: Q(**{f"{prefix}budget__level": 100, f"{prefix}budget__account_freezing__in": list(FROZEN_BY)}),
    }


def not_by_hand(asked: ByHand, beyond: Mapping[LeftOut, Q] | None = None, *, prefix: str = "") -> Case:
    """Why it is not done to a row, first of all whoever is `beyond` reach; "" where it is."""
    reasons = {**(beyond or {}), **why_left_out(asked, prefix)}
    return Case(
        *[When(condition, then=Value(reason)) for reason, condition in reasons.items()],
        default=Value(LeftOut.NONE),
        output_field=CharField(),
    )


def foresee_by_hand(rows: QuerySet[Any], asked: ByHand, *, prefix: str = "") -> QuerySet[Any]:
    """The rows with `effect_after`, what would become of the account; under the name budgets have, `exhausts_after`."""
    untouched = [When(condition, then=Value(Effect.NONE)) for condition in why_left_out(asked, prefix).values()]
    escalates = When(**{f"{prefix}freeze_kind": FreezeKind.ACCOUNT}, then=Value(Effect.ESCALATED))
    changes = [escalates] if asked.freezes else []
    done = Effect.FROZEN if asked.freezes else Effect.UNFROZEN
    return rows.annotate(
        effect_after=Case(*untouched, *changes, default=Value(done), output_field=CharField()),
        exhausts_after=Value(False, output_field=models.BooleanField()),
    )
