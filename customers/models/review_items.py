"""The customers of an operation awaiting confirmation: their state, and what the operation would do to them."""

from enum import IntFlag
from typing import ClassVar

from django.db import models
from django.db.models import PROTECT
from django.utils.translation import gettext_lazy as _

from customers.models.account_flags import AccountFreezing, FreezeKind
from customers.models.customer import Customer
from partnercenter.lib.append_only import Record
from partnercenter.lib.money import MoneyField
from partnercenter.models import BudgetType, Operation


class ExclusionReason(models.TextChoices):
    """Why an operation leaves a customer of its review unchanged."""

    NONE = "", "--"
    BY_OPERATOR = "BY_OPERATOR", _("excluded")
    NO_BUDGET = "NO_BUDGET", _("no budget to change")
    NOT_POSITIVE = "NOT_POSITIVE", _("the new amount would be 0 or less")
    TOO_LARGE = "TOO_LARGE", _("the new amount would be above the maximum")
    REFERRAL = "REFERRAL", _("a customer of the referral model")
    GRANTED = "GRANTED", _("its reseller holds the permission to set budgets")
    MOVED_ON = "MOVED_ON", _("changed since the batch")
    FROZEN_SO = "FROZEN_SO", _("already frozen in this way")
    NOT_FROZEN = "NOT_FROZEN", _("not frozen")
    OTHER_KIND = "OTHER_KIND", _("frozen in the other way")
    USED_UP = "USED_UP", _("budget used up under automatic freezing")


class FreezeEffect(models.TextChoices):
    """What an operation would do to an account."""

    NONE = "", "--"
    FROZEN = "FROZEN", _("frozen immediately")
    UNFROZEN = "UNFROZEN", _("unfrozen")
    STAYS_FROZEN = "STAYS_FROZEN", _("stays frozen")
    ESCALATED = "ESCALATED", _("resources frozen as well")


class UnchangedTerms(IntFlag):
    """Which terms a file left empty. They follow the budget when the customer is reviewed again."""

    BUDGET_TYPE = 1
    AMOUNT = 2
    ACCOUNT_FREEZING = 4


class ReviewItem(Record):
    """A customer of an operation: the state that was reviewed, the terms it gets, and their effect.

    A `budget_type` of None removes the budget (undo of a first budget). If `counted_from` is None, the rules decide.
    """

    # Without constraints: up to a hundred thousand rows are inserted from the tables that they refer to, where no row
    # is ever deleted. Checking each key again would double the time.
    operation = models.ForeignKey(Operation, PROTECT, related_name="reviewed", db_index=False, db_constraint=False)
    customer = models.ForeignKey(Customer, PROTECT, related_name="reviews", db_index=False, db_constraint=False)
    adjustment_record = models.BigIntegerField(
        null=True, help_text="The latest record of the budget when it was reviewed; empty if there was none."
    )
    freeze_kind = models.CharField(max_length=24, choices=FreezeKind, blank=True)
    frozen_since = models.DateTimeField(null=True)

    budget_type = models.CharField(max_length=10, choices=BudgetType, null=True)
    amount = MoneyField(null=True)
    account_freezing = models.CharField(max_length=24, choices=AccountFreezing, null=True)
    counted_from = models.PositiveIntegerField(null=True)
    unfreeze = models.BooleanField(default=False)
    unfreeze_on_restore = models.BooleanField(default=False)
    as_it_is = models.SmallIntegerField(
        default=0, help_text="The terms that the line of a file left empty (`UnchangedTerms`)."
    )
    left_out = models.CharField(max_length=16, choices=ExclusionReason, blank=True)
    exhausts = models.BooleanField(default=False, help_text="The budget would be used up immediately.")
    effect = models.CharField(max_length=16, choices=FreezeEffect, blank=True)

    class Meta:
        # The table keeps its original name.
        db_table = "customers_reviewedcustomer"
        constraints: ClassVar = [
            models.UniqueConstraint(name="a_customer_is_reviewed_once", fields=["operation", "customer"])
        ]

    def __str__(self) -> str:
        return f"{self.operation_id} {self.customer_id}"
