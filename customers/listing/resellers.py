"""The Resellers' Customers page of distributors: what each reseller was granted, and how much is allocated.

See section 5 (docs/rules.md).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django import forms
from django.db import models
from django.db.models import ExpressionWrapper, F, Q, QuerySet
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from customers.listing.filters import FilterForm
from customers.listing.rows import ColumnHeader, sortable
from customers.models import Customer
from partnercenter.lib.money import MoneyField
from partnercenter.lib.prepared import COUNT_CAP, CappedCount
from partnercenter.models import BudgetType, Partner, Pool

POOLS = (BudgetType.MONTHLY, BudgetType.ONE_TIME)
MONTHLY, ONE_TIME = (Q(**{f"grant__{kind.lower()}_quota__isnull": False}) for kind in POOLS)
OVER = Q(grant__monthly_allocated__gt=F("grant__monthly_quota")) | Q(
    grant__one_time_allocated__gt=F("grant__one_time_quota")
)


class Authorized(models.TextChoices):
    """Choices to filter resellers by: what they were granted, or that more than that is allocated."""

    GRANTED = "GRANTED", gettext_lazy("Granted")
    MONTHLY = "MONTHLY", gettext_lazy("Granted: monthly budgets")
    ONE_TIME = "ONE_TIME", gettext_lazy("Granted: one-time budgets")
    NOT_GRANTED = "NOT_GRANTED", gettext_lazy("Not granted")
    OVER = "OVER", gettext_lazy("Over-allocated")


AUTHORIZED_CONDITIONS: dict[str, Q] = {
    Authorized.GRANTED: MONTHLY | ONE_TIME,
    Authorized.MONTHLY: MONTHLY,
    Authorized.ONE_TIME: ONE_TIME,
    Authorized.NOT_GRANTED: ~(MONTHLY | ONE_TIME),
    Authorized.OVER: OVER,
}


class ResellerFilterForm(FilterForm):
    """The filters of a distributor's resellers."""

    q = forms.CharField(label=gettext_lazy("Reseller"), max_length=200, required=False)
    authorized = forms.ChoiceField(
        label=gettext_lazy("Authorize Permissions"),
        choices=[("", gettext_lazy("All permissions")), *Authorized.choices],
        required=False,
    )

    def filtered(self, resellers: QuerySet[Partner]) -> QuerySet[Partner]:
        """The resellers that match by company or account name and by permission; none if a filter cannot be read."""
        if self.problems:
            return resellers.none()
        text, authorized = (self.active.get(name, "") for name in ("q", "authorized"))
        condition = AUTHORIZED_CONDITIONS.get(authorized, Q())
        if text:
            condition &= Q(company__icontains=text) | Q(account_name__icontains=text)
        return resellers.filter(condition)


RESELLER_SORTS = (
    "company",
    *(f"{kind.lower()}_{figure}" for kind in POOLS for figure in ("quota", "allocated", "left")),
)
DEFAULT_RESELLER_SORT = "company"


@dataclass(frozen=True)
class ResellerRow:
    """A row of the page. `customers` of 1,001 means more than 1,000. `pools` are monthly, then one-time."""

    key: int
    company: str
    account_name: str
    customers: int
    status: str
    status_label: str
    status_reason: str
    authorized: str
    pools: list[Pool]


def count_resellers(resellers: QuerySet[Partner]) -> dict[str, int]:
    """Count all resellers, the resellers with a grant, and the over-allocated resellers."""
    return resellers.aggregate(
        number=models.Count("pk"),
        granted=models.Count("pk", filter=AUTHORIZED_CONDITIONS[Authorized.GRANTED]),
        over=models.Count("pk", filter=OVER),
    )


def sort_resellers(resellers: QuerySet[Partner], sort: str) -> QuerySet[Partner]:
    """Sort resellers by a key, descending if it begins with `-`. Those without such a quota come last."""
    key = sort.removeprefix("-")
    column: F | ExpressionWrapper = F("company") if key == "company" else F(f"grant__{key}")
    if key.endswith("_left"):
        pool = key.removesuffix("_left")
        left = F(f"grant__{pool}_quota") - F(f"grant__{pool}_allocated")
        column = ExpressionWrapper(left, output_field=MoneyField())
    order = column.desc(nulls_last=True) if sort.startswith("-") else column.asc(nulls_last=True)
    return resellers.select_related("grant").order_by(order, "company", "pk")


def sort_key(query: QueryDict) -> str:
    """The sort key in the query string, or the default if there is no valid one."""
    sort = query.get("sort", "")
    return sort if sort.removeprefix("-") in RESELLER_SORTS else DEFAULT_RESELLER_SORT


def reseller_headers(query: QueryDict) -> tuple[ColumnHeader, list[ColumnHeader]]:
    """The header of the reseller column, and the headers of the figures of both pools."""
    figures = {"quota": _("Quota"), "allocated": _("Allocated"), "left": _("Left")}
    columns = [ColumnHeader(_("Reseller"), "company")] + [
        ColumnHeader(label, f"{kind.lower()}_{figure}", numeric=True)
        for kind in POOLS
        for figure, label in figures.items()
    ]
    first, *others = [sortable(column, sort_key(query), query) for column in columns]
    return first, others


def reseller_rows(resellers: Iterable[Partner]) -> list[ResellerRow]:
    """Build the rows of resellers. One query counts the customers of all of them."""
    resellers = list(resellers)
    if not resellers:
        return []
    customers = ([Customer.objects.current().filter(partner=reseller)] for reseller in resellers)
    # The total is not needed.
    _total, *counts = CappedCount.of(COUNT_CAP + 1, [Customer.objects.none()], *customers).fetch()
    return [_row(reseller, count) for reseller, count in zip(resellers, counts, strict=True)]


def _row(reseller: Partner, customers: int) -> ResellerRow:
    grant = reseller.grant
    authorized = {
        POOLS: _("Granted: monthly and one-time budgets"),
        (BudgetType.MONTHLY,): Authorized.MONTHLY.label,
        (BudgetType.ONE_TIME,): Authorized.ONE_TIME.label,
        (): Authorized.NOT_GRANTED.label,
    }
    return ResellerRow(
        key=reseller.pk,
        company=reseller.company,
        account_name=reseller.account_name,
        customers=customers,
        status=reseller.status,
        status_label=reseller.get_status_display(),
        status_reason=reseller.status_reason,
        authorized=str(authorized[tuple(kind for kind in POOLS if kind in grant.types)]),
        pools=[grant.pool(kind) for kind in POOLS],
    )
