"""Partners, the companies that sell cloud services; and choices that several models share."""

from typing import ClassVar
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import PROTECT, Q
from django.utils.translation import gettext_lazy as _

# In characters: the reason why an account was frozen, a reseller restricted, or a decision snoozed.
LONGEST_REASON = 256


class BudgetType(models.TextChoices):
    """The type of a budget, and of the quota that limits budgets of that type."""

    ONE_TIME = "ONE_TIME", _("One-time budget")
    MONTHLY = "MONTHLY", _("Monthly budget")


class Channel(models.TextChoices):
    """How an action came in, as its records state it (rule 9.1 (docs/rules.md))."""

    CONSOLE = "CONSOLE", _("Console")
    IMPORT = "IMPORT", _("Import")
    API = "API", _("API")
    SYSTEM = "SYSTEM", _("System")


def default_time_zone() -> str:
    """The time zone of a new partner: the billing time zone."""
    return settings.BILLING_TIME_ZONE


def validate_time_zone(name: str) -> None:
    """Raise ValidationError unless the name is in the IANA time zone database."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:
        raise ValidationError(_("Enter a time zone such as Asia/Shanghai or Europe/Berlin.")) from error


class Partner(models.Model):
    """A company that sells cloud services (rule 1.1 (docs/rules.md))."""

    class Kind(models.TextChoices):
        DISTRIBUTOR = "DISTRIBUTOR", _("Distributor")
        RESELLER = "RESELLER", _("Reseller")
        SOLUTION_PROVIDER = "SOLUTION_PROVIDER", _("Solution provider")

    class Status(models.TextChoices):
        """A status set by the distributor. Unless it is normal, all the reseller's customers are frozen.

        See rule 4.7 (docs/rules.md).
        """

        NORMAL = "", _("Normal")
        RESTRICTED = "RESTRICTED", _("Restricted")
        FROZEN = "FROZEN", _("Frozen")

    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    account_name = models.CharField(_("account name"), max_length=128, unique=True)
    company = models.CharField(_("company"), max_length=256)
    distributor = models.ForeignKey(
        "self",
        PROTECT,
        verbose_name=_("distributor"),
        null=True,
        blank=True,
        related_name="resellers",
        limit_choices_to={"kind": "DISTRIBUTOR"},
    )
    status = models.CharField(
        _("status"), max_length=10, choices=Status, blank=True, default=Status.NORMAL, editable=False
    )
    status_since = models.DateTimeField(_("since"), null=True, editable=False)
    status_reason = models.CharField(_("reason"), max_length=LONGEST_REASON, blank=True, editable=False)
    verification_required = models.BooleanField(
        _("verification code"),
        default=False,
        help_text=_("Critical operations ask the operator for a verification code."),
    )
    time_zone = models.CharField(
        _("time zone"), max_length=64, default=default_time_zone, validators=[validate_time_zone]
    )

    class Meta:
        verbose_name = _("partner")
        verbose_name_plural = _("partners")
        ordering: ClassVar = ["account_name"]
        permissions: ClassVar = [("switch_verification", _("Can switch the verification code"))]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="only_a_reseller_has_a_distributor",
                condition=Q(kind="RESELLER", distributor__isnull=False)
                | (~Q(kind="RESELLER") & Q(distributor__isnull=True)),
                violation_error_message=_("A reseller must have a distributor. No other partner can have one."),
            ),
            models.CheckConstraint(
                name="a_status_has_its_time",
                condition=Q(status="", status_since__isnull=True) | (~Q(status="") & Q(status_since__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return self.account_name

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which the partner's pages show times."""
        return ZoneInfo(self.time_zone)

    @property
    def is_distributor(self) -> bool:
        return self.kind == self.Kind.DISTRIBUTOR

    @property
    def is_reseller(self) -> bool:
        return self.kind == self.Kind.RESELLER
