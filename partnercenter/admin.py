"""Django admin for partners, users, grants and their records.

Superusers belong to the platform and see everything. A distributor's staff see their own resellers, with their users,
grants and records (rule 5.7 (docs/rules.md)).
"""

import secrets
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.db.models import ForeignKey, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render, resolve_url
from django.urls import URLPattern, path
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from customers.models import Customer
from partnercenter.actions.jobs import restart_job
from partnercenter.actions.partners import give_grant, set_partner_status
from partnercenter.actions.verification_switch import switch_verification
from partnercenter.forms import PartnerStatusForm
from partnercenter.lib.admin import PlatformAdmin, ReadOnlyAdmin
from partnercenter.lib.errors import InvalidRequest
from partnercenter.lib.money import show_amount
from partnercenter.lib.prepared import COUNT_CAP
from partnercenter.models import (
    BudgetType,
    Grant,
    GrantRecord,
    Job,
    Partner,
    PartnerStatusRecord,
    User,
    VerificationSwitchRecord,
)
from partnercenter.permissions import RESTRICT_RESELLERS
from partnercenter.requests import signed_in_user

if TYPE_CHECKING:
    from django.contrib.admin.options import _FieldGroups, _FieldsetSpec

admin.site.site_header = admin.site.site_title = _("Partner Center Administration")
admin.site.disable_action("delete_selected")


@login_not_required
def sign_in_to_admin(request: HttpRequest) -> HttpResponse:
    """Redirect from Django admin's own sign-in page to the console's. Signed-in users without access get 403."""
    if request.user.is_authenticated and request.user.is_staff:
        return redirect("admin:index")
    if request.user.is_authenticated:
        raise PermissionDenied(_("Your account has no access to the administration."))
    return redirect(f"{resolve_url('sign_in')}?{urlencode({'next': request.GET.get('next', '/admin/')})}")


def own_partners(request: HttpRequest) -> QuerySet[Partner]:
    """The partners that the user administers: all for a superuser, its resellers for a distributor's staff."""
    user = signed_in_user(request)
    if user.is_superuser:
        return Partner.objects.all()
    return Partner.objects.filter(distributor=user.partner, distributor__isnull=False)


class OwnPartnersAdmin(admin.ModelAdmin):
    """Base class that shows only the rows of partners that the user administers."""

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).filter(partner__in=own_partners(request)).select_related("partner")


