"""All that writes customers: their coming, freezing and unfreezing, names revealed, files exported, and saved views.

Freezing and unfreezing are steps of a transaction in which the caller has locked the customers.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _

from customers.models import (
    Customer,
    CustomerQuerySet,
    ExportRecord,
    FreezeKind,
    FreezeOrigin,
    FreezeRecord,
    RevealRecord,
    SavedView,
)
from partnercenter.database import insert_from, lock, text, writing
from partnercenter.models import Channel, Partner, User
from partnercenter.refusals import Changed, Refusal

SYSTEM = "system"
MOST_VIEWS = 50
LONGEST_QUERY = 2000


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
    fresh = customers.filter(freeze_kind=FreezeKind.NONE)
    state = {"freeze_kind": kind, "freeze_origin": origin, "frozen_since": author.at, "freeze_reason": reason}
    number = _change(fresh, FreezeRecord.Operation.FREEZE, state, author=author, reason=reason, **why)
    if kind == FreezeKind.ACCOUNT_AND_RESOURCE:
        weaker = customers.filter(freeze_kind=FreezeKind.ACCOUNT)
        state = {"freeze_kind": kind}
        number += _change(weaker, FreezeRecord.Operation.FREEZE, state, author=author, reason=reason, **why)
    return number


def unfreeze_accounts(customers: CustomerQuerySet, *, author: Author, reason: str = "", **why: Any) -> int:
    """Unfreeze the locked customers that are frozen, whatever the kind and origin; give their number (domain 3.8)."""
    state = {
        "freeze_kind": FreezeKind.NONE,
        "freeze_origin": FreezeOrigin.NONE,
        "frozen_since": None,
        "freeze_reason": "",
    }
    return _change(customers.frozen(), FreezeRecord.Operation.UNFREEZE, state, author=author, reason=reason, **why)


def _change(
    customers: CustomerQuerySet,
    operation: FreezeRecord.Operation,
    state: dict[str, Any],
    *,
    author: Author,
    reason: str,
    **why: Any,
) -> int:
    """Record the change of each customer's state, before and after, then make it; give their number."""
    _insist_on_transaction()
    # Their keys: what is written below moves them out of the caller's filter.
    keys = list(customers.values_list("pk", flat=True))
    if not keys:
        return 0
    chosen = Customer.objects.filter(pk__among=keys)
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
        reason=text(reason),
        operator=author.operator and author.operator.pk,
        operator_name=text(author.name),
        channel=author.channel,
        batch=author.batch,
        **why,
    )
    chosen.update(**state)
    return len(keys)


def _insist_on_transaction() -> None:
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("the caller locks the customers in its transaction")


def reveal_names(customers: Iterable[Customer], *, operator: User, page: str) -> None:
    """Record that these customers' complete names are shown to the operator (domain 7.3)."""
    shown = [customer.customer_id for customer in customers]
    if shown:
        RevealRecord.objects.create(operator=operator, page=page[:200], customers=shown)


@writing()
def save_view(*, operator: User, name: str, query: str, replace: bool = False) -> SavedView:
    """Keep a query of the list under a name, for this operator alone.

    Raises Changed where there is another view of this name that is not to be replaced, Refusal where there are 50
    already or the query is too long.
    """
    if len(query) > LONGEST_QUERY:
        raise Refusal(_("These filters are too long to be saved."))
    lock(User.objects.filter(pk=operator.pk))
    own = SavedView.objects.filter(operator=operator)
    same = own.filter(name=name).first()
    if same and same.query != query and not replace:
        raise Changed(_("You have a view of this name already."))
    if not same and own.count() >= MOST_VIEWS:
        raise Refusal(_("You have %(most)s views already: delete one first.") % {"most": MOST_VIEWS})
    return SavedView.objects.update_or_create(operator=operator, name=name, defaults={"query": query})[0]


def delete_view(view: SavedView, *, operator: User) -> None:
    """Forget a view of the operator's own; somebody else's stays."""
    SavedView.objects.filter(pk=view.pk, operator=operator).delete()


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
