"""What an operator saw and is to confirm, and holding it against what stands now (domain 6.3, 9)."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, UUIDField, Value
from django.utils.translation import gettext as _

from budgets.actions.setting import Outcome, Terms, set_budgets
from customers.masking import mask_name
from customers.models import AccountFreezing, Customer, CustomerQuerySet, FreezeKind, ReviewedCustomer
from partnercenter import verification
from partnercenter.database import insert_from, writing
from partnercenter.models import BudgetType, Operation, Partner, User
from partnercenter.money import show_amount
from partnercenter.permissions import refusal
from partnercenter.refusals import Changed, NotAllowed

VERSION = re.compile(r"(?P<record>[0-9]{0,18})\|(?P<kind>[A-Z_]*)\|(?P<since>(2[0-9]{3}-[0-9T:.-]+\+00:00)?)")


def version_of(customer: Customer) -> str:
    """What a form carries of the budget and the freeze state it showed."""
    budget = getattr(customer, "budget", None)
    since = customer.frozen_since.isoformat() if customer.frozen_since else ""
    return f"{budget.record_id if budget else ''}|{customer.freeze_kind}|{since}"


def as_shown(version: str) -> Q:
    """The condition a customer still meets if nothing changed since a form showed this version. Raises Changed."""
    match = VERSION.fullmatch(version)
    if match is None or match["kind"] not in FreezeKind.values:
        raise Changed(_("The form is outdated. Nothing was set."))
    try:
        since = _same("frozen_since", datetime.fromisoformat(match["since"]) if match["since"] else None)
    except ValueError as error:
        raise Changed(_("The form is outdated. Nothing was set.")) from error
    return (
        _same("budget__record", int(match["record"]) if match["record"] else None)
        & since
        & Q(freeze_kind=match["kind"])
    )


def _same(field: str, value: Any) -> Q:
    return Q(**{f"{field}__isnull": True}) if value is None else Q(**{field: value})


def as_reviewed(operation: Operation) -> Q:
    """The condition each customer of an operation still meets if nothing changed since the review."""
    both_without = Q(budget__isnull=True, reviews__adjustment_record__isnull=True)
    both_unfrozen = Q(frozen_since__isnull=True, reviews__frozen_since__isnull=True)
    return (
        Q(reviews__operation=operation)
        & (both_without | Q(budget__record=F("reviews__adjustment_record")))
        & Q(freeze_kind=F("reviews__freeze_kind"))
        & (both_unfrozen | Q(frozen_since=F("reviews__frozen_since")))
    )


def preview_budgets(customers: CustomerQuerySet, terms: Terms, **how: Any) -> Outcome:
    """What `set_budgets` would do and whether it would be refused, by doing it and taking it back."""
    with writing():
        outcome = set_budgets(customers, terms, **how)
        transaction.set_rollback(True)
    return outcome


@writing()
def review_budgets(
    customers: CustomerQuerySet, terms: Terms, *, operator: User, unfreeze: bool, outcome: Outcome
) -> Operation:
    """Keep the customers and terms as an operation to be confirmed; `outcome` is what the preview said."""
    kept = {
        "budget_type": terms.budget_type,
        "amount": str(terms.amount),
        "account_freezing": terms.account_freezing,
        "unfreeze": unfreeze,
        "would_unfreeze": outcome.unfrozen,
        "would_freeze": outcome.frozen,
    }
    operation = verification.review(Operation.Kind.SET_BUDGET, kept, operator=operator)
    insert_from(
        ReviewedCustomer,
        customers.of(operator),
        operation=Value(operation.pk, output_field=UUIDField()),
        customer="pk",
        adjustment_record="budget__record_id",
        freeze_kind="freeze_kind",
        frozen_since="frozen_since",
    )
    return operation


def terms_of(operation: Operation) -> Terms:
    """The terms that were reviewed."""
    kept = operation.terms
    policy = kept["account_freezing"]
    return Terms(BudgetType(kept["budget_type"]), Decimal(kept["amount"]), AccountFreezing(policy) if policy else None)


def refuse_outdated(operation: Operation) -> None:
    """Raises NotAllowed where the grant or role does not allow it any more, Changed where a budget or freeze state is
    not as reviewed: told before a code is sent or looked at.
    """
    partners = Partner.objects.filter(customers__reviews__operation=operation).select_related("distributor", "grant")
    for partner in partners.distinct():
        if reason := refusal(operation.operator, partner, getattr(partner, "grant", None)):
            raise NotAllowed(reason)
    reviewed = Customer.objects.of(operation.operator).filter(reviews__operation=operation)
    number = ReviewedCustomer.objects.filter(operation=operation).count()
    if reviewed.filter(as_reviewed(operation)).distinct().count() != number:
        raise Changed(_("This budget or the state of the account was changed after your review. Nothing was set."))


def apply_reviewed(operation: Operation) -> str:
    """Set the budgets of a confirmed operation, and give the message for the operator."""
    terms = terms_of(operation)
    outcome = set_budgets(
        Customer.objects.filter(pk__in=operation.reviewed.values("customer")),
        terms,
        operator=operation.operator,
        unfreeze=operation.terms["unfreeze"],
        as_seen=as_reviewed(operation),
        batch=operation.pk,
    )
    return tell(outcome, terms)


def tell(outcome: Outcome, terms: Terms) -> str:
    """The success message for one customer: it names the type and what became of the account."""
    if terms.budget_type == BudgetType.MONTHLY:
        said = _("The monthly budget is set.")
    else:
        said = _("The one-time budget is set.")
    if not outcome.changed:
        said = _("The budget stands as it was.")
    if outcome.unfrozen:
        said += " " + _("The account is unfrozen.")
    if outcome.frozen:
        said += " " + _("The budget is used up: the account is frozen.")
    return said


def facts_of(operation: Operation) -> list[tuple[str, str]]:
    """What is to be confirmed, line by line, with masked names: for the page and for the mail with the code."""
    terms, kept = terms_of(operation), operation.terms
    customer = Customer.objects.filter(reviews__operation=operation).get()
    facts = [
        (_("Account Name"), customer.account_name),
        (_("Customer Name"), mask_name(customer.name)),
        (_("Budget Type"), str(terms.budget_type.label)),
        (_("Budget"), f"{settings.CURRENCY} {show_amount(terms.amount)}"),
        (_("Account Freezing"), str(terms.account_freezing.label) if terms.account_freezing else _("Unchanged")),
    ]
    if kept["unfreeze"]:
        facts.append((_("Unfreeze Now"), _("Yes")))
    if kept["would_freeze"]:
        facts.append((_("Effect"), _("The budget is used up at once: the account is frozen.")))
    elif kept["would_unfreeze"]:
        facts.append((_("Effect"), _("The account is unfrozen.")))
    return facts
