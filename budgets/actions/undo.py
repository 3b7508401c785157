"""Undo of a batch: whoever still stands as the batch left it goes back to what it had before."""

import uuid
from typing import Any

from django.db.models import BooleanField, Case, CharField, Exists, F, IntegerField, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from budgets.actions.billing_month import current_month
from budgets.actions.reviews import CURRENT_STATE_OF_CUSTOMER, ensure_confirmable, store_items
from budgets.actions.terms import with_budget_effects
from budgets.models import AdjustmentRecord
from customers.models import ExclusionReason, FreezeRecord, ReviewItem
from partnercenter.actions import operations
from partnercenter.lib.transactions import write_transaction
from partnercenter.models import BudgetType, Operation, User

LATER_RECORDS = AdjustmentRecord.objects.filter(customer=OuterRef("customer"), pk__gt=OuterRef("pk"))
# Without a budget nothing names the record it stands on: there it is the last one, unless the customer left.
UNCHANGED_SINCE_BATCH = Q(customer__budget__record=F("pk")) | (
    Q(
        operation=AdjustmentRecord.Operation.REMOVED,
        customer__budget__isnull=True,
        customer__disassociated_on__isnull=True,
    )
    & ~Exists(LATER_RECORDS)
)
IS_UNCHANGED = Case(When(UNCHANGED_SINCE_BATCH, then=Value(True)), default=Value(False), output_field=BooleanField())


def batch_records(batch: uuid.UUID, user: User) -> QuerySet[AdjustmentRecord]:
    """The adjustment records of a batch of the person's own company; it acts on no other customers than its own."""
    own = Operation.objects.filter(pk=batch, partner=user.partner).exists()
    return AdjustmentRecord.objects.filter(batch=batch) if own else AdjustmentRecord.objects.none()


@write_transaction()
def review_undo(batch: uuid.UUID, *, operator: User, unfreeze: bool, replaces: Operation | None = None) -> Operation:
    """A review that puts the customers which still stand as the batch left them back to what they had.

    Type, amount and policy, counted_from where it was one-time; a first budget goes (`REMOVED`). Those that have moved
    on are kept as left out, and whom the operator left out of the review that this one `replaces` stays so. With
    `unfreeze` whom the batch froze is unfrozen. Raises what `review_budgets` does.
    """
    if replaces is not None:
        operations.lock_operation(replaces)
    month = current_month()
    terms = {"undo": str(batch), "budget_type": None, "unfreeze": unfreeze}
    operation = operations.create_operation(Operation.Kind.UNDO_BATCH, terms, operator=operator, replaces=replaces)
    rows: Any = batch_records(batch, operator)
    frozen_by_it = FreezeRecord.objects.filter(
        batch=batch,
        operation=FreezeRecord.Operation.FREEZE,
        customer=OuterRef("customer"),
        at=OuterRef("customer__frozen_since"),
    )
    left_out = ReviewItem.objects.filter(
        operation=replaces, customer=OuterRef("customer"), left_out=ExclusionReason.BY_OPERATOR
    )
    rows = rows.annotate(
        new_type=F("budget_type_before"),
        new_amount=F("amount_before"),
        new_policy=F("account_freezing_before"),
        new_on_restore=Coalesce(F("unfreeze_on_restore_before"), False, output_field=BooleanField()),
        counted_from_given=Case(
            When(budget_type_before=BudgetType.ONE_TIME, then=F("counted_from_before")), output_field=IntegerField()
        ),
        new_unfreeze=Exists(frozen_by_it) if unfreeze else Value(False, output_field=BooleanField()),
        new_left_out=Case(
            When(UNCHANGED_SINCE_BATCH & Q(Exists(left_out)), then=Value(ExclusionReason.BY_OPERATOR)),
            When(UNCHANGED_SINCE_BATCH, then=Value(ExclusionReason.NONE)),
            default=Value(ExclusionReason.MOVED_ON),
            output_field=CharField(),
        ),
    )
    store_items(
        operation,
        with_budget_effects(rows, month, prefix="customer__"),
        customer="customer_id",
        seen=CURRENT_STATE_OF_CUSTOMER,
    )
    ensure_undo_confirmable(operation, month)
    return operation


def ensure_undo_confirmable(operation: Operation, month: int) -> None:
    """What `ensure_confirmable` says, in the words of an undo where no customer is left to be put back."""
    none_left = _("None of the customers is left to go back to what it had before the batch.")
    ensure_confirmable(operation, month, unfreeze=False, none_left=none_left)
