"""Budgets, the expenditure they are counted on, the reports it came in, and every adjustment."""

from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.db.models import PROTECT, Case, ExpressionWrapper, F, Q, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.db.models.lookups import GreaterThanOrEqual
from django.utils.translation import gettext_lazy as _

from budgets.models.adjustment_records import AdjustmentRecord
from customers.models import AccountFlags, AccountFreezing, Customer, FreezeKind
from partnercenter.lib.money import LARGEST_BUDGET, MoneyField
from partnercenter.models import BudgetType, Partner

MARKS = (100, 90, 75)


def usage_percent(used: str, amount: str) -> Combinable:
    """Usage in whole percents, cut off toward zero.

    For showing and sorting; exhaustion compares cents; see rule 3.4 (docs/rules.md).
    """
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


FREEZE_KIND_BY_POLICY = {
    AccountFreezing.AUTOMATIC: FreezeKind.ACCOUNT,
    AccountFreezing.AUTOMATIC_WITH_RESOURCES: FreezeKind.ACCOUNT_AND_RESOURCE,
}
