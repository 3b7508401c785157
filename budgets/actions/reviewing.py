"""What an operator saw and is to confirm, and holding it against what stands now (domain 6.3, 9).

A review keeps, as rows, the customers with the state they were seen in, the terms each gets and what these were said to
do. The same rows are later set from, so nothing else than what was reviewed can be applied.
"""

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import BooleanField, Case, F, Q, QuerySet, UUIDField, Value, When
from django.db.models.lookups import Exact
from django.utils.translation import gettext as _

from budgets.actions.month import current_month
from budgets.actions.quota import beyond_reach, extent_of, refuse_over_quota, refuse_partners
from budgets.actions.terms import Changes, Relative, Terms, foresee, with_terms
from customers.models import (
    AccountFreezing,
    Customer,
    CustomerQuerySet,
    Effect,
    FreezeKind,
    LeftOut,
    ReviewedCustomer,
)
from partnercenter import verification
from partnercenter.database import insert_from, writing
from partnercenter.models import BudgetType, Grant, Operation, User
from partnercenter.money import show_amount
from partnercenter.permissions import refusal
from partnercenter.refusals import Changed, NotAllowed, Refusal

VERSION = re.compile(r"(?P<record>[0-9]{0,18})\|(?P<kind>[A-Z_]*)\|(?P<since>(2[0-9]{3}-[0-9T:.-]+\+00:00)?)")

# Where rows have the state a customer was seen in: customers and records have that of now, reviewed rows their own.
SEEN = {"adjustment_record": "adjustment_record", "freeze_kind": "freeze_kind", "frozen_since": "frozen_since"}
NOW = SEEN | {"adjustment_record": "budget__record_id"}
# Whom no edit takes in.
STAYS_OUT = (LeftOut.REFERRAL, LeftOut.GRANTED, LeftOut.MOVED_ON)
NOW_OF_CUSTOMER = {name: f"customer__{path}" for name, path in NOW.items()}


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
    record = int(match["record"]) if match["record"] else None
    return _same("budget__record", record) & since & Q(freeze_kind=match["kind"])


def _same(field: str, value: Any) -> Q:
    return Q(**{f"{field}__isnull": True}) if value is None else Q(**{field: value})


@writing()
def review_budgets(
    customers: CustomerQuerySet,
    terms: Terms | Changes,
    *,
    operator: User,
    unfreeze: bool,
    as_seen: Q | None = None,
    all_matching: bool = False,
) -> Operation:
    """Keep the customers, the terms each would get and what these would do, as an operation to be confirmed.

    Customers to whom the terms cannot be applied are kept as left out; where nobody was named but `all_matching` are
    meant, so are those the operator can set no budget for. Raises NotAllowed, Refusal (no customer, a referral
    customer, a type without quota, over quota, Unfreeze Now of one customer whose budget would be used up), or Changed
    where a customer is not `as_seen`. Nothing is set.
    """
    month = current_month()
    how: Any = {"operator": operator, "unfreeze": unfreeze, "as_seen": as_seen, "all_matching": all_matching}
    return review_in(month, customers, terms, **how)


def review_in(
    month: int,
    customers: CustomerQuerySet,
    terms: Terms | Changes,
    *,
    operator: User,
    unfreeze: bool,
    as_seen: Q | None = None,
    all_matching: bool = False,
    replaces: Operation | None = None,
) -> Operation:
    """What `review_budgets` says, for a caller that holds the month: whoever has locks may not restore it."""
    customers = customers.of(operator)
    if as_seen is not None and customers.filter(as_seen).count() != customers.count():
        raise Changed(_("This budget or the state of the account was changed meanwhile. Nothing was set."))
    beyond = beyond_reach(operator) if all_matching else {}
    if not beyond and customers.filter(association_type=Customer.AssociationType.REFERRAL).exists():
        raise Refusal(_("A customer of the referral model has no budget."))
    kept = as_json(terms, unfreeze=unfreeze) | {"all_matching": all_matching}
    operation = verification.review(Operation.Kind.SET_BUDGET, kept, operator=operator, replaces=replaces)
    rows = foresee(with_terms(customers, terms, month, unfreeze=unfreeze, beyond=beyond), month)
    keep(operation, rows, customer="pk", seen=NOW)
    refuse_review(operation, month, unfreeze=unfreeze)
    return operation


def is_import(operation: Operation) -> bool:
    """Whether its terms came from a file."""
    return "import" in operation.terms


def is_undo(operation: Operation) -> bool:
    """Whether it takes a batch back."""
    return operation.kind == Operation.Kind.UNDO_BATCH


def terms_of_rows(reviewed: QuerySet[ReviewedCustomer]) -> QuerySet[Any]:
    """Reviewed rows with their terms under the names that `foresee` goes by."""
    return reviewed.annotate(
        new_type=F("budget_type"),
        new_amount=F("amount"),
        new_policy=F("account_freezing"),
        counted_from_given=F("counted_from"),
        new_unfreeze=F("unfreeze"),
    )


def keep(operation: Operation, rows: QuerySet[Any], *, customer: str, seen: dict[str, str], as_it_is: Any = 0) -> int:
    """Keep rows, with their terms, the state `seen` and what `foresee` says, as the customers of an operation."""
    return insert_from(
        ReviewedCustomer,
        rows,
        operation=Value(operation.pk, output_field=UUIDField()),
        customer=customer,
        **seen,
        budget_type="new_type",
        amount="new_amount",
        account_freezing="new_policy",
        counted_from="counted_from_given",
        unfreeze="new_unfreeze",
        as_it_is=as_it_is,
        left_out="new_left_out",
        exhausts="exhausts_after",
        effect="effect_after",
    )


