"""Reviews of budgets: what an operator is about to confirm, customer by customer.

A review is an operation with one item per customer. An item holds the state in which the customer was reviewed, the
terms it gets, and what these would do. What is confirmed is written from the items, so nothing can be applied that was
not reviewed. See rule 6.3 and section 9 (docs/rules.md).
"""

from decimal import Decimal

from django.db.models import BooleanField, Case, F, Q, QuerySet, UUIDField, Value, When
from django.db.models.expressions import Combinable
from django.db.models.lookups import Exact
from django.utils.translation import gettext as _

from budgets.actions.billing_month import current_month, restore_if_behind
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

# The columns from which new items take the state of their customers: the current state, seen from a customer or from a
# row that points to one, or the state in the items of an earlier review.
CURRENT_STATE = {
    "adjustment_record": "budget__record_id",
    "freeze_kind": "freeze_kind",
    "frozen_since": "frozen_since",
}
CURRENT_STATE_OF_CUSTOMER = {name: f"customer__{path}" for name, path in CURRENT_STATE.items()}
REVIEWED_STATE = {name: name for name in CURRENT_STATE}

# Items excluded for these reasons cannot be included again.
ALWAYS_EXCLUDED = (ExclusionReason.REFERRAL, ExclusionReason.GRANTED, ExclusionReason.MOVED_ON)


def ensure_no_referrals(customers: CustomerQuerySet) -> None:
    """Raise InvalidRequest if one of the customers is of the referral model; see rule 5.6 (docs/rules.md)."""
    if customers.filter(association_type=Customer.AssociationType.REFERRAL).exists():
        raise InvalidRequest(referral_message())


def referral_message() -> str:
    """The error message when somebody sets a referral's budget or freezes it; see rule 5.6 (docs/rules.md)."""
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
    """Make a review, to be confirmed, of what these terms would do to each customer. No budget is set.

    Customers for whom the terms cannot be set are stored as excluded. With `all_matching` the customers come from a
    filter, and customers on whom the operator cannot act are excluded as well; without it they were named one by one,
    and a referral customer is an error. `expected` is a condition that each customer still has to meet.

    Raises PermissionRefused; Conflict if a customer is not as `expected`; InvalidRequest if there is no customer left,
    resources would be frozen without the agreement, a type has no quota, a quota would be exceeded, or the account of a
    single customer cannot be unfrozen.
    """
    month = current_month()
    restore_if_behind(customers.visible_to(operator), month)
    return create_budget_review(
        month,
        customers,
        terms,
        operator=operator,
        unfreeze=unfreeze,
        expected=expected,
        all_matching=all_matching,
    )


