"""A review edited, or made again: always a new one in place of the former, which confirms nothing any more."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import Case, CharField, F, OuterRef, Q, QuerySet, SmallIntegerField, Subquery, Value, When
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
from partnercenter.lib.sql import create_temp_table, drop_temp_tables
from partnercenter.lib.transactions import write_transaction
from partnercenter.models import Operation

NO_ROWS = Q(pk__in=[])
EDITED_AMOUNTS = "edited_amounts"


class EditedAmount(models.Model):
    """The new amount of one customer in a review. Of no installed app: the table exists only during an edit."""

    account = models.TextField(primary_key=True)
    amount = MoneyField()

    objects: models.Manager["EditedAmount"] = models.Manager()

    class Meta:
        app_label = "staged"
        managed = False
        db_table = EDITED_AMOUNTS

    def __str__(self) -> str:
        return f"{self.account} {self.amount}"


# Items with a new amount. The list is read once per statement, and only these items then look up their amount.
HAS_EDITED_AMOUNT = Q(customer__customer_id__in=EditedAmount.objects.values("account"))
EDITED_AMOUNT = Subquery(EditedAmount.objects.filter(account=OuterRef("customer__customer_id")).values("amount"))


@write_transaction()
def edit_review(
    operation: Operation,
    *,
    leave_out: Iterable[str] = (),
    group: Q = NO_ROWS,
    take_in: Iterable[str] = (),
    amounts: Mapping[str, Decimal] | None = None,
) -> Operation:
    """Replace a review by one in which some customers are excluded, included again or given other amounts.

    Customers are named by their IDs; `group` is a condition that excludes every item that meets it. Each item keeps the
    state in which the customer was first reviewed, so a change since then is still noticed at OK. Items excluded for a
    reason in ALWAYS_EXCLUDED stay excluded. Raises OperationFinished where the review was confirmed or edited in the
    meantime, and PermissionRefused or InvalidRequest where the edited review could not be confirmed.
    """
    # The operator before the month, in the same order as `confirm_operation`.
    operations.lock_operation(operation)
    month = current_month()
    amounts = amounts or {}
    terms = operation.terms
    if amounts:
        texts = {account: str(amount) for account, amount in amounts.items()}
        terms = terms | {"amounts": terms.get("amounts", {}) | texts}
    edited = operations.create_operation(operation.kind, terms, operator=operation.operator, replaces=operation)
    staged = [(account, to_cents(amount)) for account, amount in amounts.items()]
    create_temp_table(EDITED_AMOUNTS, "account text PRIMARY KEY, amount bigint", staged)
    items = with_item_terms(operation.reviewed.all()).annotate(
        new_amount=Case(When(HAS_EDITED_AMOUNT, then=EDITED_AMOUNT), default=F("amount"))
    )
    items = items.annotate(
        new_left_out=Case(
            When(left_out__in=ALWAYS_EXCLUDED, then=F("left_out")),
            When(group | Q(customer__customer_id__in_array=leave_out), then=Value(ExclusionReason.BY_OPERATOR)),
            When(
                HAS_EDITED_AMOUNT | Q(customer__customer_id__in_array=take_in),
                then=review_kind(operation).exclusion(),
            ),
            default=F("left_out"),
            output_field=CharField(),
        )
    )
    # An amount that was edited no longer follows the customer's budget when the review is made again.
    as_it_is = Case(
        When(HAS_EDITED_AMOUNT, then=F("as_it_is").bitand(~UnchangedTerms.AMOUNT)),
        default=F("as_it_is"),
        output_field=SmallIntegerField(),
    )
    items = review_kind(operation).with_effects(items, month)
    store_items(edited, items, customer="customer_id", seen=REVIEWED_STATE, as_it_is=as_it_is)
    drop_temp_tables(EDITED_AMOUNTS)
    review_kind(edited).ensure_confirmable(month)
    return edited


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