@admin.register(Partner)
class PartnerAdmin(admin.ModelAdmin):
    """Partners. Only the platform adds and changes them; a distributor's staff can change a reseller's status."""

    list_display = ["account_name", "company", "kind", "distributor", "status"]
    list_filter = ["kind", "status"]
    search_fields = ["account_name", "company"]
    fields = ["kind", "account_name", "company", "distributor", "time_zone", "verification_required"]
    status_fields = ["status", "status_since", "status_reason"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Partner]:
        return super().get_queryset(request).filter(pk__in=own_partners(request)).select_related("distributor")

    def get_fields(self, request: HttpRequest, obj: Partner | None = None) -> "_FieldGroups":
        return [*self.fields, *self.status_fields] if obj and obj.is_reseller else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Partner | None = None) -> list[str]:
        # Kind and distributor decide who sees the partner's customers, so they can never change.
        return ["kind", "distributor", *self.status_fields] if obj else []

    def get_urls(self) -> list[URLPattern]:
        status = self.admin_site.admin_view(self.change_status)
        return [path("<int:pk>/status/", status, name="partnercenter_partner_status"), *super().get_urls()]

    def change_status(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Restrict or freeze a reseller, or lift that, after a page that asks for confirmation."""
        user = signed_in_user(request)
        if not user.has_perm(RESTRICT_RESELLERS):
            raise PermissionDenied
        reseller = get_object_or_404(self.get_queryset(request), pk=pk, kind=Partner.Kind.RESELLER)
        form = PartnerStatusForm(request.POST or None, initial={"status": reseller.status}, label_suffix="")
        if form.is_valid() and "confirmed" in request.POST:
            if set_partner_status(reseller, **form.cleaned_data, operator=user):
                messages.success(request, _("The status was changed."))
            else:
                messages.info(request, _("Nothing to change: this is the status already."))
            return redirect("admin:partnercenter_partner_change", reseller.pk)
        customers = Customer.objects.current().filter(
            partner=reseller, association_type=Customer.AssociationType.RESELLER
        )
        context = {
            **self.admin_site.each_context(request),
            "title": _("Change status"),
            "opts": self.opts,
            "original": reseller,
            "form": form,
            "confirming": form.is_valid(),
            "customers": customers[: COUNT_CAP + 1].count(),
        }
        status = 422 if form.errors else 200
        return render(request, "admin/partnercenter/partner/status.html", context, status=status)

    def has_delete_permission(self, request: HttpRequest, obj: Partner | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Partner, form: forms.ModelForm, change: bool) -> None:
        is_switched = "verification_required" in form.changed_data
        if is_switched:
            # Saved unchanged, because switching is an action that writes a record.
            obj.verification_required = not obj.verification_required
        super().save_model(request, obj, form, change)
        if is_switched:
            switch_verification(obj, on=not obj.verification_required, operator=signed_in_user(request))
        if obj.is_reseller:
            Grant.objects.get_or_create(partner=obj)


@admin.register(User)
class PartnerUserAdmin(UserAdmin):
    """Users. A distributor's staff see their resellers' users, and cannot give passwords, staff or superuser rights."""

    list_display = ["username", "partner", "role", "email", "is_active"]
    list_filter = ["role", "is_active"]
    platform_fields = ["is_staff", "is_superuser"]
    fieldsets = [
        (None, {"fields": ["username", "partner", "role", "is_active"]}),
        (_("Personal info"), {"fields": ["first_name", "last_name", "email"]}),
    ]
    add_fieldsets = [(None, {"fields": ["username", "partner", "role", "email"]})]
    filter_horizontal = ()
    add_form = forms.modelform_factory(User, fields=["username", "partner", "role", "email"])
    add_form_template = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        users = super().get_queryset(request).select_related("partner")
        if signed_in_user(request).is_superuser:
            return users
        return users.filter(partner__in=own_partners(request), is_superuser=False, is_staff=False)

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> "_FieldsetSpec":
        if obj is None:
            return self.add_fieldsets
        if signed_in_user(request).is_superuser:
            return [*self.fieldsets, (_("Platform"), {"fields": ["password", *self.platform_fields]})]
        return self.fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        # Anyone who may change the e-mail address of an account can also set its password.
        return ["username", "partner", "email"] if obj and not signed_in_user(request).is_superuser else []

    def formfield_for_foreignkey(
        self, db_field: ForeignKey, request: HttpRequest, **kwargs: Any
    ) -> forms.ModelChoiceField | None:
        if db_field.name == "partner":
            kwargs["queryset"] = own_partners(request)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_form(
        self, request: HttpRequest, obj: User | None = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm]:
        form = super().get_form(request, obj, change=change, **kwargs)
        # A user without a partner would belong to the platform.
        if not signed_in_user(request).is_superuser and "partner" in form.base_fields:
            form.base_fields["partner"].required = True
        return form

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        if not signed_in_user(request).is_superuser:
            raise PermissionDenied
        return super().user_change_password(request, id, form_url)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        # Records refer to their operator, so users who leave are deactivated.
        return False

    def save_model(self, request: HttpRequest, obj: User, form: forms.ModelForm, change: bool) -> None:
        if not change:
            # Set a random password that nobody knows.
            obj.set_password(secrets.token_urlsafe(32))
            messages.info(request, _("The new user sets a password through “Forgot your password?”."))
        super().save_model(request, obj, form, change)


@admin.register(Grant)
class GrantAdmin(OwnPartnersAdmin):
    """Grants. Entering a quota gives the grant; clearing both quotas revokes it."""

    list_display = ["partner", "monthly_quota", "monthly_allocated", "one_time_quota", "one_time_allocated"]
    search_fields = ["partner__account_name", "partner__company"]
    fields = ["partner", "monthly_quota", "monthly_allocated", "one_time_quota", "one_time_allocated"]
    readonly_fields = ["partner", "monthly_allocated", "one_time_allocated"]

    def has_add_permission(self, request: HttpRequest, obj: Grant | None = None) -> bool:
        # Every reseller has a row from the beginning.
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Grant | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Grant, form: forms.ModelForm, change: bool) -> None:
        give_grant(
            obj.partner,
            monthly_quota=obj.monthly_quota,
            one_time_quota=obj.one_time_quota,
            operator=signed_in_user(request),
        )

    def response_change(self, request: HttpRequest, obj: Grant) -> HttpResponse:
        """Say what a revoked grant or a lowered quota means, instead of only that the grant was changed."""
        consequences = grant_consequences(Grant.objects.get(pk=obj.pk))
        if not consequences:
            return super().response_change(request, obj)
        for message in consequences:
            messages.warning(request, message)
        return redirect(request.path) if "_continue" in request.POST else self.response_post_save_change(request, obj)


def grant_consequences(grant: Grant) -> list[str]:
    """What the reseller can no longer do with its present grant, as messages for its distributor."""
    if not grant.given:
        return [_("Revoked: %(reseller)s can no longer set budgets; you can.") % {"reseller": grant}]
    over_allocated = [pool for pool in map(grant.pool, BudgetType.values) if pool.over]
    message = _("%(quota)s: over-allocated by %(excess)s. No budget can be raised until it fits.")
    return [message % {"quota": pool.label, "excess": show_amount(pool.excess)} for pool in over_allocated]


@admin.register(GrantRecord)
class GrantRecordAdmin(OwnPartnersAdmin, ReadOnlyAdmin):
    """Records of grants that were given, changed and revoked."""

    list_display = [
        "partner",
        "at",
        "operator_name",
        "monthly_quota_before",
        "monthly_quota_after",
        "one_time_quota_before",
        "one_time_quota_after",
    ]


@admin.register(PartnerStatusRecord)
class PartnerStatusRecordAdmin(OwnPartnersAdmin, ReadOnlyAdmin):
    """Records of changes to resellers' status."""

    list_display = ["partner", "at", "operator_name", "status_before", "status_after", "reason"]


@admin.register(VerificationSwitchRecord)
class VerificationSwitchRecordAdmin(PlatformAdmin):
    """Records of the verification code being turned on and off."""

    list_display = ["partner", "at", "operator_name", "turned_on"]
    list_select_related = ["partner"]


@admin.register(Job)
class JobAdmin(PlatformAdmin):
    """Background jobs of all partners, newest first. A silent one can be started again."""

    list_display = ["title", "created_at", "operator", "state", "alive_at", "finished_at", "attempts", "message"]
    list_filter = ["state"]
    list_select_related = ["operator"]
    ordering = ["-created_at"]
    actions = ["start_again"]

    @admin.action(description=_("Start selected silent jobs again"), permissions=["view"])
    def start_again(self, request: HttpRequest, selected: QuerySet[Job]) -> None:
        """Run silent jobs again; the others are named with the reason why not."""
        for job in selected:
            try:
                restart_job(job)
                messages.success(request, _("%(job)s was started again.") % {"job": job})
            except InvalidRequest as error:
                messages.warning(request, f"{job}: {error.message}")
