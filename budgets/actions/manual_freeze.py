"""Freezing and unfreezing by hand: one customer or a hundred thousand, reviewed, confirmed, applied once.

See section 4 (docs/rules.md).

An operation keeps what is asked for and, as rows, to whom it is done and to whom not, and why; as with budgets nothing
else than what was reviewed is done.
"""

from dataclasses import replace
from typing import Any

from django.db.models import BooleanField, CharField, Count, IntegerField, Q, Value
from django.utils import timezone
from django.utils.translation import gettext as _

from budgets.actions.account_state import freeze_accounts, unfreeze_accounts
from budgets.actions.billing_month import current_month, lock_month
from budgets.actions.form_versions import ensure_expected
from budgets.actions.freeze_terms import FreezeRequest, freeze_exclusion, with_freeze_effects
from budgets.actions.locks import lock_grants, lock_reviewed, lock_to_review
from budgets.actions.quota import ensure_permitted, not_actionable, review_totals
from budgets.actions.reviews import (
    CURRENT_STATE,
    agreement_missing_message,
    cannot_unfreeze_message,
    ensure_no_referrals,
    included_items,
    matching_items,
    store_items,
)
from budgets.actions.set_budgets import BatchResult
from budgets.models import Budget
from customers.actions.audit import record_agreement
from customers.models import Customer, CustomerQuerySet, ExclusionReason, FreezeOrigin
from partnercenter.actions import operations
from partnercenter.actions.authorship import Author
from partnercenter.lib.errors import Conflict, InvalidRequest
from partnercenter.lib.money import MoneyField
from partnercenter.lib.transactions import write_transaction
from partnercenter.models import LONGEST_REASON, Channel, Confirmation, Operation, User

# Freezing gives nobody a budget: the rows of its review have no terms.
NO_TERMS: dict[str, Any] = {
    "new_type": Value(None, output_field=CharField()),
    "new_amount": Value(None, output_field=MoneyField()),
    "new_policy": Value(None, output_field=CharField()),
    "counted_from_given": Value(None, output_field=IntegerField()),
    "new_unfreeze": Value(False, output_field=BooleanField()),
    "new_on_restore": Value(False, output_field=BooleanField()),
}


@write_transaction()
def review_freeze(
    customers: CustomerQuerySet,
    asked: FreezeRequest,
    *,
    operator: User,
    expected: Q | None = None,
    all_matching: bool = False,
) -> Operation:
    """Keep the customers and what would become of each as an operation to be confirmed; nothing is done.

    To whom it does not apply is kept as left out, with the reason (rule 4.5 (docs/rules.md)); where nobody was named
    but `all_matching` are meant, so are those the operator may not act on. Raises PermissionRefused, InvalidRequest (no
    reason, resources without the agreement, a referral customer, nobody left; of one customer why not, with its
    figures), or Conflict where a customer is not `expected`.
    """
    month = current_month()
    return review_freeze_in(month, customers, asked, operator=operator, expected=expected, all_matching=all_matching)


@write_transaction()
def freeze_now(
    customers: CustomerQuerySet,
    asked: FreezeRequest,
    *,
    operator: User,
    channel: Channel = Channel.CONSOLE,
    expected: Q | None = None,
) -> BatchResult:
    """Review and do it in one, where nobody is asked to confirm: what `review_by_hand` and `apply_by_hand` say.

    InvalidRequest where none of the customers is the operator's.
    """
    month = lock_month()
    keys = lock_to_review(customers, operator)
    if not keys:
        raise InvalidRequest(_("Choose a customer first."))
    chosen = Customer.objects.filter(pk__in_array=keys)
    operation = review_freeze_in(month, chosen, asked, operator=operator, expected=expected)
    Confirmation.objects.create(operation=operation, how=Confirmation.How.WITHOUT_CODE)
    return _apply(month, operation, asked, channel=channel, only_unchanged=False)


@write_transaction()
def apply_freeze(operation: Operation, asked: FreezeRequest, *, only_unchanged: bool = False) -> BatchResult:
    """Freeze or unfreeze each customer of the review, with its reason; the records' batch is the operation's key.

    All or nothing. Where a customer, or what would happen to it, is not as reviewed, Conflict is raised, or with
    `only_unchanged` those are left as they are. Raises PermissionRefused where grant or standing do not allow it (any
    more), LockTimeout after ten seconds of waiting.
    """
    return _apply(lock_month(), operation, asked, channel=Channel.CONSOLE, only_unchanged=only_unchanged)


