"""Associating customers with partners and disassociating them; see rules 1.6, 4.1 and 8.4 (docs/rules.md)."""

from collections.abc import Iterable
from itertools import islice

from django.db.models import F, OuterRef, QuerySet, Subquery, Sum
from django.utils import timezone

from budgets.actions.billing_month import lock_month, restore_customers
from budgets.models import RECORDED_TERMS, AdjustmentRecord, Budget, Expenditure
from customers.actions.freeze_rows import freeze_rows
from customers.files import NewCustomer
from customers.models import AccountFlags, Customer, CustomerQuerySet, FreezeKind, FreezeOrigin, FreezeRecord
from customers.search import fold
from partnercenter.actions.authorship import Author
from partnercenter.lib.money import money
from partnercenter.lib.sql import analyze_tables, insert_from, text_value
from partnercenter.lib.transactions import REPORT_LOCK, advisory_lock, lock_keys, lock_rows, write_transaction
from partnercenter.models import Channel, Grant, User

CHUNK_SIZE = 2_000


@write_transaction()
def associate_customers(
    newcomers: Iterable[NewCustomer], *, operator: User | None = None, channel: Channel = Channel.SYSTEM
) -> int:
    """Associate the customers with their partners, all or none; return how many.

    Customers of the reseller model start frozen, with the origin association, and without a budget; see rule 4.1
    (docs/rules.md). Expenditure that was reported for their IDs and belongs to no customer becomes theirs; see rule 8.4
    (docs/rules.md). The customers are read in chunks, so memory is bounded. Raises IntegrityError if an ID is
    associated already: readers of files check that before.
    """
    lock_month()
    # The import of a report decides which accounts are known, so neither may run during the other.
    advisory_lock(REPORT_LOCK)
    author = Author(operator, channel, timezone.now())
    iterator = iter(newcomers)
    number = 0
    while chunk := list(islice(iterator, CHUNK_SIZE)):
        number += len(chunk)
        _associate(chunk, author)
    analyze_tables(number, Customer, FreezeRecord)
    return number


def _associate(chunk: list[NewCustomer], author: Author) -> None:
    referral = Customer.AssociationType.REFERRAL
    rows = Customer.objects.bulk_create(
        Customer(
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
            state=AccountFlags.REFERRAL if newcomer.association_type == referral else AccountFlags(0),
        )
        for newcomer in chunk
    )
    associated = Customer.objects.filter(pk__in_array=[row.pk for row in rows])
    freeze_rows(
        associated.filter(association_type=Customer.AssociationType.RESELLER),
        FreezeKind.ACCOUNT,
        FreezeOrigin.ASSOCIATION,
        author=author,
        # Without a budget the customer's own flags are right.
        state=F("state"),
    )
    owner = Customer.objects.current().filter(customer_id=OuterRef("account")).values("pk")
    of_nobody = Expenditure.objects.filter(customer=None, account__in_array=[row.customer_id for row in rows])
    of_nobody.update(customer=Subquery(owner))


@write_transaction()
def disassociate_customers(customers: CustomerQuerySet, *, note: str = "") -> int:
    """End the association of the customers that are current, all or none; return how many.

    Each budget is deleted with a `DELETE` record by `system` that holds the `note` (section 9 (docs/rules.md)), and
    its amount is released from the quota. The customer's records stay, and the state of its account does not change.
    Expenditure of earlier months stays the customer's; expenditure of the current month and later belongs to none
    until the ID is associated again, since a month has one total and always counts from its first day; see rule 8.4
    (docs/rules.md).
    """
    month = lock_month()
    # An import also decides which customer a total belongs to, so the two must not run at the same time.
    advisory_lock(REPORT_LOCK)
    leaving = customers.current()
    lock_rows(Grant.objects.filter(partner__in=leaving.order_by().values("partner")))
    keys = lock_keys(leaving)
    restore_customers(keys)
    author = Author(None, Channel.SYSTEM, timezone.now())
    _remove_budgets(Budget.objects.filter(pk__in_array=keys), author, note)
    Customer.objects.filter(pk__in_array=keys).update(
        disassociated_on=author.at, state=F("state").bitand(AccountFlags.FROZEN | AccountFlags.REFERRAL)
    )
    Expenditure.objects.filter(customer__in_array=keys, month__gte=month).update(customer=None)
    return len(keys)


def _remove_budgets(budgets: QuerySet[Budget], author: Author, note: str) -> None:
    """Record that the budgets are deleted, release their amounts from the quotas, and delete them."""
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
    sums = budgets.order_by().values("partner", "budget_type").annotate(sum=Sum("amount"))
    for partner, budget_type, amount in sums.values_list("partner", "budget_type", "sum"):
        allocated = f"{budget_type.lower()}_allocated"
        Grant.objects.filter(partner=partner).update(**{allocated: F(allocated) - money(amount)})
    budgets.delete()
