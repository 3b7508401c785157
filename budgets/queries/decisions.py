"""The Decisions page: customers whose budget is used up under *Manual* and whose account is not frozen."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple
from urllib.parse import quote

from django.db.models import Case, Expression, ExpressionWrapper, F, OuterRef, QuerySet, Subquery, When
from django.db.models.functions import Coalesce
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _

from budgets.actions.decisions import EXHAUSTED_NOT_FROZEN, is_snoozed, undecided_budgets
from budgets.models import CURRENT_MONTH, Budget, Expenditure
from budgets.months import first_moment, month_of
from budgets.queries.freeze_explanation import format_duration
from customers.listing import pagination
from customers.listing.filters import DecisionFilterForm, narrow
from customers.listing.ordering import CURSOR_PATTERN, Order, Position, Segment, parse_cursor_value
from customers.listing.pagination import CustomerPage
from customers.listing.rows import ESTIMATE_AS_OF, ColumnHeader, partners_by_key, sortable
from customers.masking import mask_name
from customers.models import Customer, Snooze
from partnercenter.lib.dates import format_minute
from partnercenter.lib.money import CENT, MoneyField, money, show_amount
from partnercenter.lib.prepared import COUNT_CAP, PreparedLookup
from partnercenter.models import BudgetType, Partner, User
from partnercenter.permissions import why_not_budgets

# The column of each sort key in the query string.
DECISION_SORTS = {"since": "exhausted_since", "overspend": "overspend", "per_day": "this_month"}
# For rows of customers or of their budgets, which have the same keys.
MONTHLY_TOTAL = Expenditure.objects.filter(customer=OuterRef("pk"), month=CURRENT_MONTH).values("total")
SPENT_THIS_MONTH = Coalesce(Subquery(MONTHLY_TOTAL[:1]), money(0))
# Columns to sort by that budgets do not store.
COMPUTED: dict[str, Expression] = {
    "overspend": ExpressionWrapper(F("used") - F("amount"), output_field=MoneyField()),
    # Most budgets count only this month: what they have used is the month's total, so no look-up is needed.
    "this_month": Case(
        When(counted_from=CURRENT_MONTH, then=F("used")), default=SPENT_THIS_MONTH, output_field=MoneyField()
    ),
}
DECISION_QUERYSET = Customer.objects.annotate(
    as_of=ESTIMATE_AS_OF,
    exhausted_since=F("budget__exhausted_since"),
    overspend=ExpressionWrapper(F("budget__used") - F("budget__amount"), output_field=MoneyField()),
    this_month=SPENT_THIS_MONTH,
).values_list(
    "pk",
    "partner_id",
    "customer_id",
    "account_name",
    "name",
    "account_manager",
    "association_type",
    "budget__budget_type",
    "budget__amount",
    "budget__used",
    "as_of",
    "exhausted_since",
    "overspend",
    "this_month",
    named=True,
)
# All columns of the rows of a page, in one query.
DECISION_ROWS = PreparedLookup(DECISION_QUERYSET)


@dataclass(frozen=True)
class DecisionOrder(Order):
    """Undecided budgets, sorted by one of three columns, none of which is secret."""

    def decode_cursor(self, mark: str) -> Position | None:
        """The position that a cursor encodes; None if it is not valid."""
        match = CURSOR_PATTERN.fullmatch(mark)
        value = match and parse_cursor_value(match["value"], datetime if self.column == "exhausted_since" else Decimal)
        return None if match is None or value is None else (0, (value, int(match["key"])))


class Decisions:
    """The decisions that a person may see, open or (`snoozed=1`) snoozed, filtered by the query string."""

    def __init__(self, user: User, query: QueryDict, at: datetime) -> None:
        self.at, self.query = at, query
        self.snoozed = query.get("snoozed") == "1"
        self.user, self._customers = user, Customer.objects.visible_to(user)
        self.filters = DecisionFilterForm(query)
        partners: list[int | None] | QuerySet[Partner] = [user.partner_id]
        if user.partner is not None and user.partner.is_distributor:
            partners = Partner.objects.filter(distributor=user.partner)
        # No condition on customers is needed: only current customers have a budget.
        self._budgets = undecided_budgets().filter(partner__in=partners)

    def _matching(self, *, snoozed: bool) -> QuerySet[Budget]:
        snoozed_now = is_snoozed(self.at)
        budgets = self._budgets.filter(snoozed_now if snoozed else ~snoozed_now)
        if self.filters.problems:
            return budgets.none()
        if not self.filters.active:
            return budgets
        customers = narrow(self._customers, self.filters.active, self.user)
        # The state is repeated here to use the index on customers that begins with it.
        return budgets.filter(customer__in=customers.filter(state__in=EXHAUSTED_NOT_FROZEN))

    def count(self) -> tuple[int, int]:
        """Count the open and the snoozed decisions; 1,001 means more than 1,000."""
        counts = [self._matching(snoozed=snoozed)[: COUNT_CAP + 1].count() for snoozed in (False, True)]
        return counts[0], counts[1]

    def page(self, total: int) -> CustomerPage:
        """The page of decisions that the query string asks for, out of `total`."""
        return pagination.paginate(
            self.order(), self.query, total=total, size=self.filters.per_page, rows=DECISION_ROWS
        )

    def order(self) -> DecisionOrder:
        """All matching decisions, in the requested order."""
        sort = self.filters.sorted_by
        column = DECISION_SORTS[sort.removeprefix("-")]
        budgets = self._matching(snoozed=self.snoozed)
        if column in COMPUTED:
            budgets = budgets.annotate(**{column: COMPUTED[column]})
        segment = Segment([budgets], (column, "pk"), sort.startswith("-"))
        return DecisionOrder((segment,), self._customers, column, secret=False)


class DecisionRow(NamedTuple):
    """A customer as the template shows it, formatted; `snoozed_until` is "" while the decision is open."""

    key: int
    customer_id: str
    account_name: str
    name: str
    reseller: str
    since: str
    age: str
    budget_type: str
    amount: str
    used: str
    as_of: str
    overspend: str
    per_day: str
    account_manager: str
    query: str
    why_not: str
    snoozed_until: str
    snoozed_why: str

    @property
    def may_act(self) -> bool:
        return not self.why_not


def decision_rows(
    customers: Iterable[Any], *, user: User, names_shown: bool, at: datetime, with_snooze: bool
) -> list[DecisionRow]:
    """Build the rows of customers, with one query for all snoozes and one for a distributor's resellers."""
    customers, zone, days = list(customers), timezone.get_current_timezone(), days_so_far(at)
    partners = partners_by_key(user, {customer.partner_id for customer in customers})
    why_not = {
        key: why_not_budgets(user, partner, getattr(partner, "grant", None)) for key, partner in partners.items()
    }
    snoozes = _newest_snoozes([customer.pk for customer in customers]) if with_snooze else {}
    return [
        DecisionRow(
            key=customer.pk,
            customer_id=customer.customer_id,
            account_name=customer.account_name,
            name=customer.name if names_shown else mask_name(customer.name),
            reseller=partners[customer.partner_id].company,
            since=format_minute(customer.exhausted_since, zone),
            age=format_duration(at - customer.exhausted_since),
            budget_type=str(BudgetType(customer.budget__budget_type).label),
            amount=show_amount(customer.budget__amount),
            used=show_amount(customer.budget__used),
            as_of=format_minute(customer.as_of, zone) if customer.as_of else "",
            overspend=show_amount(customer.overspend),
            per_day=show_amount(per_day(customer.this_month, days)),
            account_manager=customer.account_manager or "--",
            query=f"?customer={quote(customer.customer_id, safe='')}",
            why_not=why_not[customer.partner_id],
            **_snooze(snoozes.get(customer.pk), zone),
        )
        for customer in customers
    ]


