"""Models of expenditure by account and month, of expenditure reports, and of the current billing month."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import PROTECT, OuterRef, Q, Subquery, Sum, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from customers.models import Customer
from partnercenter.lib.money import MoneyField, money
from partnercenter.models import Partner, User


class BillingMonth(models.Model):
    """The current billing month (YYYYMM), up to which all budgets count; a single row, with key 1.

    Only a month restore changes it; see rule 3.14 (docs/rules.md).
    """

    month = models.PositiveIntegerField()

    def __str__(self) -> str:
        return str(self.month)


# The current billing month as an expression.
CURRENT_MONTH = Subquery(BillingMonth.objects.filter(pk=1).values("month"))


class ExpenditureReport(models.Model):
    """An imported report that changed at least one total, with a summary of what it stated and changed.

    See section 8 (docs/rules.md).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reported_at = models.DateTimeField(_("time"), help_text="The time to which its totals refer.")
    imported_at = models.DateTimeField(db_column="taken_in_at")
    covers_until = models.DateTimeField(null=True, help_text="The end of the latest usage in it (ChargePeriodEnd).")
    operator = models.ForeignKey(User, PROTECT, null=True, related_name="+", db_index=False)
    operator_name = models.CharField(max_length=150)
    partner = models.ForeignKey(
        Partner,
        PROTECT,
        null=True,
        related_name="reports",
        help_text="The partner for whose customers it was imported; none: for all.",
    )
    sources = models.JSONField(help_text="The names of its files.")
    format = models.CharField(max_length=10)
    summary = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("expenditure report")
        verbose_name_plural = _("expenditure reports")
        indexes: ClassVar = [models.Index(fields=["partner", "-imported_at"], name="report_by_partner")]

    def __str__(self) -> str:
        return f"{self.reported_at:%Y-%m-%d %H:%M}"


class Expenditure(models.Model):
    """The expenditure of one account in one billing month so far. `customer` is None if the account is unknown."""

    account = models.CharField(_("customer ID"), max_length=128, help_text="The customer ID as reported.")
    month = models.PositiveIntegerField(help_text="Billing month, YYYYMM.")
    customer = models.ForeignKey(Customer, PROTECT, null=True, related_name="expenditures", db_index=False)
    total = MoneyField(_("expenditure"))
    reported_at = models.DateTimeField(_("as of"))
    report = models.ForeignKey(ExpenditureReport, PROTECT, related_name="expenditures", db_index=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(name="one_total_per_account_and_month", fields=["account", "month"])
        ]
        indexes: ClassVar = [
            models.Index(fields=["customer", "month"], name="expenditure_by_customer"),
            models.Index(
                fields=["-month", "account"], name="expenditure_of_nobody", condition=Q(customer__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.month}"


class UnassociatedExpenditure(Expenditure):
    """Expenditure of an account that belongs to no customer, as Django admin lists it.

    See rule 8.4 (docs/rules.md).
    """

    class Meta:
        proxy = True
        verbose_name = _("unassociated account")
        verbose_name_plural = _("unassociated accounts")


def expenditure_between(counted_from: str | int, until: int, customer: str = "pk") -> Combinable:
    """Sum a customer's expenditure from the month `counted_from` up to `until`; see rule 3.2 (docs/rules.md).

    An expression over rows whose field `customer` holds the customer. If `counted_from` is text, it names a field too.
    """
    from_month = OuterRef(counted_from) if isinstance(counted_from, str) else Value(counted_from)
    total = (
        Expenditure.objects.filter(customer=OuterRef(customer), month__gte=from_month, month__lte=until)
        .order_by()
        .values("customer")
        .annotate(sum=Sum("total"))
        .values("sum")
    )
    return Coalesce(Subquery(total, output_field=MoneyField()), money(0))
