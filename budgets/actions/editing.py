"""A review edited, or made again: always a new one in place of the former, which confirms nothing any more."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from django.db.models import Case, CharField, F, Q, QuerySet, SmallIntegerField, Value, When
from django.db.models.lookups import Exact

from budgets.actions.month import current_month
from budgets.actions.reviewing import (
    NOW_OF_CUSTOMER,
    SEEN,
    STAYS_OUT,
    is_import,
    is_undo,
    keep,
    refuse_review,
    review_in,
    terms_from,
    terms_of_rows,
)
from budgets.actions.terms import foresee, left_out, policy_that_stands
from customers.models import AsItIs, Customer, LeftOut, ReviewedCustomer
from partnercenter import verification
from partnercenter.database import writing
from partnercenter.models import Operation
from partnercenter.money import MoneyField, money


@writing()
def edit_review(
    operation: Operation,
    *,
    leave_out: Iterable[str] = (),
    take_in: Iterable[str] = (),
    amounts: Mapping[str, Decimal] | None = None,
) -> Operation:
    """A new review with some customers (by customer ID) left out, taken in again, or given another amount.

    The states seen stay those of the first review, so what changed since is still told at OK. The former review and its
    code confirm nothing any more. Whom the operator can set no budget for stays left out. Raises Finished where it was
    confirmed or edited meanwhile.
    """
    # The operator before the month, as `confirm` takes them.
    verification.hold(operation)
    month = current_month()
    edited = operation.terms.get("amounts", {}) | {each: str(value) for each, value in (amounts or {}).items()}
    terms = operation.terms | ({"amounts": edited} if edited else {})
    again = verification.review(operation.kind, terms, operator=operation.operator, replaces=operation)
    ours = "customer__customer_id__among"
    amount = Case(
        *[When(customer__customer_id=each, then=money(value)) for each, value in (amounts or {}).items()],
        default=F("amount"),
        output_field=MoneyField(),
    )
    # Undo takes a first budget away: there no type and no amount is what is meant.
    lacking = Q(pk__in=[]) if is_undo(operation) else Q(new_type__isnull=True) | Q(new_amount__isnull=True)
    by_operator = Case(
        When(left_out__in=STAYS_OUT, then=F("left_out")),
        When(Q(**{ours: list(leave_out)}), then=Value(LeftOut.BY_OPERATOR)),
        When(Q(**{ours: list(take_in)}) | Q(**{ours: list(amounts or {})}), then=left_out(lacking)),
        default=F("left_out"),
        output_field=CharField(),
    )
    rows = terms_of_rows(operation.reviewed.all()).annotate(new_amount=amount).annotate(new_left_out=by_operator)
    # What was given an amount does not follow the budget any more.
    given = When(Q(**{ours: list(amounts or {})}), then=F("as_it_is").bitand(~AsItIs.AMOUNT))
    as_it_is = Case(given, default=F("as_it_is"), output_field=SmallIntegerField())
    rows = foresee(rows, month, prefix="customer__")
    keep(again, rows, customer="customer_id", seen=SEEN, as_it_is=as_it_is)
    refuse_review(again, month, unfreeze=False)
    return again


@writing()
def review_again(operation: Operation) -> Operation:
    """The same terms reviewed anew, with the states and budgets of now, for those the operator had not left out.

    Amounts that were given to single customers stay theirs.
    """
    # The operator before the month, as `confirm` takes them.
    verification.hold(operation)
    month = current_month()
    meant = operation.reviewed.exclude(left_out=LeftOut.BY_OPERATOR)
    if is_import(operation):
        return _review_rows_again(operation, meant, month)
    again = review_in(
        month,
        Customer.objects.filter(pk__in=meant.values("customer")),
        terms_from(operation.terms),
        operator=operation.operator,
        unfreeze=operation.terms["unfreeze"],
        all_matching=operation.terms.get("all_matching", False),
        replaces=operation,
    )
    edited = {each: Decimal(value) for each, value in operation.terms.get("amounts", {}).items()}
    return edit_review(again, amounts=edited) if edited else again


def _review_rows_again(operation: Operation, meant: QuerySet[ReviewedCustomer], month: int) -> Operation:
    """A file told each customer's own terms: these are kept by the rows alone; what it left empty is as it stands."""
    operator = operation.operator
    again = verification.review(operation.kind, operation.terms, operator=operator, replaces=operation)
    rows = terms_of_rows(meant.filter(customer__in=Customer.objects.of(operator))).annotate(
        new_type=_as_it_stands(AsItIs.BUDGET_TYPE, F("customer__budget__budget_type")),
        new_amount=_as_it_stands(AsItIs.AMOUNT, F("customer__budget__amount")),
        new_policy=_as_it_stands(AsItIs.ACCOUNT_FREEZING, policy_that_stands("customer__")),
    )
    rows = rows.annotate(new_left_out=left_out(Q(new_type__isnull=True) | Q(new_amount__isnull=True)))
    rows = foresee(rows, month, prefix="customer__")
    keep(again, rows, customer="customer_id", seen=NOW_OF_CUSTOMER, as_it_is=F("as_it_is"))
    refuse_review(again, month, unfreeze=False)
    return again


def _as_it_stands(term: AsItIs, stands: Any) -> Case:
    """What a row says of a term, or what `stands` where it was left as it is."""
    name = str(term.name).lower()
    field: Any = ReviewedCustomer._meta.get_field(name)
    is_left = Exact(F("as_it_is").bitand(term), Value(int(term)))
    return Case(When(is_left, then=stands), default=F(name), output_field=field)
