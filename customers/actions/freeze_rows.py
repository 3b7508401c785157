"""Freezing and unfreezing rows of customers: steps of a transaction that has locked them.

Only actions call these, with the account flags that the rows are to have; pages and commands freeze through
budgets.actions, which also updates the flags that are kept beside the budget.
"""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models.expressions import Combinable

from customers.models import AccountFlags, Customer, CustomerQuerySet, FreezeKind, FreezeOrigin, FreezeRecord
from partnercenter.actions.authorship import Author
from partnercenter.lib.sql import insert_from, text_value


def freeze_rows(
    customers: CustomerQuerySet,
    kind: FreezeKind,
    origin: FreezeOrigin,
    *,
    author: Author,
    state: Combinable,
    reason: str = "",
    **why: Any,
) -> list[int]:
    """Freeze the locked customers that are not frozen in this kind or a stronger one; give their keys.

    See section 4 (docs/rules.md).

    An account frozen already keeps its origin, since when and reason; its kind escalates. With resources the retention
    deadline begins to run; see rule 4.6 (docs/rules.md). `state` is an expression for the flags of each account, but
    for whether it is frozen. `why` names fields of FreezeRecord and expressions over the customer that tell of the
    budget which did it.
    """
    fresh = customers.filter(freeze_kind=FreezeKind.NONE)
    with_resources = kind == FreezeKind.ACCOUNT_AND_RESOURCE
    deadline = author.at + timedelta(days=settings.RESOURCE_RETENTION_DAYS) if with_resources else None
    frozen = {
        "freeze_kind": kind,
        "retention_until": deadline,
        "freeze_origin": origin,
        "frozen_since": author.at,
        "freeze_reason": reason,
        "state": state.bitor(AccountFlags.FROZEN),
    }
    keys = _change(fresh, FreezeRecord.Operation.FREEZE, frozen, author=author, reason=reason, **why)
    if with_resources:
        weaker = customers.filter(freeze_kind=FreezeKind.ACCOUNT)
        frozen = {"freeze_kind": kind, "retention_until": deadline}
        keys += _change(weaker, FreezeRecord.Operation.FREEZE, frozen, author=author, reason=reason, **why)
    return keys


def unfreeze_rows(
    customers: CustomerQuerySet, *, author: Author, state: Combinable, reason: str = "", **why: Any
) -> list[int]:
    """Unfreeze the locked customers that are frozen, whatever the kind and origin; give their keys.

    See rule 3.8 (docs/rules.md).

    `state` as in `freeze_rows`.
    """
    unfrozen = {
        "freeze_kind": FreezeKind.NONE,
        "retention_until": None,
        "freeze_origin": FreezeOrigin.NONE,
        "frozen_since": None,
        "freeze_reason": "",
        "state": state.bitand(~AccountFlags.FROZEN),
    }
    return _change(customers.frozen(), FreezeRecord.Operation.UNFREEZE, unfrozen, author=author, reason=reason, **why)


def _change(
    customers: CustomerQuerySet,
    operation: FreezeRecord.Operation,
    state: dict[str, Any],
    *,
    author: Author,
    reason: str,
    **why: Any,
) -> list[int]:
    """Record the change of each customer's state, before and after, then make it; give their keys."""
    _insist_on_transaction()
    # Their keys: what is written below moves them out of the caller's filter.
    keys = list(customers.values_list("pk", flat=True))
    if not keys:
        return []
    chosen = Customer.objects.filter(pk__in_array=keys)
    insert_from(
        FreezeRecord,
        chosen,
        customer="pk",
        at=author.at,
        operation=operation,
        kind_before="freeze_kind",
        kind_after=state["freeze_kind"],
        origin_before="freeze_origin",
        origin_after=state.get("freeze_origin", "freeze_origin"),
        reason=text_value(reason),
        operator=author.operator and author.operator.pk,
        operator_name=text_value(author.name),
        channel=author.channel,
        batch=author.batch,
        retention_until=state["retention_until"],
        **why,
    )
    chosen.update(**state)
    return keys


def _insist_on_transaction() -> None:
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("the caller locks the customers in its transaction")
