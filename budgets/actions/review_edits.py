"""Editing a review or reviewing it again; either replaces it by a new review.

The replaced review can no longer be confirmed.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from django.db import models
from django.db.models import Case, CharField, F, OuterRef, Q, QuerySet, SmallIntegerField, Subquery, Value, When
from django.db.models.expressions import Combinable
from django.db.models.lookups import Exact

from budgets.actions.billing_month import current_month, restore_if_behind
from budgets.actions.freeze_terms import FreezeRequest
from budgets.actions.manual_freeze import create_freeze_review
from budgets.actions.review_kinds import review_kind
from budgets.actions.reviews import (
    ALWAYS_EXCLUDED,
    CURRENT_STATE_OF_CUSTOMER,
    REVIEWED_STATE,
    create_budget_review,
    store_items,
    with_item_terms,
)
from budgets.actions.terms import current_policy, exclusion, terms_from_json, unfreeze_choice
from customers.models import Customer, ExclusionReason, ReviewItem, UnchangedTerms
from partnercenter.actions import operations
from partnercenter.lib.money import MoneyField, to_cents
from partnercenter.lib.sql import create_temp_table, drop_temp_tables
from partnercenter.lib.transactions import write_transaction
from partnercenter.models import Operation

NO_ROWS = Q(pk__in=[])
EDITED_AMOUNTS = "edited_amounts"


class EditedAmount(models.Model):
    """The new amount of a customer in a review. Unmanaged: its table is temporary and exists only during an edit."""

    account = models.TextField(primary_key=True)
    amount = MoneyField()

    objects: models.Manager["EditedAmount"] = models.Manager()

    class Meta:
        app_label = "staged"
        managed = False
        db_table = EDITED_AMOUNTS

    def __str__(self) -> str:
        return f"{self.account} {self.amount}"


# Items with a new amount. The accounts are read once per statement, and only these items then look up their amount.
HAS_EDITED_AMOUNT = Q(customer__customer_id__in=EditedAmount.objects.values("account"))
EDITED_AMOUNT = Subquery(EditedAmount.objects.filter(account=OuterRef("customer__customer_id")).values("amount"))


@write_transaction()
def edit_review(
    operation: Operation,
    *,
    exclude: Iterable[str] = (),
    group: Q = NO_ROWS,
    include: Iterable[str] = (),
    amounts: Mapping[str, Decimal] | None = None,
) -> Operation:
    """Replace a review by one in which some customers are excluded, included again or given other amounts.

    Customers are named by their IDs; `group` is a condition that excludes every item that meets it. Each item keeps the
    state in which the customer was first reviewed, so a change since then is still noticed at OK. Items excluded for a
    reason in ALWAYS_EXCLUDED stay excluded. Raises OperationFinished if the review was confirmed or edited in the
    meantime, and PermissionRefused or InvalidRequest if the edited review could not be confirmed.
    """
    # Locks the operator before the month, in the same order as `confirm_operation`.
    operations.lock_operation(operation)
    month = current_month()
    restore_if_behind(Customer.objects.filter(pk__in=operation.reviewed.values("customer")), month)
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
            When(group | Q(customer__customer_id__in_array=exclude), then=Value(ExclusionReason.BY_OPERATOR)),
            When(
                HAS_EDITED_AMOUNT | Q(customer__customer_id__in_array=include),
                then=review_kind(operation).exclusion(),
            ),
            default=F("left_out"),
            output_field=CharField(),
        )
    )
    # An amount that was edited no longer follows the customer's budget when the review is made again.
    unchanged_terms = Case(
        When(HAS_EDITED_AMOUNT, then=F("as_it_is").bitand(~UnchangedTerms.AMOUNT)),
        default=F("as_it_is"),
        output_field=SmallIntegerField(),
    )
    items = review_kind(operation).with_effects(items, month)
    store_items(edited, items, customer="customer_id", state=REVIEWED_STATE, unchanged_terms=unchanged_terms)
    drop_temp_tables(EDITED_AMOUNTS)
    review_kind(edited).ensure_confirmable(month)
    return edited


@write_transaction()
def review_terms_again(operation: Operation) -> Operation:
    """Review the same terms for the same customers again, with their current budgets and accounts.

    Customers whom the operator excluded stay out, and amounts given to single customers are kept.
    """
    month, items = _lock_to_review_again(operation)
    amounts = {account: Decimal(amount) for account, amount in operation.terms.get("amounts", {}).items()}
    review = create_budget_review(
        month,
        Customer.objects.filter(pk__in=items.values("customer")),
        terms_from_json(operation.terms),
        operator=operation.operator,
        unfreeze=operation.terms["unfreeze"],
        all_matching=operation.terms.get("all_matching", False),
        replaces=operation,
        to_be_edited=bool(amounts),
    )
    return edit_review(review, amounts=amounts) if amounts else review


@write_transaction()
def review_freeze_again(operation: Operation, request: FreezeRequest) -> Operation:
    """Review the same request to freeze or unfreeze the same customers again, with their current accounts."""
    month, items = _lock_to_review_again(operation)
    return create_freeze_review(
        month,
        Customer.objects.filter(pk__in=items.values("customer")),
        request,
        operator=operation.operator,
        all_matching=operation.terms["all_matching"],
        replaces=operation,
    )


@write_transaction()
def review_items_again(operation: Operation) -> Operation:
    """Review the items of an imported file again; only they hold the terms that the file gave each customer.

    Terms that the file left empty are taken from the customer's current budget.
    """
    month, items = _lock_to_review_again(operation)
    operator = operation.operator
    review = operations.create_operation(operation.kind, operation.terms, operator=operator, replaces=operation)
    visible = items.filter(customer__in=Customer.objects.visible_to(operator))
    rows = with_item_terms(visible).annotate(
        new_type=_term_or_current(UnchangedTerms.BUDGET_TYPE, F("customer__budget__budget_type")),
        new_amount=_term_or_current(UnchangedTerms.AMOUNT, F("customer__budget__amount")),
        new_policy=_term_or_current(UnchangedTerms.ACCOUNT_FREEZING, current_policy("customer__")),
    )
    rows = rows.annotate(
        new_left_out=exclusion(Q(new_type__isnull=True) | Q(new_amount__isnull=True)),
        new_on_restore=unfreeze_choice(prefix="customer__"),
    )
    rows = review_kind(operation).with_effects(rows, month)
    store_items(review, rows, customer="customer_id", state=CURRENT_STATE_OF_CUSTOMER, unchanged_terms=F("as_it_is"))
    review_kind(review).ensure_confirmable(month)
    return review


def _lock_to_review_again(operation: Operation) -> tuple[int, QuerySet[ReviewItem]]:
    """Lock the operator; return the current month and the items that the operator has not excluded."""
    operations.lock_operation(operation)
    month, items = current_month(), operation.reviewed.exclude(left_out=ExclusionReason.BY_OPERATOR)
    restore_if_behind(Customer.objects.filter(pk__in=items.values("customer")), month)
    return month, items


def _term_or_current(term: UnchangedTerms, current: Combinable) -> Case:
    """The term that an item states, or the current value if the file left that term empty."""
    field = str(term.name).lower()
    is_unchanged = Exact(F("as_it_is").bitand(term), Value(int(term)))
    return Case(When(is_unchanged, then=current), default=F(field))
