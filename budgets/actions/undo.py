"""Undoing a batch: customers that have not changed since the batch get back what they had before it."""

import uuid

from django.db.models import BooleanField, Case, CharField, Exists, F, IntegerField, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from budgets.actions.billing_month import current_month, restore_if_behind
from budgets.actions.reviews import CURRENT_STATE_OF_CUSTOMER, ensure_confirmable, store_items
from budgets.actions.terms import with_budget_effects
from budgets.models import AdjustmentRecord
from customers.models import Customer, ExclusionReason, FreezeRecord, ReviewItem
from partnercenter.actions import operations
from partnercenter.lib.transactions import write_transaction
from partnercenter.models import BudgetType, Operation, User

LATER_RECORDS = AdjustmentRecord.objects.filter(customer=OuterRef("customer"), pk__gt=OuterRef("pk"))
# A condition on adjustment records. A budget names its newest record. If the batch removed the budget, no budget names
# one: the record has to be the customer's last, and the customer still associated.
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
    """The adjustment records of a batch; none if the batch is not of the person's own company."""
    is_own = Operation.objects.filter(pk=batch, partner=user.partner).exists()
    return AdjustmentRecord.objects.filter(batch=batch) if is_own else AdjustmentRecord.objects.none()


@write_transaction()
def review_undo(batch: uuid.UUID, *, operator: User, unfreeze: bool, replaces: Operation | None = None) -> Operation:
    """Make a review, to be confirmed, that undoes a batch; see rule 3.15 (docs/rules.md). No budget is set.

    Each customer gets back its type, amount and policy, and for a one-time budget `counted_from`; a first budget is
    removed. With `unfreeze` the accounts that the batch froze are unfrozen. Customers that have changed since the batch
    are excluded, as are those that the operator excluded from the review that this one `replaces`. Raises what
    `review_budgets` raises, and OperationFinished if the replaced review was confirmed or edited in the meantime.
    """
    if replaces is not None:
        operations.lock_operation(replaces)
    month = current_month()
    restore_if_behind(Customer.objects.filter(pk__in=batch_records(batch, operator).values("customer")), month)
    terms = {"undo": str(batch), "budget_type": None, "unfreeze": unfreeze}
    operation = operations.create_operation(Operation.Kind.UNDO_BATCH, terms, operator=operator, replaces=replaces)
    frozen_by_batch = FreezeRecord.objects.filter(
        batch=batch,
        operation=FreezeRecord.Operation.FREEZE,
        customer=OuterRef("customer"),
        at=OuterRef("customer__frozen_since"),
    )
    excluded_before = ReviewItem.objects.filter(
        operation=replaces, customer=OuterRef("customer"), left_out=ExclusionReason.BY_OPERATOR
    )
    rows = batch_records(batch, operator).annotate(
        new_type=F("budget_type_before"),
        new_amount=F("amount_before"),
        new_policy=F("account_freezing_before"),
        new_on_restore=Coalesce(F("unfreeze_on_restore_before"), False, output_field=BooleanField()),
        new_counted_from=Case(
            When(budget_type_before=BudgetType.ONE_TIME, then=F("counted_from_before")), output_field=IntegerField()
        ),
        new_unfreeze=Exists(frozen_by_batch) if unfreeze else Value(False, output_field=BooleanField()),
        new_left_out=Case(
            When(UNCHANGED_SINCE_BATCH & Q(Exists(excluded_before)), then=Value(ExclusionReason.BY_OPERATOR)),
            When(UNCHANGED_SINCE_BATCH, then=Value(ExclusionReason.NONE)),
            default=Value(ExclusionReason.MOVED_ON),
            output_field=CharField(),
        ),
    )
    store_items(
        operation,
        with_budget_effects(rows, month, prefix="customer__"),
        customer="customer_id",
        state=CURRENT_STATE_OF_CUSTOMER,
    )
    ensure_undo_confirmable(operation, month)
    return operation


def ensure_undo_confirmable(operation: Operation, month: int) -> None:
    """Do what `ensure_confirmable` does, with an error of its own if no customer is included."""
    none_left = _("Nothing can be undone: every customer was changed after the batch or left out of this review.")
    ensure_confirmable(operation, month, unfreeze=False, none_left=none_left)
