"""All that writes customers: their coming, freezing and unfreezing, names revealed, files exported, what is kept.

Freezing and unfreezing rows are steps of a transaction in which the caller has locked the customers. Pages and
commands freeze through budgets.actions, which also updates the flags that are kept beside the budget.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models.expressions import Combinable
from django.utils import timezone
from django.utils.translation import gettext as _

from customers.models import (
    AccountFlags,
    AgreementRecord,
    Customer,
    CustomerNote,
    CustomerQuerySet,
    ExportRecord,
    FreezeKind,
    FreezeOrigin,
    FreezeRecord,
    RevealRecord,
    SavedView,
)
from partnercenter.lib.errors import Conflict, InvalidRequest
from partnercenter.lib.sql import insert_from, lock_keys, text_value, write_transaction
from partnercenter.models import Channel, Operation, Partner, User

SYSTEM = "system"
MOST_VIEWS = 50
LONGEST_QUERY = LONGEST_NOTE = 2000
# The same words of the same person within this time are one note: a button pressed twice.
SENT_TWICE = timedelta(minutes=1)


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
    """Freeze the locked customers that are not frozen in this kind or a stronger one; give their keys (domain 4).

    An account frozen already keeps its origin, since when and reason; its kind escalates. With resources the retention
    deadline begins to run (domain 4.6). `state` is an expression for the flags of each account, but for whether it is
    frozen. `why` names fields of FreezeRecord
    and expressions over the customer that tell of the budget which did it.
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
    """Unfreeze the locked customers that are frozen, whatever the kind and origin; give their keys (domain 3.8).

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


def reveal_names(customers: Iterable[Customer], *, operator: User, page: str) -> None:
    """Record that these customers' complete names are shown to the operator (domain 7.3)."""
    shown = [customer.customer_id for customer in customers]
    if shown:
        RevealRecord.objects.create(operator=operator, page=page[:200], customers=shown)


@write_transaction()
def save_view(*, operator: User, name: str, query: str, replace: bool = False) -> SavedView:
    """Keep a query of the list under a name, for this operator alone.

    Raises Conflict where there is another view of this name that is not to be replaced, InvalidRequest where there are
    50 already or the query is too long.
    """
    if len(query) > LONGEST_QUERY:
        raise InvalidRequest(_("These filters are too long to be saved."))
    lock_keys(User.objects.filter(pk=operator.pk))
    own = SavedView.objects.filter(operator=operator)
    same = own.filter(name=name).first()
    if same and same.query != query and not replace:
        raise Conflict(_("You have a view of this name already."))
    if not same and own.count() >= MOST_VIEWS:
        raise InvalidRequest(_("You have %(most)s views already: delete one first.") % {"most": MOST_VIEWS})
    return SavedView.objects.update_or_create(operator=operator, name=name, defaults={"query": query})[0]


@write_transaction()
def add_note(customer: Customer, note: str, *, operator: User) -> CustomerNote:
    """Keep what an operator writes about a customer, for people of its own company; what is sent twice stands once.

    Raises InvalidRequest unless it has 1 to 2,000 characters.
    """
    note, now = note.strip(), timezone.now()
    if not 0 < len(note) <= LONGEST_NOTE:
        raise InvalidRequest(_("Enter a note of 1 to 2,000 characters."), "text")
    lock_keys(Customer.objects.filter(pk=customer.pk))
    newest = CustomerNote.objects.filter(customer=customer).order_by("-pk").first()
    if newest and (newest.operator_id, newest.text) == (operator.pk, note) and now - newest.at < SENT_TWICE:
        return newest
    return CustomerNote.objects.create(
        customer=customer, at=now, operator=operator, operator_name=operator.username, text=note
    )


def delete_view(view: SavedView, *, operator: User) -> None:
    """Forget a view of the operator's own; somebody else's stays."""
    SavedView.objects.filter(pk=view.pk, operator=operator).delete()


def record_agreement(operation: Operation) -> None:
    """Record what was accepted for an operation as it is carried out: which wording, by whom (domain 4.4)."""
    if version := operation.terms.get("agreement"):
        AgreementRecord.objects.create(
            partner=operation.partner,
            operator=operation.operator,
            operator_name=operation.operator.username,
            version=version,
            operation=operation.pk,
        )


def record_export(what: ExportRecord.What, *, query: str, rows: int, operator: User, partner: Partner) -> None:
    """Record that a file with so many rows is about to be sent to the operator, for this partner."""
    ExportRecord.objects.create(
        partner=partner,
        operator=operator,
        operator_name=operator.username,
        what=what,
        query=query,
        rows=rows,
    )
