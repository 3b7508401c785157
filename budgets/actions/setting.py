"""Set Budget: for one customer or a hundred thousand, in one transaction (domain 3, 5.3)."""

import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import BooleanField, Case, CharField, F, IntegerField, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from budgets.actions.exhaustion import EXHAUSTED_AUTOMATIC, freeze_exhausted
from budgets.actions.month import hold_month
from budgets.models import AdjustmentRecord, Budget, level_used, share_used, spent
from customers.actions import Author, unfreeze_accounts
from customers.models import AccountFreezing, Customer, CustomerQuerySet
from partnercenter.database import insert_from, lock, text, writing
from partnercenter.models import BudgetType, Channel, Grant, Partner, User
from partnercenter.money import money, show_amount
from partnercenter.permissions import bound_by, refusal
from partnercenter.refusals import Changed, NotAllowed, Refusal


@dataclass(frozen=True)
class Terms:
    """What is set. `amount` is the new total; without `account_freezing` the policy is unchanged, at first Manual."""

    budget_type: BudgetType
    amount: Decimal
    account_freezing: AccountFreezing | None = None


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
    terms: Terms,
    *,
    operator: User,
    channel: Channel = Channel.CONSOLE,
    unfreeze: bool = False,
    as_seen: Q | None = None,
    batch: uuid.UUID | None = None,
    note: str = "",
) -> Outcome:
    """Give each of the customers this budget, replacing the former, and unfreeze those frozen if `unfreeze`.

    All or nothing. What stands already is not written again (domain 3.1); used counts as domain 3.2 and 3.3 say;
    accounts whose budget is used up under an automatic policy are frozen (3.7). Only customers of the operator are
    touched. `as_seen` is what each customer must still meet, as the operator saw it; `batch` marks the records.

    Raises NotAllowed where the grant does not allow it (any more), Refusal for a type without quota, over quota, a
    referral customer, or Unfreeze Now of one customer whose budget would be used up; Changed where `as_seen` fails;
    Busy after ten seconds of waiting.
    """
    month = hold_month()
    customers = customers.of(operator)
    partners = list(Partner.objects.filter(pk__in=customers.order_by().values("partner")).select_related("distributor"))
    grants = _lock_grants(partners, operator, terms.budget_type)
    # Not whoever came in meanwhile with a partner whose grant nobody has looked at.
    keys = lock(customers.filter(partner__in=partners))
    mine = Customer.objects.filter(pk__among=keys)
    _refuse_changed(mine, len(keys), as_seen)
    _refuse_referral(mine)
    author = Author(operator, channel, timezone.now(), batch or uuid.uuid4())
    changed = _record(mine, terms, month, author, unfreeze=unfreeze, note=note)
    records = AdjustmentRecord.objects.filter(batch=author.batch)
    _take_from_pools(records, grants, operator, terms.budget_type)
    _write_budgets(records)
    mine.filter(has_budget=False).update(has_budget=True)
    unfrozen = _unfreeze(mine, author) if unfreeze else 0
    kept = mine.frozen().count() if unfreeze else 0
    return Outcome(author.batch, len(keys), changed, unfrozen, freeze_exhausted(mine, author=author), kept)


def _lock_grants(partners: list[Partner], operator: User, budget_type: str) -> dict[int, Grant]:
    """Lock the grants of the customers' resellers and refuse what they, as they are now, do not allow."""
    lock(Grant.objects.filter(partner__in=partners))
    grants = {grant.pk: grant for grant in Grant.objects.filter(partner__in=partners).select_related("partner")}
    for partner in partners:
        grant = grants.get(partner.pk)
        if reason := refusal(operator, partner, grant):
            raise NotAllowed(reason)
        bound = bound_by(operator, partner, grant)
        if bound is not None and budget_type not in bound.types:
            raise Refusal(no_quota(budget_type), "budget_type")
    return grants


def no_quota(budget_type: str) -> str:
    """What a reseller is told who has no quota for this type."""
    if budget_type == BudgetType.MONTHLY:
        return _("Contact your distributor to be granted a monthly budget quota.")
    return _("Contact your distributor to be granted a one-time budget quota.")


def _refuse_changed(customers: CustomerQuerySet, number: int, as_seen: Q | None) -> None:
    # A second statement after the lock: it sees what the one we waited for has written.
    if as_seen is not None and customers.filter(as_seen).count() != number:
        raise Changed(_("This budget or the state of the account was changed meanwhile. Nothing was set."))


def _refuse_referral(customers: CustomerQuerySet) -> None:
    if customers.filter(association_type=Customer.AssociationType.REFERRAL).exists():
        raise Refusal(_("A customer of the referral model has no budget."))


