"""What the state of an account is said in (rules 3.6, 4.2 (docs/rules.md)).

And the one number by which the list asks for it.
"""

from enum import IntFlag

from django.db import models
from django.utils.translation import gettext_lazy as _


class FreezeKind(models.TextChoices):
    """What is frozen; see rule 4.2 (docs/rules.md)."""

    NONE = "", _("Not frozen")
    ACCOUNT = "ACCOUNT", _("Account")
    ACCOUNT_AND_RESOURCE = "ACCOUNT_AND_RESOURCE", _("Account and resources")


class FreezeOrigin(models.TextChoices):
    """By what an account was frozen; see rule 4.2 (docs/rules.md)."""

    NONE = "", "--"
    ASSOCIATION = "ASSOCIATION", _("association")
    PARTNER = "PARTNER", _("partner")
    BUDGET_EXHAUSTED = "BUDGET_EXHAUSTED", _("budget exhausted")


class AccountFreezing(models.TextChoices):
    """Account freezing upon budget exhaustion, the policy of a budget; see rule 3.6 (docs/rules.md)."""

    AUTOMATIC = "AUTOMATIC", _("Automatic")
    MANUAL = "MANUAL", _("Manual")
    AUTOMATIC_WITH_RESOURCES = "AUTOMATIC_WITH_RESOURCES", _("Automatic, with resources")


class AccountFlags(IntFlag):
    """All that the list's filters of status and budget type ask, in one number on which its indexes begin.

    The same stands on the customer and on its budget, and changes in the transaction that changes what it tells of.
    """

    MONTHLY = 1
    ONE_TIME = 2
    EXHAUSTED = 4
    FROZEN = 8
    REFERRAL = 16


BUDGET_FLAGS = AccountFlags.MONTHLY | AccountFlags.ONE_TIME
# What a customer can be; only a budget can be used up, and who is a referral has none and is never frozen.
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
    """The state as it holds: below a restricted or frozen reseller all but its referrals are frozen.

    See rule 4.7 (docs/rules.md).
    """
    own = AccountFlags(state)
    return own | AccountFlags.FROZEN if restricted and not own & AccountFlags.REFERRAL else own
