"""The customers of an operation that waits for its OK: as they were seen, and what it would do to them."""

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
    """Why a customer of a review is not set."""

    NONE = "", "--"
    BY_OPERATOR = "BY_OPERATOR", _("left out")
    NO_BUDGET = "NO_BUDGET", _("no budget to go by")
    NOT_POSITIVE = "NOT_POSITIVE", _("would come to 0 or less")
    TOO_LARGE = "TOO_LARGE", _("would come to more than a budget may be")
    REFERRAL = "REFERRAL", _("a customer of the referral model")
    GRANTED = "GRANTED", _("its reseller holds the permission to set budgets")
    MOVED_ON = "MOVED_ON", _("has moved on since the batch")
    FROZEN_SO = "FROZEN_SO", _("is frozen so already")
    NOT_FROZEN = "NOT_FROZEN", _("is not frozen")
    OTHER_KIND = "OTHER_KIND", _("is frozen in the other kind")
    USED_UP = "USED_UP", _("the budget is used up under automatic freezing")


class FreezeEffect(models.TextChoices):
    """What the review says becomes of an account."""

    NONE = "", "--"
    FROZEN = "FROZEN", _("frozen at once")
    UNFROZEN = "UNFROZEN", _("unfrozen")
    STAYS_FROZEN = "STAYS_FROZEN", _("stays frozen")
    ESCALATED = "ESCALATED", _("frozen with its resources, too")


class UnchangedTerms(IntFlag):
    """Which of a customer's terms were left as they are, and so follow what stands when they are reviewed again."""

    BUDGET_TYPE = 1
    AMOUNT = 2
    ACCOUNT_FREEZING = 4


class ReviewItem(Record):
    """A customer of an operation: the state in which it was reviewed, its own terms, and what they were said to do.

    `budget_type` None takes the budget away (undo of a first budget); `counted_from` None follows the rules.
    """

    # Written by the hundred thousand from the very rows they name, which are never deleted: to look each up again would
    # double the time.
    operation = models.ForeignKey(Operation, PROTECT, related_name="reviewed", db_index=False, db_constraint=False)
    customer = models.ForeignKey(Customer, PROTECT, related_name="reviews", db_index=False, db_constraint=False)
    adjustment_record = models.BigIntegerField(null=True, help_text="The record the budget stood on; none: no budget.")
    freeze_kind = models.CharField(max_length=24, choices=FreezeKind, blank=True)
    frozen_since = models.DateTimeField(null=True)

    budget_type = models.CharField(max_length=10, choices=BudgetType, null=True)
    amount = MoneyField(null=True)
    account_freezing = models.CharField(max_length=24, choices=AccountFreezing, null=True)
    counted_from = models.PositiveIntegerField(null=True)
    unfreeze = models.BooleanField(default=False)
    unfreeze_on_restore = models.BooleanField(default=False)
    as_it_is = models.SmallIntegerField(default=0, help_text="What the line of a file left empty (`AsItIs`).")
    left_out = models.CharField(max_length=16, choices=ExclusionReason, blank=True)
    exhausts = models.BooleanField(default=False, help_text="The budget would be used up at once.")
    effect = models.CharField(max_length=16, choices=FreezeEffect, blank=True)

    class Meta:
        # The name the table was made with.
        db_table = "customers_reviewedcustomer"
        constraints: ClassVar = [
            models.UniqueConstraint(name="a_customer_is_reviewed_once", fields=["operation", "customer"])
        ]

    def __str__(self) -> str:
        return f"{self.operation_id} {self.customer_id}"
