"""What a customer may do now, and why not: one place, the same answer for page, command and wire (domain 8.7)."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from budgets.models import Budget
from customers.models import Customer, FreezeKind, FreezeOrigin
from partnercenter.money import show_amount


@dataclass(frozen=True)
class Purchase:
    """Whether a customer may purchase, and why not. Yearly/monthly stands for reserved instances too (domain 3.7)."""

    yearly_monthly: bool
    pay_per_use: bool
    reason: str


def may_purchase(customer: Customer) -> Purchase:
    """Whether this customer may purchase now (domain 3.7, 3.13, 4.8). The caller has seen to the current month."""
    if customer.is_frozen:
        return Purchase(False, False, _("The account is frozen: %(why)s") % {"why": why_frozen(customer)})
    if customer.association_type == Customer.AssociationType.REFERRAL:
        return Purchase(True, True, _("A customer of the referral model has no budget and is not frozen."))
    budget = Budget.objects.filter(customer=customer).first()
    if budget is None:
        return Purchase(False, False, _("No budget is set for this customer."))
    figures = {"used": show_amount(budget.used), "amount": show_amount(budget.amount)}
    if budget.exhausted:
        reason = _("The budget is used up: %(used)s of %(amount)s.") % figures
        return Purchase(False, settings.PAY_PER_USE_WHEN_EXHAUSTED, reason)
    return Purchase(True, True, _("The budget suffices: %(used)s of %(amount)s is used.") % figures)


def why_frozen(customer: Customer) -> str:
    """Since when and by what an account is frozen, with the figures of that moment (domain 4.5); "" where it is not."""
    record = customer.freeze_records.order_by("-pk").first() if customer.is_frozen else None
    return frozen_by(customer, record.used if record else None, record.amount if record else None)


def frozen_by(customer: Any, used: Decimal | None, amount: Decimal | None) -> str:
    """The same of a customer or its values, with the figures of its newest freeze record."""
    if customer.freeze_kind == FreezeKind.NONE or customer.frozen_since is None:
        return ""
    since = timezone.localtime(customer.frozen_since).isoformat(" ", "minutes")[:16]
    said = _("since %(since)s, %(origin)s") % {"since": since, "origin": FreezeOrigin(customer.freeze_origin).label}
    if amount is not None:
        said += _(" (%(used)s of %(amount)s used)") % {"used": show_amount(used), "amount": show_amount(amount)}
    return f"{said}: {customer.freeze_reason}" if customer.freeze_reason else said
