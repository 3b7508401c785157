"""A page of customers as its template gets it: with nothing in it that this person may not see."""

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

# Of when a customer's current estimate is: the newest total that its budget counts; see rule 8.1 (docs/rules.md).
ESTIMATE_AS_OF = Subquery(
    Expenditure.objects.filter(
        customer=OuterRef("pk"), month__gte=OuterRef("budget__counted_from"), month__lte=CURRENT_MONTH
    )
    .values("customer")
    .values_list(Max("reported_at"))
)
NEWEST_FREEZE = FreezeRecord.objects.filter(customer=OuterRef("pk")).order_by("-pk")
# What an account that is frozen was frozen by last.
LATEST_FREEZE_RECORD = Subquery(NEWEST_FREEZE.values("pk")[:1])


def _when_frozen(column: Subquery) -> Case:
    """Something of freeze records, which are looked for only where there is something to say of them."""
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
# All that a row shows of a customer, in one query; as plain values, since making models of them takes longer than that.
CUSTOMER_ROWS = PreparedLookup(ROW_QUERYSET.values_list(*ROW_COLUMNS, named=True))


class CustomerRow(NamedTuple):
    """One customer of the list as its template writes it, all of it text or small numbers.

    The name is masked unless names are shown; "" and None where there is nothing to show.
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
    """What rows share, worked out once: partners' companies, why none of theirs may be acted on, why all of theirs are
    frozen; labels of choices.
    """

    names_shown: bool
    companies: dict[int, str]
    refusals: dict[int, str]
    restricted: dict[int, str]
    labels: dict[str, str]
    zone: tzinfo


@dataclass(frozen=True)
class ColumnHeader:
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
class ListCounts:
    """How many customers match, how many of them are frozen and used up; the queries lead to these.

    Exact up to 1,000; 1,001 means more.
    """

    customers: int
    frozen: int
    exhausted: int
    frozen_query: str
    exhausted_query: str


def count_list(filters: CustomerList, query: QueryDict) -> ListCounts:
    """The counts above the list, equal to what the filters show, in one query that stops where "1,000+" is known."""
    customers, frozen, exhausted = filters.count()
    return ListCounts(
        customers,
        frozen,
        exhausted,
        frozen_query=changed_query(query, status=Status.FROZEN),
        exhausted_query=changed_query(query, status=Status.EXHAUSTED),
    )


def list_page(filters: CustomerList, counts: ListCounts, query: QueryDict) -> CustomerPage:
    """The page that is asked for, of customers with all that a row shows."""
    return pagination.paginate(
        filters.ordered(), query, total=counts.customers, size=filters.form.per_page, rows=CUSTOMER_ROWS
    )


def customer_rows(customers: Iterable[Any], *, user: User, names_shown: bool) -> list[CustomerRow]:
    """The customers as rows; no query for a partner's own, one for any number of its resellers'."""
    shown = list(customers)
    partners = partners_by_key(user, {customer.partner_id for customer in shown})
    shared = RowContext(
        names_shown,
        {key: partner.company for key, partner in partners.items()},
        {key: why_not_budgets(user, partner, getattr(partner, "grant", None)) for key, partner in partners.items()},
        {key: partner_restriction(partner) for key, partner in partners.items()},
        _labels(get_language()),
        timezone.get_current_timezone(),
    )
    return [_row(customer, shared) for customer in shown]


@cache
def _labels(_language: str | None) -> dict[str, str]:
    return {choice.value: str(choice.label) for choices in LABELLED_CHOICES for choice in choices}


def partners_by_key(user: User, keys: set[int]) -> dict[int, Partner]:
    """The partners of the customers shown; one's own is known already."""
    own = {user.partner.pk: user.partner} if user.partner else {}
    return own if keys <= own.keys() else own | Partner.objects.select_related("grant").in_bulk(keys)


def _row(customer: Any, shared: RowContext) -> CustomerRow:
    labels, usage = shared.labels, customer.budget__usage
    above = restricted_by(customer, shared.restricted[customer.partner_id])
    status = _status(customer, above)
    associated_on, _space, associated_at = format_minute(customer.associated_on, shared.zone).partition(" ")
    return CustomerRow(
        key=customer.pk,
        customer_id=customer.customer_id,
        account_name=customer.account_name,
        name=customer.name if shared.names_shown else mask_name(customer.name),
        reseller=shared.companies[customer.partner_id],
        status=status.lower(),
        status_label=labels[status],
        frozen_above=above,
        frozen_why=describe_freeze(customer, cause_from(customer)),
        freeze_record=customer.freeze_record,
        freeze_kind=customer.freeze_kind,
        retention=retention_text(customer.retention_until),
        urgency=retention_urgency(customer.retention_until),
        budget_type=labels.get(customer.budget__budget_type, "--"),
        amount=show_amount(customer.budget__amount),
        used=show_amount(customer.budget__used),
        as_of=format_minute(customer.as_of, shared.zone) if customer.as_of else "",
        usage=usage,
        bar=0 if usage is None else max(0, min(BAR_WIDTH, usage * BAR_WIDTH // 100)),
        tone=_tone(customer, status),
        runs_out=customer.budget__runs_out_on.isoformat() if customer.budget__runs_out_on else "--",
        account_freezing=labels.get(customer.budget__account_freezing, "--"),
        associated_on=associated_on,
        associated_at=associated_at,
        query=f"?customer={quote(customer.customer_id, safe='')}",
        why_not=_referral(customer) or shared.refusals[customer.partner_id],
    )


def _referral(customer: Any) -> str:
    if customer.association_type == Customer.AssociationType.REFERRAL:
        return _("A customer of the referral model has no budget.")
    return ""


def _status(customer: Any, frozen_above: str) -> Status:
    if frozen_above or customer.freeze_kind != FreezeKind.NONE:
        return Status.FROZEN
    return Status.EXHAUSTED if customer.budget__level == EXHAUSTED else Status.NORMAL


def _tone(customer: Any, status: Status) -> str:
    if status == Status.NORMAL:
        return "near" if (customer.budget__level or 0) >= NEAR else "ok"
    return "frozen" if status == Status.FROZEN else "over"


def list_headers(filters: CustomerList, query: QueryDict, *, show_reseller: bool, currency: str) -> list[ColumnHeader]:
    """The heads of the columns, in the order of the cells."""
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
    return [sortable(column, filters.sorted_by, query) for column in columns]


def sortable(column: ColumnHeader, sorted_by: str, query: QueryDict) -> ColumnHeader:
    """The head of a column with how it is sorted, and the query that sorts by it or turns the order round."""
    if not column.sortable:
        return column
    order = {column.key: "ascending", f"-{column.key}": "descending"}.get(sorted_by, "")
    key = f"-{column.key}" if order == "ascending" else column.key
    return ColumnHeader(column.label, column.key, column.numeric, column.eye, order, changed_query(query, sort=key))
