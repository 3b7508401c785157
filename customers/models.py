"""Customers, the state of their accounts, and the records of freezing and of names revealed."""

from enum import IntFlag
from typing import ClassVar, Self

from django.db import models
from django.db.models import PROTECT, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from partnercenter.append_only import Record
from partnercenter.models import BudgetType, Channel, Operation, Partner, User
from partnercenter.money import MoneyField


class FreezeKind(models.TextChoices):
    """What is frozen (domain 4.2)."""

    NONE = "", _("Not frozen")
    ACCOUNT = "ACCOUNT", _("Account")
    ACCOUNT_AND_RESOURCE = "ACCOUNT_AND_RESOURCE", _("Account and resources")


class FreezeOrigin(models.TextChoices):
    """By what an account was frozen (domain 4.2)."""

    NONE = "", "--"
    ASSOCIATION = "ASSOCIATION", _("association")
    PARTNER = "PARTNER", _("partner")
    BUDGET_EXHAUSTED = "BUDGET_EXHAUSTED", _("budget exhausted")


class AccountFreezing(models.TextChoices):
    """Account freezing upon budget exhaustion, the policy of a budget (domain 3.6)."""

    AUTOMATIC = "AUTOMATIC", _("Automatic")
    MANUAL = "MANUAL", _("Manual")
    AUTOMATIC_WITH_RESOURCES = "AUTOMATIC_WITH_RESOURCES", _("Automatic, with resources")


CURRENT = Q(disassociated_on__isnull=True)


class State(IntFlag):
    """All that the list's filters of status and budget type ask, in one number on which its indexes begin.

    The same stands on the customer and on its budget, and changes in the transaction that changes what it tells of.
    """

    MONTHLY = 1
    ONE_TIME = 2
    EXHAUSTED = 4
    FROZEN = 8


BUDGETS = State.MONTHLY | State.ONE_TIME
# What a customer can be; only a budget can be used up.
STATES = tuple(
    frozen | exhausted | budget
    for frozen in (State(0), State.FROZEN)
    for budget in (State(0), State.MONTHLY, State.ONE_TIME)
    for exhausted in ((State(0), State.EXHAUSTED) if budget else (State(0),))
)


class CustomerQuerySet(models.QuerySet["Customer"]):
    """What can be asked about customers."""

    company: Partner | None = None
    """Whose list `of` gave: what the indexes of the list begin with."""

    def of(self, user: User) -> Self:
        """The current customers this person may look at (domain 5.6, 5.8); what it does not hold does not exist."""
        current = self.filter(CURRENT)
        if not user.is_active or user.partner is None:
            return current.none()
        company = {"partner__distributor" if user.partner.is_distributor else "partner": user.partner}
        own = current.filter(**company)
        own.company = user.partner
        return own

    def frozen(self) -> Self:
        """Those whose account is frozen, by whatever."""
        return self.exclude(freeze_kind=FreezeKind.NONE)


class Customer(models.Model):
    """A partner's customer; its row is what every action on it locks (house rule 5)."""

    class AssociationType(models.TextChoices):
        RESELLER = "RESELLER", _("Reseller model")
        REFERRAL = "REFERRAL", _("Referral model")

    partner = models.ForeignKey(Partner, PROTECT, related_name="customers", db_index=False)
    customer_id = models.CharField(_("customer ID"), max_length=128)
    account_name = models.CharField(_("account name"), max_length=256)
    name = models.CharField(_("customer name"), max_length=256)
    search = models.TextField(editable=False, help_text="Name and account name as the search compares them.")
    association_type = models.CharField(
        _("association type"), max_length=10, choices=AssociationType, default=AssociationType.RESELLER
    )
    email = models.EmailField(_("e-mail"), max_length=254, blank=True)
    mobile = models.CharField(_("mobile number"), max_length=32, blank=True)
    account_manager = models.CharField(_("account manager"), max_length=128, blank=True)
    tags = models.CharField(_("tags"), max_length=1024, blank=True, help_text="As `;one;two;`.")
    associated_on = models.DateTimeField(_("associated on"), default=timezone.now)
    disassociated_on = models.DateTimeField(_("disassociated on"), null=True)

    freeze_kind = models.CharField(max_length=24, choices=FreezeKind, blank=True, default=FreezeKind.NONE)
    freeze_origin = models.CharField(max_length=24, choices=FreezeOrigin, blank=True, default=FreezeOrigin.NONE)
    frozen_since = models.DateTimeField(null=True)
    freeze_reason = models.CharField(max_length=256, blank=True)
    state = models.SmallIntegerField(default=0, help_text="Changes with the budget and the freeze state.")

    objects = CustomerQuerySet.as_manager()

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        constraints: ClassVar = [
            models.UniqueConstraint(
                name="one_current_association_per_customer_id",
                fields=["customer_id"],
                condition=CURRENT,
            ),
            models.CheckConstraint(
                name="frozen_has_origin_and_time",
                condition=Q(freeze_kind="", freeze_origin="", frozen_since__isnull=True)
                | (~Q(freeze_kind="") & ~Q(freeze_origin="") & Q(frozen_since__isnull=False)),
            ),
        ]
        indexes: ClassVar = [
            # One for each order of the list, so that a page is read and none is sorted.
            models.Index(fields=["partner", "account_name", "id"], name="customer_by_account_name", condition=CURRENT),
            models.Index(fields=["partner", "name", "id"], name="customer_by_name", condition=CURRENT),
            models.Index(
                fields=["partner", "associated_on", "id"], name="customer_by_associated_on", condition=CURRENT
            ),
            # And one for each order of those in one state.
            *(
                models.Index(
                    fields=["partner", "state", order, "id"], name=f"customer_state_{order}", condition=CURRENT
                )
                for order in ("account_name", "name", "associated_on")
            ),
            models.Index(
                fields=["partner", "account_manager", "account_name", "id"],
                name="customer_by_manager",
                condition=CURRENT & ~Q(account_manager=""),
            ),
            # The search text beside them: what is found of a common word is counted in the index alone (PostgreSQL).
            models.Index(
                fields=["partner", "state", "id"], include=["search"], name="customer_state", condition=CURRENT
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_name} ({self.customer_id})"

    @property
    def is_frozen(self) -> bool:
        return self.freeze_kind != FreezeKind.NONE


class FreezeRecord(Record):
    """One freezing or unfreezing. Where a budget did it, the budget and report behind it as they were (domain 9)."""

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
    reason = models.CharField(max_length=256, blank=True)
    operator = models.ForeignKey(User, PROTECT, null=True, related_name="+", db_index=False)
    operator_name = models.CharField(max_length=150)
    channel = models.CharField(max_length=10, choices=Channel)
    batch = models.UUIDField(help_text="What all records of one action have in common.")

    budget_type = models.CharField(max_length=10, choices=BudgetType, null=True)
    amount = MoneyField(null=True)
    used = MoneyField(null=True)
    account_freezing = models.CharField(max_length=24, choices=AccountFreezing, null=True)
    counted_from = models.PositiveIntegerField(null=True)
    report = models.UUIDField(null=True)
    reported_at = models.DateTimeField(null=True)
    covers_until = models.DateTimeField(null=True)
    taken_in_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["customer", "id"], name="freeze_record_by_customer"),
            models.Index(fields=["batch", "id"], name="freeze_record_by_batch"),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.customer_id} {self.at:%Y-%m-%d %H:%M}"


