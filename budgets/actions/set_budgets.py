"""Set Budget: for one customer or a hundred thousand, in one transaction.

See section 3 (docs/rules.md) and rule 5.3 (docs/rules.md).
"""

import uuid
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.functions import Greatest, Least
from django.utils import timezone
from django.utils.translation import gettext as _

from budgets.actions.account_state import copy_budget_flags, unfreeze_accounts
from budgets.actions.billing_month import lock_month
from budgets.actions.locks import lock_grants, lock_reviewed, lock_to_review
from budgets.actions.quota import ReviewTotals, allocate, ensure_types_granted, quota_deltas, review_totals
from budgets.actions.review_kinds import review_kind
from budgets.actions.reviews import (
    changing_items,
    included_items,
    matching_items,
    review_in,
    unchanged_items,
)
from budgets.actions.terms import BudgetChange, BudgetTerms
from budgets.actions.usage import freeze_exhausted
from budgets.forecast import run_out_expression
from budgets.models import AdjustmentRecord, Budget, budget_flags, exhausted_since, usage_level, usage_percent
from customers.actions.audit import record_agreement
from customers.models import Customer, CustomerQuerySet, FreezeEffect, ReviewItem
from partnercenter.actions.authorship import Author
from partnercenter.lib.errors import Conflict, InvalidRequest
from partnercenter.lib.sql import analyze_tables, insert_from, text_value, update_from
from partnercenter.lib.transactions import write_transaction
from partnercenter.models import Channel, Confirmation, Grant, Operation, User


