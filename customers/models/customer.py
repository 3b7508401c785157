"""The model of customers and the state of their accounts, and which customers a person may see."""

from typing import ClassVar, NamedTuple, Self

from django.db import models
from django.db.models import PROTECT, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from customers.models.account_flags import FreezeKind, FreezeOrigin
from partnercenter.models import LONGEST_REASON, Partner, User

IS_CURRENT = Q(disassociated_on__isnull=True)


class ListOwner(NamedTuple):
    """The partner whose customers a list shows; for a distributor, the customers of its resellers."""

    pk: int
    is_distributor: bool
    is_restricted: bool = False


# The owner of an empty list.
NO_OWNER = ListOwner(0, is_distributor=False)


def list_owner(user: User) -> ListOwner | None:
    """The owner of the customers that this person may see; None if the person has no partner."""
    partner = user.partner if user.is_active else None
    return ListOwner(partner.pk, partner.is_distributor, bool(partner.status)) if partner else None


class CustomerQuerySet(models.QuerySet["Customer"]):
    """Querysets of customers, by who may see them and by state."""

    def visible_to(self, user: User) -> Self:
        """Current customers that this person may see. See rules 5.6 and 5.8 (docs/rules.md).

        To this person, no other customers exist.
        """
        owner = list_owner(user)
        return self.owned_by(owner) if owner else self.none()

    def ever_visible_to(self, user: User) -> Self:
        """Current and former customers that this person may see. See section 9 (docs/rules.md).

        The records of a former customer stay with its partner.
        """
        owner = list_owner(user)
        return self._ever_owned_by(owner) if owner else self.none()

    def owned_by(self, owner: ListOwner) -> Self:
        """Current customers of the owner."""
        return self.current()._ever_owned_by(owner)

    def _ever_owned_by(self, owner: ListOwner) -> Self:
        return self.filter(**{"partner__distributor" if owner.is_distributor else "partner": owner.pk})

    def current(self) -> Self:
        """Customers whose association has not ended."""
        return self.filter(IS_CURRENT)

    def named(self, customer_id: str) -> Self:
        """Customers with this ID, none if it has a NUL character, which PostgreSQL does not accept as a parameter."""
        return self.none() if "\0" in customer_id else self.filter(customer_id=customer_id)

    def frozen(self) -> Self:
        """Customers whose own account is frozen, whatever the kind and origin."""
        return self.exclude(freeze_kind=FreezeKind.NONE)


class Customer(models.Model):
    """A customer of a partner. Every action on a customer locks this row."""

    class AssociationType(models.TextChoices):
        RESELLER = "RESELLER", _("Reseller model")
        REFERRAL = "REFERRAL", _("Referral model")

    partner = models.ForeignKey(Partner, PROTECT, related_name="customers", db_index=False)
    customer_id = models.CharField(_("customer ID"), max_length=128)
    account_name = models.CharField(_("account name"), max_length=256)
    name = models.CharField(_("customer name"), max_length=256)
    search = models.TextField(editable=False, help_text="Name and account name in the form that is searched.")
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
    freeze_reason = models.CharField(max_length=LONGEST_REASON, blank=True)
    retention_until = models.DateTimeField(
        null=True, help_text="If the resources are frozen: after this time data may be deleted."
    )
    state = models.SmallIntegerField(
        default=0, help_text="`AccountFlags`; updated with the budget and the freeze state."
    )

    objects = CustomerQuerySet.as_manager()

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        constraints: ClassVar = [
            models.UniqueConstraint(
                name="one_current_association_per_customer_id",
                fields=["customer_id"],
                condition=IS_CURRENT,
            ),
            models.CheckConstraint(
                name="frozen_has_origin_and_time",
                condition=Q(freeze_kind="", freeze_origin="", frozen_since__isnull=True)
                | (~Q(freeze_kind="") & ~Q(freeze_origin="") & Q(frozen_since__isnull=False)),
            ),
            models.CheckConstraint(
                name="frozen_resources_have_a_deadline",
                condition=Q(freeze_kind=FreezeKind.ACCOUNT_AND_RESOURCE, retention_until__isnull=False)
                | (~Q(freeze_kind=FreezeKind.ACCOUNT_AND_RESOURCE) & Q(retention_until__isnull=True)),
            ),
        ]
        indexes: ClassVar = [
            # One for each order of the list, so that a page is read without sorting. On PostgreSQL they include what a
            # search for a common word needs, so that the table is not read.
            *(
                models.Index(
                    fields=["partner", order, "id"],
                    include=["search", "state"],
                    name=f"customer_by_{order}",
                    condition=IS_CURRENT,
                )
                for order in ("account_name", "name", "associated_on")
            ),
            # The same for the customers of one state.
            *(
                models.Index(
                    fields=["partner", "state", order, "id"], name=f"customer_state_{order}", condition=IS_CURRENT
                )
                for order in ("account_name", "name", "associated_on")
            ),
            models.Index(
                fields=["partner", "account_manager", "account_name", "id"],
                name="customer_by_manager",
                condition=IS_CURRENT & ~Q(account_manager=""),
            ),
            # Few customers have a deadline.
            models.Index(
                fields=["partner", "retention_until", "id"],
                name="customer_by_retention",
                condition=IS_CURRENT & Q(retention_until__isnull=False),
            ),
            # With the search text, so that PostgreSQL counts the matches of a common word in the index alone.
            models.Index(
                fields=["partner", "state", "id"], include=["search"], name="customer_state", condition=IS_CURRENT
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_name} ({self.customer_id})"

    @property
    def is_frozen(self) -> bool:
        return self.freeze_kind != FreezeKind.NONE