def snooze_of(budget: Budget | None, at: datetime, zone: tzinfo) -> dict[str, str]:
    """Until when the decision about a budget is snoozed, and why; empty if there is none or it is not snoozed."""
    if budget is None or budget.state not in EXHAUSTED_NOT_FROZEN:
        return {}
    if not undecided_budgets().filter(is_snoozed(at), pk=budget.pk).exists():
        return {}
    return _snooze(_newest_snoozes([budget.pk])[budget.pk], zone)


def _snooze(snooze: Snooze | None, zone: tzinfo) -> dict[str, str]:
    if snooze is None:
        return {"snoozed_until": "", "snoozed_why": ""}
    values = {"by": snooze.operator_name, "at": format_minute(snooze.at, zone), "reason": snooze.reason}
    day, _time = format_minute(snooze.until, zone).split(" ")
    return {"snoozed_until": day, "snoozed_why": _("by %(by)s, %(at)s: %(reason)s") % values}


def _newest_snoozes(customer_keys: list[int]) -> dict[int, Snooze]:
    """By customer key, the newest snooze of each of the customers that has one."""
    newest = Snooze.objects.filter(customer=OuterRef("pk")).order_by("-pk").values("pk")[:1]
    snoozes = Customer.objects.filter(pk__in_array=customer_keys).values_list(Subquery(newest))
    return {snooze.customer_id: snooze for snooze in Snooze.objects.filter(pk__in=snoozes)}


def days_so_far(at: datetime) -> int:
    """How many days of the billing month have begun in the billing time zone, including today."""
    return at.astimezone(first_moment(month_of(at)).tzinfo).day


def per_day(this_month: Decimal, days: int) -> Decimal:
    """The average daily expenditure of the month so far, rounded to cents, halves away from zero."""
    return (this_month / days).quantize(CENT, ROUND_HALF_UP)


def decision_headers(decisions: Decisions, *, show_reseller: bool, currency: str) -> list[ColumnHeader]:
    """The column headers, in the order of the cells."""
    columns = [
        ColumnHeader(_("Account Name")),
        ColumnHeader(_("Customer Name"), eye=True),
        *([ColumnHeader(_("Reseller"))] if show_reseller else []),
        ColumnHeader(_("Used Up Since"), "since"),
        ColumnHeader(_("Budget (%(currency)s)") % {"currency": currency}, numeric=True),
        ColumnHeader(_("Current Estimate (%(currency)s)") % {"currency": currency}, numeric=True),
        ColumnHeader(_("Overspend (%(currency)s)") % {"currency": currency}, "overspend", numeric=True),
        ColumnHeader(_("Per Day (%(currency)s)") % {"currency": currency}, "per_day", numeric=True),
        ColumnHeader(_("Account Manager")),
        *([ColumnHeader(_("Snoozed Until"))] if decisions.snoozed else []),
    ]
    return [sortable(column, decisions.filters.sorted_by, decisions.query) for column in columns]