def create_budget_review(
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
    """Do what `review_budgets` does, in the caller's transaction; `month` is the current billing month.

    With `to_be_edited` the caller goes on to edit the review; then only the edited review has to be confirmable.
    """
    if terms.account_freezing == AccountFreezing.AUTOMATIC_WITH_RESOURCES and not terms.agreement:
        raise InvalidRequest(agreement_missing_message(), "agreement")
    customers = customers.visible_to(operator)
    ensure_expected(customers, expected)
    if not all_matching:
        ensure_no_referrals(customers)
    stored = {**terms_as_json(terms, unfreeze=unfreeze), "all_matching": all_matching}
    operation = operations.create_operation(Operation.Kind.SET_BUDGET, stored, operator=operator, replaces=replaces)
    excluded = not_actionable(operator) if all_matching else {}
    rows = with_terms(customers, terms, month, unfreeze=unfreeze, not_actionable=excluded)
    store_items(operation, with_budget_effects(rows, month), customer="pk", state=CURRENT_STATE)
    if not to_be_edited:
        ensure_confirmable(operation, month, unfreeze=unfreeze)
    return operation


def agreement_missing_message() -> str:
    """The error message when the agreement on freezing resources is missing; see rules 3.6, 4.4 (docs/rules.md)."""
    return _("Tick the agreement: resources are frozen only with it.")


def with_item_terms(items: QuerySet[ReviewItem]) -> QuerySet:
    """Annotate items with their terms as the columns that budgets.actions.terms describes."""
    return items.annotate(
        new_type=F("budget_type"),
        new_amount=F("amount"),
        new_policy=F("account_freezing"),
        new_counted_from=F("counted_from"),
        new_unfreeze=F("unfreeze"),
        new_on_restore=F("unfreeze_on_restore"),
    )


def store_items(
    operation: Operation,
    rows: QuerySet,
    *,
    customer: str,
    state: dict[str, str],
    unchanged_terms: Combinable | int = 0,
) -> int:
    """Store rows with terms and their effects as the items of an operation; return how many.

    `customer` and `state` name the columns of the rows that hold the customer and the state in which it is reviewed.
    `unchanged_terms` holds the UnchangedTerms of each item.
    """
    return insert_from(
        ReviewItem,
        rows,
        operation=Value(operation.pk, output_field=UUIDField()),
        customer=customer,
        **state,
        budget_type="new_type",
        amount="new_amount",
        account_freezing="new_policy",
        counted_from="new_counted_from",
        unfreeze="new_unfreeze",
        unfreeze_on_restore="new_on_restore",
        as_it_is=unchanged_terms,
        left_out="new_left_out",
        exhausts="exhausts_after",
        effect="effect_after",
    )


def included_items(operation: Operation) -> QuerySet[ReviewItem]:
    """The items of a review that will be applied."""
    return ReviewItem.objects.filter(operation=operation, left_out=ExclusionReason.NONE)


SAME_TERMS = Q(
    Q(counted_from__isnull=True) | Q(customer__budget__counted_from=F("counted_from")),
    customer__budget__budget_type=F("budget_type"),
    customer__budget__amount=F("amount"),
    customer__budget__account_freezing=F("account_freezing"),
    customer__budget__unfreeze_on_restore=F("unfreeze_on_restore"),
)


def unchanged_items(items: QuerySet[ReviewItem]) -> QuerySet[ReviewItem]:
    """Keep only the items whose terms the customer's budget already has; see rule 3.1 (docs/rules.md)."""
    return items.filter(SAME_TERMS)


def changing_items(items: QuerySet[ReviewItem]) -> QuerySet[ReviewItem]:
    """Keep only the items whose terms differ from the customer's budget, or whose customer has no budget."""
    return items.filter(_is_not_true(SAME_TERMS))


def _is_not_true(condition: Q) -> Exact:
    """`condition IS NOT TRUE`, which includes NULL. Django's `~Q` would add a subquery for nullable joins."""
    negated = Case(When(condition, then=Value(False)), default=Value(True), output_field=BooleanField())
    return Exact(negated, Value(True))


def changes_nothing(operation: Operation) -> bool:
    """Whether there is nothing to confirm: the review would neither change a budget nor unfreeze an account."""
    items = included_items(operation)
    return not (changing_items(items) | items.filter(effect=FreezeEffect.UNFROZEN)).exists()


def ensure_confirmable(operation: Operation, month: int, *, unfreeze: bool, none_left: str = "") -> None:
    """Raise PermissionRefused or InvalidRequest if the review of budgets could not be confirmed anyway.

    `none_left` is the error if no customer is included. With `unfreeze`, it is an error if the only customer's account
    cannot be unfrozen; see rule 3.9 (docs/rules.md).
    """
    items = included_items(operation)
    totals = review_totals(items, operation.operator, with_deltas=True)
    if not totals.customers:
        if none_left:
            raise InvalidRequest(none_left)
        if operation.reviewed.filter(left_out=ExclusionReason.BY_OPERATOR).exists():
            raise InvalidRequest(none_included_message())
        raise InvalidRequest(_("None of the customers can be given this budget."))
    grants = ensure_types_granted(totals, operation.operator)
    ensure_within_quota(totals.quota_deltas, grants, operation.operator)
    still_frozen = items.filter(effect__in=(FreezeEffect.STAYS_FROZEN, FreezeEffect.ESCALATED))
    if unfreeze and totals.customers == 1 and still_frozen.exists():
        item = with_budget_effects(with_item_terms(items), month, prefix="customer__").get()
        raise InvalidRequest(cannot_unfreeze_message(item.used_after, item.amount), "unfreeze_now")


def none_included_message() -> str:
    """The error message when the operator has excluded every customer of a review."""
    return _("Keep at least one customer in the review, or cancel it.")


def cannot_unfreeze_message(used: Decimal, amount: Decimal) -> str:
    """The error message with both figures of a budget that is used up; see rule 3.9 (docs/rules.md)."""
    return _(
        "The account cannot be unfrozen: %(used)s is used of a budget of %(amount)s with automatic freezing. "
        "Set a budget above %(used)s, or choose Manual."
    ) % {"used": show_amount(used), "amount": show_amount(amount)}


def matching_items(items: QuerySet[ReviewItem], operation: Operation, month: int) -> QuerySet[ReviewItem]:
    """Keep only the items that are still as reviewed: same owner and state of the customer, same effects.

    Only usage may differ, for example after a report that leaves the effects as they were. For freezing by hand, a
    changed budget matters only if it changes the effects.
    """
    return review_kind(operation).with_effects(with_item_terms(items), month).filter(_is_as_reviewed(operation))


def conflicting_items(items: QuerySet[ReviewItem], operation: Operation, month: int) -> QuerySet[ReviewItem]:
    """Keep only the items that are no longer as reviewed."""
    as_reviewed = _is_not_true(_is_as_reviewed(operation))
    return review_kind(operation).with_effects(with_item_terms(items), month).filter(as_reviewed)


def _is_as_reviewed(operation: Operation) -> Q:
    partner = operation.operator.partner
    owner = "customer__partner__distributor" if partner and partner.is_distributor else "customer__partner"
    no_budget = Q(customer__budget__isnull=True, adjustment_record__isnull=True)
    same_budget = no_budget | Q(customer__budget__record=F("adjustment_record"))
    not_frozen = Q(customer__frozen_since__isnull=True, frozen_since__isnull=True)
    return Q(
        same_budget if review_kind(operation).compares_budgets else Q(),
        not_frozen | Q(customer__frozen_since=F("frozen_since")),
        customer__freeze_kind=F("freeze_kind"),
        customer__disassociated_on=None,
        **{owner: partner},
        exhausts_after=F("exhausts"),
        effect_after=F("effect"),
    )


def ensure_unchanged(operation: Operation) -> None:
    """Raise Conflict if an item is no longer as reviewed, PermissionRefused if it is no longer permitted.

    Called before a verification code is sent or checked, so that no code is wasted.
    """
    items = included_items(operation)
    totals = review_totals(items, operation.operator)
    ensure_permitted(totals, operation.operator)
    month = current_month()
    restore_if_behind(Customer.objects.filter(pk__in=items.values("customer")), month)
    if matching_items(items, operation, month).count() != totals.customers:
        raise Conflict(changed_since_review_message())


def changed_since_review_message() -> str:
    """The error message when an item of a review is no longer as reviewed."""
    return _("A budget or account was changed after your review. Nothing was applied.")
