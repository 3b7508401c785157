"""Freezing and unfreezing locked rows of customers, as steps of a larger action.

Only actions call these. They do not update the flags stored on budgets; the actions in `budgets.actions` do.
"""

from collections.abc import Mapping
from datetime import timedelta

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
    **cause: object,
) -> list[int]:
    """Freeze the customers that are not yet frozen in this kind or a stronger one, and return their keys.

    An account that is already frozen without its resources escalates: it keeps its origin, time and reason. Freezing
    resources starts the retention deadline. See rules 4.3 and 4.6 (docs/rules.md).

    `state` is an expression for the flags of the account; FROZEN is added here. `cause` sets fields of the freeze
    records, such as the fields about the budget, to expressions over the customer.
    """
    unfrozen = customers.filter(freeze_kind=FreezeKind.NONE)
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
    keys = _change(unfrozen, FreezeRecord.Operation.FREEZE, frozen, author=author, reason=reason, **cause)
    if with_resources:
        escalating = customers.filter(freeze_kind=FreezeKind.ACCOUNT)
        escalated = {"freeze_kind": kind, "retention_until": deadline}
        keys += _change(escalating, FreezeRecord.Operation.FREEZE, escalated, author=author, reason=reason, **cause)
    return keys


def unfreeze_rows(
    customers: CustomerQuerySet, *, author: Author, state: Combinable, reason: str = "", **cause: object
) -> list[int]:
    """Unfreeze the customers that are frozen, whatever the kind and origin, and return their keys.

    See rule 3.8 (docs/rules.md). `state` and `cause` are as in `freeze_rows`; FROZEN is removed from `state` here.
    """
    unfrozen = {
        "freeze_kind": FreezeKind.NONE,
        "retention_until": None,
        "freeze_origin": FreezeOrigin.NONE,
        "frozen_since": None,
        "freeze_reason": "",
        "state": state.bitand(~AccountFlags.FROZEN),
    }
    frozen = customers.frozen()
    return _change(frozen, FreezeRecord.Operation.UNFREEZE, unfrozen, author=author, reason=reason, **cause)


def _change(
    customers: CustomerQuerySet,
    operation: FreezeRecord.Operation,
    changes: Mapping[str, object],
    *,
    author: Author,
    reason: str,
    **cause: object,
) -> list[int]:
    """Record each customer's freeze state before and after the changes, then make them. Return the keys."""
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("the caller must lock the customers in a transaction")
    # The update moves the customers out of the caller's filter.
    keys = list(customers.values_list("pk", flat=True))
    if not keys:
        return []
    customers = Customer.objects.filter(pk__in_array=keys)
    insert_from(
        FreezeRecord,
        customers,
        customer="pk",
        at=author.at,
        operation=operation,
        kind_before="freeze_kind",
        kind_after=changes["freeze_kind"],
        origin_before="freeze_origin",
        origin_after=changes.get("freeze_origin", "freeze_origin"),
        reason=text_value(reason),
        operator=author.operator and author.operator.pk,
        operator_name=text_value(author.name),
        channel=author.channel,
        batch=author.batch,
        retention_until=changes["retention_until"],
        **cause,
    )
    customers.update(**changes)
    return keys