def _record(customers: CustomerQuerySet, terms: Terms, month: int, author: Author, *, unfreeze: bool, note: str) -> int:
    """Write the adjustment records, before and after; the rest is written from them. Not where nothing changes."""
    policy: Any = Coalesce(F("budget__account_freezing"), Value(AccountFreezing.MANUAL), output_field=CharField())
    if terms.account_freezing is not None:
        policy = text(terms.account_freezing)
    counts_from: Any = Value(month, output_field=IntegerField())
    if terms.budget_type == BudgetType.ONE_TIME:
        stays = When(budget__budget_type=BudgetType.ONE_TIME, then=F("budget__counted_from"))
        counts_from = Case(stays, default=counts_from, output_field=IntegerField())
    # A sum only where the period changes: within it the budget's own figure is that sum.
    stands = When(budget__counted_from=F("counts_from"), then=F("budget__used"))
    same = Q(budget__budget_type=terms.budget_type, budget__amount=terms.amount)
    if terms.account_freezing is not None:
        same &= Q(budget__account_freezing=terms.account_freezing)
    unchanged = customers.filter(same).values("pk")
    counted = customers.exclude(pk__in=unchanged).annotate(counts_from=counts_from)
    partner = author.operator.partner if author.operator else None
    return insert_from(
        AdjustmentRecord,
        counted,
        customer="pk",
        at=author.at,
        operator=author.operator and author.operator.pk,
        operator_name=text(author.name),
        partner_company=text(partner.company if partner else ""),
        partner_account_name=text(partner.account_name if partner else ""),
        operation=AdjustmentRecord.Operation.SETTING,
        budget_type_before="budget__budget_type",
        budget_type_after=text(terms.budget_type),
        amount_before="budget__amount",
        amount_after=money(terms.amount),
        account_freezing_before="budget__account_freezing",
        account_freezing_after=policy,
        counted_from_before="budget__counted_from",
        counted_from_after="counts_from",
        unfreeze_on_restore_before="budget__unfreeze_on_restore",
        unfreeze_on_restore_after=Coalesce(F("budget__unfreeze_on_restore"), False, output_field=BooleanField()),
        used=Case(stands, default=spent("counts_from", month)),
        unfreeze=unfreeze,
        channel=author.channel,
        batch=author.batch,
        note=text(note),
    )


def _take_from_pools(
    records: QuerySet[AdjustmentRecord], grants: dict[int, Grant], operator: User, budget_type: str
) -> None:
    """Move what is allocated by the records' own sums, and refuse what then exceeds a quota (domain 5.3)."""
    sums = {
        f"{side}_{kind}": Sum(f"amount_{side}", filter=Q(**{f"budget_type_{side}": kind}), default=money(0))
        for side in ("before", "after")
        for kind in BudgetType.values
    }
    moves: Any = records.order_by().values("customer__partner").annotate(**sums)
    for moved in moves:
        grant = grants.get(moved["customer__partner"])
        if grant is None:
            continue
        bound = bound_by(operator, grant.partner, grant) is not None
        for kind in BudgetType.values:
            _move_pool(grant, kind, moved[f"after_{kind}"] - moved[f"before_{kind}"], bound=bound)
        grant.save(update_fields=["monthly_allocated", "one_time_allocated"])


def _move_pool(grant: Grant, kind: str, by: Decimal, *, bound: bool) -> None:
    """Allocate so much more of one pool. Refused only above the quota *and* above where it stood (domain 5.3, 5.4)."""
    pool = grant.pool(kind)
    needed = pool.allocated + by
    if bound and by > 0 and (pool.granted is None or needed > pool.granted):
        raise Refusal(over_quota(kind, pool.granted or Decimal(0), pool.allocated, needed), "amount")
    setattr(grant, f"{kind.lower()}_allocated", needed)


def over_quota(kind: str, quota: Decimal, allocated: Decimal, needed: Decimal) -> str:
    """The refusal that names quota, allocated and needed."""
    figures = {"quota": show_amount(quota), "allocated": show_amount(allocated), "needed": show_amount(needed)}
    if kind == BudgetType.MONTHLY:
        sentence = _("The monthly budget quota is %(quota)s, %(allocated)s of it is allocated; this needs %(needed)s.")
    else:
        sentence = _("The one-time budget quota is %(quota)s, %(allocated)s of it is allocated; this needs %(needed)s.")
    return sentence % figures


def _write_budgets(records: QuerySet[AdjustmentRecord]) -> None:
    """New and former budgets in one statement, from the records."""
    columns = {
        "budget_type": "budget_type_after",
        "amount": "amount_after",
        "account_freezing": "account_freezing_after",
        "unfreeze_on_restore": "unfreeze_on_restore_after",
        "counted_from": "counted_from_after",
        "used": "used",
        "usage": share_used("used", "amount_after"),
        "level": level_used("used", "amount_after"),
        "record": "pk",
    }
    # The partner comes with a first budget and stays: a customer never moves to another.
    keys = {"customer": "customer_id", "partner": "customer__partner_id"}
    insert_from(Budget, records, **keys, **columns, on_conflict=["customer"], update=list(columns))


def _unfreeze(customers: CustomerQuerySet, author: Author) -> int:
    """Unfreeze Now: whoever's budget suffices (domain 3.8, 3.9)."""
    stuck = list(customers.frozen().filter(EXHAUSTED_AUTOMATIC).select_related("budget")[:2])
    if len(stuck) == 1 and customers.count() == 1:
        raise Refusal(cannot_unfreeze(stuck[0].budget), "unfreeze_now")
    stays = customers.filter(EXHAUSTED_AUTOMATIC).values("pk")
    return unfreeze_accounts(customers.exclude(pk__in=stays), author=author)


def cannot_unfreeze(budget: Budget) -> str:
    """The refusal that names both figures (domain 3.9)."""
    return _(
        "The account cannot be unfrozen: %(used)s is used of a budget of %(amount)s with automatic freezing. "
        "Set a budget above %(used)s, or choose Manual."
    ) % {"used": show_amount(budget.used), "amount": show_amount(budget.amount)}