class RevealRecord(Record):
    """Somebody was shown complete names: on which page, of which customers (domain 7.3)."""

    operator = models.ForeignKey(User, PROTECT, related_name="+")
    at = models.DateTimeField(_("time"), default=timezone.now)
    page = models.CharField(max_length=200)
    customers = models.JSONField(help_text="The customer IDs shown.")

    def __str__(self) -> str:
        return f"{self.operator} {self.page} {self.at:%Y-%m-%d %H:%M}"


class SavedView(models.Model):
    """Filters, order and size of the list that an operator keeps under a name; nobody else's concern."""

    operator = models.ForeignKey(User, models.CASCADE, related_name="saved_views", db_index=False)
    name = models.CharField(_("name"), max_length=60)
    query = models.CharField(max_length=2000, blank=True, help_text="The query string of the list, without a page.")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(name="one_view_of_a_name", fields=["operator", "name"])]

    def __str__(self) -> str:
        return self.name


class ExportRecord(Record):
    """Somebody was sent a file of customers or of adjustment records: when, of which, how many rows."""

    class What(models.TextChoices):
        LIST = "LIST", _("Customer list")
        BATCH = "BATCH", _("Budget batch")

    partner = models.ForeignKey(Partner, PROTECT, verbose_name=_("partner"), related_name="+", db_index=False)
    operator = models.ForeignKey(User, PROTECT, related_name="+", db_index=False)
    operator_name = models.CharField(_("operator"), max_length=150)
    at = models.DateTimeField(_("time"), default=timezone.now)
    what = models.CharField(max_length=10, choices=What)
    query = models.TextField(blank=True, help_text="The list's own query string, or the batch.")
    rows = models.PositiveIntegerField()

    class Meta:
        verbose_name = _("export record")
        verbose_name_plural = _("export records")
        indexes: ClassVar = [models.Index(fields=["partner", "-id"], name="export_by_partner")]

    def __str__(self) -> str:
        return f"{self.operator_name} {self.what} {self.at:%Y-%m-%d %H:%M}"


class LeftOut(models.TextChoices):
    """Why a customer of a review is not set."""

    NONE = "", "--"
    BY_OPERATOR = "BY_OPERATOR", _("left out")
    NO_BUDGET = "NO_BUDGET", _("no budget to go by")
    NOT_POSITIVE = "NOT_POSITIVE", _("would come to 0 or less")
    TOO_LARGE = "TOO_LARGE", _("would come to more than a budget may be")
    REFERRAL = "REFERRAL", _("a customer of the referral model")
    GRANTED = "GRANTED", _("its reseller holds the permission to set budgets")
    MOVED_ON = "MOVED_ON", _("has moved on since the batch")


class Effect(models.TextChoices):
    """What the review says becomes of an account."""

    NONE = "", "--"
    FROZEN = "FROZEN", _("frozen at once")
    UNFROZEN = "UNFROZEN", _("unfrozen")
    STAYS_FROZEN = "STAYS_FROZEN", _("stays frozen")


class AsItIs(IntFlag):
    """Which of a customer's terms were left as they are, and so follow what stands when they are reviewed again."""

    BUDGET_TYPE = 1
    AMOUNT = 2
    ACCOUNT_FREEZING = 4


class ReviewedCustomer(Record):
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
    as_it_is = models.SmallIntegerField(default=0, help_text="What the line of a file left empty (`AsItIs`).")
    left_out = models.CharField(max_length=16, choices=LeftOut, blank=True)
    exhausts = models.BooleanField(default=False, help_text="The budget would be used up at once.")
    effect = models.CharField(max_length=16, choices=Effect, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(name="a_customer_is_reviewed_once", fields=["operation", "customer"])
        ]

    def __str__(self) -> str:
        return f"{self.operation_id} {self.customer_id}"
