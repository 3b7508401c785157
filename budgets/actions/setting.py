"""Set Budget: for one customer or a hundred thousand, in one transaction (domain 3, 5.3)."""

import uuid
from dataclasses import dataclass
from typing import Any

from django.db.models import BooleanField, Case, F, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from budgets.actions.exhaustion import EXHAUSTED_AUTOMATIC, freeze_exhausted
from budgets.actions.month import hold_month
from budgets.actions.quota import move_pools, moves, partners_of, refuse_partners
from budgets.actions.reviewing import included, is_import, review_in, still_as_reviewed, terms_of_rows, unchanged
from budgets.actions.terms import Changes, Terms, foresee
from budgets.models import AdjustmentRecord, Budget, level_used, share_used
from customers.actions import Author, unfreeze_accounts
from customers.models import Customer, CustomerQuerySet, ReviewedCustomer
from partnercenter.database import insert_from, lock, text, writing
from partnercenter.models import Channel, Confirmation, Grant, Operation, Partner, User
from partnercenter.refusals import Changed


@dataclass(frozen=True)
class Outcome:
    """What came of it, in numbers of customers. `kept` are frozen still, Unfreeze Now or not (domain 3.9)."""

    batch: uuid.UUID
    customers: int
    changed: int
    unfrozen: int
    frozen: int
    kept: int


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

    `as_seen` is what each customer must still meet, as the operator saw it.
    """
    month = hold_month()
    mine = customers.of(operator)
    partners = list(Partner.objects.filter(pk__in=mine.order_by().values("partner")))
    _lock_grants(partners)
    # Locked before it is reviewed, nothing can differ when it is applied. Not whoever came in meanwhile with a partner
    # whose grant nobody has looked at.
    keys = lock(mine.filter(partner__in=partners))
    if not keys:
        return Outcome(uuid.uuid4(), 0, 0, 0, 0, 0)
    chosen = Customer.objects.filter(pk__among=keys)
    operation = review_in(month, chosen, terms, operator=operator, unfreeze=unfreeze, as_seen=as_seen)
    Confirmation.objects.create(operation=operation, how=Confirmation.How.WITHOUT_CODE)
    return _apply(month, operation, channel=channel, note=note, only_unchanged=False)


@writing()
def apply_budgets(operation: Operation, *, note: str = "", only_unchanged: bool = False) -> Outcome:
    """Give each customer of the review the budget that was reviewed, and unfreeze where that was reviewed.

    All or nothing. What stands already is not written again (domain 3.1); used counts as domain 3.2 and 3.3 say;
    accounts whose budget is used up under an automatic policy are frozen (3.7). The batch is the operation's key.
    Where a customer, or what would happen to it, is not as reviewed, Changed is raised, or with `only_unchanged` those
    customers are left as they are. Raises NotAllowed where the grant does not allow it (any more), Refusal for a type
    without quota or over quota, Busy after ten seconds of waiting.
    """
    channel = Channel.IMPORT if is_import(operation) else Channel.CONSOLE
    return _apply(hold_month(), operation, channel=channel, note=note, only_unchanged=only_unchanged)


def _apply(month: int, operation: Operation, *, channel: Channel, note: str, only_unchanged: bool) -> Outcome:
    """`month` is held already: whoever has other locks may not restore it."""
    rows, grants = _lock(operation, month, only_unchanged=only_unchanged)
    keys = list(rows.values_list("customer", flat=True))
    author = Author(operation.operator, channel, timezone.now(), operation.pk)
    changed = _record(rows, month, author, note)
    records = AdjustmentRecord.objects.filter(batch=author.batch)
    _take_from_pools(records, grants, operation.operator)
    _write_budgets(records)
    mine = Customer.objects.filter(pk__among=keys)
    unfrozen, kept = _unfreeze(list(rows.filter(unfreeze=True).values_list("customer_id", flat=True)), author)
    return Outcome(author.batch, len(keys), changed, unfrozen, freeze_exhausted(mine, author=author), kept)


def _unfreeze(keys: list[int], author: Author) -> tuple[int, int]:
    """Unfreeze Now: whoever's budget suffices; how many were, and how many stay frozen (domain 3.8, 3.9)."""
    if not keys:
        return 0, 0
    ticked = Customer.objects.filter(pk__among=keys)
    stays = list(ticked.frozen().filter(EXHAUSTED_AUTOMATIC).values_list("pk", flat=True))
    return unfreeze_accounts(ticked.exclude(pk__among=stays), author=author), len(stays)


