"""Undo of a batch: whoever still stands as the batch left it goes back to what it had before."""

import uuid
from typing import Any

from django.db.models import BooleanField, Case, CharField, Exists, F, IntegerField, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce

from budgets.actions.billing_month import current_month
from budgets.actions.reviews import NOW_OF_CUSTOMER, keep, refuse_review
from budgets.actions.terms import foresee
from budgets.models import AdjustmentRecord
from customers.models import FreezeRecord, LeftOut, ReviewedCustomer
from partnercenter.actions import operations
from partnercenter.lib.sql import writing
from partnercenter.models import BudgetType, Operation, User

LATER = AdjustmentRecord.objects.filter(customer=OuterRef("customer"), pk__gt=OuterRef("pk"))
# Without a budget nothing names the record it stands on: there it is the last one, unless the customer left.
STILL_STANDS = Q(customer__budget__record=F("pk")) | (
    Q(
        operation=AdjustmentRecord.Operation.REMOVED,
        customer__budget__isnull=True,
        customer__disassociated_on__isnull=True,
    )
    & ~Exists(LATER)
)
STANDS = Case(When(STILL_STANDS, then=Value(True)), default=Value(False), output_field=BooleanField())


def records_of(batch: uuid.UUID, user: User) -> QuerySet[AdjustmentRecord]:
    """The adjustment records of a batch of the person's own company; it acts on no other customers than its own."""
    own = Operation.objects.filter(pk=batch, partner=user.partner).exists()
    return AdjustmentRecord.objects.filter(batch=batch) if own else AdjustmentRecord.objects.none()


@writing()
def review_undo(batch: uuid.UUID, *, operator: User, unfreeze: bool, replaces: Operation | None = None) -> Operation:
    """A review that puts the customers which still stand as the batch left them back to what they had.

    Type, amount and policy, counted_from where it was one-time; a first budget goes (`REMOVED`). Those that have moved
    on are kept as left out, and whom the operator left out of the review that this one `replaces` stays so. With
    `unfreeze` whom the batch froze is unfrozen. Raises what `review_budgets` does.
    """
    if replaces is not None:
        operations.hold(replaces)
    month = current_month()
    terms = {"undo": str(batch), "budget_type": None, "unfreeze": unfreeze}
    operation = operations.review(Operation.Kind.UNDO_BATCH, terms, operator=operator, replaces=replaces)
    rows: Any = records_of(batch, operator)
    frozen_by_it = FreezeRecord.objects.filter(
        batch=batch,
        operation=FreezeRecord.Operation.FREEZE,
        customer=OuterRef("customer"),
        at=OuterRef("customer__frozen_since"),
    )
    left_out = ReviewedCustomer.objects.filter(
        operation=replaces, customer=OuterRef("customer"), left_out=LeftOut.BY_OPERATOR
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
            When(STILL_STANDS & Q(Exists(left_out)), then=Value(LeftOut.BY_OPERATOR)),
            When(STILL_STANDS, then=Value(LeftOut.NONE)),
            default=Value(LeftOut.MOVED_ON),
            output_field=CharField(),
        ),
    )
    keep(operation, foresee(rows, month, prefix="customer__"), customer="customer_id", seen=NOW_OF_CUSTOMER)
    refuse_review(operation, month, unfreeze=False)
    return operation
