"""Freezing and unfreezing by hand: one customer or a hundred thousand, reviewed, confirmed, applied once (domain 4).

An operation keeps what is asked for and, as rows, to whom it is done and to whom not, and why; as with budgets nothing
else than what was reviewed is done.
"""

from dataclasses import replace
from typing import Any

from django.db.models import BooleanField, CharField, Count, IntegerField, Q, Value
from django.utils import timezone
from django.utils.translation import gettext as _

from budgets.actions.account_state import freeze_accounts, unfreeze_accounts
from budgets.actions.billing_month import current_month, hold_month
from budgets.actions.form_versions import refuse_unlike
from budgets.actions.freeze_terms import ByHand, by_hand_from, foresee_by_hand, is_by_hand, not_by_hand
from budgets.actions.locks import lock_grants, lock_reviewed, lock_to_review
from budgets.actions.quota import beyond_reach, extent_of, refuse_not_allowed
from budgets.actions.reviews import (
    NOW,
    accept_first,
    cannot_unfreeze_at,
    included,
    keep,
    refuse_referrals,
    still_as_reviewed,
)
from budgets.actions.set_budgets import Outcome, apply_budgets
from budgets.models import Budget
from customers.actions import Author, record_agreement
from customers.models import Customer, CustomerQuerySet, FreezeOrigin, LeftOut
from partnercenter.actions import operations
from partnercenter.lib.errors import Conflict, InvalidRequest
from partnercenter.lib.money import MoneyField
from partnercenter.lib.sql import writing
from partnercenter.models import Channel, Confirmation, Operation, User

LONGEST_REASON = 256
# Freezing gives nobody a budget: the rows of its review have no terms.
NO_TERMS: dict[str, Any] = {
    "new_type": Value(None, output_field=CharField()),
    "new_amount": Value(None, output_field=MoneyField()),
    "new_policy": Value(None, output_field=CharField()),
    "counted_from_given": Value(None, output_field=IntegerField()),
    "new_unfreeze": Value(False, output_field=BooleanField()),
    "new_on_restore": Value(False, output_field=BooleanField()),
}


@writing()
def review_by_hand(
    customers: CustomerQuerySet,
    asked: ByHand,
    *,
    operator: User,
    as_seen: Q | None = None,
    all_matching: bool = False,
) -> Operation:
    """Keep the customers and what would become of each as an operation to be confirmed; nothing is done.

    To whom it does not apply is kept as left out, with the reason (domain 4.5); where nobody was named but
    `all_matching` are meant, so are those the operator may not act on. Raises PermissionRefused, InvalidRequest (no
    reason, resources without the agreement, a referral customer, nobody left; of one customer why not, with its
    figures), or Conflict where a customer is not `as_seen`.
    """
    month = current_month()
    return _review(month, customers, asked, operator=operator, as_seen=as_seen, all_matching=all_matching)


@writing()
def act_by_hand(
    customers: CustomerQuerySet,
    asked: ByHand,
    *,
    operator: User,
    channel: Channel = Channel.CONSOLE,
    as_seen: Q | None = None,
) -> Outcome:
    """Review and do it in one, where nobody is asked to confirm: what `review_by_hand` and `apply_by_hand` say.

    InvalidRequest where none of the customers is the operator's.
    """
    month = hold_month()
    keys = lock_to_review(customers, operator)
    if not keys:
        raise InvalidRequest(_("Choose a customer first."))
    chosen = Customer.objects.filter(pk__among=keys)
    operation = _review(month, chosen, asked, operator=operator, as_seen=as_seen)
    Confirmation.objects.create(operation=operation, how=Confirmation.How.WITHOUT_CODE)
    return _apply(month, operation, channel=channel, only_unchanged=False)


@writing()
def apply_by_hand(operation: Operation, *, only_unchanged: bool = False) -> Outcome:
    """Freeze or unfreeze each customer of the review, with its reason; the records' batch is the operation's key.

    All or nothing. Where a customer, or what would happen to it, is not as reviewed, Conflict is raised, or with
    `only_unchanged` those are left as they are. Raises PermissionRefused where grant or standing do not allow it (any
    more), LockTimeout after ten seconds of waiting.
    """
    return _apply(hold_month(), operation, channel=Channel.CONSOLE, only_unchanged=only_unchanged)


def review_by_hand_again(operation: Operation, customers: CustomerQuerySet, month: int) -> Operation:
    """The same asked for these customers as they are now, in place of the operation."""
    return _review(
        month,
        customers,
        by_hand_from(operation.kind, operation.terms),
        operator=operation.operator,
        all_matching=operation.terms["all_matching"],
        replaces=operation,
    )


