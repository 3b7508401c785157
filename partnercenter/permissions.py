"""What each user may do, derived from role and grant, and the reasons why not (section 5 (docs/rules.md)).

This module only reads. Functions named `why_not_..` return a message for the user, or "" if the user may do it.
"""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import Q
from django.utils.translation import gettext as _

from partnercenter.lib.prepared import PreparedQuery
from partnercenter.models import BudgetType, Grant, Partner, Pool, User

VIEW_PERMISSIONS = {"customers.view_customer", "budgets.view_budget", "budgets.view_adjustmentrecord"}
SWITCH_VERIFICATION, IMPORT_REPORTS = "partnercenter.switch_verification", "budgets.add_expenditurereport"
EXPORT_FILES, WRITE_NOTES = "customers.add_exportrecord", "customers.add_customernote"
RESTRICT_RESELLERS = "partnercenter.add_partnerstatusrecord"
SET_BUDGET_TYPE = {BudgetType.MONTHLY: "budgets.set_monthly_budget", BudgetType.ONE_TIME: "budgets.set_one_time_budget"}
# Permissions in Django admin.
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
    """Why the user may not act on this partner's customers (rules 5.1, 5.2, 5.8 (docs/rules.md)).

    `grant` is the partner's grant; None for a solution provider.
    """
    if not user.is_active or user.partner is None:
        return _("Your account does not belong to a partner, so you cannot act on customers.")
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
    """Whether the user may act on any customer at all, and so needs the tools to select customers.

    A distributor's users may if at least one of its resellers has no grant.
    """
    partner = user.partner
    if partner is None or user.role == User.Role.VIEWER:
        return False
    if not partner.is_distributor:
        return not why_not_budgets(user, partner, grant_of(partner))
    not_granted = Q(grant__monthly_quota__isnull=True, grant__one_time_quota__isnull=True)
    return Partner.objects.filter(not_granted, distributor=partner).exists()


def why_not_unfreeze(user: User, partner: Partner) -> str:
    """Why the user may not unfreeze any of this partner's customers, by hand or in Set Budget.

    A frozen reseller's own users may not (rule 4.7 (docs/rules.md)). Pass the partner with its current status.
    """
    if user.partner != partner or partner.status != Partner.Status.FROZEN:
        return ""
    return _("Your distributor %(distributor)s has frozen your company, so you cannot unfreeze customers.") % {
        "distributor": partner.distributor and partner.distributor.company
    }


def contact_distributor(partner: Partner) -> str:
    """The message for a reseller without a grant."""
    return _("Contact your distributor %(distributor)s for permission to set budgets.") % {
        "distributor": partner.distributor and partner.distributor.company
    }


def limiting_grant(user: User, partner: Partner, grant: Grant | None) -> Grant | None:
    """The grant whose quotas limit the user, if any (rule 5.2 (docs/rules.md)).

    A reseller's users are limited by its grant; its distributor's users are not limited.
    """
    return grant if user.partner == partner else None


def allowed_types(user: User, partner: Partner, grant: Grant | None) -> set[str]:
    """The budget types that the user may set for this partner's customers."""
    if why_not_budgets(user, partner, grant):
        return set()
    limit = limiting_grant(user, partner, grant)
    return set(BudgetType.values) if limit is None else limit.types


def may_switch_verification(user: User) -> bool:
    """Whether the user may turn the verification code on and off (rule 5.5 (docs/rules.md))."""
    return user.has_perm(SWITCH_VERIFICATION)


def grant_of(partner: Partner) -> Grant | None:
    """The reseller's row in the table of grants, given or not; None for a partner that needs no grant.

    Needs no query for the signed-in user's own partner, since `SIGNED_IN_USER` has fetched the grant.
    """
    return getattr(partner, "grant", None) if partner.is_reseller else None


# Runs in every request, so it also fetches what permissions depend on.
SIGNED_IN_USER = PreparedQuery(User.objects.select_related("partner__distributor", "partner__grant"), "pk", 0)


class GrantBackend(ModelBackend):
    """Authenticates by password, and derives permissions from role and grant alone.

    Permissions are about the customers of one partner: the partner of the customer `obj`, or if None, the user's own.
    """

    def get_user(self, user_id: object) -> User | None:
        return next(filter(self.user_can_authenticate, SIGNED_IN_USER.fetch(user_id)), None)

    def get_all_permissions(self, user_obj: AbstractBaseUser | AnonymousUser, obj: Any = None) -> set[str]:
        if not isinstance(user_obj, User) or not user_obj.is_active:
            return set()
        if obj is not None:
            return _console_permissions(user_obj, obj.partner)
        if user_obj.own_permissions is None:
            user_obj.own_permissions = _console_permissions(user_obj, user_obj.partner) | _admin_permissions(user_obj)
        return user_obj.own_permissions

    def has_module_perms(self, user_obj: AbstractBaseUser | AnonymousUser, app_label: str) -> bool:
        return any(permission.startswith(f"{app_label}.") for permission in _admin_permissions(user_obj))


def _console_permissions(user: User, partner: Partner | None) -> set[str]:
    """What the user may do in the console with this partner's customers (rule 5.5 (docs/rules.md))."""
    if user.partner is None or partner is None:
        return set()
    budget_types = allowed_types(user, partner, grant_of(partner))
    permissions = VIEW_PERMISSIONS | {SET_BUDGET_TYPE[BudgetType(name)] for name in budget_types}
    if user.role != User.Role.VIEWER:
        permissions |= {WRITE_NOTES}
    if user.role == User.Role.ADMINISTRATOR:
        permissions |= {SWITCH_VERIFICATION, EXPORT_FILES}
        # A distributor has no customers of its own, and so no reports to import.
        if not user.partner.is_distributor:
            permissions |= {IMPORT_REPORTS}
    return permissions


def _admin_permissions(user: object) -> set[str]:
    """What a distributor's staff may do in Django admin, whose querysets limit the rows (rule 5.7 (docs/rules.md))."""
    if not isinstance(user, User) or user.partner is None or not user.partner.is_distributor:
        return set()
    if not user.is_active or not user.is_staff:
        return set()
    if user.role == User.Role.VIEWER:
        return {permission for permission in DISTRIBUTOR_STAFF if ".view_" in permission}
    return DISTRIBUTOR_STAFF


def visible_pools(grant: Grant | None) -> list[Pool]:
    """The pools to show on a page: none if there is neither a quota nor a budget."""
    if grant is None:
        return []
    pools = [grant.pool(budget_type) for budget_type in BudgetType.values]
    return pools if grant.given or any(pool.allocated for pool in pools) else []
