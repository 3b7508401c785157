"""The records of all changes to budgets."""

from typing import ClassVar

from django.db import models
from django.db.models import PROTECT
from django.utils.translation import gettext_lazy as _

from customers.models import AccountFreezing, Customer
from partnercenter.lib.append_only import Record
from partnercenter.lib.money import MoneyField
from partnercenter.models import BudgetType, Channel, User

RECORDED_TERMS = ("budget_type", "amount", "account_freezing", "counted_from", "unfreeze_on_restore")
"""The terms of a budget, each of which a record holds as `*_before` and `*_after`."""


class AdjustmentRecord(Record):
    """A change to a budget, with its terms before and after; see section 9 (docs/rules.md).

    `*_before` is None for a first budget, `*_after` for a budget that was removed or deleted.
    """

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
    used = MoneyField(help_text="What was used of the new budget when it was set.")
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