@dataclass(frozen=True, kw_only=True)
class BatchResult:
    """What came of it, in numbers of customers.

    `stay_frozen` are frozen still, Unfreeze Now or not; see rule 3.9 (docs/rules.md).

    `skipped` were not as reviewed any more and left as they are.
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
    """Review and set in one, where nobody is asked to confirm: what `review_budgets` and `apply_budgets` say.

    `expected` is what each customer must still meet, as the operator saw it. Raises InvalidRequest where none of the
    customers is the operator's.
    """
    month = lock_month()
    keys = lock_to_review(customers, operator)
    if not keys:
        raise InvalidRequest(_("Choose a customer first."))
    chosen = Customer.objects.filter(pk__in_array=keys)
    operation = review_in(month, chosen, terms, operator=operator, unfreeze=unfreeze, expected=expected)
    Confirmation.objects.create(operation=operation, how=Confirmation.How.WITHOUT_CODE)
    return _apply(month, operation, channel=channel, note=note, only_unchanged=False)


@write_transaction()
def apply_budgets(operation: Operation, *, note: str = "", only_unchanged: bool = False) -> BatchResult:
    """Give each customer of the review the budget that was reviewed, and unfreeze where that was reviewed.

    All or nothing. What stands already is not written again (rule 3.1 (docs/rules.md)); used counts as rules 3.2 and
    3.3 (docs/rules.md) say; accounts whose budget is used up under an automatic policy are frozen (3.7). The batch is
    the operation's key. Where a customer, or what would happen to it, is not as reviewed, Conflict is raised, or with
    `only_unchanged` those customers are left as they are. Raises PermissionRefused where the grant does not allow it
    (any more), InvalidRequest for a type without quota or over quota, LockTimeout after ten seconds of waiting.
    """
    channel = review_kind(operation).channel
    return _apply(lock_month(), operation, channel=channel, note=note, only_unchanged=only_unchanged)


def _apply(month: int, operation: Operation, *, channel: Channel, note: str, only_unchanged: bool) -> BatchResult:
    """`month` is held already: whoever has other locks may not restore it."""
    rows = included_items(operation)
    extent = review_totals(rows, operation.operator)
    lock_grants(extent.partners)
    grants = ensure_types_granted(extent, operation.operator)
    lock_reviewed(rows, operation.operator)
    author = Author(operation.operator, channel, timezone.now(), operation.pk)
    # A statement after the locks: it sees what those we waited for have written.
    standing = matching_items(rows, operation, month)
    changed = _record(changing_items(standing), author, note)
    number = changed if changed == extent.number else changed + unchanged_items(standing).count()
    reviewed = extent.number
    if number < reviewed:
        if not only_unchanged or not number:
            raise Conflict(_("This budget or the state of the account was changed meanwhile. Nothing was changed."))
        rows = rows.filter(pk__in_array=list(standing.values_list("pk", flat=True)))
        extent = review_totals(rows, operation.operator)
    records = AdjustmentRecord.objects.filter(batch=author.batch)
    _take_from_pools(records, grants, operation.operator)
    _write_budgets(records, changed, month, removes=extent.removes)
    analyze_tables(changed, AdjustmentRecord, Budget)
    outcome = _freeze_and_unfreeze(rows, extent, author, changed)
    # Whoever was frozen or unfrozen has got it with that: one version of a row is enough.
    copy_budget_flags(Customer.objects.filter(pk__in=records.filter(CHANGES_FLAGS).values("customer")))
    record_agreement(operation)
    return replace(outcome, skipped=reviewed - number)


def _freeze_and_unfreeze(rows: QuerySet[ReviewItem], extent: ReviewTotals, author: Author, changed: int) -> BatchResult:
    """What was reviewed and holds still: who is unfrozen, and whose budget is used up.

    See rules 3.7 to 3.9 (docs/rules.md).
    """

    def customers(**condition: Any) -> CustomerQuerySet:
        return Customer.objects.filter(pk__in=rows.filter(**condition).values("customer"))

    unfrozen = frozen = 0
    if extent.unfrozen:
        unfrozen = unfreeze_accounts(customers(effect=FreezeEffect.UNFROZEN), author=author)
    if extent.exhausted:
        frozen = freeze_exhausted(customers(exhausts=True), author=author)
    return BatchResult(
        batch=author.batch,
        customers=extent.number,
        changed=changed,
        unfrozen=unfrozen,
        frozen=frozen,
        stay_frozen=extent.kept,
    )


def _record(rows: QuerySet[ReviewItem], author: Author, note: str) -> int:
    """Write the adjustment records of what is foreseen, before and after; the rest is written from them."""
    partner = author.operator.partner if author.operator else None
    removed = Q(budget_type__isnull=True)
    return insert_from(
        AdjustmentRecord,
        rows,
        customer="customer_id",
        at=author.at,
        operator=author.operator and author.operator.pk,
        operator_name=text_value(author.name),
        partner_company=text_value(partner.company if partner else ""),
        partner_account_name=text_value(partner.account_name if partner else ""),
        operation=_either(removed, AdjustmentRecord.Operation.REMOVED, AdjustmentRecord.Operation.SETTING),
        **{f"{name}_before": f"customer__budget__{name}" for name in TERM_FIELDS},
        budget_type_after="budget_type",
        amount_after="amount",
        account_freezing_after="account_freezing",
        counted_from_after=Case(When(removed, then=None), default=F("counts_from")),
        unfreeze_on_restore_after=Case(When(removed, then=None), default=F("unfreeze_on_restore")),
        used=Case(When(removed, then=F("customer__budget__used")), default=F("used_after")),
        unfreeze="unfreeze",
        channel=author.channel,
        batch=author.batch,
        note=text_value(note),
    )


TERM_FIELDS = ("budget_type", "amount", "account_freezing", "counted_from", "unfreeze_on_restore")
RECORDS_TABLE = AdjustmentRecord._meta.db_table
TERMS_AFTER = {name: f"{RECORDS_TABLE}.{name}_after" for name in ("budget_type", "amount")}


# Whose state the lists ask changes: by type or by being used up. Within a period `used` stays what it was.
CHANGES_FLAGS = (
    Q(budget_type_before=None)
    | Q(budget_type_after=None)
    | ~Q(budget_type_before=F("budget_type_after"), counted_from_before=F("counted_from_after"))
    | Q(used__gte=Least("amount_before", "amount_after"), used__lt=Greatest("amount_before", "amount_after"))
)


def _either(condition: Q, value: str, otherwise: str) -> Case:
    return Case(When(condition, then=Value(value)), default=Value(otherwise))


def _take_from_pools(records: QuerySet[AdjustmentRecord], grants: dict[int, Grant], operator: User) -> None:
    """Move what is allocated by the records' own sums, and refuse what then exceeds a quota.

    See rule 5.3 (docs/rules.md).
    """
    named = records.annotate(
        before_budget_type=F("budget_type_before"),
        before_amount=F("amount_before"),
        after_budget_type=F("budget_type_after"),
        after_amount=F("amount_after"),
    )
    for partner, by_type in quota_deltas(named, "before_", "after_", operator).items():
        if partner in grants:
            allocate(grants[partner], by_type, operator)
            grants[partner].save(update_fields=["monthly_allocated", "one_time_allocated"])


def _write_budgets(records: QuerySet[AdjustmentRecord], number: int, month: int, *, removes: bool) -> None:
    """New and former budgets from so many records; those removed go."""
    columns: dict[str, Any] = {
        **{name: f"{name}_after" for name in TERM_FIELDS},
        "used": "used",
        "usage": usage_percent("used", "amount_after"),
        "level": usage_level("used", "amount_after"),
        "exhausted_since": exhausted_since("used", "amount_after", "customer__budget__exhausted_since", "at"),
        "state": budget_flags("used", "amount_after", "budget_type_after", "customer__state"),
        "record": "pk",
        "runs_out_on": run_out_expression(
            month, customer=f"{RECORDS_TABLE}.customer_id", used=f"{RECORDS_TABLE}.used", **TERMS_AFTER
        ),
    }
    if removes:
        removed = records.filter(operation=AdjustmentRecord.Operation.REMOVED)
        number -= Budget.objects.filter(customer__in=removed.values("customer")).delete()[0]
    stand = records.filter(operation=AdjustmentRecord.Operation.SETTING)
    former = update_from(Budget, stand.filter(budget_type_before__isnull=False), key="customer_id", **columns)
    if former < number:
        # The partner comes with a first budget and stays: a customer never moves to another.
        once = {"customer": "customer_id", "partner": "customer__partner_id"}
        insert_from(Budget, stand.filter(budget_type_before=None), **once, **columns)
