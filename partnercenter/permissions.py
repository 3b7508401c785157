"""Who may do what: the permissions that follow from role and grant, and what a distributor may change of a reseller.

See section 5 (docs/rules.md).
"""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.db.models import Q
from django.utils.translation import gettext as _

from partnercenter.lib.prepared import PreparedQuery
from partnercenter.models import (
    BudgetType,
    Grant,
    Partner,
    Pool,
    User,
)

VIEW_PERMISSIONS = {"customers.view_customer", "budgets.view_budget", "budgets.view_adjustmentrecord"}
SWITCH_VERIFICATION, IMPORT_REPORTS = "partnercenter.switch_verification", "budgets.add_expenditurereport"
EXPORT_FILES, WRITE_NOTES = "customers.add_exportrecord", "customers.add_customernote"
RESTRICT_RESELLERS = "partnercenter.add_partnerstatusrecord"
SET_TYPE = {BudgetType.MONTHLY: "budgets.set_monthly_budget", BudgetType.ONE_TIME: "budgets.set_one_time_budget"}
DISTRIBUTOR_STAFF = {
    "partnercenter.view_partner",
    "partnercenter.view_user",
    "partnercenter.add_user",
    "partnercenter.change_user",
    "partnercenter.view_grant",
    "partnercenter.change_grant",
    "partnercenter.view_grantrecord",
    "partnercenter.view_partnerstatusrecord",
    RESTRICT_RESELLERS,
}


def why_not_budgets(user: User, partner: Partner, grant: Grant | None) -> str:
    """Why this person may not set budgets for this partner's customers at all; "" where it may.

    See rules 5.1, 5.2, 5.8 (docs/rules.md).

    `grant` is the partner's; None for a solution provider.
    """
    if not user.is_active or user.partner is None:
        return _("Your account belongs to no partner: you cannot act on customers.")
    if user.role == User.Role.VIEWER:
        return _("You are a viewer and cannot act on customers: ask an administrator of your company.")
    if user.partner == partner:
        return "" if grant is None or grant.given else contact_distributor(partner)
    if partner.distributor_id != user.partner_id:
        return _("This is not your customer.")
    if grant is not None and grant.given:
        return _("%(reseller)s holds the permission to set budgets for this customer.") % {"reseller": partner}
    return ""


def may_select(user: User) -> bool:
    """Whether this person may act on any customer at all, and so gets the tools for many.

    A distributor's staff may where one of its resellers holds no grant.
    """
    partner = user.partner
    if partner is None or user.role == User.Role.VIEWER:
        return False
    if not partner.is_distributor:
        return not why_not_budgets(user, partner, grant_of(partner))
    not_granted = Q(grant__monthly_quota__isnull=True, grant__one_time_quota__isnull=True)
    return Partner.objects.filter(not_granted, distributor=partner).exists()


def why_not_unfreeze(user: User, partner: Partner) -> str:
    """Why this person may unfreeze nobody of this partner's customers; "" where it may.

    A frozen reseller's own people may not, by hand or in Set Budget; see rule 4.7 (docs/rules.md). `partner` is as it
    is now.
    """
    if user.partner != partner or partner.status != Partner.Status.FROZEN:
        return ""
    return _("Your company is frozen by its distributor %(distributor)s: it cannot unfreeze customers.") % {
        "distributor": partner.distributor and partner.distributor.company
    }


def contact_distributor(partner: Partner) -> str:
    """What a reseller without a grant is told."""
    return _("Contact your distributor %(distributor)s to be granted the permission to set budgets.") % {
        "distributor": partner.distributor and partner.distributor.company
    }


def limiting_grant(user: User, partner: Partner, grant: Grant | None) -> Grant | None:
    """The grant whose quotas bound this person here: a reseller's own.

    A distributor is bound by none; see rule 5.2 (docs/rules.md).
    """
    return grant if user.partner == partner else None


def allowed_types(user: User, partner: Partner, grant: Grant | None) -> set[str]:
    """The budget types this person may set for this partner's customers."""
    if why_not_budgets(user, partner, grant):
        return set()
    bound = limiting_grant(user, partner, grant)
    return set(BudgetType.values) if bound is None else bound.types


def may_switch_verification(user: User) -> bool:
    """Whether this person may turn the verification code on and off; see rule 5.5 (docs/rules.md)."""
    return user.has_perm(SWITCH_VERIFICATION)


def grant_of(partner: Partner) -> Grant | None:
    """The reseller's grant, given or not; None for a partner that needs none. Read once with whoever signed in."""
    return getattr(partner, "grant", None) if partner.is_reseller else None


# Whoever asks for a page, with all that says what they may do.
SIGNED_IN_USER = PreparedQuery(User.objects.select_related("partner__distributor", "partner__grant"), "pk", 0)


class GrantBackend(ModelBackend):
    """Signs in by password; permissions come from role and grant alone. `obj` is a customer, without one the person's
    own partner is meant.
    """

    def get_user(self, user_id: Any) -> User | None:
        return next(filter(self.user_can_authenticate, SIGNED_IN_USER.fetch(user_id)), None)

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        if not isinstance(user_obj, User) or not user_obj.is_active:
            return set()
        if obj is not None:
            return _console(user_obj, obj.partner)
        if user_obj.own_permissions is None:
            user_obj.own_permissions = _console(user_obj, user_obj.partner) | _administration(user_obj)
        return user_obj.own_permissions

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        return any(perm.startswith(f"{app_label}.") for perm in _administration(user_obj))


def _console(user: User, partner: Partner | None) -> set[str]:
    if user.partner is None or partner is None:
        return set()
    allowed = allowed_types(user, partner, grant_of(partner))
    notes = set() if user.role == User.Role.VIEWER else {WRITE_NOTES}
    return (
        VIEW_PERMISSIONS | notes | {SET_TYPE[BudgetType(name)] for name in allowed} | _administers(user, user.partner)
    )


def _administers(user: User, partner: Partner) -> set[str]:
    """What an administrator may do beside (rule 5.5 (docs/rules.md)).

    A distributor has no customers to take a report in for.
    """
    if user.role != User.Role.ADMINISTRATOR:
        return set()
    return (
        {SWITCH_VERIFICATION, EXPORT_FILES}
        if partner.is_distributor
        else {SWITCH_VERIFICATION, EXPORT_FILES, IMPORT_REPORTS}
    )


def _administration(user: Any) -> set[str]:
    """What a distributor's staff may do in Django admin; which rows, the admin's querysets say.

    See rule 5.7 (docs/rules.md).
    """
    is_staff = isinstance(user, User) and user.is_active and user.is_staff and user.partner is not None
    if not is_staff or not user.partner.is_distributor:
        return set()
    looks = user.role == User.Role.VIEWER
    return {perm for perm in DISTRIBUTOR_STAFF if ".view_" in perm} if looks else DISTRIBUTOR_STAFF


def visible_pools(grant: Grant | None) -> list[Pool]:
    """The quotas as pages show them; none where nothing was granted and nothing is allocated."""
    if grant is None:
        return []
    pools = [grant.pool(budget_type) for budget_type in BudgetType.values]
    return pools if grant.given or any(pool.allocated for pool in pools) else []
