"""Freezing and unfreezing by hand: one customer or a hundred thousand, reviewed, confirmed, applied once.

As for budgets, a review has one item per customer, and only what was reviewed is done; see section 4 (docs/rules.md).
"""

from dataclasses import replace

from django.db.models import BooleanField, CharField, Count, IntegerField, Q, Value
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from budgets.actions.account_state import freeze_accounts, unfreeze_accounts
from budgets.actions.billing_month import current_month, lock_month, restore_if_behind
from budgets.actions.form_versions import ensure_expected
from budgets.actions.freeze_terms import FreezeRequest, freeze_exclusion, with_freeze_effects
from budgets.actions.locks import lock_customers, lock_grants, lock_reviewed_customers
from budgets.actions.quota import ensure_permitted, not_actionable, review_totals
from budgets.actions.reviews import (
    CURRENT_STATE,
    agreement_missing_message,
    cannot_unfreeze_message,
    changed_since_review_message,
    ensure_no_referrals,
    included_items,
    matching_items,
    none_included_message,
    store_items,
)
from budgets.actions.set_budgets import BatchResult
from budgets.models import Budget
from customers.actions.audit import record_agreement
from customers.models import Customer, CustomerQuerySet, ExclusionReason, FreezeOrigin
from partnercenter.actions import operations
from partnercenter.actions.authorship import Author
from partnercenter.lib.errors import Conflict, InvalidRequest
from partnercenter.lib.money import MoneyField, show_number
from partnercenter.lib.transactions import write_transaction
from partnercenter.models import LONGEST_REASON, Channel, Confirmation, Operation, User

# The terms of a budget, which the items of a freeze review do not have.
NO_TERMS = {
    "new_type": Value(None, output_field=CharField()),
    "new_amount": Value(None, output_field=MoneyField()),
    "new_policy": Value(None, output_field=CharField()),
    "new_counted_from": Value(None, output_field=IntegerField()),
    "new_unfreeze": Value(False, output_field=BooleanField()),
    "new_on_restore": Value(False, output_field=BooleanField()),
}


@write_transaction()
def review_freeze(
    customers: CustomerQuerySet,
    request: FreezeRequest,
    *,
    operator: User,
    expected: Q | None = None,
    all_matching: bool = False,
) -> Operation:
    """Make a review, to be confirmed, of what the request would do to each customer. Nothing is frozen.

    Customers whose account it would not or must not change are stored as excluded, with the reason (rule 4.5
    (docs/rules.md)). With `all_matching` the customers come from a filter, and customers on whom the operator cannot
    act are excluded as well; without it they were named one by one, and a referral customer is an error. `expected` is
    a condition that each customer still has to meet.

    Raises PermissionRefused; Conflict if a customer is not as `expected`; InvalidRequest if the reason or the agreement
    is missing, or no account can be frozen or unfrozen.
    """
    month = current_month()
    restore_if_behind(customers.visible_to(operator), month)
    return create_freeze_review(
        month, customers, request, operator=operator, expected=expected, all_matching=all_matching
    )


@write_transaction()
def freeze_now(
    customers: CustomerQuerySet,
    request: FreezeRequest,
    *,
    operator: User,
    channel: Channel = Channel.CONSOLE,
    expected: Q | None = None,
) -> BatchResult:
    """Freeze or unfreeze without asking for confirmation: `review_freeze` and `apply_freeze` in one transaction.

    Raises what they raise, and InvalidRequest if none of the customers is the operator's own.
    """
    month = lock_month()
    keys = lock_customers(customers, operator)
    if not keys:
        raise InvalidRequest(_("Choose a customer first."))
    locked = Customer.objects.filter(pk__in_array=keys)
    operation = create_freeze_review(month, locked, request, operator=operator, expected=expected)
    Confirmation.objects.create(operation=operation, how=Confirmation.How.WITHOUT_CODE)
    return _apply(month, operation, request, channel=channel, only_unchanged=False)


@write_transaction()
def apply_freeze(operation: Operation, request: FreezeRequest, *, only_unchanged: bool = False) -> BatchResult:
    """Freeze or unfreeze the account of each customer of the review, all or none.

    The batch of the records is the key of the operation. Raises Conflict if a customer, or what would happen to it, is
    no longer as reviewed; with `only_unchanged` such customers are skipped instead. Raises PermissionRefused if the
    operator may no longer act, and LockTimeout after waiting ten seconds.
    """
    return _apply(lock_month(), operation, request, channel=Channel.CONSOLE, only_unchanged=only_unchanged)