def review_freeze_in(
    month: int,
    customers: CustomerQuerySet,
    asked: FreezeRequest,
    *,
    operator: User,
    expected: Q | None = None,
    all_matching: bool = False,
    replaces: Operation | None = None,
) -> Operation:
    """What `review_freeze` says, for a caller that knows the current month: once locks are taken none is restored."""
    _refuse_unfit(asked)
    mine = customers.visible_to(operator)
    ensure_expected(mine, expected)
    if not all_matching:
        ensure_no_referrals(mine)
    beyond = not_actionable(operator) if all_matching else {}
    kept = asked.as_json() | {"all_matching": all_matching}
    operation = operations.create_operation(asked.operation_kind, kept, operator=operator, replaces=replaces)
    rows = with_freeze_effects(mine.annotate(**NO_TERMS, new_left_out=freeze_exclusion(asked, beyond)), asked)
    store_items(operation, rows, customer="pk", seen=CURRENT_STATE)
    ensure_freeze_confirmable(operation, asked)
    return operation


def _refuse_unfit(asked: FreezeRequest) -> None:
    if not 0 < len(asked.reason.strip()) <= LONGEST_REASON:
        raise InvalidRequest(_("Enter a reason of 1 to 256 characters."), "reason")
    if asked.freezes_resources and not asked.agreement:
        raise InvalidRequest(agreement_missing_message(), "agreement")


def ensure_freeze_confirmable(operation: Operation, asked: FreezeRequest) -> None:
    """Refuse what could not be confirmed anyhow: whom the operator may not act on, nobody to do it to.

    See rule 4.5 (docs/rules.md).
    """
    within_reach = operation.reviewed.exclude(left_out__in=(ExclusionReason.REFERRAL, ExclusionReason.GRANTED))
    ensure_permitted(review_totals(within_reach, operation.operator), operation.operator)
    if not included_items(operation).exists():
        raise InvalidRequest(_nobody(operation, asked))


def _nobody(operation: Operation, asked: FreezeRequest) -> str:
    """Why nothing can be done: of one customer the reason, of several how many there are of each."""
    reasons = list(operation.reviewed.order_by().values_list("left_out").annotate(Count("pk")))
    if reasons == [(reasons[0][0], 1)]:
        return _why_not(operation, asked, reasons[0][0])
    told = ", ".join(f"{ExclusionReason(reason).label} ({number})" for reason, number in sorted(reasons))
    if asked.freezes:
        return _("None of the customers can be frozen: %(why)s.") % {"why": told}
    return _("None of the customers can be unfrozen: %(why)s.") % {"why": told}


def _why_not(operation: Operation, asked: FreezeRequest, reason: str) -> str:
    if reason == ExclusionReason.USED_UP:
        budget = Budget.objects.get(customer__reviews__operation=operation)
        return cannot_unfreeze_message(budget.used, budget.amount)
    return {
        ExclusionReason.FROZEN_SO: _("The account is frozen so already. Nothing was changed."),
        ExclusionReason.NOT_FROZEN: _("The account is not frozen. Nothing was changed."),
        ExclusionReason.OTHER_KIND: _("The account is frozen with its resources already. Nothing was changed.")
        if asked.freezes
        else _("The account is frozen in the other kind: unfreezing names the kind of the freeze."),
    }.get(ExclusionReason(reason), _("None of the customers is left."))


def _apply(
    month: int, operation: Operation, asked: FreezeRequest, *, channel: Channel, only_unchanged: bool
) -> BatchResult:
    """`month` is held already: whoever has other locks may not restore it."""
    rows, operator = included_items(operation), operation.operator
    extent = review_totals(rows, operator)
    lock_grants(extent.partners)
    ensure_permitted(extent, operator)
    lock_reviewed(rows, operator)
    # A statement after the locks: it sees what those we waited for have written.
    standing = list(matching_items(rows, operation, month).values_list("customer", flat=True))
    if len(standing) < extent.number and not (only_unchanged and standing):
        raise Conflict(_("The state of an account was changed meanwhile. Nothing was done."))
    author = Author(operator, channel, timezone.now(), operation.pk)
    done = _carry_out(Customer.objects.filter(pk__in_array=standing), asked, author)
    record_agreement(operation)
    return replace(done, skipped=extent.number - len(standing))


def _carry_out(customers: CustomerQuerySet, asked: FreezeRequest, author: Author) -> BatchResult:
    frozen = unfrozen = 0
    if asked.freezes:
        frozen = freeze_accounts(customers, asked.kind, FreezeOrigin.PARTNER, author=author, reason=asked.reason)
    else:
        unfrozen = unfreeze_accounts(customers, author=author, reason=asked.reason)
    return BatchResult(batch=author.batch, customers=frozen + unfrozen, unfrozen=unfrozen, frozen=frozen)
