"""Records of changes to a partner itself: its status, and its verification switch."""

from typing import ClassVar

from django.db import models
from django.db.models import PROTECT
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from partnercenter.lib.append_only import Record
from partnercenter.models.partners import LONGEST_REASON, Partner
from partnercenter.models.users import User


class VerificationSwitchRecord(Record):
    """A partner's verification code was turned on or off (rule 6.6 (docs/rules.md))."""

    partner = models.ForeignKey(Partner, PROTECT, verbose_name=_("partner"), related_name="verification_switch_records")
    at = models.DateTimeField(_("time"), default=timezone.now)
    operator = models.ForeignKey(User, PROTECT, verbose_name=_("operator"), null=True, related_name="+")
    operator_name = models.CharField(_("operator"), max_length=150)
    turned_on = models.BooleanField(_("turned on"))

    class Meta:
        verbose_name = _("verification switch record")
        verbose_name_plural = _("verification switch records")
        ordering: ClassVar = ["-pk"]

    def __str__(self) -> str:
        return f"{self.partner} {self.at:%Y-%m-%d %H:%M}"


class PartnerStatusRecord(Record):
    """A distributor changed the status of a reseller (rule 4.7 (docs/rules.md))."""

    partner = models.ForeignKey(Partner, PROTECT, verbose_name=_("reseller"), related_name="status_records")
    at = models.DateTimeField(_("time"), default=timezone.now)
    operator = models.ForeignKey(User, PROTECT, verbose_name=_("operator"), null=True, related_name="+")
    operator_name = models.CharField(_("operator"), max_length=150)
    status_before = models.CharField(_("status before"), max_length=10, choices=Partner.Status, blank=True)
    status_after = models.CharField(_("status after"), max_length=10, choices=Partner.Status, blank=True)
    reason = models.CharField(_("reason"), max_length=LONGEST_REASON)

    class Meta:
        verbose_name = _("partner status record")
        verbose_name_plural = _("partner status records")
        ordering: ClassVar = ["-pk"]

    def __str__(self) -> str:
        return f"{self.partner} {self.at:%Y-%m-%d %H:%M}"
