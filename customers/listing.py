"""A page of customers as its template gets it: with nothing in it that this person may not see (house rule 9)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import F, Max, QuerySet
from django.http import QueryDict
from django.utils.translation import gettext as _

from budgets.models import THIS_MONTH, Expenditure
from budgets.standing import why_frozen
from customers import paging
from customers.filters import CustomerFilter, Status
from customers.masking import mask_name
from customers.models import Customer, FreezeRecord
from customers.paging import CustomerPage, address
from partnercenter.models import User
from partnercenter.permissions import refusal

BAR = 72
NEAR = 75


@dataclass(frozen=True)
class Row:
    """One customer of the list; the name is masked unless names are shown."""

    key: int
    customer_id: str
    account_name: str
    name: str
    reseller: str
    status: str
    status_label: str
    frozen_why: str
    budget_type_label: str
    amount: Decimal | None
    used: Decimal | None
    as_of: datetime | None
    usage: int | None
    bar: int
    tone: str
    account_freezing_label: str
    associated_on: datetime
    may_act: bool
    why_not: str


@dataclass(frozen=True)
class Header:
    """The head of one column: `query` sorts by it, `sorted` says how it is."""

    label: str
    key: str = ""
    numeric: bool = False
    eye: bool = False
    sorted: str = ""
    query: str = ""

    @property
    def sortable(self) -> bool:
        return bool(self.key)


@dataclass(frozen=True)
class Counts:
    """How many customers match, how many of them are frozen and used up; the queries lead to these.

    Exact up to 1,000; 1,001 means more.
    """

    customers: int
    frozen: int
    exhausted: int
    frozen_query: str
    exhausted_query: str


def count(filters: CustomerFilter, query: QueryDict) -> Counts:
    """The counts above the list, equal to what the filters show, in one query that stops where "1,000+" is known."""
    customers, frozen, exhausted = filters.count()
    return Counts(
        customers,
        frozen,
        exhausted,
        frozen_query=address(query, status=Status.FROZEN),
        exhausted_query=address(query, status=Status.EXHAUSTED),
    )


def page_of(filters: CustomerFilter, counts: Counts, query: QueryDict) -> CustomerPage:
    """The page that is asked for, of customers with their budgets, partners and grants."""
    shown = filters.queryset.select_related("budget", "partner__grant", "partner__distributor")
    return paging.page_of(filters.ordered(), query, total=counts.customers, size=filters.per_page, rows=shown)


def rows(customers: Iterable[Customer], *, user: User, names_shown: bool) -> list[Row]:
    """The customers as rows; two queries for any number of them."""
    shown = list(customers)
    as_of, records = _as_of(shown), _freeze_records(shown)
    return [_row(customer, as_of, records, user=user, names_shown=names_shown) for customer in shown]


def as_of_expenditure(customers: QuerySet[Customer]) -> dict[int, datetime]:
    """Of when the current estimate is, per customer: the newest total that counts (domain 8.1)."""
    counted = Expenditure.objects.filter(
        customer__in=customers, month__gte=F("customer__budget__counted_from"), month__lte=THIS_MONTH
    )
    return dict(counted.order_by().values_list("customer").annotate(Max("reported_at")))


def _as_of(customers: list[Customer]) -> dict[int, datetime]:
    return as_of_expenditure(Customer.objects.filter(pk__among=[customer.pk for customer in customers]))


def _freeze_records(customers: list[Customer]) -> dict[int, FreezeRecord]:
    """The record of each frozen customer's present state."""
    frozen = [customer.pk for customer in customers if customer.is_frozen]
    newest = FreezeRecord.objects.filter(customer__among=frozen).order_by().values("customer").annotate(last=Max("pk"))
    return {record.customer_id: record for record in FreezeRecord.objects.filter(pk__in=newest.values("last"))}


def _row(
    customer: Customer,
    as_of: dict[int, datetime],
    records: dict[int, FreezeRecord],
    *,
    user: User,
    names_shown: bool,
) -> Row:
    budget = getattr(customer, "budget", None)
    status = _status(customer)
    why_not = cannot_act(user, customer)
    return Row(
        key=customer.pk,
        customer_id=customer.customer_id,
        account_name=customer.account_name,
        name=customer.name if names_shown else mask_name(customer.name),
        reseller=customer.partner.company,
        status=status,
        status_label=str(status.label),
        frozen_why=why_frozen(customer, records.get(customer.pk)),
        budget_type_label=budget.get_budget_type_display() if budget else "--",
        amount=budget and budget.amount,
        used=budget and budget.used,
        as_of=as_of.get(customer.pk),
        usage=budget and budget.usage,
        bar=max(0, min(BAR, budget.usage * BAR // 100)) if budget else 0,
        tone=_tone(customer),
        account_freezing_label=budget.get_account_freezing_display() if budget else "--",
        associated_on=customer.associated_on,
        may_act=not why_not,
        why_not=why_not,
    )


def cannot_act(user: User, customer: Customer) -> str:
    """Why this person may set no budget for this customer; "" where it may."""
    if customer.association_type == Customer.AssociationType.REFERRAL:
        return _("A customer of the referral model has no budget.")
    return refusal(user, customer.partner, getattr(customer.partner, "grant", None))


def _status(customer: Customer) -> Status:
    if customer.is_frozen:
        return Status.FROZEN
    budget = getattr(customer, "budget", None)
    return Status.EXHAUSTED if budget and budget.exhausted else Status.NORMAL


def _tone(customer: Customer) -> str:
    budget = getattr(customer, "budget", None)
    if customer.is_frozen:
        return "frozen"
    if budget and budget.exhausted:
        return "over"
    return "near" if budget and budget.level >= NEAR else "ok"


def headers(filters: CustomerFilter, query: QueryDict, *, show_reseller: bool, currency: str) -> list[Header]:
    """The heads of the columns, in the order of the cells."""
    columns = [
        Header(_("Account Name"), "account_name"),
        Header(_("Customer Name"), "name", eye=True),
        *([Header(_("Reseller"))] if show_reseller else []),
        Header(_("Status")),
        Header(_("Budget Type")),
        Header(_("Budget (%(currency)s)") % {"currency": currency}, "amount", numeric=True),
        Header(_("Current Estimate (%(currency)s)") % {"currency": currency}, "used", numeric=True),
        Header(_("Usage"), "usage"),
        Header(_("Account Freezing")),
        Header(_("Associated On"), "associated_on"),
    ]
    return [_with_sort(column, filters.sorted_by, query) for column in columns]


def _with_sort(column: Header, sorted_by: str, query: QueryDict) -> Header:
    if not column.sortable:
        return column
    order = {column.key: "ascending", f"-{column.key}": "descending"}.get(sorted_by, "")
    key = f"-{column.key}" if order == "ascending" else column.key
    return Header(column.label, column.key, column.numeric, column.eye, order, address(query, sort=key))
