"""A review edited, or made again: always a new one in place of the former, which confirms nothing any more."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from django.db.models import Case, CharField, F, Q, QuerySet, SmallIntegerField, Value, When
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact

from budgets.actions.billing_month import current_month
from budgets.actions.freeze_terms import freeze_exclusion, freeze_request_from, is_freeze
from budgets.actions.manual_freeze import ensure_freeze_confirmable, review_freeze_again
from budgets.actions.reviews import (
    ALWAYS_EXCLUDED,
    CURRENT_STATE_OF_CUSTOMER,
    REVIEWED_STATE,
    ensure_confirmable,
    is_import,
    is_undo,
    review_in,
    store_items,
    with_effects,
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
    store_items(
        again, with_effects(rows, operation, month), customer="customer_id", seen=REVIEWED_STATE, as_it_is=as_it_is
    )
    if is_freeze(again):
        ensure_freeze_confirmable(again)
    else:
        ensure_confirmable(again, month, unfreeze=False)
    return again


def _left_out(out: Q, back: Q, operation: Operation) -> Case:
    """Why a row of the operation is left out once these are left `out` and those taken `back` in."""
    return Case(
        When(left_out__in=ALWAYS_EXCLUDED, then=F("left_out")),
        When(out, then=Value(ExclusionReason.BY_OPERATOR)),
        When(back, then=_why_not(operation)),
        default=F("left_out"),
        output_field=CharField(),
    )


def _why_not(operation: Operation) -> Case:
    """Why a row that is taken in stays left out nevertheless."""
    if is_freeze(operation):
        return freeze_exclusion(freeze_request_from(operation.kind, operation.terms), prefix="customer__")
    # Undo takes a first budget away: there no type and no amount is what is meant.
    lacking = NO_ROWS if is_undo(operation) else Q(new_type__isnull=True) | Q(new_amount__isnull=True)
    return exclusion(lacking)


@write_transaction()
def review_again(operation: Operation) -> Operation:
    """The same terms reviewed anew, with the states and budgets of now, for those the operator had not left out.

    Amounts that were given to single customers stay theirs.
    """
    # The operator before the month, as `confirm` takes them.
    operations.lock_operation(operation)
    month = current_month()
    meant = operation.reviewed.exclude(left_out=ExclusionReason.BY_OPERATOR)
    if is_import(operation):
        return _review_rows_again(operation, meant, month)
    customers = Customer.objects.filter(pk__in=meant.values("customer"))
    if is_freeze(operation):
        return review_freeze_again(operation, customers, month)
    edited = {each: Decimal(value) for each, value in operation.terms.get("amounts", {}).items()}
    again = review_in(
        month,
        customers,
        terms_from_json(operation.terms),
        operator=operation.operator,
        unfreeze=operation.terms["unfreeze"],
        all_matching=operation.terms.get("all_matching", False),
        replaces=operation,
        to_be_edited=bool(edited),
    )
    return edit_review(again, amounts=edited) if edited else again


def _review_rows_again(operation: Operation, meant: QuerySet[ReviewItem], month: int) -> Operation:
    """A file told each customer's own terms: these are kept by the rows alone; what it left empty is as it stands."""
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
    store_items(
        again,
        with_effects(rows, operation, month),
        customer="customer_id",
        seen=CURRENT_STATE_OF_CUSTOMER,
        as_it_is=F("as_it_is"),
    )
    ensure_confirmable(again, month, unfreeze=False)
    return again


def _as_it_stands(term: UnchangedTerms, stands: Any) -> Case:
    """What a row says of a term, or what `stands` where it was left as it is."""
    name = str(term.name).lower()
    field: Any = ReviewItem._meta.get_field(name)
    is_left = Exact(F("as_it_is").bitand(term), Value(int(term)))
    return Case(When(is_left, then=stands), default=F(name), output_field=field)
