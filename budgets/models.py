"""Budgets, the expenditure they are counted on, the reports it came in, and every adjustment."""

import uuid
from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.db.models import PROTECT, Case, ExpressionWrapper, F, OuterRef, Q, Subquery, Sum, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.db.models.lookups import GreaterThanOrEqual
from django.utils.translation import gettext_lazy as _

from customers.models import AccountFlags, AccountFreezing, Customer, FreezeKind
from partnercenter.lib.append_only import Record
from partnercenter.lib.money import LARGEST_BUDGET, MoneyField, money
from partnercenter.models import BudgetType, Channel, Partner, User

MARKS = (100, 90, 75)


class BillingMonth(models.Model):
    """One row: the billing month (YYYYMM) that all budgets are counted for. Only the restore moves it (domain 3.14)."""

    month = models.PositiveIntegerField()

    def __str__(self) -> str:
        return str(self.month)


# The billing month that counts, as an expression.
CURRENT_MONTH = Subquery(BillingMonth.objects.filter(pk=1).values("month"))


class AdjustmentRecord(Record):
    """One change of one budget: every term before and after (domain 9). `*_before` is None for a first budget."""

    class Operation(models.TextChoices):
        SETTING = "SETTING", _("Set")
        REMOVED = "REMOVED", _("Removed")
        DELETE = "DELETE", _("Deleted")

    customer = models.ForeignKey(Customer, PROTECT, related_name="adjustment_records", db_index=False)
    at = models.DateTimeField(_("time"))
    operator = models.ForeignKey(User, PROTECT, null=True, related_name="+", db_index=False)
    operator_name = models.CharField(_("operator"), max_length=150)
    partner_company = models.CharField(max_length=256)
    partner_account_name = models.CharField(max_length=128)
    operation = models.CharField(max_length=10, choices=Operation, default=Operation.SETTING)
    budget_type_before = models.CharField(max_length=10, choices=BudgetType, null=True)
    budget_type_after = models.CharField(max_length=10, choices=BudgetType, null=True)
    amount_before = MoneyField(null=True)
    amount_after = MoneyField(null=True)
    account_freezing_before = models.CharField(max_length=24, choices=AccountFreezing, null=True)
    account_freezing_after = models.CharField(max_length=24, choices=AccountFreezing, null=True)
    counted_from_before = models.PositiveIntegerField(null=True)
    counted_from_after = models.PositiveIntegerField(null=True)
    unfreeze_on_restore_before = models.BooleanField(null=True)
    unfreeze_on_restore_after = models.BooleanField(null=True)
    used = MoneyField(help_text="What the budget as set had used at that moment.")
    unfreeze = models.BooleanField(help_text="Unfreeze Now was ticked.")
    channel = models.CharField(max_length=10, choices=Channel)
    batch = models.UUIDField()
    note = models.CharField(max_length=256, blank=True)

    class Meta:
        verbose_name = _("adjustment record")
        verbose_name_plural = _("adjustment records")
        indexes: ClassVar = [
            models.Index(fields=["customer", "-id"], name="adjustment_by_customer"),
            models.Index(fields=["batch", "id"], name="adjustment_by_batch"),
        ]

    def __str__(self) -> str:
        return f"{self.customer_id} {self.at:%Y-%m-%d %H:%M}"


def usage_percent(used: str, amount: str) -> Combinable:
    """Usage in whole percents, cut off toward zero. For showing and sorting; exhaustion compares cents (domain 3.4)."""
    return ExpressionWrapper(F(used) * 100 / F(amount), output_field=models.BigIntegerField())


def usage_level(used: str, amount: str) -> Combinable:
    """The highest of 75, 90, 100 percent that `used` has reached, else 0; compared exactly, in cents."""
    hundredfold = ExpressionWrapper(F(used) * 100, output_field=models.BigIntegerField())
    reached = [
        When(
            GreaterThanOrEqual(hundredfold, ExpressionWrapper(F(amount) * mark, output_field=models.BigIntegerField())),
            then=Value(mark),
        )
        for mark in MARKS
    ]
    return Case(*reached, default=Value(0), output_field=models.SmallIntegerField())


def budget_flags(used: str, amount: str, budget_type: str, state: str) -> Combinable:
    """What lists ask (`State`), by the terms of a budget; whether the account is frozen stays as `state` says."""
    exhausted = When(GreaterThanOrEqual(F(used), F(amount)), then=Value(AccountFlags.EXHAUSTED))
    monthly = When(**{budget_type: BudgetType.MONTHLY}, then=Value(AccountFlags.MONTHLY))
    number = models.SmallIntegerField()
    return ExpressionWrapper(
        F(state).bitand(AccountFlags.FROZEN)
        + Case(exhausted, default=Value(0), output_field=number)
        + Case(monthly, default=Value(AccountFlags.ONE_TIME), output_field=number),
        output_field=number,
    )


def exhausted_since(used: str, amount: str, before: str, now: str) -> Combinable:
    """Since when a budget of these terms is used up: as `before` if it was already, else since `now`; or not at all."""
    exhausted = When(GreaterThanOrEqual(F(used), F(amount)), then=Coalesce(F(before), F(now)))
    return Case(exhausted, default=None, output_field=models.DateTimeField())


