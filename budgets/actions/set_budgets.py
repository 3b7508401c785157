"""Set Budget: for one customer or a hundred thousand, in one transaction (domain 3, 5.3)."""

import uuid
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.functions import Greatest, Least
from django.utils import timezone
from django.utils.translation import gettext as _

from budgets.actions.account_state import follow_budgets, unfreeze_accounts
from budgets.actions.billing_month import hold_month
from budgets.actions.locks import lock_grants, lock_reviewed, lock_to_review
from budgets.actions.quota import Extent, extent_of, move_pools, moves, refuse_partners
from budgets.actions.reviews import changing, included, is_import, review_in, still_as_reviewed, unchanged
from budgets.actions.terms import Changes, Terms
from budgets.actions.usage import freeze_exhausted
from budgets.forecast import run_out_of
from budgets.models import AdjustmentRecord, Budget, exhausted_since, level_used, share_used, state_used
from customers.actions import Author, record_agreement
from customers.models import Customer, CustomerQuerySet, Effect, ReviewedCustomer
from partnercenter.lib.errors import Conflict, InvalidRequest
from partnercenter.lib.sql import analyze, insert_from, text, update_from, writing
from partnercenter.models import Channel, Confirmation, Grant, Operation, User


@dataclass(frozen=True)
class Outcome:
    """What came of it, in numbers of customers. `kept` are frozen still, Unfreeze Now or not (domain 3.9).

    `passed_over` were not as reviewed any more and left as they are.
    """

    batch: uuid.UUID
    customers: int
    changed: int
    unfrozen: int
    frozen: int
    kept: int
    passed_over: int = 0


@writing()
def set_budgets(
    customers: CustomerQuerySet,
    terms: Terms | Changes,
    *,
    operator: User,
    channel: Channel = Channel.CONSOLE,
    unfreeze: bool = False,
    as_seen: Q | None = None,
    note: str = "",
) -> Outcome:
    """Review and set in one, where nobody is asked to confirm: what `review_budgets` and `apply_budgets` say.

    `as_seen` is what each customer must still meet, as the operator saw it. Raises InvalidRequest where none of the
    customers is the operator's.
    """
    month = hold_month()
    keys = lock_to_review(customers, operator)
    if not keys:
        raise InvalidRequest(_("Choose a customer first."))
    chosen = Customer.objects.filter(pk__among=keys)
    operation = review_in(month, chosen, terms, operator=operator, unfreeze=unfreeze, as_seen=as_seen)
    Confirmation.objects.create(operation=operation, how=Confirmation.How.WITHOUT_CODE)
    return _apply(month, operation, channel=channel, note=note, only_unchanged=False)


@writing()
def apply_budgets(operation: Operation, *, note: str = "", only_unchanged: bool = False) -> Outcome:
    """Give each customer of the review the budget that was reviewed, and unfreeze where that was reviewed.

    All or nothing. What stands already is not written again (domain 3.1); used counts as domain 3.2 and 3.3 say;
    accounts whose budget is used up under an automatic policy are frozen (3.7). The batch is the operation's key. Where
    a customer, or what would happen to it, is not as reviewed, Conflict is raised, or with `only_unchanged` those
    customers are left as they are. Raises PermissionRefused where the grant does not allow it (any more),
    InvalidRequest for a type without quota or over quota, LockTimeout after ten seconds of waiting.
    """
    channel = Channel.IMPORT if is_import(operation) else Channel.CONSOLE
    return _apply(hold_month(), operation, channel=channel, note=note, only_unchanged=only_unchanged)


def _apply(month: int, operation: Operation, *, channel: Channel, note: str, only_unchanged: bool) -> Outcome:
    """`month` is held already: whoever has other locks may not restore it."""
    rows = included(operation)
    extent = extent_of(rows, operation.operator)
    lock_grants(extent.partners)
    grants = refuse_partners(extent, operation.operator)
    lock_reviewed(rows, operation.operator)
    author = Author(operation.operator, channel, timezone.now(), operation.pk)
    # A statement after the locks: it sees what those we waited for have written.
    standing = still_as_reviewed(rows, operation, month)
    changed = _record(changing(standing), author, note)
    number = changed if changed == extent.number else changed + unchanged(standing).count()
    reviewed = extent.number
    if number < reviewed:
        if not only_unchanged or not number:
            raise Conflict(_("This budget or the state of the account was changed meanwhile. Nothing was changed."))
        rows = rows.filter(pk__among=list(standing.values_list("pk", flat=True)))
        extent = extent_of(rows, operation.operator)
    records = AdjustmentRecord.objects.filter(batch=author.batch)
    _take_from_pools(records, grants, operation.operator)
    _write_budgets(records, changed, month, removes=extent.removes)
    analyze(changed, AdjustmentRecord, Budget)
    outcome = _freeze_and_unfreeze(rows, extent, author, changed)
    # Whoever was frozen or unfrozen has got it with that: one version of a row is enough.
    follow_budgets(Customer.objects.filter(pk__in=records.filter(MOVES_STATE).values("customer")))
    record_agreement(operation)
    return replace(outcome, passed_over=reviewed - number)


