"""Enums of freeze kind, freeze origin and freezing policy, and the flags that the list's indexes begin with.

See rules 3.6 and 4.2 (docs/rules.md).
"""

from enum import IntFlag

from django.db import models
from django.utils.translation import gettext_lazy as _


class FreezeKind(models.TextChoices):
    """What is frozen: nothing, the account, or its resources too. See rule 4.2 (docs/rules.md)."""

    NONE = "", _("Not frozen")
    ACCOUNT = "ACCOUNT", _("Account")
    ACCOUNT_AND_RESOURCE = "ACCOUNT_AND_RESOURCE", _("Account and resources")


class FreezeOrigin(models.TextChoices):
    """What caused a freeze. See rule 4.2 (docs/rules.md)."""

    NONE = "", "--"
    ASSOCIATION = "ASSOCIATION", _("association")
    PARTNER = "PARTNER", _("partner")
    BUDGET_EXHAUSTED = "BUDGET_EXHAUSTED", _("budget exhausted")


class AccountFreezing(models.TextChoices):
    """The freezing policy: what happens to the account once its budget is exhausted. See rule 3.6 (docs/rules.md)."""

    AUTOMATIC = "AUTOMATIC", _("Automatic")
    MANUAL = "MANUAL", _("Manual")
    AUTOMATIC_WITH_RESOURCES = "AUTOMATIC_WITH_RESOURCES", _("Automatic, with resources")


class AccountFlags(IntFlag):
    """Budget type and state of an account in one number, which the indexes of the list contain.

    The field `state` holds it on the customer and again on its budget. Whatever changes these facts updates both fields
    in the same transaction.
    """

    MONTHLY = 1
    ONE_TIME = 2
    EXHAUSTED = 4
    FROZEN = 8
    REFERRAL = 16


BUDGET_FLAGS = AccountFlags.MONTHLY | AccountFlags.ONE_TIME
# All flags a customer can have: only a budget can be exhausted; a referral customer has no budget and is never frozen.
FLAG_COMBINATIONS = (
    *(
        frozen | exhausted | budget
        for frozen in (AccountFlags(0), AccountFlags.FROZEN)
        for budget in (AccountFlags(0), AccountFlags.MONTHLY, AccountFlags.ONE_TIME)
        for exhausted in ((AccountFlags(0), AccountFlags.EXHAUSTED) if budget else (AccountFlags(0),))
    ),
    AccountFlags.REFERRAL,
)


def effective_flags(state: int, *, restricted: bool) -> AccountFlags:
    """The flags in effect: all customers of a restricted or frozen reseller, except referrals, count as frozen.

    See rule 4.7 (docs/rules.md).
    """
    own = AccountFlags(state)
    return own | AccountFlags.FROZEN if restricted and not own & AccountFlags.REFERRAL else own