class Budget(models.Model):
    """The cap on a customer's expenditure. `used`, `usage` and `level` change together with the expenditure."""

    customer = models.OneToOneField(Customer, PROTECT, primary_key=True, related_name="budget")
    budget_type = models.CharField(_("budget type"), max_length=10, choices=BudgetType)
    amount = MoneyField(_("amount"))
    account_freezing = models.CharField(_("account freezing"), max_length=24, choices=AccountFreezing)
    unfreeze_on_restore = models.BooleanField(default=False)
    counted_from = models.PositiveIntegerField(help_text="The first billing month that counts, YYYYMM.")
    used = MoneyField(_("used"), default=Decimal("0.00"))
    usage = models.BigIntegerField(_("usage"), default=0, help_text="Whole percents, cut off.")
    level = models.SmallIntegerField(default=0, help_text="0, 75, 90 or 100: the highest mark reached.")
    state = models.SmallIntegerField(default=0, help_text="The customer's own: an index cannot reach over to it.")
    exhausted_since = models.DateTimeField(null=True, help_text="Since when it is used up, without a break.")
    runs_out_on = models.DateField(
        _("runs out on"), null=True, help_text="At the rate of this month; none where there is too little to go by."
    )
    # Without an index: nobody looks budgets up by record, and records are never deleted.
    record = models.ForeignKey(
        AdjustmentRecord, PROTECT, related_name="+", db_index=False, help_text="The record it stands on."
    )
    # The customer's own, which it never leaves: an index cannot reach over to it.
    partner = models.ForeignKey(Partner, PROTECT, related_name="+", db_index=False, db_constraint=False)

    class Meta:
        verbose_name = _("budget")
        verbose_name_plural = _("budgets")
        permissions: ClassVar = [
            ("set_monthly_budget", _("Can set monthly budgets")),
            ("set_one_time_budget", _("Can set one-time budgets")),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="budget_amount_in_bounds",
                condition=Q(amount__gt=Decimal(0)) & Q(amount__lte=LARGEST_BUDGET),
            ),
            models.CheckConstraint(
                name="level_100_is_exhausted",
                condition=Q(level=100, used__gte=F("amount")) | (~Q(level=100) & Q(used__lt=F("amount"))),
            ),
            models.CheckConstraint(
                name="exhausted_has_its_time",
                condition=Q(level=100, exhausted_since__isnull=False)
                | (~Q(level=100) & Q(exhausted_since__isnull=True)),
            ),
        ]
        indexes: ClassVar = [
            # One for each order of the list, as on the customer. Not one more for all states together: every report
            # writes each anew, and eight states are merged as fast.
            models.Index(fields=["partner", "state", "usage", "customer"], name="budget_state_usage"),
            models.Index(fields=["partner", "state", "amount", "customer"], name="budget_state_amount"),
            models.Index(fields=["partner", "state", "used", "customer"], name="budget_state_used"),
            # Most budgets outlast the month: what has no day is in neither of these.
            models.Index(
                fields=["partner", "state", "runs_out_on", "customer"],
                name="budget_state_runs_out_on",
                condition=Q(runs_out_on__isnull=False),
            ),
            models.Index(
                fields=["partner", "exhausted_since", "customer"],
                name="budget_exhausted_since",
                condition=Q(exhausted_since__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_budget_type_display()} {self.amount}"

    @property
    def remaining(self) -> Decimal:
        return self.amount - self.used

    @property
    def exhausted(self) -> bool:
        return self.used >= self.amount


class ExpenditureReport(models.Model):
    """A report that was taken in and changed something: what it said, and what it did (domain 8)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reported_at = models.DateTimeField(_("time"), help_text="The time its totals are of.")
    taken_in_at = models.DateTimeField()
    covers_until = models.DateTimeField(null=True, help_text="The latest usage it covers (ChargePeriodEnd).")
    operator = models.ForeignKey(User, PROTECT, null=True, related_name="+", db_index=False)
    operator_name = models.CharField(max_length=150)
    partner = models.ForeignKey(
        Partner, PROTECT, null=True, related_name="reports", help_text="Whose customers alone it was for."
    )
    sources = models.JSONField(help_text="The names of its files.")
    format = models.CharField(max_length=10)
    summary = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("expenditure report")
        verbose_name_plural = _("expenditure reports")
        indexes: ClassVar = [models.Index(fields=["partner", "-taken_in_at"], name="report_by_partner")]

    def __str__(self) -> str:
        return f"{self.reported_at:%Y-%m-%d %H:%M}"


class Expenditure(models.Model):
    """What one account spent in one billing month so far. `customer` is None until the account is associated."""

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
    """What an account that nobody knows spent in one month, as the administration lists it (domain 8.4)."""

    class Meta:
        proxy = True
        verbose_name = _("unassociated account")
        verbose_name_plural = _("unassociated accounts")


def expenditure_between(counted_from: Combinable | str | int, until: int, customer: str = "pk") -> Combinable:
    """What a customer spent in the months `counted_from` up to `until`, as an expression over its row (domain 3.2)."""
    from_month = OuterRef(counted_from) if isinstance(counted_from, str) else Value(counted_from)
    total = (
        Expenditure.objects.filter(customer=OuterRef(customer), month__gte=from_month, month__lte=until)
        .order_by()
        .values("customer")
        .annotate(sum=Sum("total"))
        .values("sum")
    )
    return Coalesce(Subquery(total, output_field=MoneyField()), money(0))


FREEZE_KIND_BY_POLICY = {
    AccountFreezing.AUTOMATIC: FreezeKind.ACCOUNT,
    AccountFreezing.AUTOMATIC_WITH_RESOURCES: FreezeKind.ACCOUNT_AND_RESOURCE,
}
