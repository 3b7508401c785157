"""Which states the status and the budget type ask for, and of whose customers.

A restricted or frozen reseller's customers are frozen although none of their rows says so (rule 4.7 (docs/rules.md)):
the same question asks other states of them.
"""

from functools import cache

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from customers.models import BUDGET_FLAGS, FLAG_COMBINATIONS, NO_OWNER, AccountFlags, ListOwner, effective_flags
from partnercenter.models import BudgetType, Partner

# The states asked for of customers whose partner is let be, and of those whose partner is restricted or frozen.
RequestedFlags = tuple[tuple[AccountFlags, ...], tuple[AccountFlags, ...]]
# Partners, each with whether it is.
ListedPartners = tuple[tuple[int, bool], ...]

NOT_RESTRICTED = Q(partner__status=Partner.Status.NORMAL)


class Status(models.TextChoices):
    """Frozen by whatever, its reseller's status too; used up, frozen or not; neither."""

    FROZEN = "FROZEN", _("Frozen")
    EXHAUSTED = "EXHAUSTED", _("Budget used up")
    NORMAL = "NORMAL", _("Normal")


# What of a state in effect is looked at, and what it must then be. Whatever is not named here asks nothing.
STATUS_FLAGS: dict[str, tuple[AccountFlags, AccountFlags]] = {
    Status.FROZEN: (AccountFlags.FROZEN, AccountFlags.FROZEN),
    Status.EXHAUSTED: (AccountFlags.EXHAUSTED, AccountFlags.EXHAUSTED),
    Status.NORMAL: (AccountFlags.FROZEN | AccountFlags.EXHAUSTED, AccountFlags(0)),
}
TYPE_FLAGS: dict[str, tuple[AccountFlags, AccountFlags]] = {
    BudgetType.MONTHLY: (BUDGET_FLAGS, AccountFlags.MONTHLY),
    BudgetType.ONE_TIME: (BUDGET_FLAGS, AccountFlags.ONE_TIME),
    "NONE": (BUDGET_FLAGS, AccountFlags(0)),
}
ANY_FLAGS = (AccountFlags(0), AccountFlags(0))


@cache
def requested_flags(status: str, budget_type: str, *also: AccountFlags) -> RequestedFlags:
    """The states in which a customer is of this status and type, "" for any, and is what `also` says, in effect."""
    tests = [
        STATUS_FLAGS.get(status, ANY_FLAGS),
        TYPE_FLAGS.get(budget_type, ANY_FLAGS),
        *((each, each) for each in also),
    ]
    let_be, restricted = (
        tuple(
            state
            for state in FLAG_COMBINATIONS
            if all(effective_flags(state, restricted=restricted) & mask == wanted for mask, wanted in tests)
        )
        for restricted in (False, True)
    )
    return let_be, restricted


def still_running(asked: RequestedFlags) -> RequestedFlags:
    """Those of the states in which a budget may still run out: whole ranges of the list need not be looked through."""
    let_be, restricted = (
        tuple(s for s in states if s & BUDGET_FLAGS and not s & AccountFlags.EXHAUSTED) for states in asked
    )
    return let_be, restricted


def split_by_budget(asked: RequestedFlags) -> tuple[RequestedFlags, RequestedFlags]:
    """Those of the states with a budget, and those without."""
    budgeted, others = (_with_budget(asked, yes=yes) for yes in (True, False))
    return budgeted, others


def _with_budget(asked: RequestedFlags, *, yes: bool) -> RequestedFlags:
    let_be, restricted = (tuple(state for state in states if bool(state & BUDGET_FLAGS) == yes) for states in asked)
    return let_be, restricted


def flag_conditions(asked: RequestedFlags, partners: ListedPartners) -> list[Q]:
    """What customers of these partners must fulfil to be in the states asked for: one of these, and no two at once.

    A condition on the state alone is what the indexes answer best: it takes two only where partners differ. Without
    `partners` they may.
    """
    there = {restricted for _partner, restricted in partners} or {False, True}
    let_be, restricted = asked
    if len(there) > 1 and let_be != restricted:
        return [NOT_RESTRICTED & Q(state__in=let_be), ~NOT_RESTRICTED & Q(state__in=restricted)]
    states = asked[there.pop()]
    return [Q() if len(states) == len(FLAG_COMBINATIONS) else Q(state__in=states)]


def listed_partners(company: ListOwner) -> ListedPartners:
    """Whose customers a company's list shows, a distributor's are those of its resellers; and whether each is
    restricted or frozen.
    """
    if not company.is_distributor:
        return ((company.pk, company.is_restricted),)
    statuses = Partner.objects.filter(distributor=company.pk).values_list("pk", "status")
    return tuple((pk, bool(status)) for pk, status in statuses)


def reseller_owner(company: ListOwner, account_name: str) -> ListOwner:
    """The company's reseller of exactly this account name, or the company itself if it is called so; else nobody."""
    whose = "distributor" if company.is_distributor else "pk"
    named = Partner.objects.filter(**{whose: company.pk}, account_name=account_name).values_list("pk", "status").first()
    return ListOwner(named[0], is_distributor=False, is_restricted=bool(named[1])) if named else NO_OWNER
