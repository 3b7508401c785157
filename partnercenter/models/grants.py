"""The grants that distributors give to resellers, with their quotas."""

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.db.models import PROTECT, Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from partnercenter.lib.append_only import Record
from partnercenter.lib.money import MoneyField
from partnercenter.models.partners import BudgetType, Partner
from partnercenter.models.users import User


@dataclass(frozen=True)
class Pool:
    """A reseller's budgets of one type, against its quota. `granted` is the quota, None if there is none."""

    label: Promise | str
    granted: Decimal | None
    allocated: Decimal

    @property
    def left(self) -> Decimal | None:
        return None if self.granted is None else max(self.granted - self.allocated, Decimal("0.00"))

    @property
    def over(self) -> bool:
        """Whether the quota is over-allocated; until it is not, no budget may be raised (rule 5.4 (docs/rules.md))."""
        return self.excess > 0

    @property
    def excess(self) -> Decimal:
        """The amount by which the quota is over-allocated; 0 if it is not."""
        return Decimal("0.00") if self.granted is None else max(self.allocated - self.granted, Decimal("0.00"))


class Grant(models.Model):
    """A distributor's permission for a reseller to act on its customers, with quotas (section 5 (docs/rules.md)).

    Every reseller has exactly one row, even while no grant is given, that is, while both quotas are None. Each action
    on the reseller's customers locks this row, so a change to the grant waits for actions in progress. `*_allocated` is
    the sum of the reseller's budgets of that type, and is updated in the transaction that changes a budget.
    """

    partner = models.OneToOneField(Partner, PROTECT, primary_key=True, verbose_name=_("reseller"), related_name="grant")
    monthly_quota = MoneyField(_("monthly budget quota"), null=True, blank=True)
    one_time_quota = MoneyField(_("one-time budget quota"), null=True, blank=True)
    monthly_allocated = MoneyField(_("monthly budgets allocated"), default=Decimal("0.00"), editable=False)
    one_time_allocated = MoneyField(_("one-time budgets allocated"), default=Decimal("0.00"), editable=False)

    class Meta:
        verbose_name = _("grant")
        verbose_name_plural = _("grants")
        ordering: ClassVar = ["partner__account_name"]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="a_quota_is_positive",
                condition=(Q(monthly_quota__isnull=True) | Q(monthly_quota__gt=Decimal(0)))
                & (Q(one_time_quota__isnull=True) | Q(one_time_quota__gt=Decimal(0))),
            )
        ]

    def __str__(self) -> str:
        return str(self.partner)

    @property
    def given(self) -> bool:
        """Whether the reseller may act on its customers at all."""
        return self.monthly_quota is not None or self.one_time_quota is not None

    def pool(self, budget_type: str) -> Pool:
        """Return the pool of a budget type."""
        if budget_type == BudgetType.MONTHLY:
            return Pool(_("Monthly budget quota"), self.monthly_quota, self.monthly_allocated)
        return Pool(_("One-time budget quota"), self.one_time_quota, self.one_time_allocated)

    @property
    def types(self) -> set[str]:
        """The budget types that the reseller may set."""
        return {budget_type for budget_type in BudgetType.values if self.pool(budget_type).granted is not None}


class GrantRecord(Record):
    """A grant was given, changed or revoked (rule 5.7 (docs/rules.md)). A quota of None means that there was none."""

    partner = models.ForeignKey(Partner, PROTECT, verbose_name=_("reseller"), related_name="grant_records")
    at = models.DateTimeField(_("time"), default=timezone.now)
    operator = models.ForeignKey(User, PROTECT, verbose_name=_("operator"), null=True, related_name="+")
    operator_name = models.CharField(_("operator"), max_length=150)
    monthly_quota_before = MoneyField(_("monthly budget quota before"), null=True)
    monthly_quota_after = MoneyField(_("monthly budget quota after"), null=True)
    one_time_quota_before = MoneyField(_("one-time budget quota before"), null=True)
    one_time_quota_after = MoneyField(_("one-time budget quota after"), null=True)

    class Meta:
        verbose_name = _("grant record")
        verbose_name_plural = _("grant records")
        ordering: ClassVar = ["-pk"]

    def __str__(self) -> str:
        return f"{self.partner} {self.at:%Y-%m-%d %H:%M}"
