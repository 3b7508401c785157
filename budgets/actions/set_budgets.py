"""Setting budgets, of one customer or a hundred thousand, in one transaction.

See section 3 and rule 5.3 (docs/rules.md).
"""

import uuid
from dataclasses import dataclass, replace

from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Greatest, Least
from django.utils import timezone
from django.utils.translation import gettext as _

from budgets.actions.account_state import copy_budget_flags, unfreeze_accounts
from budgets.actions.billing_month import lock_month
from budgets.actions.locks import lock_customers, lock_grants, lock_reviewed_customers
from budgets.actions.quota import ReviewTotals, allocate, ensure_types_granted, quota_deltas, review_totals
from budgets.actions.review_kinds import review_kind
from budgets.actions.reviews import (
    changed_since_review_message,
    changing_items,
    create_budget_review,
    included_items,
    matching_items,
    unchanged_items,
)
from budgets.actions.terms import BudgetChange, BudgetTerms
from budgets.actions.usage import freeze_exhausted
from budgets.forecast import run_out_expression
from budgets.models import (
    RECORDED_TERMS,
    AdjustmentRecord,
    Budget,
    UsedRank,
    budget_flags,
    exhausted_since,
    usage_level,
    usage_percent,
)
from customers.actions.audit import record_agreement
from customers.models import Customer, CustomerQuerySet, FreezeEffect, ReviewItem
from partnercenter.actions.authorship import Author
from partnercenter.lib.errors import Conflict, InvalidRequest
from partnercenter.lib.sql import analyze_tables, insert_from, text_value, update_from
from partnercenter.lib.transactions import write_transaction
from partnercenter.models import Channel, Confirmation, Grant, Operation, User


@dataclass(frozen=True, kw_only=True)
class BatchResult:
    """The result of a batch, in numbers of customers.

    `stay_frozen` counts the accounts that stay frozen although Unfreeze Now is ticked; see rule 3.9 (docs/rules.md).
    `skipped` counts the customers that were no longer as reviewed and so were left unchanged.
    """

    batch: uuid.UUID
    customers: int
    changed: int = 0
    unfrozen: int = 0
    frozen: int = 0
    stay_frozen: int = 0
    skipped: int = 0


@write_transaction()
def set_budgets(
    customers: CustomerQuerySet,
    terms: BudgetTerms | BudgetChange,
    *,
    operator: User,
    channel: Channel = Channel.CONSOLE,
    unfreeze: bool = False,
    expected: Q | None = None,
    note: str = "",
) -> BatchResult:
    """Set budgets without asking for confirmation: `review_budgets` and `apply_budgets` in one transaction.

    `expected` is a condition that each customer still has to meet. Raises what they raise, and InvalidRequest if none
    of the customers is the operator's own.
    """
    month = lock_month()
    keys = lock_customers(customers, operator)
    if not keys:
        raise InvalidRequest(_("Choose a customer first."))
    locked = Customer.objects.filter(pk__in_array=keys)
    operation = create_budget_review(month, locked, terms, operator=operator, unfreeze=unfreeze, expected=expected)
    Confirmation.objects.create(operation=operation, how=Confirmation.How.WITHOUT_CODE)
    return _apply(month, operation, channel=channel, note=note, only_unchanged=False)


@write_transaction()
def apply_budgets(operation: Operation, *, note: str = "", only_unchanged: bool = False) -> BatchResult:
    """Set the reviewed budgets, all or none, and unfreeze and freeze accounts as reviewed.

    A budget that already has its terms is not written again; see rule 3.1 (docs/rules.md). What a budget has used
    follows rules 3.2 and 3.3 (docs/rules.md); accounts whose budget is used up under an automatic policy are frozen;
    see rule 3.7 (docs/rules.md). The batch of the records is the key of the operation.

    Raises Conflict if a customer, or what would happen to it, is no longer as reviewed; with `only_unchanged` such
    customers are skipped instead. Raises PermissionRefused if the operator may not (or no longer) set these budgets;
    InvalidRequest if a type has no quota or a quota would be exceeded; LockTimeout after waiting ten seconds.
    """
    channel = review_kind(operation).channel
    return _apply(lock_month(), operation, channel=channel, note=note, only_unchanged=only_unchanged)


def _apply(month: int, operation: Operation, *, channel: Channel, note: str, only_unchanged: bool) -> BatchResult:
    """Lock, record, write. The caller must have locked `month`, before any other lock."""
    items, operator = included_items(operation), operation.operator
    totals = review_totals(items, operator)
    lock_grants(totals.partners)
    grants = ensure_types_granted(totals, operator)
    lock_reviewed_customers(items, operator, month)
    # Only a statement that begins after the locks sees what the transactions they waited for have written.
    matching = matching_items(items, operation, month)
    author = Author(operator, channel, timezone.now(), operation.pk)
    changed = _record(changing_items(matching), author, note)
    reviewed = totals.customers
    # Often every budget changes. Otherwise, items whose budgets already have their terms match as well.
    still_matching = changed if changed == reviewed else changed + unchanged_items(matching).count()
    if still_matching < reviewed:
        if not only_unchanged or not still_matching:
            raise Conflict(changed_since_review_message())
        items = items.filter(pk__in_array=list(matching.values_list("pk", flat=True)))
        totals = review_totals(items, operator)
    records = AdjustmentRecord.objects.filter(batch=author.batch)
    _allocate_quotas(records, grants, operator)
    _write_budgets(records, changed, month, removes=totals.removes)
    analyze_tables(changed, AdjustmentRecord, Budget)
    result = _freeze_and_unfreeze(items, totals, author, changed)
    # The flags of accounts that were frozen or unfrozen are up to date already, so no row is written twice.
    copy_budget_flags(Customer.objects.filter(pk__in=records.filter(CHANGES_FLAGS).values("customer")))
    record_agreement(operation)
    return replace(result, skipped=reviewed - still_matching)


