"""All that writes customers: their coming, freezing and unfreezing, and what names were shown to whom.

Freezing and unfreezing are steps of a transaction in which the caller has locked the customers.
"""

import unicodedata
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from customers.models import Customer, CustomerQuerySet, FreezeKind, FreezeOrigin, FreezeRecord, RevealRecord
from partnercenter.database import insert_from, text
from partnercenter.models import Channel, Partner, User

SYSTEM = "system"


@dataclass(frozen=True)
class Author:
    """Who does something, when and by what way: what every record of one action has in common (domain 9)."""

    operator: User | None
    channel: Channel
    at: datetime
    batch: uuid.UUID = field(default_factory=uuid.uuid4)

    @property
    def name(self) -> str:
        return self.operator.username if self.operator else SYSTEM


@dataclass(frozen=True)
class NewCustomer:
    """A customer to associate. `tags` are plain words."""

    customer_id: str
    account_name: str
    name: str
    partner: Partner
    association_type: str = Customer.AssociationType.RESELLER
    email: str = ""
    mobile: str = ""
    account_manager: str = ""
    tags: tuple[str, ...] = ()


def fold(*texts: str) -> str:
    """Texts as the search compares them: letter case and width put aside, in writing as in asking."""
    return "\n".join(unicodedata.normalize("NFKC", text).casefold() for text in texts)


def freeze_accounts(
    customers: CustomerQuerySet,
    kind: FreezeKind,
    origin: FreezeOrigin,
    *,
    author: Author,
    reason: str = "",
    **why: Any,
) -> int:
    """Freeze the locked customers that are not frozen in this kind or a stronger one; give their number (domain 4).

    An account frozen already keeps its origin, since when and reason; its kind escalates. `why` names fields of
    FreezeRecord and expressions over the customer that tell of the budget which did it.
    """
    _insist_on_transaction()
    already = [FreezeKind.ACCOUNT, FreezeKind.ACCOUNT_AND_RESOURCE] if kind == FreezeKind.ACCOUNT else [kind]
    due = customers.exclude(freeze_kind__in=already)
    fresh = due.filter(freeze_kind=FreezeKind.NONE)
    frozen = _record(fresh, FreezeRecord.Operation.FREEZE, kind, origin, author, reason, why)
    escalated = 0
    if kind == FreezeKind.ACCOUNT_AND_RESOURCE:
        rest = due.filter(freeze_kind=FreezeKind.ACCOUNT)
        escalated = _record(rest, FreezeRecord.Operation.FREEZE, kind, "freeze_origin", author, reason, why)
        rest.update(freeze_kind=kind)
    if frozen:
        fresh.update(freeze_kind=kind, freeze_origin=origin, frozen_since=author.at, freeze_reason=reason)
    return frozen + escalated


def unfreeze_accounts(customers: CustomerQuerySet, *, author: Author, reason: str = "", **why: Any) -> int:
    """Unfreeze the locked customers that are frozen, whatever the kind and origin; give their number (domain 3.8)."""
    _insist_on_transaction()
    frozen = customers.frozen()
    number = _record(frozen, FreezeRecord.Operation.UNFREEZE, FreezeKind.NONE, FreezeOrigin.NONE, author, reason, why)
    if number:
        frozen.update(freeze_kind=FreezeKind.NONE, freeze_origin=FreezeOrigin.NONE, frozen_since=None, freeze_reason="")
    return number


def _record(
    customers: CustomerQuerySet,
    operation: FreezeRecord.Operation,
    kind: FreezeKind,
    origin: FreezeOrigin | str,
    author: Author,
    reason: str,
    why: dict[str, Any],
) -> int:
    """Write the records first: they are the snapshot that the state is then changed by."""
    return insert_from(
        FreezeRecord,
        customers,
        customer="pk",
        at=author.at,
        operation=operation,
        kind_before="freeze_kind",
        kind_after=kind,
        origin_before="freeze_origin",
        origin_after=origin,
        reason=text(reason),
        operator=author.operator and author.operator.pk,
        operator_name=text(author.name),
        channel=author.channel,
        batch=author.batch,
        **why,
    )


def _insist_on_transaction() -> None:
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("the caller locks the customers in its transaction")


def reveal_names(customers: Iterable[Customer], *, operator: User, page: str) -> None:
    """Record that these customers' complete names are shown to the operator (domain 7.3)."""
    shown = [customer.customer_id for customer in customers]
    if shown:
        RevealRecord.objects.create(operator=operator, page=page[:200], customers=shown)
