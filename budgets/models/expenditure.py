"""Models of expenditure by account and month, of expenditure reports, and of the current billing month."""

import uuid
from typing import ClassVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import PROTECT, OuterRef, Q, Subquery, Sum, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from customers.models import Customer
from partnercenter.lib.append_only import Record
from partnercenter.lib.money import MoneyField, money
from partnercenter.models import SILENT_AFTER, Channel, Partner, User


class BillingMonth(models.Model):
    """The current billing month (YYYYMM), up to which all budgets count; a single row, with key 1.

    Only a month restore changes it; see rule 3.14 (docs/rules.md).
    """

    month = models.PositiveIntegerField()

    def __str__(self) -> str:
        return str(self.month)


# The current billing month as an expression.
CURRENT_MONTH = Subquery(BillingMonth.objects.filter(pk=1).values("month"))


class ExpenditureReport(Record):
    """An imported report as it was read. What became of it is in its `ReportImport`.

    See section 8 and rule 9.3 (docs/rules.md).
    """

    changeable = ("summary",)

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
    content_hash = models.CharField(
        max_length=64, blank=True, db_default="", help_text="SHA-256 of its files; empty if it was not computed."
    )
    summary = models.JSONField(default=dict, help_text="What it stated and changed.")

    class Meta:
        verbose_name = _("expenditure report")
        verbose_name_plural = _("expenditure reports")
        indexes: ClassVar = [models.Index(fields=["partner", "-imported_at"], name="report_by_partner")]

    def __str__(self) -> str:
        return f"{self.reported_at:%Y-%m-%d %H:%M}"


class ReportSum(Record):
    """What a report stated for one partner's customers in one month, compared with the totals stored before.

    `partner` is None for accounts that no customer is associated with.
    """

    report = models.ForeignKey(ExpenditureReport, PROTECT, related_name="sums")
    partner = models.ForeignKey(Partner, PROTECT, null=True, related_name="+", db_index=False)
    month = models.PositiveIntegerField(help_text="Billing month, YYYYMM.")
    accounts = models.PositiveIntegerField(help_text="How many accounts it stated a total for.")
    total = MoneyField(_("expenditure"))
    total_before = MoneyField(help_text="The stored totals of the same accounts.")
    risen = models.PositiveIntegerField(help_text="How many totals are higher than the stored ones.")
    fallen = models.PositiveIntegerField(help_text="How many totals are lower than the stored ones.")


class ReportImport(models.Model):
    """An attempt to import a report: its state, and what it changed or why it was refused.

    Not a record: it changes while the report is being imported. Its key is that of the report.
    """

    class State(models.TextChoices):
        WAITING = "WAITING", _("Waiting")
        READING = "READING", _("Reading")
        NEEDS_CONFIRMATION = "NEEDS_CONFIRMATION", _("Needs confirmation")
        APPLYING = "APPLYING", _("Being imported")
        IMPORTED = "IMPORTED", _("Imported")
        REFUSED = "REFUSED", _("Refused")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    report = models.OneToOneField(ExpenditureReport, PROTECT, null=True, related_name="report_import")
    state = models.CharField(max_length=20, choices=State)
    partner = models.ForeignKey(Partner, PROTECT, null=True, related_name="+", db_index=False)
    operator = models.ForeignKey(User, PROTECT, null=True, related_name="+", db_index=False)
    operator_name = models.CharField(max_length=150)
    sources = models.JSONField(help_text="The names of its files.")
    content_hash = models.CharField(max_length=64, blank=True)
    reported_at = models.DateTimeField(null=True)
    began_at = models.DateTimeField()
    alive_at = models.DateTimeField(help_text="When its process last gave a sign of life.")
    ended_at = models.DateTimeField(null=True)
    reason = models.TextField(blank=True, help_text="Why it was refused or needs a confirmation.")
    problems = models.JSONField(default=list, help_text="The bad lines of its files.")
    comparison = models.JSONField(
        null=True, encoder=DjangoJSONEncoder, help_text="The figures for which it needs a confirmation."
    )
    confirmed_by = models.CharField(max_length=150, blank=True)
    channel = models.CharField(max_length=10, choices=Channel, default=Channel.IMPORT)
    token = models.UUIDField(default=uuid.uuid4, help_text="Of the process that applies it; a new one takes it over.")
    steps = models.PositiveIntegerField(default=0, help_text="In how many steps it is applied.")
    steps_done = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0, help_text="Totals that changed so far.")
    exhausted = models.PositiveIntegerField(default=0, help_text="Budgets that became used up so far.")
    frozen = models.PositiveIntegerField(default=0, help_text="Accounts frozen so far.")
    files = models.JSONField(default=list, help_text="Name and storage path of uploads kept for a confirmation.")

    class Meta:
        verbose_name = _("report import")
        verbose_name_plural = _("report imports")
        indexes: ClassVar = [models.Index(fields=["partner", "-began_at"], name="report_import_by_partner")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                name="one_report_applied_at_a_time", fields=["state"], condition=Q(state="APPLYING")
            )
        ]

    def __str__(self) -> str:
        return f"{self.began_at:%Y-%m-%d %H:%M} {self.state}"

    @property
    def percent(self) -> int:
        """How much of it is applied, in whole percent."""
        return 100 * self.steps_done // self.steps if self.steps else 0

    @property
    def is_interrupted(self) -> bool:
        """Whether it has not ended, and its process has given no sign of life for a minute."""
        return self.ended_at is None and self.alive_at < timezone.now() - SILENT_AFTER


class ReportTotal(models.Model):
    """A checked total of a report that is still to be applied, in the step with this number.

    Deleted when it is applied, so what is left says what remains to be done; see rule 8.6 (docs/rules.md).
    """

    pk = models.CompositePrimaryKey("report", "step", "account", "month")
    report = models.ForeignKey(ExpenditureReport, PROTECT, related_name="+", db_index=False)
    step = models.PositiveIntegerField()
    account = models.CharField(max_length=128)
    month = models.PositiveIntegerField(help_text="Billing month, YYYYMM.")
    total = MoneyField()

    def __str__(self) -> str:
        return f"{self.account} {self.month}"


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
