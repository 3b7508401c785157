"""Which states the status and the budget type ask for, and of whose customers.

A restricted or frozen reseller's customers are frozen although none of their rows says so (domain 4.7): the same
question asks other states of them.
"""

from functools import cache

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from customers.models import BUDGETS, NOBODY, STATES, Company, State, in_effect
from partnercenter.models import BudgetType, Partner

# The states asked for of customers whose partner is let be, and of those whose partner is restricted or frozen.
Asked = tuple[tuple[State, ...], tuple[State, ...]]
# Partners, each with whether it is.
Partners = tuple[tuple[int, bool], ...]

LET_BE = Q(partner__status=Partner.Status.NORMAL)


class Status(models.TextChoices):
    """Frozen by whatever, its reseller's status too; used up, frozen or not; neither."""

    FROZEN = "FROZEN", _("Frozen")
    EXHAUSTED = "EXHAUSTED", _("Budget used up")
    NORMAL = "NORMAL", _("Normal")


# What of a state in effect is looked at, and what it must then be. Whatever is not named here asks nothing.
OF_STATUS: dict[str, tuple[State, State]] = {
    Status.FROZEN: (State.FROZEN, State.FROZEN),
    Status.EXHAUSTED: (State.EXHAUSTED, State.EXHAUSTED),
    Status.NORMAL: (State.FROZEN | State.EXHAUSTED, State(0)),
}
OF_TYPE: dict[str, tuple[State, State]] = {
    BudgetType.MONTHLY: (BUDGETS, State.MONTHLY),
    BudgetType.ONE_TIME: (BUDGETS, State.ONE_TIME),
    "NONE": (BUDGETS, State(0)),
}
NOTHING = (State(0), State(0))


@cache
def asked_for(status: str, budget_type: str, *also: State) -> Asked:
    """The states in which a customer is of this status and type, "" for any, and is what `also` says, in effect."""
    tests = [OF_STATUS.get(status, NOTHING), OF_TYPE.get(budget_type, NOTHING), *((each, each) for each in also)]
    let_be, restricted = (
        tuple(
            state
            for state in STATES
            if all(in_effect(state, restricted=restricted) & mask == wanted for mask, wanted in tests)
        )
        for restricted in (False, True)
    )
    return let_be, restricted


def running_out(asked: Asked) -> Asked:
    """Those of the states in which a budget may still run out: whole ranges of the list need not be looked through."""
    let_be, restricted = (tuple(s for s in states if s & BUDGETS and not s & State.EXHAUSTED) for states in asked)
    return let_be, restricted


def split(asked: Asked) -> tuple[Asked, Asked]:
    """Those of the states with a budget, and those without."""
    budgeted, others = (_with_budget(asked, yes=yes) for yes in (True, False))
    return budgeted, others


def _with_budget(asked: Asked, *, yes: bool) -> Asked:
    let_be, restricted = (tuple(state for state in states if bool(state & BUDGETS) == yes) for states in asked)
    return let_be, restricted


def conditions(asked: Asked, partners: Partners) -> list[Q]:
    """What customers of these partners must fulfil to be in the states asked for: one of these, and no two at once.

    A condition on the state alone is what the indexes answer best: it takes two only where partners differ. Without
    `partners` they may.
    """
    there = {restricted for _partner, restricted in partners} or {False, True}
    let_be, restricted = asked
    if len(there) > 1 and let_be != restricted:
        return [LET_BE & Q(state__in=let_be), ~LET_BE & Q(state__in=restricted)]
    states = asked[there.pop()]
    return [Q() if len(states) == len(STATES) else Q(state__in=states)]


def partners_of(company: Company) -> Partners:
    """Whose customers a company's list shows, a distributor's are those of its resellers; and whether each is
    restricted or frozen.
    """
    if not company.is_distributor:
        return ((company.pk, company.is_restricted),)
    statuses = Partner.objects.filter(distributor=company.pk).values_list("pk", "status")
    return tuple((pk, bool(status)) for pk, status in statuses)


def reseller_of(company: Company, account_name: str) -> Company:
    """The company's reseller of exactly this account name, or the company itself if it is called so; else nobody."""
    whose = "distributor" if company.is_distributor else "pk"
    named = Partner.objects.filter(**{whose: company.pk}, account_name=account_name).values_list("pk", "status").first()
    return Company(named[0], is_distributor=False, is_restricted=bool(named[1])) if named else NOBODY
