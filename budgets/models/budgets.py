"""Budgets, and the expressions that compute their stored figures."""

from decimal import Decimal
from typing import Any, ClassVar

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import PROTECT, Case, ExpressionWrapper, F, Func, Q, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.db.models.lookups import GreaterThanOrEqual
from django.db.models.sql.compiler import SQLCompiler
from django.utils.translation import gettext_lazy as _

from budgets.models.adjustment_records import AdjustmentRecord
from customers.models import AccountFlags, AccountFreezing, Customer, FreezeKind
from partnercenter.lib.money import LARGEST_BUDGET, MoneyField
from partnercenter.lib.sql import Statement
from partnercenter.models import BudgetType, Partner

MARKS = (100, 90, 75)


def usage_percent(used: str, amount: str) -> Combinable:
    """Usage in whole percent, truncated toward zero, for display and sorting; see rule 3.4 (docs/rules.md).

    Whether a budget is used up is never decided by percentage, but in cents.
    """
    return ExpressionWrapper(F(used) * 100 / F(amount), output_field=models.BigIntegerField())


def usage_level(used: str, amount: str) -> Combinable:
    """The highest of 75, 90 and 100 percent that `used` has reached, or 0; compared exactly, in cents."""

    def times(column: str, factor: int) -> ExpressionWrapper:
        return ExpressionWrapper(F(column) * factor, output_field=models.BigIntegerField())

    reached = [When(GreaterThanOrEqual(times(used, 100), times(amount, mark)), then=Value(mark)) for mark in MARKS]
    return Case(*reached, default=Value(0), output_field=models.SmallIntegerField())


def budget_flags(used: str, amount: str, budget_type: str, state: str) -> Combinable:
    """The AccountFlags of a budget with these terms; `state` says whether the account is frozen."""
    exhausted = When(GreaterThanOrEqual(F(used), F(amount)), then=Value(AccountFlags.EXHAUSTED))
    monthly = When(**{budget_type: BudgetType.MONTHLY}, then=Value(AccountFlags.MONTHLY))
    flags = models.SmallIntegerField()
    return ExpressionWrapper(
        F(state).bitand(AccountFlags.FROZEN)
        + Case(exhausted, default=Value(0), output_field=flags)
        + Case(monthly, default=Value(AccountFlags.ONE_TIME), output_field=flags),
        output_field=flags,
    )


def exhausted_since(used: str, amount: str, before: str, now: str) -> Combinable:
    """Since when a budget has been used up: `before` if it already was, otherwise `now`; NULL if it is not."""
    exhausted = When(GreaterThanOrEqual(F(used), F(amount)), then=Coalesce(F(before), F(now)))
    return Case(exhausted, default=None, output_field=models.DateTimeField())


def used_rank_sql(used: str) -> str:
    """SQL for the rank of an amount in cents, given as SQL: a higher amount never has a lower rank.

    A rank is half a percent wide, so most reports leave it as it is. The list is sorted by rank and amount, of which
    only the rank has an index: a row of which no indexed column changes is updated in place. Only the amount 0 has the
    rank 0. The database alone computes ranks, because another logarithm could round differently.
    """
    return f"CAST(SIGN({used}) * FLOOR(200 * LN(ABS({used}) + 1)) AS integer)"


class UsedRank(Func):
    """`used_rank_sql` as an expression."""

    template = used_rank_sql("%(expressions)s")
    arity = 1
    output_field = models.IntegerField()

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, *args: Any, **kwargs: Any) -> Statement:
        sql, params = super().as_sql(compiler, connection, *args, **kwargs)
        # The template contains the amount twice.
        return sql, (*params, *params)


class Budget(models.Model):
    """A limit on a customer's expenditure.

    Derived figures are stored with its terms: `used`, `used_rank`, `usage`, `level`, `state`, `exhausted_since` and
    `runs_out_on`. They change in the same transaction as the expenditure or the terms from which they are derived.
    """

    customer = models.OneToOneField(Customer, PROTECT, primary_key=True, related_name="budget")
    budget_type = models.CharField(_("budget type"), max_length=10, choices=BudgetType)
    amount = MoneyField(_("amount"))
    account_freezing = models.CharField(_("account freezing"), max_length=24, choices=AccountFreezing)
    unfreeze_on_restore = models.BooleanField(default=False)
    counted_from = models.PositiveIntegerField(help_text="The first billing month that counts, YYYYMM.")
    counted_to = models.PositiveIntegerField(
        default=0,
        db_default=0,
        help_text="The last billing month that counts, YYYYMM; 0 if unknown. Unless it is the current month, the budget"
        " is restored before it is used.",
    )
    used = MoneyField(_("used"), default=Decimal("0.00"))
    used_rank = models.IntegerField(default=0, db_default=0, help_text="The rank of `used`, for the list's order.")
    usage = models.BigIntegerField(_("usage"), default=0, help_text="Whole percents, cut off.")
    level = models.SmallIntegerField(default=0, help_text="0, 75, 90 or 100: the highest mark reached.")
    state = models.SmallIntegerField(default=0, help_text="The same as the customer's, for use in indexes.")
    exhausted_since = models.DateTimeField(null=True, help_text="Since when it is used up, without a break.")
    runs_out_on = models.DateField(
        _("runs out on"), null=True, help_text="At this month's daily rate; empty where no day can be predicted."
    )
    # Needs no index: budgets are not looked up by record, and records are never deleted.
    record = models.ForeignKey(
        AdjustmentRecord, PROTECT, related_name="+", db_index=False, help_text="The newest adjustment record."
    )
    # The customer's partner, which never changes; copied here for indexes.
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
            # One for each order of the list, as on the customer. There is none for all states together: every report
            # would have to write it, and merging eight states is as fast.
            models.Index(fields=["partner", "state", "usage", "customer"], name="budget_state_usage"),
            models.Index(fields=["partner", "state", "amount", "customer"], name="budget_state_amount"),
            models.Index(fields=["partner", "state", "used_rank", "customer"], name="budget_state_used_rank"),
            # Finds the budgets that have not followed the current month yet.
            models.Index(fields=["counted_to", "customer"], name="budget_counted_to"),
            # Partial, because most budgets have no such day or time.
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
