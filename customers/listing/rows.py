"""The rows, headers and counts of the list as its template gets them, with nothing that the person may not see."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import tzinfo
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import quote

from django.db.models import Case, Max, OuterRef, Q, Subquery, When
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from budgets.models import CURRENT_MONTH, Expenditure
from budgets.queries.standing import (
    cause_from,
    describe_freeze,
    freeze_cause_columns,
    partner_restriction,
    restricted_by,
)
from customers.listing import pagination
from customers.listing.customer_list import CustomerList
from customers.listing.pagination import CustomerPage, changed_query
from customers.listing.retention import retention_text, retention_urgency
from customers.listing.status import Status
from customers.masking import mask_name
from customers.models import AccountFreezing, Customer, FreezeKind, FreezeRecord
from partnercenter.lib.dates import format_minute
from partnercenter.lib.money import show_amount
from partnercenter.lib.prepared import PreparedLookup
from partnercenter.models import BudgetType, Partner, User
from partnercenter.permissions import why_not_budgets

BAR_WIDTH = 72
NEAR, EXHAUSTED = 75, 100
LABELLED_CHOICES = (Status, BudgetType, AccountFreezing)
# Colours of the usage bar.
TONES = {Status.FROZEN: "frozen", Status.EXHAUSTED: "over"}

# The as-of time of the current estimate: the time of the newest total that the budget counts. See rule 8.1
# (docs/rules.md).
ESTIMATE_AS_OF = Subquery(
    Expenditure.objects.filter(
        customer=OuterRef("pk"), month__gte=OuterRef("budget__counted_from"), month__lte=CURRENT_MONTH
    )
    .values("customer")
    .values_list(Max("reported_at"))
)
NEWEST_FREEZE = FreezeRecord.objects.filter(customer=OuterRef("pk")).order_by("-pk")
# The key of the customer's latest freeze record.
LATEST_FREEZE_RECORD = Subquery(NEWEST_FREEZE.values("pk")[:1])


def _when_frozen(column: Subquery) -> Case:
    """Look up this column of freeze records for frozen accounts only."""
    return Case(When(~Q(freeze_kind=FreezeKind.NONE), then=column))


ROW_COLUMNS = (
    "pk",
    "partner_id",
    "customer_id",
    "account_name",
    "name",
    "association_type",
    "associated_on",
    "freeze_kind",
    "freeze_origin",
    "frozen_since",
    "freeze_reason",
    "retention_until",
    "budget__budget_type",
    "budget__amount",
    "budget__used",
    "budget__usage",
    "budget__level",
    "budget__account_freezing",
    "budget__counted_from",
    "budget__runs_out_on",
    "as_of",
    "frozen_used",
    "frozen_amount",
    "frozen_type",
    "frozen_operator",
    "freeze_record",
)
ROW_QUERYSET = Customer.objects.annotate(
    as_of=ESTIMATE_AS_OF,
    freeze_record=_when_frozen(LATEST_FREEZE_RECORD),
    **{name: _when_frozen(column) for name, column in freeze_cause_columns("pk").items()},
)
# All that a row shows, in one query. The rows are plain values, because building models takes longer than the query.
CUSTOMER_ROWS = PreparedLookup(ROW_QUERYSET.values_list(*ROW_COLUMNS, named=True))


class CustomerRow(NamedTuple):
    """A row for the list's template: formatted text and small numbers; "" or None if there is nothing to show.

    The name is masked unless names are shown. `why_not` says why the person may not act on the customer.
    """

    key: int
    customer_id: str
    account_name: str
    name: str
    reseller: str
    status: str
    status_label: str
    frozen_above: str
    frozen_why: str
    freeze_record: int | None
    freeze_kind: str
    retention: str
    urgency: str
    budget_type: str
    amount: str
    used: str
    as_of: str
    usage: int | None
    bar: int
    tone: str
    runs_out: str
    account_freezing: str
    associated_on: str
    associated_at: str
    query: str
    why_not: str

    @property
    def may_act(self) -> bool:
        return not self.why_not


@dataclass(frozen=True)
class RowContext:
    """Values that all rows of a page share, computed once.

    By the key of a partner: its company, why the person may not set budgets of its customers, and the restriction that
    freezes all of them ("" if there is none).
    """

    names_shown: bool
    companies: dict[int, str]
    why_not: dict[int, str]
    restrictions: dict[int, str]
    labels: dict[str, str]
    zone: tzinfo

    def row(self, customer: Any) -> CustomerRow:
        """Build the row of a customer with the columns of `CUSTOMER_ROWS`."""
        labels, usage, level = self.labels, customer.budget__usage, customer.budget__level or 0
        frozen_above = restricted_by(customer, self.restrictions[customer.partner_id])
        status = Status.EXHAUSTED if level == EXHAUSTED else Status.NORMAL
        if frozen_above or customer.freeze_kind != FreezeKind.NONE:
            status = Status.FROZEN
        associated_on, _space, associated_at = format_minute(customer.associated_on, self.zone).partition(" ")
        is_referral = customer.association_type == Customer.AssociationType.REFERRAL
        why_referral = _("A customer of the referral model has no budget.") if is_referral else ""
        return CustomerRow(
            key=customer.pk,
            customer_id=customer.customer_id,
            account_name=customer.account_name,
            name=customer.name if self.names_shown else mask_name(customer.name),
            reseller=self.companies[customer.partner_id],
            status=status.lower(),
            status_label=labels[status],
            frozen_above=frozen_above,
            frozen_why=describe_freeze(customer, cause_from(customer)),
            freeze_record=customer.freeze_record,
            freeze_kind=customer.freeze_kind,
            retention=retention_text(customer.retention_until),
            urgency=retention_urgency(customer.retention_until),
            budget_type=labels.get(customer.budget__budget_type, "--"),
            amount=show_amount(customer.budget__amount),
            used=show_amount(customer.budget__used),
            as_of=format_minute(customer.as_of, self.zone) if customer.as_of else "",
            usage=usage,
            bar=0 if usage is None else max(0, min(BAR_WIDTH, usage * BAR_WIDTH // 100)),
            tone=TONES.get(status, "near" if level >= NEAR else "ok"),
            runs_out=customer.budget__runs_out_on.isoformat() if customer.budget__runs_out_on else "--",
            account_freezing=labels.get(customer.budget__account_freezing, "--"),
            associated_on=associated_on,
            associated_at=associated_at,
            query=f"?customer={quote(customer.customer_id, safe='')}",
            why_not=why_referral or self.why_not[customer.partner_id],
        )


@dataclass(frozen=True)
class ColumnHeader:
    """The header of a column. `sorted` is "ascending", "descending" or ""; the query string `query` sorts by it."""

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
class ListCounts:
    """How many customers match, how many of these are frozen, and how many have used up their budget.

    1,001 means more than 1,000. The query strings lead to the frozen customers, and to those with a used-up budget.
    """

    customers: int
    frozen: int
    exhausted: int
    frozen_query: str
    exhausted_query: str


def count_list(customers: CustomerList, query: QueryDict) -> ListCounts:
    """The counts above the list, equal to what the filters show, from one query that stops at 1,001."""
    number, frozen, exhausted = customers.count()
    return ListCounts(
        number,
        frozen,
        exhausted,
        frozen_query=changed_query(query, status=Status.FROZEN),
        exhausted_query=changed_query(query, status=Status.EXHAUSTED),
    )


def list_page(customers: CustomerList, counts: ListCounts, query: QueryDict) -> CustomerPage:
    """The requested page of the list. Its customers have the columns of `CUSTOMER_ROWS`."""
    return pagination.paginate(
        customers.ordered(), query, total=counts.customers, size=customers.form.per_page, rows=CUSTOMER_ROWS
    )


def customer_rows(customers: Iterable[Any], *, user: User, names_shown: bool) -> list[CustomerRow]:
    """Build rows from customers with the columns of `CUSTOMER_ROWS`. One query for a distributor, else none."""
    customers = list(customers)
    partners = partners_by_key(user, {customer.partner_id for customer in customers})
    context = RowContext(
        names_shown,
        {key: partner.company for key, partner in partners.items()},
        {key: why_not_budgets(user, partner, getattr(partner, "grant", None)) for key, partner in partners.items()},
        {key: partner_restriction(partner) for key, partner in partners.items()},
        _labels(get_language()),
        timezone.get_current_timezone(),
    )
    return [context.row(customer) for customer in customers]


@cache
def _labels(_language: str | None) -> dict[str, str]:
    return {choice.value: str(choice.label) for choices in LABELLED_CHOICES for choice in choices}


def partners_by_key(user: User, keys: set[int]) -> dict[int, Partner]:
    """The partners with these keys. No query if the person's own partner is the only one."""
    own = {user.partner.pk: user.partner} if user.partner else {}
    return own if keys <= own.keys() else own | Partner.objects.select_related("grant").in_bulk(keys)


