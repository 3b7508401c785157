"""Records of accounts being frozen and unfrozen. See rule 9.2 (docs/rules.md)."""

from typing import ClassVar

from django.db import models
from django.db.models import PROTECT
from django.utils.translation import gettext_lazy as _

from customers.models.account_flags import AccountFreezing, FreezeKind, FreezeOrigin
from customers.models.customer import Customer
from partnercenter.lib.append_only import Record
from partnercenter.lib.money import MoneyField
from partnercenter.models import LONGEST_REASON, BudgetType, Channel, User


class FreezeRecord(Record):
    """An account was frozen or unfrozen.

    If a budget caused it, the record also holds that budget and the expenditure report behind it, as they were then.
    """

    class Operation(models.TextChoices):
        FREEZE = "FREEZE", _("Freeze")
        UNFREEZE = "UNFREEZE", _("Unfreeze")

    customer = models.ForeignKey(Customer, PROTECT, related_name="freeze_records", db_index=False)
    at = models.DateTimeField(_("time"))
    operation = models.CharField(max_length=10, choices=Operation)
    kind_before = models.CharField(max_length=24, choices=FreezeKind, blank=True)
    kind_after = models.CharField(max_length=24, choices=FreezeKind, blank=True)
    origin_before = models.CharField(max_length=24, choices=FreezeOrigin, blank=True)
    origin_after = models.CharField(max_length=24, choices=FreezeOrigin, blank=True)
    reason = models.CharField(max_length=LONGEST_REASON, blank=True)
    operator = models.ForeignKey(User, PROTECT, null=True, related_name="+", db_index=False)
    operator_name = models.CharField(max_length=150)
    channel = models.CharField(max_length=10, choices=Channel)
    batch = models.UUIDField(help_text="Shared by all records of one action.")
    retention_until = models.DateTimeField(null=True, help_text="If the resources are frozen: data is kept until then.")

    budget_type = models.CharField(max_length=10, choices=BudgetType, null=True)
    amount = MoneyField(null=True)
    used = MoneyField(null=True)
    account_freezing = models.CharField(max_length=24, choices=AccountFreezing, null=True)
    counted_from = models.PositiveIntegerField(null=True)
    report = models.UUIDField(null=True)
    reported_at = models.DateTimeField(null=True)
    covers_until = models.DateTimeField(null=True)
    imported_at = models.DateTimeField(null=True, db_column="taken_in_at")

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["customer", "id"], name="freeze_record_by_customer"),
            models.Index(fields=["batch", "id"], name="freeze_record_by_batch"),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.customer_id} {self.at:%Y-%m-%d %H:%M}"
