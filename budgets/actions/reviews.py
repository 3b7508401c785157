"""What an operator saw and is to confirm, and holding it against what stands now (domain 6.3, 9).

A review keeps, as rows, the customers with the state they were seen in, the terms each gets and what these were said to
do. The same rows are later set from, so nothing else than what was reviewed can be applied.
"""

from decimal import Decimal
from typing import Any

from django.db.models import BooleanField, Case, F, Q, QuerySet, UUIDField, Value, When
from django.db.models.lookups import Exact
from django.utils.translation import gettext as _

from budgets.actions.billing_month import current_month
from budgets.actions.form_versions import refuse_unlike
from budgets.actions.freeze_terms import by_hand_from, foresee_by_hand, is_by_hand
from budgets.actions.quota import beyond_reach, extent_of, refuse_not_allowed, refuse_over_quota, refuse_partners
from budgets.actions.terms import Changes, Terms, as_json, foresee, with_terms
from customers.models import (
    AccountFreezing,
    Customer,
    CustomerQuerySet,
    Effect,
    LeftOut,
    ReviewedCustomer,
)
from partnercenter.actions import operations
from partnercenter.lib.errors import Conflict, InvalidRequest
from partnercenter.lib.money import show_amount
from partnercenter.lib.sql import insert_from, writing
from partnercenter.models import Operation, User

# Where rows have the state a customer was seen in: customers and records have that of now, reviewed rows their own.
SEEN = {"adjustment_record": "adjustment_record", "freeze_kind": "freeze_kind", "frozen_since": "frozen_since"}
NOW = SEEN | {"adjustment_record": "budget__record_id"}
# Whom no edit takes in.
STAYS_OUT = (LeftOut.REFERRAL, LeftOut.GRANTED, LeftOut.MOVED_ON)
NOW_OF_CUSTOMER = {name: f"customer__{path}" for name, path in NOW.items()}


def refuse_referrals(customers: CustomerQuerySet) -> None:
    """Raises InvalidRequest where one of the customers has neither budget nor freeze (domain 5.6)."""
    if customers.filter(association_type=Customer.AssociationType.REFERRAL).exists():
        raise InvalidRequest(no_budget_nor_freeze())


def no_budget_nor_freeze() -> str:
    """What is told whoever would set the budget of a referral customer, or freeze it (domain 5.6)."""
    return _("A customer of the referral model has no budget and is not frozen.")


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
    meant, so are those the operator can set no budget for. Raises PermissionRefused, InvalidRequest (no customer, a
    referral customer, resources frozen without the agreement, a type without quota, over quota, Unfreeze Now of one
    customer whose budget would be used up), or Conflict where a customer is not `as_seen`. Nothing is set.
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
    to_be_edited: bool = False,
) -> Operation:
    """What `review_budgets` says, for a caller that holds the month: whoever has locks may not restore it.

    `to_be_edited` leaves it to the edit to refuse what could not be confirmed: other amounts are meant.
    """
    if terms.account_freezing == AccountFreezing.AUTOMATIC_WITH_RESOURCES and not terms.agreement:
        raise InvalidRequest(accept_first(), "agreement")
    customers = customers.of(operator)
    refuse_unlike(customers, as_seen)
    if not all_matching:
        refuse_referrals(customers)
    beyond = beyond_reach(operator) if all_matching else {}
    kept = as_json(terms, unfreeze=unfreeze) | {"all_matching": all_matching}
    operation = operations.review(Operation.Kind.SET_BUDGET, kept, operator=operator, replaces=replaces)
    rows = foresee(with_terms(customers, terms, month, unfreeze=unfreeze, beyond=beyond), month)
    keep(operation, rows, customer="pk", seen=NOW)
    if not to_be_edited:
        refuse_review(operation, month, unfreeze=unfreeze)
    return operation


def accept_first() -> str:
    """What is told whoever would have resources frozen without the agreement (domain 3.6, 4.4)."""
    return _("Tick the agreement: resources are frozen only with it.")


def is_import(operation: Operation) -> bool:
    """Whether its terms came from a file."""
    return "import" in operation.terms


def is_undo(operation: Operation) -> bool:
    """Whether it takes a batch back."""
    return operation.kind == Operation.Kind.UNDO_BATCH


def is_batch(operation: Operation) -> bool:
    """Whether the operation is about several customers, and so has a review page."""
    return is_undo(operation) or operation.reviewed.all()[:2].count() != 1


def terms_of_rows(reviewed: QuerySet[ReviewedCustomer]) -> QuerySet[Any]:
    """Reviewed rows with their terms under the names that `foresee` goes by."""
    return reviewed.annotate(
        new_type=F("budget_type"),
        new_amount=F("amount"),
        new_policy=F("account_freezing"),
        counted_from_given=F("counted_from"),
        new_unfreeze=F("unfreeze"),
        new_on_restore=F("unfreeze_on_restore"),
    )


