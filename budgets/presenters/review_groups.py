"""The groups into which the page of a review sorts its customers, by what will happen to them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from django.db.models import F, Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from budgets.actions.reviews import SAME_TERMS
from customers.models import ExclusionReason, FreezeEffect, FreezeOrigin


@dataclass(frozen=True)
class ReviewGroup:
    """A group: its label, the condition that its items meet, and whether it can be excluded as a whole."""

    label: str | Promise
    condition: Q
    can_exclude: bool = False


ReviewGroups = Mapping[str, ReviewGroup]

INCLUDED = Q(left_out=ExclusionReason.NONE)
UNFROZEN = INCLUDED & Q(effect=FreezeEffect.UNFROZEN)
CHANGES_TYPE = (
    INCLUDED
    & Q(customer__budget__isnull=False, budget_type__isnull=False)
    & ~Q(customer__budget__budget_type=F("budget_type"))
)
FROZEN_BY_PARTNER = Q(customer__freeze_origin=FreezeOrigin.PARTNER)
MOVED_ON = Q(left_out=ExclusionReason.MOVED_ON)
ESCALATED = ReviewGroup(
    _("Already frozen, now with their resources"), INCLUDED & Q(effect=FreezeEffect.ESCALATED), can_exclude=True
)

BUDGET_GROUPS: ReviewGroups = {
    "TYPE": ReviewGroup(_("Change type"), CHANGES_TYPE, can_exclude=True),
    "EXHAUSTED": ReviewGroup(_("Used up immediately"), INCLUDED & Q(exhausts=True), can_exclude=True),
    "FROZEN": ReviewGroup(_("Frozen immediately"), INCLUDED & Q(effect=FreezeEffect.FROZEN), can_exclude=True),
    "UNFROZEN": ReviewGroup(_("Unfrozen"), UNFROZEN & ~FROZEN_BY_PARTNER, can_exclude=True),
    "UNFROZEN_PARTNER": ReviewGroup(
        _("Unfrozen, although frozen by a person"), UNFROZEN & FROZEN_BY_PARTNER, can_exclude=True
    ),
    "ESCALATED": ESCALATED,
    "STAYS_FROZEN": ReviewGroup(_("Stay frozen"), INCLUDED & Q(effect=FreezeEffect.STAYS_FROZEN), can_exclude=True),
    "UNCHANGED": ReviewGroup(
        _("Nothing changes"), INCLUDED & ~Q(effect=FreezeEffect.UNFROZEN) & SAME_TERMS, can_exclude=True
    ),
    "MOVED_ON": ReviewGroup(_("Changed since the batch: not restored"), MOVED_ON),
    "LEFT_OUT": ReviewGroup(_("Excluded"), ~INCLUDED & ~MOVED_ON),
    "ALL": ReviewGroup(_("All budgets to be set"), INCLUDED),
}
FREEZE_GROUPS: ReviewGroups = {
    "FROZEN": ReviewGroup(_("Frozen"), INCLUDED & Q(effect=FreezeEffect.FROZEN), can_exclude=True),
    "ESCALATED": ESCALATED,
    "UNFROZEN": ReviewGroup(_("Unfrozen"), UNFROZEN, can_exclude=True),
    "USED_UP": ReviewGroup(_("Used up under automatic freezing: stay frozen"), Q(left_out=ExclusionReason.USED_UP)),
    "FROZEN_SO": ReviewGroup(_("Already frozen in this way: unchanged"), Q(left_out=ExclusionReason.FROZEN_SO)),
    "OTHER_KIND": ReviewGroup(_("Frozen in the other way: unchanged"), Q(left_out=ExclusionReason.OTHER_KIND)),
    "NOT_FROZEN": ReviewGroup(_("Not frozen: unchanged"), Q(left_out=ExclusionReason.NOT_FROZEN)),
    "BEYOND": ReviewGroup(
        _("Not yours to act on"), Q(left_out__in=[ExclusionReason.REFERRAL, ExclusionReason.GRANTED])
    ),
    "LEFT_OUT": ReviewGroup(_("Excluded"), Q(left_out=ExclusionReason.BY_OPERATOR)),
    "ALL": ReviewGroup(_("All customers to be frozen"), INCLUDED),
}
UNFREEZE_GROUPS: ReviewGroups = {
    **FREEZE_GROUPS,
    "ALL": replace(FREEZE_GROUPS["ALL"], label=_("All customers to be unfrozen")),
}
