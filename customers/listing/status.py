"""The filters by status and budget type, as sets of account flags.

All customers of a restricted or frozen reseller count as frozen, although their own flags do not say so: rule 4.7
(docs/rules.md). So a filter stands for one set of flags among their customers, and for another among all others.
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from customers.models import BUDGET_FLAGS, FLAG_COMBINATIONS, NO_OWNER, AccountFlags, ListOwner, effective_flags
from partnercenter.models import BudgetType, Partner

# Keys of partners, each with whether the partner is restricted or frozen.
ListedPartners = tuple[tuple[int, bool], ...]

NOT_RESTRICTED = Q(partner__status=Partner.Status.NORMAL)


class RequestedFlags(NamedTuple):
    """The account flags that match, for customers of unrestricted partners and of restricted or frozen ones."""

    unrestricted: tuple[AccountFlags, ...]
    restricted: tuple[AccountFlags, ...]

    def below(self, *, restricted: bool) -> tuple[AccountFlags, ...]:
        """The flags that match for customers of a partner that is restricted (or frozen), or of one that is not."""
        return self.restricted if restricted else self.unrestricted

    def only(self, condition: Callable[[AccountFlags], bool]) -> "RequestedFlags":
        """Keep only the flags for which the condition is true."""
        return RequestedFlags(tuple(filter(condition, self.unrestricted)), tuple(filter(condition, self.restricted)))


class Status(models.TextChoices):
    """The statuses to filter by. A frozen customer whose budget is used up matches both; its row shows *Frozen*."""

    FROZEN = "FROZEN", _("Frozen")
    EXHAUSTED = "EXHAUSTED", _("Budget used up")
    NORMAL = "NORMAL", _("Normal")


# For each choice: the effective flags that matter, and which of these must be set.
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
def requested_flags(status: str, budget_type: str, *required: AccountFlags) -> RequestedFlags:
    """The flags that match this status and budget type ("" for any), with all `required` flags in effect."""
    tests = [
        STATUS_FLAGS.get(status, ANY_FLAGS),
        TYPE_FLAGS.get(budget_type, ANY_FLAGS),
        *((flag, flag) for flag in required),
    ]
    unrestricted, restricted = (
        tuple(
            flags
            for flags in FLAG_COMBINATIONS
            if all(effective_flags(flags, restricted=restricted) & mask == wanted for mask, wanted in tests)
        )
        for restricted in (False, True)
    )
    return RequestedFlags(unrestricted, restricted)


def still_running(requested: RequestedFlags) -> RequestedFlags:
    """Keep only the flags of budgets that can still run out: budgets that exist and are not exhausted."""
    return requested.only(lambda flags: bool(flags & BUDGET_FLAGS) and not flags & AccountFlags.EXHAUSTED)


def split_by_budget(requested: RequestedFlags) -> tuple[RequestedFlags, RequestedFlags]:
    """Split the flags into those with a budget and those without."""
    return (
        requested.only(lambda flags: bool(flags & BUDGET_FLAGS)),
        requested.only(lambda flags: not flags & BUDGET_FLAGS),
    )


def flag_conditions(requested: RequestedFlags, partners: ListedPartners) -> list[Q]:
    """Conditions for these partners' customers to have the requested flags. No customer meets more than one.

    Indexes serve a single condition on the flags best. There are two only if the flags differ between restricted
    partners and others. If `partners` is empty, both kinds of partners may occur.
    """
    kinds = {restricted for _partner, restricted in partners} or {False, True}
    if len(kinds) > 1 and requested.unrestricted != requested.restricted:
        return [
            NOT_RESTRICTED & Q(state__in=requested.unrestricted),
            ~NOT_RESTRICTED & Q(state__in=requested.restricted),
        ]
    flags = requested.below(restricted=kinds.pop())
    return [Q() if len(flags) == len(FLAG_COMBINATIONS) else Q(state__in=flags)]


def listed_partners(owner: ListOwner) -> ListedPartners:
    """The partners whose customers the owner's list shows: a distributor's resellers, or the owner itself."""
    if not owner.is_distributor:
        return ((owner.pk, owner.is_restricted),)
    statuses = Partner.objects.filter(distributor=owner.pk).values_list("pk", "status")
    return tuple((pk, bool(status)) for pk, status in statuses)


def reseller_owner(owner: ListOwner, account_name: str) -> ListOwner:
    """The partner with exactly this account name: one of a distributor's resellers, or else the owner itself.

    `NO_OWNER` if none of them has that name.
    """
    candidates = Partner.objects.filter(**{"distributor" if owner.is_distributor else "pk": owner.pk})
    found = candidates.filter(account_name=account_name).values_list("pk", "status").first()
    return ListOwner(found[0], is_distributor=False, is_restricted=bool(found[1])) if found else NO_OWNER
