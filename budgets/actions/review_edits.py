"""A review edited, or made again: always a new one in place of the former, which confirms nothing any more."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from django.db.models import Case, CharField, F, Q, QuerySet, SmallIntegerField, Value, When
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact

from budgets.actions.billing_month import current_month
from budgets.actions.freeze_terms import by_hand_from, is_by_hand, not_by_hand
from budgets.actions.manual_freeze import refuse_by_hand, review_by_hand_again
from budgets.actions.reviews import (
    NOW_OF_CUSTOMER,
    SEEN,
    STAYS_OUT,
    foreseen,
    is_import,
    is_undo,
    keep,
    refuse_review,
    review_in,
    terms_of_rows,
)
from budgets.actions.terms import left_out, on_restore, policy_that_stands, terms_from
from customers.models import AsItIs, Customer, LeftOut, ReviewedCustomer
from partnercenter.actions import operations
from partnercenter.lib.money import MoneyField, to_cents
from partnercenter.lib.sql import Handed, writing
from partnercenter.models import Operation

NOBODY = Q(pk__in=[])
IS_GIVEN = Q(given_amount__isnull=False)


@writing()
def edit_review(
    operation: Operation,
    *,
    leave_out: Iterable[str] = (),
    group: Q = NOBODY,
    take_in: Iterable[str] = (),
    amounts: Mapping[str, Decimal] | None = None,
) -> Operation:
    """A new review with some customers (by customer ID) left out, taken in again, or given another amount.

    A whole `group` of rows is left out by what they have in common, however many they are. The states seen stay those
    of the first review, so what changed since is still told at OK. The former review and its code confirm nothing any
    more. Whom the operator can set no budget for stays left out. Raises OperationFinished where it was confirmed or
    edited meanwhile.
    """
    # The operator before the month, as `confirm` takes them.
    operations.hold(operation)
    month = current_month()
    amounts = amounts or {}
    edited = operation.terms.get("amounts", {}) | {each: str(value) for each, value in amounts.items()}
    terms = operation.terms | ({"amounts": edited} if edited else {})
    again = operations.review(operation.kind, terms, operator=operation.operator, replaces=operation)
    cents = {each: to_cents(value) for each, value in amounts.items()}
    given = Handed(cents, "customer__customer_id", output_field=MoneyField())
    left = _left_out(
        group | Q(customer__customer_id__among=leave_out),
        Q(customer__customer_id__among=take_in) | IS_GIVEN,
        operation,
    )
    rows = terms_of_rows(operation.reviewed.annotate(given_amount=given))
    rows = rows.annotate(new_amount=Coalesce("given_amount", "amount")).annotate(new_left_out=left)
    # What was given an amount does not follow the budget any more.
    follows_less = When(IS_GIVEN, then=F("as_it_is").bitand(~AsItIs.AMOUNT))
    as_it_is = Case(follows_less, default=F("as_it_is"), output_field=SmallIntegerField())
    keep(again, foreseen(rows, operation, month), customer="customer_id", seen=SEEN, as_it_is=as_it_is)
    if is_by_hand(again):
        refuse_by_hand(again)
    else:
        refuse_review(again, month, unfreeze=False)
    return again


def _left_out(out: Q, back: Q, operation: Operation) -> Case:
    """Why a row of the operation is left out once these are left `out` and those taken `back` in."""
    return Case(
        When(left_out__in=STAYS_OUT, then=F("left_out")),
        When(out, then=Value(LeftOut.BY_OPERATOR)),
        When(back, then=_why_not(operation)),
        default=F("left_out"),
        output_field=CharField(),
    )


def _why_not(operation: Operation) -> Case:
    """Why a row that is taken in stays left out nevertheless."""
    if is_by_hand(operation):
        return not_by_hand(by_hand_from(operation.kind, operation.terms), prefix="customer__")
    # Undo takes a first budget away: there no type and no amount is what is meant.
    lacking = NOBODY if is_undo(operation) else Q(new_type__isnull=True) | Q(new_amount__isnull=True)
    return left_out(lacking)


@writing()
def review_again(operation: Operation) -> Operation:
    """The same terms reviewed anew, with the states and budgets of now, for those the operator had not left out.

    Amounts that were given to single customers stay theirs.
    """
    # The operator before the month, as `confirm` takes them.
    operations.hold(operation)
    month = current_month()
    meant = operation.reviewed.exclude(left_out=LeftOut.BY_OPERATOR)
    if is_import(operation):
        return _review_rows_again(operation, meant, month)
    customers = Customer.objects.filter(pk__in=meant.values("customer"))
    if is_by_hand(operation):
        return review_by_hand_again(operation, customers, month)
    edited = {each: Decimal(value) for each, value in operation.terms.get("amounts", {}).items()}
    again = review_in(
        month,
        customers,
        terms_from(operation.terms),
        operator=operation.operator,
        unfreeze=operation.terms["unfreeze"],
        all_matching=operation.terms.get("all_matching", False),
        replaces=operation,
        to_be_edited=bool(edited),
    )
    return edit_review(again, amounts=edited) if edited else again


def _review_rows_again(operation: Operation, meant: QuerySet[ReviewedCustomer], month: int) -> Operation:
    """A file told each customer's own terms: these are kept by the rows alone; what it left empty is as it stands."""
    operator = operation.operator
    again = operations.review(operation.kind, operation.terms, operator=operator, replaces=operation)
    rows = terms_of_rows(meant.filter(customer__in=Customer.objects.of(operator))).annotate(
        new_type=_as_it_stands(AsItIs.BUDGET_TYPE, F("customer__budget__budget_type")),
        new_amount=_as_it_stands(AsItIs.AMOUNT, F("customer__budget__amount")),
        new_policy=_as_it_stands(AsItIs.ACCOUNT_FREEZING, policy_that_stands("customer__")),
    )
    rows = rows.annotate(
        new_left_out=left_out(Q(new_type__isnull=True) | Q(new_amount__isnull=True)),
        new_on_restore=on_restore(prefix="customer__"),
    )
    keep(again, foreseen(rows, operation, month), customer="customer_id", seen=NOW_OF_CUSTOMER, as_it_is=F("as_it_is"))
    refuse_review(again, month, unfreeze=False)
    return again


def _as_it_stands(term: AsItIs, stands: Any) -> Case:
    """What a row says of a term, or what `stands` where it was left as it is."""
    name = str(term.name).lower()
    field: Any = ReviewedCustomer._meta.get_field(name)
    is_left = Exact(F("as_it_is").bitand(term), Value(int(term)))
    return Case(When(is_left, then=stands), default=F(name), output_field=field)