def list_headers(
    customers: CustomerList, query: QueryDict, *, show_reseller: bool, currency: str
) -> list[ColumnHeader]:
    """The column headers, in the order of the cells."""
    columns = [
        ColumnHeader(_("Account Name"), "account_name"),
        ColumnHeader(_("Customer Name"), "name", eye=True),
        *([ColumnHeader(_("Reseller"))] if show_reseller else []),
        ColumnHeader(_("Status")),
        ColumnHeader(_("Budget Type")),
        ColumnHeader(_("Budget (%(currency)s)") % {"currency": currency}, "amount", numeric=True),
        ColumnHeader(_("Current Estimate (%(currency)s)") % {"currency": currency}, "used", numeric=True),
        ColumnHeader(_("Usage"), "usage"),
        ColumnHeader(_("Runs Out On"), "runs_out"),
        ColumnHeader(_("Account Freezing")),
        ColumnHeader(_("Associated On"), "associated_on"),
    ]
    return [sortable(column, customers.sorted_by, query) for column in columns]


def sortable(column: ColumnHeader, sorted_by: str, query: QueryDict) -> ColumnHeader:
    """Return the header with its current order and the query string that sorts by it, or reverses the order."""
    if not column.sortable:
        return column
    order = {column.key: "ascending", f"-{column.key}": "descending"}.get(sorted_by, "")
    key = f"-{column.key}" if order == "ascending" else column.key
    return ColumnHeader(column.label, column.key, column.numeric, column.eye, order, changed_query(query, sort=key))
