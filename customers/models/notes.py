"""Saved views of the list, notes about customers, and snoozed decisions."""

from typing import ClassVar

from django.db import models
from django.db.models import PROTECT
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from customers.models.customer import Customer
from partnercenter.lib.append_only import Record
from partnercenter.models import LONGEST_REASON, User


class SavedView(models.Model):
    """Filters, order and page size of the list, saved by an operator under a name. Only its operator sees it."""

    operator = models.ForeignKey(User, models.CASCADE, related_name="saved_views", db_index=False)
    name = models.CharField(_("name"), max_length=60)
    query = models.CharField(
        max_length=2000, blank=True, help_text="The query string of the list, without a page number."
    )

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(name="one_view_of_a_name", fields=["operator", "name"])]

    def __str__(self) -> str:
        return self.name


class CustomerNote(Record):
    """A note about a customer, for the operator's company. A mistake is corrected by another note."""

    customer = models.ForeignKey(Customer, PROTECT, related_name="notes", db_index=False)
    at = models.DateTimeField(_("time"), default=timezone.now)
    operator = models.ForeignKey(User, PROTECT, related_name="+", db_index=False)
    operator_name = models.CharField(_("operator"), max_length=150)
    text = models.TextField(_("note"), max_length=2000)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["customer", "-id"], name="note_by_customer")]

    def __str__(self) -> str:
        return f"{self.customer_id} {self.at:%Y-%m-%d %H:%M}"


class Snooze(Record):
    """A decision about an exhausted budget, postponed with a reason. It ends if the budget is exhausted again."""

    customer = models.ForeignKey(Customer, PROTECT, related_name="snoozes", db_index=False)
    at = models.DateTimeField(_("time"), default=timezone.now)
    operator = models.ForeignKey(User, PROTECT, related_name="+", db_index=False)
    operator_name = models.CharField(_("operator"), max_length=150)
    until = models.DateTimeField(help_text="From this time on the decision is open again.")
    reason = models.CharField(_("reason"), max_length=LONGEST_REASON)
    exhausted_since = models.DateTimeField(
        help_text="As on the budget: if it is exhausted again later, that is another decision."
    )

    class Meta:
        indexes: ClassVar = [models.Index(fields=["customer", "-id"], name="snooze_by_customer")]

    def __str__(self) -> str:
        return f"{self.customer_id} {self.until:%Y-%m-%d}"