def _lock_grants(partners: list[Partner]) -> None:
    lock(Grant.objects.filter(partner__in=partners))


def _lock(
    operation: Operation, month: int, *, only_unchanged: bool
) -> tuple[QuerySet[ReviewedCustomer], dict[int, Grant]]:
    """Lock grants and customers, refuse what they do not allow now, and give the rows to set."""
    rows = included(operation)
    _lock_grants(partners_of(rows))
    grants = refuse_partners(rows, operation.operator)
    lock(Customer.objects.of(operation.operator).filter(pk__in=rows.values("customer")))
    # Statements after the locks: they see what those we waited for have written.
    standing = still_as_reviewed(rows, month)
    if standing.count() == rows.count():
        return rows, grants
    if not only_unchanged:
        raise Changed(_("This budget or the state of the account was changed meanwhile. Nothing was set."))
    return rows.filter(pk__among=list(standing.values_list("pk", flat=True))), grants


def _record(rows: QuerySet[ReviewedCustomer], month: int, author: Author, note: str) -> int:
    """Write the adjustment records, before and after; the rest is written from them. Not where nothing changes."""
    changing = rows.exclude(pk__in=unchanged(rows).values("pk"))
    partner = author.operator.partner if author.operator else None
    removed = Q(budget_type__isnull=True)
    return insert_from(
        AdjustmentRecord,
        foresee(terms_of_rows(changing), month, prefix="customer__"),
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
        unfreeze_on_restore_after=Case(
            When(removed, then=None),
            default=Coalesce(F("customer__budget__unfreeze_on_restore"), False, output_field=BooleanField()),
        ),
        used=Case(When(removed, then=F("customer__budget__used")), default=F("used_after")),
        unfreeze="unfreeze",
        channel=author.channel,
        batch=author.batch,
        note=text(note),
    )


TERMS = ("budget_type", "amount", "account_freezing", "counted_from", "unfreeze_on_restore")


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
    for partner, by_type in moves(named, "before_", "after_").items():
        if partner in grants:
            move_pools(grants[partner], by_type, operator)
            grants[partner].save(update_fields=["monthly_allocated", "one_time_allocated"])


def _write_budgets(records: QuerySet[AdjustmentRecord]) -> None:
    """New and former budgets in one statement, from the records; those removed go."""
    columns: dict[str, Any] = {
        **{name: f"{name}_after" for name in TERMS},
        "used": "used",
        "usage": share_used("used", "amount_after"),
        "level": level_used("used", "amount_after"),
        "record": "pk",
    }
    removed = records.filter(operation=AdjustmentRecord.Operation.REMOVED)
    Budget.objects.filter(customer__in=removed.values("customer")).delete()
    stand = records.filter(operation=AdjustmentRecord.Operation.SETTING)
    # The partner comes with a first budget and stays: a customer never moves to another.
    columns_once = {"customer": "customer_id", "partner": "customer__partner_id"}
    insert_from(Budget, stand, **columns_once, **columns, on_conflict=["customer"], update=list(columns))
    for rows, has_budget in ((stand.filter(amount_before=None), True), (removed, False)):
        Customer.objects.filter(pk__among=list(rows.values_list("customer_id", flat=True))).update(
            has_budget=has_budget
        )