def _review(
    month: int,
    customers: CustomerQuerySet,
    asked: ByHand,
    *,
    operator: User,
    as_seen: Q | None = None,
    all_matching: bool = False,
    replaces: Operation | None = None,
) -> Operation:
    """`month` is current: whoever has locks may not restore it."""
    _refuse_unfit(asked)
    mine = customers.of(operator)
    refuse_unlike(mine, as_seen)
    if not all_matching:
        refuse_referrals(mine)
    beyond = beyond_reach(operator) if all_matching else {}
    kept = asked.as_json() | {"all_matching": all_matching}
    operation = operations.review(asked.act, kept, operator=operator, replaces=replaces)
    rows = foresee_by_hand(mine.annotate(**NO_TERMS, new_left_out=not_by_hand(asked, beyond)), asked)
    keep(operation, rows, customer="pk", seen=NOW)
    refuse_by_hand(operation)
    return operation


def _refuse_unfit(asked: ByHand) -> None:
    if not 0 < len(asked.reason.strip()) <= LONGEST_REASON:
        raise InvalidRequest(_("Enter a reason of 1 to 256 characters."), "reason")
    if asked.freezes_resources and not asked.agreement:
        raise InvalidRequest(accept_first(), "agreement")


def refuse_by_hand(operation: Operation) -> None:
    """Refuse what could not be confirmed anyhow: whom the operator may not act on, nobody to do it to (domain 4.5)."""
    within_reach = operation.reviewed.exclude(left_out__in=(LeftOut.REFERRAL, LeftOut.GRANTED))
    refuse_not_allowed(extent_of(within_reach, operation.operator), operation.operator)
    if not included(operation).exists():
        raise InvalidRequest(_nobody(operation))


def _nobody(operation: Operation) -> str:
    """Why nothing can be done: of one customer the reason, of several how many there are of each."""
    reasons = list(operation.reviewed.order_by().values_list("left_out").annotate(Count("pk")))
    if reasons == [(reasons[0][0], 1)]:
        return _why_not(operation, reasons[0][0])
    told = ", ".join(f"{LeftOut(reason).label} ({number})" for reason, number in sorted(reasons))
    if operation.kind == Operation.Kind.FREEZE:
        return _("None of the customers can be frozen: %(why)s.") % {"why": told}
    return _("None of the customers can be unfrozen: %(why)s.") % {"why": told}


def _why_not(operation: Operation, reason: str) -> str:
    if reason == LeftOut.USED_UP:
        budget = Budget.objects.get(customer__reviews__operation=operation)
        return cannot_unfreeze_at(budget.used, budget.amount)
    freezes = operation.kind == Operation.Kind.FREEZE
    return {
        LeftOut.FROZEN_SO: _("The account is frozen so already. Nothing was changed."),
        LeftOut.NOT_FROZEN: _("The account is not frozen. Nothing was changed."),
        LeftOut.OTHER_KIND: _("The account is frozen with its resources already. Nothing was changed.")
        if freezes
        else _("The account is frozen in the other kind: unfreezing names the kind of the freeze."),
    }.get(LeftOut(reason), _("None of the customers is left."))


def _apply(month: int, operation: Operation, *, channel: Channel, only_unchanged: bool) -> Outcome:
    """`month` is held already: whoever has other locks may not restore it."""
    rows, operator = included(operation), operation.operator
    extent = extent_of(rows, operator)
    lock_grants(extent.partners)
    refuse_not_allowed(extent, operator)
    lock_reviewed(rows, operator)
    # A statement after the locks: it sees what those we waited for have written.
    standing = list(still_as_reviewed(rows, operation, month).values_list("customer", flat=True))
    if len(standing) < extent.number and not (only_unchanged and standing):
        raise Conflict(_("The state of an account was changed meanwhile. Nothing was done."))
    author = Author(operator, channel, timezone.now(), operation.pk)
    done = _carry_out(Customer.objects.filter(pk__among=standing), operation, author)
    record_agreement(operation)
    return replace(done, passed_over=extent.number - len(standing))


def _carry_out(customers: CustomerQuerySet, operation: Operation, author: Author) -> Outcome:
    asked = by_hand_from(operation.kind, operation.terms)
    frozen = unfrozen = 0
    if asked.freezes:
        frozen = freeze_accounts(customers, asked.kind, FreezeOrigin.PARTNER, author=author, reason=asked.reason)
    else:
        unfrozen = unfreeze_accounts(customers, author=author, reason=asked.reason)
    return Outcome(author.batch, frozen + unfrozen, 0, unfrozen, frozen, 0)


def apply_reviewed(operation: Operation, *, only_unchanged: bool = False) -> Outcome:
    """Do what was reviewed, whatever kind of review it was: `apply_budgets` or `apply_by_hand`."""
    apply = apply_by_hand if is_by_hand(operation) else apply_budgets
    return apply(operation, only_unchanged=only_unchanged)
