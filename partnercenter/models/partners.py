"""Companies that sell cloud, the people who sign in for them, and what a distributor granted."""

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import PROTECT, Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from partnercenter.lib.append_only import Record
from partnercenter.lib.money import MoneyField


class BudgetType(models.TextChoices):
    """What a budget is, and what a quota is granted for."""

    ONE_TIME = "ONE_TIME", _("One-time budget")
    MONTHLY = "MONTHLY", _("Monthly budget")


class Channel(models.TextChoices):
    """By what way an action came (domain 9)."""

    CONSOLE = "CONSOLE", _("Console")
    IMPORT = "IMPORT", _("Import")
    API = "API", _("API")
    SYSTEM = "SYSTEM", _("System")


def default_time_zone() -> str:
    """The zone a partner starts with: that of billing."""
    return settings.BILLING_TIME_ZONE


def validate_time_zone(name: str) -> None:
    """ValidationError unless the name is one of the IANA database."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:
        raise ValidationError(_("Enter a time zone such as Asia/Shanghai or Europe/Berlin.")) from error


class Partner(models.Model):
    """A company that sells cloud (domain 1)."""

    class Kind(models.TextChoices):
        DISTRIBUTOR = "DISTRIBUTOR", _("Distributor")
        RESELLER = "RESELLER", _("Reseller")
        SOLUTION_PROVIDER = "SOLUTION_PROVIDER", _("Solution provider")

    class Status(models.TextChoices):
        """Whether its distributor restricted or froze it: then all its customers are frozen, too (domain 4.7)."""

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
    status_reason = models.CharField(_("reason"), max_length=256, blank=True, editable=False)
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
                violation_error_message=_("A reseller has a distributor, no other partner has one."),
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
        """The time zone of its days and times."""
        return ZoneInfo(self.time_zone)

    @property
    def is_distributor(self) -> bool:
        return self.kind == self.Kind.DISTRIBUTOR

    @property
    def is_reseller(self) -> bool:
        return self.kind == self.Kind.RESELLER


class User(AbstractUser):
    """Someone who signs in. Without a partner: staff of the platform, who work in the administration (domain 5.8)."""

    class Role(models.TextChoices):
        ADMINISTRATOR = "ADMINISTRATOR", _("Administrator")
        OPERATOR = "OPERATOR", _("Operator")
        VIEWER = "VIEWER", _("Viewer")

    partner = models.ForeignKey(
        Partner, PROTECT, verbose_name=_("partner"), null=True, blank=True, related_name="users"
    )
    role = models.CharField(_("role"), max_length=20, choices=Role, default=Role.VIEWER)

    # Worked out once per request, as each template and view asks several times.
    own_permissions: set[str] | None = None


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
        """Over-allocated (domain 5.4): budgets stand, nothing may increase until it fits."""
        return self.granted is not None and self.allocated > self.granted


class Grant(models.Model):
    """What a distributor allowed a reseller, and how much of it is allocated (domain 5).

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
    """One giving, change or revocation of a grant: the quotas before and after; None = no such quota (domain 5.7)."""

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


class VerificationSwitchRecord(Record):
    """The verification code of a partner was turned on or off: by whom and when (rule 6.6 (docs/rules.md))."""

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
    """A reseller was restricted, frozen or let go again by its distributor: status before and after (domain 4.7)."""

    partner = models.ForeignKey(Partner, PROTECT, verbose_name=_("reseller"), related_name="status_records")
    at = models.DateTimeField(_("time"), default=timezone.now)
    operator = models.ForeignKey(User, PROTECT, verbose_name=_("operator"), null=True, related_name="+")
    operator_name = models.CharField(_("operator"), max_length=150)
    status_before = models.CharField(_("status before"), max_length=10, choices=Partner.Status, blank=True)
    status_after = models.CharField(_("status after"), max_length=10, choices=Partner.Status, blank=True)
    reason = models.CharField(_("reason"), max_length=256)

    class Meta:
        verbose_name = _("partner status record")
        verbose_name_plural = _("partner status records")
        ordering: ClassVar = ["-pk"]

    def __str__(self) -> str:
        return f"{self.partner} {self.at:%Y-%m-%d %H:%M}"
