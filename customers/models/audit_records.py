"""Records of revealed names, exported files and accepted agreements."""

from typing import ClassVar

from django.db import models
from django.db.models import PROTECT
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from partnercenter.lib.append_only import Record
from partnercenter.models import Partner, User


class RevealRecord(Record):
    """Complete names of customers were shown to an operator on a page. See rule 7.3 (docs/rules.md)."""

    operator = models.ForeignKey(User, PROTECT, related_name="+")
    at = models.DateTimeField(_("time"), default=timezone.now)
    page = models.CharField(max_length=200)
    customers = models.JSONField(help_text="The customer IDs shown.")

    def __str__(self) -> str:
        return f"{self.operator} {self.page} {self.at:%Y-%m-%d %H:%M}"


class ExportRecord(Record):
    """A file of customers or records was sent to an operator."""

    class What(models.TextChoices):
        LIST = "LIST", _("Customer list")
        BATCH = "BATCH", _("Budget batch")
        ADJUSTMENTS = "ADJUSTMENT", _("Adjustment records")
        FREEZES = "FREEZE", _("Freeze records")

    partner = models.ForeignKey(Partner, PROTECT, verbose_name=_("partner"), related_name="+", db_index=False)
    operator = models.ForeignKey(User, PROTECT, related_name="+", db_index=False)
    operator_name = models.CharField(_("operator"), max_length=150)
    at = models.DateTimeField(_("time"), default=timezone.now)
    what = models.CharField(max_length=10, choices=What)
    query = models.TextField(blank=True, help_text="The query string of the exported page, or the ID of the batch.")
    rows = models.PositiveIntegerField()

    class Meta:
        verbose_name = _("export record")
        verbose_name_plural = _("export records")
        indexes: ClassVar = [models.Index(fields=["partner", "-id"], name="export_by_partner")]

    def __str__(self) -> str:
        return f"{self.operator_name} {self.what} {self.at:%Y-%m-%d %H:%M}"


class AgreementRecord(Record):
    """An operator accepted the agreement on freezing resources. See rule 4.4 (docs/rules.md)."""

    partner = models.ForeignKey(Partner, PROTECT, related_name="+", db_index=False)
    operator = models.ForeignKey(User, PROTECT, related_name="+", db_index=False)
    operator_name = models.CharField(_("operator"), max_length=150)
    at = models.DateTimeField(_("time"), default=timezone.now)
    version = models.CharField(max_length=20, help_text="The version of the wording that was shown.")
    operation = models.UUIDField(help_text="The operation for which it was accepted.")

    class Meta:
        verbose_name = _("agreement record")
        verbose_name_plural = _("agreement records")

    def __str__(self) -> str:
        return f"{self.operator_name} {self.version} {self.at:%Y-%m-%d %H:%M}"