def create_freeze_review(
    month: int,
    customers: CustomerQuerySet,
    request: FreezeRequest,
    *,
    operator: User,
    expected: Q | None = None,
    all_matching: bool = False,
    replaces: Operation | None = None,
) -> Operation:
    """Do what `review_freeze` does, in the caller's transaction; `month` is the current billing month."""
    if not 0 < len(request.reason.strip()) <= LONGEST_REASON:
        raise InvalidRequest(_("Enter a reason of 1 to 256 characters."), "reason")
    if request.freezes_resources and not request.agreement:
        raise InvalidRequest(agreement_missing_message(), "agreement")
    customers = customers.visible_to(operator)
    ensure_expected(customers, expected)
    if not all_matching:
        ensure_no_referrals(customers)
    stored = {**request.as_json(), "all_matching": all_matching}
    operation = operations.create_operation(request.operation_kind, stored, operator=operator, replaces=replaces)
    excluded = not_actionable(operator) if all_matching else {}
    rows = customers.annotate(**NO_TERMS, new_left_out=freeze_exclusion(request, excluded))
    store_items(operation, with_freeze_effects(rows, request), customer="pk", state=CURRENT_STATE)
    ensure_freeze_confirmable(operation, request)
    return operation


def ensure_freeze_confirmable(operation: Operation, request: FreezeRequest) -> None:
    """Raise PermissionRefused or InvalidRequest if the freeze review could not be confirmed anyway.

    If no customer is included, the error says why; see rule 4.5 (docs/rules.md).
    """
    actionable = operation.reviewed.exclude(left_out__in=(ExclusionReason.REFERRAL, ExclusionReason.GRANTED))
    ensure_permitted(review_totals(actionable, operation.operator), operation.operator)
    if not included_items(operation).exists():
        raise InvalidRequest(_none_included_message(operation, request))


def _apply(
    month: int, operation: Operation, request: FreezeRequest, *, channel: Channel, only_unchanged: bool
) -> BatchResult:
    """Lock, then record and write. The caller must have locked `month`, before any other lock."""
    items, operator = included_items(operation), operation.operator
    totals = review_totals(items, operator)
    lock_grants(totals.partners)
    ensure_permitted(totals, operator)
    lock_reviewed_customers(items, operator, month)
    # Only a statement that begins after the locks sees what the transactions they waited for have written.
    keys = list(matching_items(items, operation, month).values_list("customer", flat=True))
    if len(keys) < totals.customers and not (only_unchanged and keys):
        raise Conflict(changed_since_review_message())
    author = Author(operator, channel, timezone.now(), operation.pk)
    result = _freeze_or_unfreeze(Customer.objects.filter(pk__in_array=keys), request, author)
    record_agreement(operation)
    return replace(result, skipped=totals.customers - len(keys))


def _freeze_or_unfreeze(customers: CustomerQuerySet, request: FreezeRequest, author: Author) -> BatchResult:
    frozen = unfrozen = 0
    if request.freezes:
        frozen = freeze_accounts(customers, request.kind, FreezeOrigin.PARTNER, author=author, reason=request.reason)
    else:
        unfrozen = unfreeze_accounts(customers, author=author, reason=request.reason)
    return BatchResult(batch=author.batch, customers=frozen + unfrozen, unfrozen=unfrozen, frozen=frozen)


def _none_included_message(operation: Operation, request: FreezeRequest) -> str:
    """Say why no customer is included: for one, the reason; for several, each reason with the number of customers."""
    counts = dict(operation.reviewed.order_by().values_list("left_out").annotate(Count("pk")))
    if set(counts) <= {ExclusionReason.BY_OPERATOR}:
        return none_included_message()
    if counts == {ExclusionReason.USED_UP: 1}:
        budget = Budget.objects.get(customer__reviews__operation=operation)
        return cannot_unfreeze_message(budget.used, budget.amount)
    messages = {
        ExclusionReason.FROZEN_SO: _("This account is already frozen in this way. Nothing was changed."),
        ExclusionReason.NOT_FROZEN: _("This account is not frozen. Nothing was changed."),
        ExclusionReason.OTHER_KIND: _("This account is already frozen with its resources. Nothing was changed.")
        if request.freezes
        else _("This account is frozen in another way: choose the way in which it is frozen."),
    }
    if sum(counts.values()) == 1 and (message := messages.get(ExclusionReason(min(counts)))):
        return message
    none = _("None of the customers can be frozen.") if request.freezes else _("None of the customers can be unfrozen.")
    reasons = [
        _("%(reason)s: %(number)s.")
        % {"reason": capfirst(ExclusionReason(reason).label), "number": show_number(number)}
        for reason, number in sorted(counts.items())
    ]
    return " ".join([none, *reasons])