def included(operation: Operation) -> QuerySet[ReviewedCustomer]:
    """The rows of a review that are set."""
    return ReviewedCustomer.objects.filter(operation=operation, left_out=LeftOut.NONE)


SAME_TERMS = Q(
    Q(counted_from__isnull=True) | Q(customer__budget__counted_from=F("counted_from")),
    customer__budget__budget_type=F("budget_type"),
    customer__budget__amount=F("amount"),
    customer__budget__account_freezing=F("account_freezing"),
)


def unchanged(rows: QuerySet[ReviewedCustomer]) -> QuerySet[ReviewedCustomer]:
    """The rows whose terms are those that stand (domain 3.1)."""
    return rows.filter(SAME_TERMS)


def changing(rows: QuerySet[ReviewedCustomer]) -> QuerySet[ReviewedCustomer]:
    """The rows whose terms are others than those that stand, a first budget among them."""
    differs = Case(When(SAME_TERMS, then=Value(False)), default=Value(True), output_field=BooleanField())
    return rows.filter(Exact(differs, Value(True)))


def changes_nothing(operation: Operation) -> bool:
    """Whether nobody's budget would change and nobody be unfrozen: there is nothing to confirm then."""
    rows = included(operation)
    same = unchanged(rows).exclude(effect=Effect.UNFROZEN).values("pk")
    return not rows.exclude(pk__in=same).exists()


def refuse_review(operation: Operation, month: int, *, unfreeze: bool) -> None:
    """Refuse what could not be confirmed anyhow: nobody to set, not allowed, over quota, no unfreezing of one (3.9)."""
    rows = included(operation)
    extent = extent_of(rows, operation.operator)
    if not extent.number and is_undo(operation):
        raise Refusal(_("None of the customers is left to go back to what it had before the batch."))
    if not extent.number:
        raise Refusal(_("None of the customers can be given this budget."))
    grants = refuse_partners(extent.partners, extent.types, operation.operator)
    refuse_over_quota(rows, grants, operation.operator)
    if unfreeze and extent.number == 1 and rows.filter(effect=Effect.STAYS_FROZEN).exists():
        raise Refusal(cannot_unfreeze(operation, month), "unfreeze_now")


def cannot_unfreeze(operation: Operation, month: int) -> str:
    """The refusal that names both figures (domain 3.9)."""
    row = foresee(terms_of_rows(included(operation)), month, prefix="customer__").get()
    return _(
        "The account cannot be unfrozen: %(used)s is used of a budget of %(amount)s with automatic freezing. "
        "Set a budget above %(used)s, or choose Manual."
    ) % {"used": show_amount(row.used_after), "amount": show_amount(row.amount)}


def still_as_reviewed(rows: QuerySet[ReviewedCustomer], month: int, operator: User) -> QuerySet[ReviewedCustomer]:
    """The rows whose customer is the operator's, in the state that was reviewed, and to whom the same would happen.

    A report that only moves what is used changes neither.
    """
    company = operator.partner
    whose = "customer__partner__distributor" if company and company.is_distributor else "customer__partner"
    both_without = Q(customer__budget__isnull=True, adjustment_record__isnull=True)
    both_unfrozen = Q(customer__frozen_since__isnull=True, frozen_since__isnull=True)
    return foresee(terms_of_rows(rows), month, prefix="customer__").filter(
        both_without | Q(customer__budget__record=F("adjustment_record")),
        both_unfrozen | Q(customer__frozen_since=F("frozen_since")),
        customer__freeze_kind=F("freeze_kind"),
        customer__disassociated_on=None,
        **{whose: company},
        exhausts_after=F("exhausts"),
        effect_after=F("effect"),
    )


def refuse_outdated(operation: Operation) -> None:
    """Raises NotAllowed where grant or role do not allow it any more, Changed where anything is not as reviewed.

    Told before a code is sent or looked at.
    """
    rows = included(operation)
    extent = extent_of(rows, operation.operator)
    grants = Grant.objects.in_bulk([partner.pk for partner in extent.partners])
    for partner in extent.partners:
        if reason := refusal(operation.operator, partner, grants.get(partner.pk)):
            raise NotAllowed(reason)
    if still_as_reviewed(rows, current_month(), operation.operator).count() != extent.number:
        raise Changed(_("This budget or the state of the account was changed after your review. Nothing was set."))


def as_json(terms: Terms | Changes, *, unfreeze: bool) -> dict[str, Any]:
    """Terms as an operation keeps them, for showing what was asked for."""
    amount: Any = terms.amount
    if isinstance(amount, Relative):
        amount = {name: str(value) for name, value in vars(amount).items() if value is not None}
    elif amount is not None:
        amount = str(amount)
    return {
        "budget_type": terms.budget_type,
        "amount": amount,
        "account_freezing": terms.account_freezing,
        "unfreeze": unfreeze,
    }


def terms_from(kept: dict[str, Any]) -> Changes:
    """The terms that an operation keeps."""
    amount: Any = kept["amount"]
    if isinstance(amount, dict):
        amount = Relative(**{name: Decimal(value) for name, value in amount.items()})
    elif amount is not None:
        amount = Decimal(amount)
    return Changes(
        BudgetType(kept["budget_type"]) if kept["budget_type"] else None,
        amount,
        AccountFreezing(kept["account_freezing"]) if kept["account_freezing"] else None,
    )
