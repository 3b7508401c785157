"""What an operator saw and is to confirm, and holding it against what stands now.

See section 9 (docs/rules.md) and rule 6.3 (docs/rules.md).

A review keeps, as rows, the customers with the state they were seen in, the terms each gets and what these were said to
do. The same rows are later set from, so nothing else than what was reviewed can be applied.
"""

from decimal import Decimal
from typing import Any

from django.db.models import BooleanField, Case, F, Q, QuerySet, UUIDField, Value, When
from django.db.models.lookups import Exact
from django.utils.translation import gettext as _

from budgets.actions.billing_month import current_month
from budgets.actions.form_versions import ensure_expected
from budgets.actions.quota import (
    ensure_permitted,
    ensure_types_granted,
    ensure_within_quota,
    not_actionable,
    review_totals,
)
from budgets.actions.review_kinds import review_kind
from budgets.actions.terms import BudgetChange, BudgetTerms, terms_as_json, with_budget_effects, with_terms
from customers.models import (
    AccountFreezing,
    Customer,
    CustomerQuerySet,
    ExclusionReason,
    FreezeEffect,
    ReviewItem,
)
from partnercenter.actions import operations
from partnercenter.lib.errors import Conflict, InvalidRequest
from partnercenter.lib.money import show_amount
from partnercenter.lib.sql import insert_from
from partnercenter.lib.transactions import write_transaction
from partnercenter.models import Operation, User

# Where rows have the state a customer was seen in: customers and records have that of now, reviewed rows their own.
REVIEWED_STATE = {
    "adjustment_record": "adjustment_record",
    "freeze_kind": "freeze_kind",
    "frozen_since": "frozen_since",
}
CURRENT_STATE = REVIEWED_STATE | {"adjustment_record": "budget__record_id"}
# Whom no edit takes in.
ALWAYS_EXCLUDED = (ExclusionReason.REFERRAL, ExclusionReason.GRANTED, ExclusionReason.MOVED_ON)
CURRENT_STATE_OF_CUSTOMER = {name: f"customer__{path}" for name, path in CURRENT_STATE.items()}


def ensure_no_referrals(customers: CustomerQuerySet) -> None:
    """Raises InvalidRequest where one of the customers has neither budget nor freeze; see rule 5.6 (docs/rules.md)."""
    if customers.filter(association_type=Customer.AssociationType.REFERRAL).exists():
        raise InvalidRequest(referral_message())


def referral_message() -> str:
    """What is told whoever would set the budget of a referral customer, or freeze it; see rule 5.6 (docs/rules.md)."""
    return _("A customer of the referral model has no budget and is not frozen.")


@write_transaction()
def review_budgets(
    customers: CustomerQuerySet,
    terms: BudgetTerms | BudgetChange,
    *,
    operator: User,
    unfreeze: bool,
    expected: Q | None = None,
    all_matching: bool = False,
) -> Operation:
    """Keep the customers, the terms each would get and what these would do, as an operation to be confirmed.

    Customers to whom the terms cannot be applied are kept as left out; where nobody was named but `all_matching` are
    meant, so are those the operator can set no budget for. Raises PermissionRefused, InvalidRequest (no customer, a
    referral customer, resources frozen without the agreement, a type without quota, over quota, Unfreeze Now of one
    customer whose budget would be used up), or Conflict where a customer is not `expected`. Nothing is set.
    """
    month = current_month()
    how: Any = {"operator": operator, "unfreeze": unfreeze, "expected": expected, "all_matching": all_matching}
    return review_in(month, customers, terms, **how)


def review_in(
    month: int,
    customers: CustomerQuerySet,
    terms: BudgetTerms | BudgetChange,
    *,
    operator: User,
    unfreeze: bool,
    expected: Q | None = None,
    all_matching: bool = False,
    replaces: Operation | None = None,
    to_be_edited: bool = False,
) -> Operation:
    """What `review_budgets` says, for a caller that holds the month: whoever has locks may not restore it.

    `to_be_edited` leaves it to the edit to refuse what could not be confirmed: other amounts are meant.
    """
    if terms.account_freezing == AccountFreezing.AUTOMATIC_WITH_RESOURCES and not terms.agreement:
        raise InvalidRequest(agreement_missing_message(), "agreement")
    customers = customers.visible_to(operator)
    ensure_expected(customers, expected)
    if not all_matching:
        ensure_no_referrals(customers)
    beyond = not_actionable(operator) if all_matching else {}
    kept = terms_as_json(terms, unfreeze=unfreeze) | {"all_matching": all_matching}
    operation = operations.create_operation(Operation.Kind.SET_BUDGET, kept, operator=operator, replaces=replaces)
    rows = with_budget_effects(with_terms(customers, terms, month, unfreeze=unfreeze, beyond=beyond), month)
    store_items(operation, rows, customer="pk", seen=CURRENT_STATE)
    if not to_be_edited:
        ensure_confirmable(operation, month, unfreeze=unfreeze)
    return operation


def agreement_missing_message() -> str:
    """What is told whoever would have resources frozen without the agreement; see rules 3.6, 4.4 (docs/rules.md)."""
    return _("Tick the agreement: resources are frozen only with it.")


def with_item_terms(reviewed: QuerySet[ReviewItem]) -> QuerySet[Any]:
    """Reviewed rows with their terms under the names that `foresee` goes by."""
    return reviewed.annotate(
        new_type=F("budget_type"),
        new_amount=F("amount"),
        new_policy=F("account_freezing"),
        counted_from_given=F("counted_from"),
        new_unfreeze=F("unfreeze"),
        new_on_restore=F("unfreeze_on_restore"),
    )