def _freeze_and_unfreeze(rows: QuerySet[ReviewedCustomer], extent: Extent, author: Author, changed: int) -> Outcome:
    """What was reviewed and holds still: who is unfrozen, and whose budget is used up (domain 3.7 to 3.9)."""

    def customers(**condition: Any) -> CustomerQuerySet:
        return Customer.objects.filter(pk__in=rows.filter(**condition).values("customer"))

    unfrozen = frozen = 0
    if extent.unfrozen:
        unfrozen = unfreeze_accounts(customers(effect=Effect.UNFROZEN), author=author)
    if extent.exhausted:
        frozen = freeze_exhausted(customers(exhausts=True), author=author)
    return Outcome(author.batch, extent.number, changed, unfrozen, frozen, extent.kept)


def _record(rows: QuerySet[ReviewedCustomer], author: Author, note: str) -> int:
    """Write the adjustment records of what is foreseen, before and after; the rest is written from them."""
    partner = author.operator.partner if author.operator else None
    removed = Q(budget_type__isnull=True)
    return insert_from(
        AdjustmentRecord,
        rows,
        customer="customer_id",
        at=author.at,
        operator=author.operator and author.operator.pk,
        operator_name=text(author.name),
        partner_company=text(partner.company if partner else ""),
        partner_account_name=text(partner.account_name if partner else ""),
        operation=_either(removed, AdjustmentRecord.Operation.REMOVED, AdjustmentRecord.Operation.SETTING),
        **{f"{name}_before": f"customer__budget__{name}" for name in TERMS},
        budget_type_after="budget_type",
        amount_after="amount",
        account_freezing_after="account_freezing",
        counted_from_after=Case(When(removed, then=None), default=F("counts_from")),
        unfreeze_on_restore_after=Case(When(removed, then=None), default=F("unfreeze_on_restore")),
        used=Case(When(removed, then=F("customer__budget__used")), default=F("used_after")),
        unfreeze="unfreeze",
        channel=author.channel,
        batch=author.batch,
        note=text(note),
    )


TERMS = ("budget_type", "amount", "account_freezing", "counted_from", "unfreeze_on_restore")
RECORDS = AdjustmentRecord._meta.db_table
AFTER = {name: f"{RECORDS}.{name}_after" for name in ("budget_type", "amount")}


# Whose state the lists ask changes: by type or by being used up. Within a period `used` stays what it was.
MOVES_STATE = (
    Q(budget_type_before=None)
    | Q(budget_type_after=None)
    | ~Q(budget_type_before=F("budget_type_after"), counted_from_before=F("counted_from_after"))
    | Q(used__gte=Least("amount_before", "amount_after"), used__lt=Greatest("amount_before", "amount_after"))
)


def _either(condition: Q, value: str, otherwise: str) -> Case:
    return Case(When(condition, then=Value(value)), default=Value(otherwise))


def _take_from_pools(records: QuerySet[AdjustmentRecord], grants: dict[int, Grant], operator: User) -> None:
    """Move what is allocated by the records' own sums, and refuse what then exceeds a quota (domain 5.3)."""
    named = records.annotate(
        before_budget_type=F("budget_type_before"),
        before_amount=F("amount_before"),
        after_budget_type=F("budget_type_after"),
        after_amount=F("amount_after"),
    )
    for partner, by_type in moves(named, "before_", "after_", operator).items():
        if partner in grants:
            move_pools(grants[partner], by_type, operator)
            grants[partner].save(update_fields=["monthly_allocated", "one_time_allocated"])


def _write_budgets(records: QuerySet[AdjustmentRecord], number: int, month: int, *, removes: bool) -> None:
    """New and former budgets from so many records; those removed go."""
    columns: dict[str, Any] = {
        **{name: f"{name}_after" for name in TERMS},
        "used": "used",
        "usage": share_used("used", "amount_after"),
        "level": level_used("used", "amount_after"),
        "exhausted_since": exhausted_since("used", "amount_after", "customer__budget__exhausted_since", "at"),
        "state": state_used("used", "amount_after", "budget_type_after", "customer__state"),
        "record": "pk",
        "runs_out_on": run_out_of(month, customer=f"{RECORDS}.customer_id", used=f"{RECORDS}.used", **AFTER),
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
