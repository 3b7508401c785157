"""A review edited, or made again: always a new one in place of the former, which confirms nothing any more."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from django.db.models import Case, CharField, F, Q, QuerySet, SmallIntegerField, Value, When
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact

from budgets.actions.billing_month import current_month
from budgets.actions.freeze_terms import FreezeRequest
from budgets.actions.manual_freeze import review_freeze_in
from budgets.actions.review_kinds import review_kind
from budgets.actions.reviews import (
    ALWAYS_EXCLUDED,
    CURRENT_STATE_OF_CUSTOMER,
    REVIEWED_STATE,
    review_in,
    store_items,
    with_item_terms,
)
from budgets.actions.terms import exclusion, present_policy, terms_from_json, unfreeze_choice
from customers.models import Customer, ExclusionReason, ReviewItem, UnchangedTerms
from partnercenter.actions import operations
from partnercenter.lib.money import MoneyField, to_cents
from partnercenter.lib.sql import Handed
from partnercenter.lib.transactions import write_transaction
from partnercenter.models import Operation

NO_ROWS = Q(pk__in=[])
IS_GIVEN = Q(given_amount__isnull=False)


@write_transaction()
def edit_review(
    operation: Operation,
    *,
    leave_out: Iterable[str] = (),
    group: Q = NO_ROWS,
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
    operations.lock_operation(operation)
    month = current_month()
    amounts = amounts or {}
    edited = operation.terms.get("amounts", {}) | {each: str(value) for each, value in amounts.items()}
    terms = operation.terms | ({"amounts": edited} if edited else {})
    again = operations.create_operation(operation.kind, terms, operator=operation.operator, replaces=operation)
    cents = {each: to_cents(value) for each, value in amounts.items()}
    given = Handed(cents, "customer__customer_id", output_field=MoneyField())
    left = _left_out(
        group | Q(customer__customer_id__in_array=leave_out),
        Q(customer__customer_id__in_array=take_in) | IS_GIVEN,
        operation,
    )
    rows = with_item_terms(operation.reviewed.annotate(given_amount=given))
    rows = rows.annotate(new_amount=Coalesce("given_amount", "amount")).annotate(new_left_out=left)
    # What was given an amount does not follow the budget any more.
    follows_less = When(IS_GIVEN, then=F("as_it_is").bitand(~UnchangedTerms.AMOUNT))
    as_it_is = Case(follows_less, default=F("as_it_is"), output_field=SmallIntegerField())
    items = review_kind(operation).with_effects(rows, month)
    store_items(again, items, customer="customer_id", seen=REVIEWED_STATE, as_it_is=as_it_is)
    review_kind(again).ensure_confirmable(month)
    return again


def _left_out(out: Q, back: Q, operation: Operation) -> Case:
    """Why a row of the operation is left out once these are left `out` and those taken `back` in."""
    return Case(
        When(left_out__in=ALWAYS_EXCLUDED, then=F("left_out")),
        When(out, then=Value(ExclusionReason.BY_OPERATOR)),
        When(back, then=review_kind(operation).exclusion()),
        default=F("left_out"),
        output_field=CharField(),
    )


@write_transaction()
def review_terms_again(operation: Operation) -> Operation:
    """The same terms for the same customers, with the budgets and accounts of now, but for those the operator excluded.

    Amounts that were given to single customers stay theirs.
    """
    month, meant = _lock_again(operation)
    edited = {each: Decimal(value) for each, value in operation.terms.get("amounts", {}).items()}
    again = review_in(
        month,
        Customer.objects.filter(pk__in=meant.values("customer")),
        terms_from_json(operation.terms),
        operator=operation.operator,
        unfreeze=operation.terms["unfreeze"],
        all_matching=operation.terms.get("all_matching", False),
        replaces=operation,
        to_be_edited=bool(edited),
    )
    return edit_review(again, amounts=edited) if edited else again


@write_transaction()
def review_freeze_again(operation: Operation, asked: FreezeRequest) -> Operation:
    """The same freezing or unfreezing for the same customers, with the accounts of now."""
    month, meant = _lock_again(operation)
    customers = Customer.objects.filter(pk__in=meant.values("customer"))
    return review_freeze_in(
        month,
        customers,
        asked,
        operator=operation.operator,
        all_matching=operation.terms["all_matching"],
        replaces=operation,
    )


@write_transaction()
def review_items_again(operation: Operation) -> Operation:
    """The same items reviewed again: a file gave each customer its own terms, and only the items have them.

    What the file left empty follows the budget of now.
    """
    month, meant = _lock_again(operation)
    operator = operation.operator
    again = operations.create_operation(operation.kind, operation.terms, operator=operator, replaces=operation)
    rows = with_item_terms(meant.filter(customer__in=Customer.objects.visible_to(operator))).annotate(
        new_type=_as_it_stands(UnchangedTerms.BUDGET_TYPE, F("customer__budget__budget_type")),
        new_amount=_as_it_stands(UnchangedTerms.AMOUNT, F("customer__budget__amount")),
        new_policy=_as_it_stands(UnchangedTerms.ACCOUNT_FREEZING, present_policy("customer__")),
    )
    rows = rows.annotate(
        new_left_out=exclusion(Q(new_type__isnull=True) | Q(new_amount__isnull=True)),
        new_on_restore=unfreeze_choice(prefix="customer__"),
    )
    items, as_it_is = review_kind(operation).with_effects(rows, month), F("as_it_is")
    store_items(again, items, customer="customer_id", seen=CURRENT_STATE_OF_CUSTOMER, as_it_is=as_it_is)
    review_kind(again).ensure_confirmable(month)
    return again


def _lock_again(operation: Operation) -> tuple[int, QuerySet[ReviewItem]]:
    """The current month, and the items that are reviewed again; the operator is locked before the month."""
    operations.lock_operation(operation)
    return current_month(), operation.reviewed.exclude(left_out=ExclusionReason.BY_OPERATOR)


def _as_it_stands(term: UnchangedTerms, stands: Any) -> Case:
    """What a row says of a term, or what `stands` where it was left as it is."""
    name = str(term.name).lower()
    field: Any = ReviewItem._meta.get_field(name)
    is_left = Exact(F("as_it_is").bitand(term), Value(int(term)))
    return Case(When(is_left, then=stands), default=F(name), output_field=field)
