"""Customers come and go: associated with a partner, frozen and without a budget (rule 4.1 (docs/rules.md)).

And disassociated.
"""

from collections.abc import Iterable
from itertools import islice

from django.db.models import F, OuterRef, QuerySet, Subquery, Sum
from django.utils import timezone

from budgets.actions.billing_month import lock_month
from budgets.models import AdjustmentRecord, Budget, Expenditure
from customers.actions.freeze_rows import freeze_rows
from customers.files import NewCustomer
from customers.models import AccountFlags, Customer, CustomerQuerySet, FreezeKind, FreezeOrigin, FreezeRecord
from customers.search import fold
from partnercenter.actions.authorship import Author
from partnercenter.lib.money import money
from partnercenter.lib.sql import analyze_tables, insert_from, text_value
from partnercenter.lib.transactions import REPORT_LOCK, advisory_lock, lock_keys, lock_rows, write_transaction
from partnercenter.models import Channel, Grant, User

CUSTOMERS_AT_ONCE = 2_000
RECORDED_TERMS = ("budget_type", "amount", "account_freezing", "counted_from", "unfreeze_on_restore")


@write_transaction()
def associate_customers(
    newcomers: Iterable[NewCustomer], *, operator: User | None = None, channel: Channel = Channel.SYSTEM
) -> int:
    """Associate the customers, all or none; give their number.

    Those of the reseller model start frozen, origin association, without a budget; see rule 4.1 (docs/rules.md). What
    reports have stated for their IDs and is nobody's is theirs from now on; see rule 8.4 (docs/rules.md). Raises
    IntegrityError where an ID is associated already: whoever reads a file looks before. Bounded in memory: the
    customers are taken as they come.
    """
    lock_month()
    # A report that is being imported decides which accounts are known: wait for it, and make it wait.
    advisory_lock(REPORT_LOCK)
    author = Author(operator, channel, timezone.now())
    coming = iter(newcomers)
    number = 0
    while chunk := list(islice(coming, CUSTOMERS_AT_ONCE)):
        number += len(chunk)
        _associate(chunk, author)
    analyze_tables(number, Customer, FreezeRecord)
    return number


def _associate(chunk: list[NewCustomer], author: Author) -> None:
    rows = Customer.objects.bulk_create([_row(newcomer, author) for newcomer in chunk])
    associated = Customer.objects.filter(pk__in_array=[row.pk for row in rows])
    freeze_rows(
        associated.filter(association_type=Customer.AssociationType.RESELLER),
        FreezeKind.ACCOUNT,
        FreezeOrigin.ASSOCIATION,
        author=author,
        # Nobody who comes has a budget.
        state=F("state"),
    )
    owner = Customer.objects.current().filter(customer_id=OuterRef("account")).values("pk")
    waiting = Expenditure.objects.filter(customer=None, account__in_array=[row.customer_id for row in rows])
    waiting.update(customer=Subquery(owner))


def _row(newcomer: NewCustomer, author: Author) -> Customer:
    return Customer(
        partner=newcomer.partner,
        customer_id=newcomer.customer_id,
        account_name=newcomer.account_name,
        name=newcomer.name,
        search=fold(newcomer.name, newcomer.account_name),
        association_type=newcomer.association_type,
        email=newcomer.email,
        mobile=newcomer.mobile,
        account_manager=newcomer.account_manager,
        tags=";".join(("", *newcomer.tags, "")) if newcomer.tags else "",
        associated_on=author.at,
        state=AccountFlags.REFERRAL
        if newcomer.association_type == Customer.AssociationType.REFERRAL
        else AccountFlags(0),
    )


@write_transaction()
def disassociate_customers(customers: CustomerQuerySet, *, note: str = "") -> int:
    """End the association of those of the customers that are current, all or none; give their number.

    Their budgets go, each with a `DELETE` record by `system` (section 9 (docs/rules.md)) which keeps the `note`, and
    leave the pools. Their records stay, and the account as frozen as it is. The months before the current one stay
    theirs; what the current one has come to, and what comes, is nobody's until the ID is associated anew: a month has
    one total, and counts from its first day for whoever has the ID then; see rule 8.4 (docs/rules.md).
    """
    month = lock_month()
    # Whose a total is, is also decided by a report that is being imported.
    advisory_lock(REPORT_LOCK)
    leaving = customers.current()
    lock_rows(Grant.objects.filter(partner__in=leaving.order_by().values("partner")))
    keys = lock_keys(leaving)
    author = Author(None, Channel.SYSTEM, timezone.now())
    _remove_budgets(Budget.objects.filter(pk__in_array=keys), author, note)
    gone = Customer.objects.filter(pk__in_array=keys)
    gone.update(disassociated_on=author.at, state=F("state").bitand(AccountFlags.FROZEN | AccountFlags.REFERRAL))
    Expenditure.objects.filter(customer__in_array=keys, month__gte=month).update(customer=None)
    return len(keys)


def _remove_budgets(budgets: QuerySet[Budget], author: Author, note: str) -> None:
    insert_from(
        AdjustmentRecord,
        budgets,
        customer="customer_id",
        at=author.at,
        operator_name=text_value(author.name),
        partner_company=text_value(""),
        partner_account_name=text_value(""),
        operation=AdjustmentRecord.Operation.DELETE,
        **{f"{name}_before": name for name in RECORDED_TERMS},
        used="used",
        unfreeze=False,
        channel=author.channel,
        batch=author.batch,
        note=text_value(note),
    )
    allocated = budgets.order_by().values("partner", "budget_type").annotate(sum=Sum("amount"))
    for partner, budget_type, amount in allocated.values_list("partner", "budget_type", "sum"):
        pool = f"{budget_type.lower()}_allocated"
        Grant.objects.filter(partner=partner).update(**{pool: F(pool) - money(amount)})
    budgets.delete()