def store_items(
    operation: Operation, rows: QuerySet[Any], *, customer: str, seen: dict[str, str], as_it_is: Any = 0
) -> int:
    """Keep rows, with their terms, the state `seen` and what `foresee` says, as the customers of an operation."""
    return insert_from(
        ReviewItem,
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


def included_items(operation: Operation) -> QuerySet[ReviewItem]:
    """The rows of a review that are set."""
    return ReviewItem.objects.filter(operation=operation, left_out=ExclusionReason.NONE)


SAME_TERMS = Q(
    Q(counted_from__isnull=True) | Q(customer__budget__counted_from=F("counted_from")),
    customer__budget__budget_type=F("budget_type"),
    customer__budget__amount=F("amount"),
    customer__budget__account_freezing=F("account_freezing"),
    customer__budget__unfreeze_on_restore=F("unfreeze_on_restore"),
)


def unchanged_items(rows: QuerySet[ReviewItem]) -> QuerySet[ReviewItem]:
    """The rows whose terms are those that stand; see rule 3.1 (docs/rules.md)."""
    return rows.filter(SAME_TERMS)


def changing_items(rows: QuerySet[ReviewItem]) -> QuerySet[ReviewItem]:
    """The rows whose terms are others than those that stand, a first budget among them."""
    return rows.filter(_not(SAME_TERMS))


def _not(condition: Q) -> Exact:
    """Whether it does not hold or nobody knows, row by row: no second look at the rows where it does."""
    differs = Case(When(condition, then=Value(False)), default=Value(True), output_field=BooleanField())
    return Exact(differs, Value(True))


def changes_nothing(operation: Operation) -> bool:
    """Whether nobody's budget would change and nobody be unfrozen: there is nothing to confirm then."""
    rows = included_items(operation)
    return not (changing_items(rows) | rows.filter(effect=FreezeEffect.UNFROZEN)).exists()


def ensure_confirmable(operation: Operation, month: int, *, unfreeze: bool, none_left: str = "") -> None:
    """Refuse what could not be confirmed anyhow: nobody to set, not allowed, over quota, no unfreezing of one (3.9)."""
    rows = included_items(operation)
    extent = review_totals(rows, operation.operator, moving=True)
    if not extent.number and none_left:
        raise InvalidRequest(none_left)
    if not extent.number and operation.reviewed.filter(left_out=ExclusionReason.BY_OPERATOR).exists():
        raise InvalidRequest(_("Nobody would be left to be set: cancel the review, or leave somebody in it."))
    if not extent.number:
        raise InvalidRequest(_("None of the customers can be given this budget."))
    grants = ensure_types_granted(extent, operation.operator)
    ensure_within_quota(extent.moves, grants, operation.operator)
    if (
        unfreeze
        and extent.number == 1
        and rows.filter(effect__in=(FreezeEffect.STAYS_FROZEN, FreezeEffect.ESCALATED)).exists()
    ):
        raise InvalidRequest(cannot_unfreeze(operation, month), "unfreeze_now")


def cannot_unfreeze(operation: Operation, month: int) -> str:
    """The refusal that names both figures; see rule 3.9 (docs/rules.md)."""
    row = with_budget_effects(with_item_terms(included_items(operation)), month, prefix="customer__").get()
    return cannot_unfreeze_message(row.used_after, row.amount)


def cannot_unfreeze_message(used: Decimal, amount: Decimal) -> str:
    """The same refusal for these figures."""
    return _(
        "The account cannot be unfrozen: %(used)s is used of a budget of %(amount)s with automatic freezing. "
        "Set a budget above %(used)s, or choose Manual."
    ) % {"used": show_amount(used), "amount": show_amount(amount)}


def matching_items(rows: QuerySet[ReviewItem], operation: Operation, month: int) -> QuerySet[ReviewItem]:
    """The rows whose customer is the operator's, in the state that was reviewed, and to whom the same would happen.

    A report that only moves what is used changes neither. To freezing by hand a budget matters by what would happen.
    """
    return review_kind(operation).with_effects(with_item_terms(rows), month).filter(_as_reviewed(operation))


def conflicting_items(rows: QuerySet[ReviewItem], operation: Operation, month: int) -> QuerySet[ReviewItem]:
    """All other rows."""
    return review_kind(operation).with_effects(with_item_terms(rows), month).filter(_not(_as_reviewed(operation)))


def _as_reviewed(operation: Operation) -> Q:
    company = operation.operator.partner
    whose = "customer__partner__distributor" if company and company.is_distributor else "customer__partner"
    both_without = Q(customer__budget__isnull=True, adjustment_record__isnull=True)
    same_budget = both_without | Q(customer__budget__record=F("adjustment_record"))
    both_unfrozen = Q(customer__frozen_since__isnull=True, frozen_since__isnull=True)
    return Q(
        same_budget if review_kind(operation).compares_budgets else Q(),
        both_unfrozen | Q(customer__frozen_since=F("frozen_since")),
        customer__freeze_kind=F("freeze_kind"),
        customer__disassociated_on=None,
        **{whose: company},
        exhausts_after=F("exhausts"),
        effect_after=F("effect"),
    )


def ensure_unchanged(operation: Operation) -> None:
    """Raises PermissionRefused where grant or role do not allow it any more.

    Conflict where anything is not as reviewed.

    Told before a code is sent or looked at.
    """
    rows = included_items(operation)
    extent = review_totals(rows, operation.operator)
    ensure_permitted(extent, operation.operator)
    if matching_items(rows, operation, current_month()).count() != extent.number:
        raise Conflict(_("This budget or the state of the account was changed after your review. Nothing was changed."))
