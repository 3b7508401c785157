"""What a distributor granted to its resellers, and how much of it is allocated."""

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
    """One quota as pages show it; `granted` is None where there is no such quota."""

    label: Promise | str
    granted: Decimal | None
    allocated: Decimal

    @property
    def left(self) -> Decimal | None:
        return None if self.granted is None else max(self.granted - self.allocated, Decimal("0.00"))

    @property
    def over(self) -> bool:
        """Over-allocated (rule 5.4 (docs/rules.md)): budgets stand, nothing may increase until it fits."""
        return self.granted is not None and self.allocated > self.granted


class Grant(models.Model):
    """What a distributor allowed a reseller, and how much of it is allocated; see section 5 (docs/rules.md).

    Each reseller has exactly one row for as long as it exists: it is what every action on the reseller's customers
    locks, so giving, changing and revoking wait for the actions under way. Without a quota nothing is granted.
    `*_allocated` is the sum of the reseller's budgets of that type; it moves with the budgets, in their transaction.
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
        """Whether anything is granted at all."""
        return self.monthly_quota is not None or self.one_time_quota is not None

    def pool(self, budget_type: str) -> Pool:
        """The quota of one budget type with what is allocated of it."""
        if budget_type == BudgetType.MONTHLY:
            return Pool(_("Monthly budget quota"), self.monthly_quota, self.monthly_allocated)
        return Pool(_("One-time budget quota"), self.one_time_quota, self.one_time_allocated)

    @property
    def types(self) -> set[str]:
        """The budget types the reseller may set."""
        return {budget_type for budget_type in BudgetType.values if self.pool(budget_type).granted is not None}


class GrantRecord(Record):
    """One giving, change or revocation of a grant: the quotas before and after; None = no such quota.

    See rule 5.7 (docs/rules.md).
    """

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