def _record(items: QuerySet[ReviewItem], author: Author, note: str) -> int:
    """Insert an adjustment record for each item, from which the rest is then written; return how many."""
    partner = author.operator.partner if author.operator else None
    is_removed = Q(budget_type__isnull=True)
    return insert_from(
        AdjustmentRecord,
        items,
        customer="customer_id",
        at=author.at,
        operator=author.operator and author.operator.pk,
        operator_name=text_value(author.name),
        partner_company=text_value(partner.company if partner else ""),
        partner_account_name=text_value(partner.account_name if partner else ""),
        operation=Case(
            When(is_removed, then=Value(AdjustmentRecord.Operation.REMOVED)),
            default=Value(AdjustmentRecord.Operation.SETTING),
        ),
        **{f"{name}_before": f"customer__budget__{name}" for name in RECORDED_TERMS},
        budget_type_after="budget_type",
        amount_after="amount",
        account_freezing_after="account_freezing",
        counted_from_after=Case(When(is_removed, then=None), default=F("counts_from")),
        unfreeze_on_restore_after=Case(When(is_removed, then=None), default=F("unfreeze_on_restore")),
        used=Case(When(is_removed, then=F("customer__budget__used")), default=F("used_after")),
        unfreeze="unfreeze",
        channel=author.channel,
        batch=author.batch,
        note=text_value(note),
    )


def _allocate_quotas(records: QuerySet[AdjustmentRecord], grants: dict[int, Grant], operator: User) -> None:
    """Change the allocated amounts of the quotas by the sums of the records; see rule 5.3 (docs/rules.md).

    Raises InvalidRequest if a quota is exceeded.
    """
    rows = records.annotate(
        before_budget_type=F("budget_type_before"),
        before_amount=F("amount_before"),
        after_budget_type=F("budget_type_after"),
        after_amount=F("amount_after"),
    )
    for partner, by_type in quota_deltas(rows, "before_", "after_", operator).items():
        if partner in grants:
            allocate(grants[partner], by_type, operator)
            grants[partner].save(update_fields=["monthly_allocated", "one_time_allocated"])


def _write_budgets(records: QuerySet[AdjustmentRecord], number: int, month: int, *, removes: bool) -> None:
    """Update, insert and delete budgets as the records say; `number` is the number of records."""
    table = AdjustmentRecord._meta.db_table
    runs_out_on = run_out_expression(
        month,
        customer=f"{table}.customer_id",
        budget_type=f"{table}.budget_type_after",
        amount=f"{table}.amount_after",
        used=f"{table}.used",
    )
    columns: dict[str, Combinable | str] = {
        **{name: f"{name}_after" for name in RECORDED_TERMS},
        "counted_to": Value(month),
        "used": "used",
        "used_rank": UsedRank("used"),
        "usage": usage_percent("used", "amount_after"),
        "level": usage_level("used", "amount_after"),
        "exhausted_since": exhausted_since("used", "amount_after", "customer__budget__exhausted_since", "at"),
        "state": budget_flags("used", "amount_after", "budget_type_after", "customer__state"),
        "record": "pk",
        "runs_out_on": runs_out_on,
    }
    if removes:
        removed = records.filter(operation=AdjustmentRecord.Operation.REMOVED)
        number -= Budget.objects.filter(customer__in=removed.values("customer")).delete()[0]
    settings = records.filter(operation=AdjustmentRecord.Operation.SETTING)
    updated = update_from(Budget, settings.filter(budget_type_before__isnull=False), key="customer_id", **columns)
    if updated < number:
        # The partner is written only once, with the first budget: a customer never moves to another partner.
        owner = {"customer": "customer_id", "partner": "customer__partner_id"}
        insert_from(Budget, settings.filter(budget_type_before=None), **owner, **columns)


def _freeze_and_unfreeze(
    items: QuerySet[ReviewItem], totals: ReviewTotals, author: Author, changed: int
) -> BatchResult:
    """Unfreeze accounts as reviewed, then freeze accounts that used up their budget.

    See rules 3.7 to 3.9 (docs/rules.md).
    """
    unfrozen = frozen = 0
    if totals.unfrozen:
        to_unfreeze = items.filter(effect=FreezeEffect.UNFROZEN).values("customer")
        unfrozen = unfreeze_accounts(Customer.objects.filter(pk__in=to_unfreeze), author=author)
    if totals.exhausted:
        exhausted = items.filter(exhausts=True).values("customer")
        frozen = freeze_exhausted(Customer.objects.filter(pk__in=exhausted), author=author)
    return BatchResult(
        batch=author.batch,
        customers=totals.customers,
        changed=changed,
        unfrozen=unfrozen,
        frozen=frozen,
        stay_frozen=totals.stay_frozen,
    )


# Records that change a flag of the account: the budget's type, or whether the budget is used up. If neither type nor
# period changes, `used` is the same before and after, so the flag changes if it lies between the two amounts.
CHANGES_FLAGS = (
    Q(budget_type_before=None)
    | Q(budget_type_after=None)
    | ~Q(budget_type_before=F("budget_type_after"), counted_from_before=F("counted_from_after"))
    | Q(used__gte=Least("amount_before", "amount_after"), used__lt=Greatest("amount_before", "amount_after"))
)
