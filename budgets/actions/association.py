"""Customers come in: associated with a partner, frozen and without a budget (domain 4.1)."""

from collections.abc import Iterable
from itertools import islice

from django.db.models import OuterRef, Subquery
from django.utils import timezone

from budgets.actions.month import hold_month
from budgets.models import Expenditure
from customers.actions import Author, NewCustomer, freeze_accounts
from customers.models import Customer, FreezeKind, FreezeOrigin, FreezeRecord
from customers.search import fold
from partnercenter.database import REPORT, VERY_MANY, analyze, hold, writing
from partnercenter.models import Channel, User

AT_ONCE = 2_000


@writing()
def associate_customers(
    newcomers: Iterable[NewCustomer], *, operator: User | None = None, channel: Channel = Channel.SYSTEM
) -> int:
    """Associate the customers, all or none; give their number.

    Those of the reseller model start frozen, origin association, without a budget (domain 4.1). What reports have
    stated for their IDs before is theirs from now on (domain 8.4). Raises IntegrityError where an ID is associated
    already: whoever reads a file looks before. Bounded in memory: the customers are taken as they come.
    """
    hold_month()
    # A report that is being taken in decides which accounts are known: wait for it, and make it wait.
    hold(REPORT)
    author = Author(operator, channel, timezone.now())
    coming = iter(newcomers)
    number = 0
    while chunk := list(islice(coming, AT_ONCE)):
        number += len(chunk)
        _associate(chunk, author)
    if number >= VERY_MANY:
        analyze(Customer, FreezeRecord)
    return number


def _associate(chunk: list[NewCustomer], author: Author) -> None:
    rows = Customer.objects.bulk_create([_row(newcomer, author) for newcomer in chunk])
    associated = Customer.objects.filter(pk__among=[row.pk for row in rows])
    freeze_accounts(
        associated.filter(association_type=Customer.AssociationType.RESELLER),
        FreezeKind.ACCOUNT,
        FreezeOrigin.ASSOCIATION,
        author=author,
    )
    owner = Customer.objects.filter(customer_id=OuterRef("account"), disassociated_on=None).values("pk")
    waiting = Expenditure.objects.filter(customer=None, account__among=[row.customer_id for row in rows])
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
    )