def foreseen(rows: QuerySet[ReviewedCustomer], operation: Operation, month: int) -> QuerySet[Any]:
    """Rows of this operation with what it would do to them now: `exhausts_after`, `effect_after`, and for budgets more.

    Rows that were annotated by `terms_of_rows` are foreseen by what they were given since.
    """
    if is_by_hand(operation):
        return foresee_by_hand(rows, by_hand_from(operation.kind, operation.terms), prefix="customer__")
    return foresee(rows, month, prefix="customer__")


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
        unfreeze_on_restore="new_on_restore",
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
    customer__budget__unfreeze_on_restore=F("unfreeze_on_restore"),
)


def unchanged(rows: QuerySet[ReviewedCustomer]) -> QuerySet[ReviewedCustomer]:
    """The rows whose terms are those that stand (domain 3.1)."""
    return rows.filter(SAME_TERMS)


def changing(rows: QuerySet[ReviewedCustomer]) -> QuerySet[ReviewedCustomer]:
    """The rows whose terms are others than those that stand, a first budget among them."""
    return rows.filter(_not(SAME_TERMS))


def _not(condition: Q) -> Exact:
    """Whether it does not hold or nobody knows, row by row: no second look at the rows where it does."""
    differs = Case(When(condition, then=Value(False)), default=Value(True), output_field=BooleanField())
    return Exact(differs, Value(True))


def changes_nothing(operation: Operation) -> bool:
    """Whether nobody's budget would change and nobody be unfrozen: there is nothing to confirm then."""
    rows = included(operation)
    return not (changing(rows) | rows.filter(effect=Effect.UNFROZEN)).exists()


def refuse_review(operation: Operation, month: int, *, unfreeze: bool) -> None:
    """Refuse what could not be confirmed anyhow: nobody to set, not allowed, over quota, no unfreezing of one (3.9)."""
    rows = included(operation)
    extent = extent_of(rows, operation.operator, moving=True)
    if not extent.number and is_undo(operation):
        raise InvalidRequest(_("None of the customers is left to go back to what it had before the batch."))
    if not extent.number and operation.reviewed.filter(left_out=LeftOut.BY_OPERATOR).exists():
        raise InvalidRequest(_("Nobody would be left to be set: cancel the review, or leave somebody in it."))
    if not extent.number:
        raise InvalidRequest(_("None of the customers can be given this budget."))
    grants = refuse_partners(extent, operation.operator)
    refuse_over_quota(extent.moves, grants, operation.operator)
    if unfreeze and extent.number == 1 and rows.filter(effect__in=(Effect.STAYS_FROZEN, Effect.ESCALATED)).exists():
        raise InvalidRequest(cannot_unfreeze(operation, month), "unfreeze_now")


def cannot_unfreeze(operation: Operation, month: int) -> str:
    """The refusal that names both figures (domain 3.9)."""
    row = foresee(terms_of_rows(included(operation)), month, prefix="customer__").get()
    return cannot_unfreeze_at(row.used_after, row.amount)


def cannot_unfreeze_at(used: Decimal, amount: Decimal) -> str:
    """The same refusal for these figures."""
    return _(
        "The account cannot be unfrozen: %(used)s is used of a budget of %(amount)s with automatic freezing. "
        "Set a budget above %(used)s, or choose Manual."
    ) % {"used": show_amount(used), "amount": show_amount(amount)}


def still_as_reviewed(rows: QuerySet[ReviewedCustomer], operation: Operation, month: int) -> QuerySet[ReviewedCustomer]:
    """The rows whose customer is the operator's, in the state that was reviewed, and to whom the same would happen.

    A report that only moves what is used changes neither. To freezing by hand a budget matters by what would happen.
    """
    return foreseen(terms_of_rows(rows), operation, month).filter(_as_reviewed(operation))


def not_as_reviewed(rows: QuerySet[ReviewedCustomer], operation: Operation, month: int) -> QuerySet[ReviewedCustomer]:
    """All other rows."""
    return foreseen(terms_of_rows(rows), operation, month).filter(_not(_as_reviewed(operation)))


def _as_reviewed(operation: Operation) -> Q:
    company = operation.operator.partner
    whose = "customer__partner__distributor" if company and company.is_distributor else "customer__partner"
    both_without = Q(customer__budget__isnull=True, adjustment_record__isnull=True)
    same_budget = both_without | Q(customer__budget__record=F("adjustment_record"))
    both_unfrozen = Q(customer__frozen_since__isnull=True, frozen_since__isnull=True)
    return Q(
        Q() if is_by_hand(operation) else same_budget,
        both_unfrozen | Q(customer__frozen_since=F("frozen_since")),
        customer__freeze_kind=F("freeze_kind"),
        customer__disassociated_on=None,
        **{whose: company},
        exhausts_after=F("exhausts"),
        effect_after=F("effect"),
    )


def refuse_outdated(operation: Operation) -> None:
    """Raises PermissionRefused where grant or role do not allow it any more.

    Conflict where anything is not as reviewed.

    Told before a code is sent or looked at.
    """
    rows = included(operation)
    extent = extent_of(rows, operation.operator)
    refuse_not_allowed(extent, operation.operator)
    if still_as_reviewed(rows, operation, current_month()).count() != extent.number:
        raise Conflict(_("This budget or the state of the account was changed after your review. Nothing was changed."))
