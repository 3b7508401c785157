"""Django admin for the platform and for distributors' staff: partners, users and grants.

See rule 5.7 (docs/rules.md).
"""

import secrets
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render, resolve_url
from django.urls import path
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from customers.models import Customer
from partnercenter.actions.partners import give_grant, set_partner_status
from partnercenter.actions.verification_switch import switch_verification
from partnercenter.forms import PartnerStatusForm
from partnercenter.lib.admin import PlatformAdmin, ReadOnlyAdmin
from partnercenter.lib.prepared import COUNT_CAP
from partnercenter.models import Grant, GrantRecord, Partner, PartnerStatusRecord, User, VerificationSwitchRecord
from partnercenter.permissions import RESTRICT_RESELLERS

admin.site.site_header = admin.site.site_title = _("Partner Center Administration")
admin.site.disable_action("delete_selected")


@login_not_required
def sign_in_to_admin(request: HttpRequest) -> HttpResponse:
    """One sign-in page for console and administration; who is signed in and may not enter is told so."""
    if request.user.is_authenticated and request.user.is_staff:
        return redirect("admin:index")
    if request.user.is_authenticated:
        raise PermissionDenied(_("Your account may not enter the administration."))
    return redirect(f"{resolve_url('sign_in')}?{urlencode({'next': request.GET.get('next', '/admin/')})}")


def own_partners(user: Any) -> Any:
    """The partners whose users and grants this person administers: a distributor's staff only its own resellers."""
    if user.is_superuser:
        return Partner.objects.all()
    return Partner.objects.filter(distributor=user.partner, distributor__isnull=False)


@admin.register(Partner)
class PartnerAdmin(admin.ModelAdmin):
    """Partners; a distributor's staff look at their resellers and restrict or freeze them, only the platform adds and
    changes.
    """

    list_display = ["account_name", "company", "kind", "distributor", "status"]
    list_filter = ["kind", "status"]
    search_fields = ["account_name", "company"]
    fields = ["kind", "account_name", "company", "distributor", "time_zone", "verification_required"]
    status_fields = ["status", "status_since", "status_reason"]

    def get_queryset(self, request: Any) -> Any:
        return super().get_queryset(request).filter(pk__in=own_partners(request.user)).select_related("distributor")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [*self.fields, *self.status_fields] if obj and obj.is_reseller else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        # What a partner is decides who sees its customers: it is said once.
        return ["kind", "distributor", *self.status_fields] if obj else []

    def get_urls(self) -> Any:
        status = self.admin_site.admin_view(self.change_status)
        return [path("<int:pk>/status/", status, name="partnercenter_partner_status"), *super().get_urls()]

    def change_status(self, request: Any, pk: int) -> HttpResponse:
        """Restrict or freeze a reseller, or let it be: asked for with a reason, said back, and done.

        See rule 4.7 (docs/rules.md).
        """
        if not request.user.has_perm(RESTRICT_RESELLERS):
            raise PermissionDenied
        reseller = get_object_or_404(self.get_queryset(request), pk=pk, kind=Partner.Kind.RESELLER)
        form = PartnerStatusForm(request.POST or None, initial={"status": reseller.status}, label_suffix="")
        if form.is_valid() and "confirmed" in request.POST:
            changed = set_partner_status(reseller, **form.cleaned_data, operator=request.user)
            said = _("The status is changed.") if changed else _("The status stands as it was.")
            messages.add_message(request, messages.SUCCESS if changed else messages.INFO, said)
            return redirect("admin:partnercenter_partner_change", reseller.pk)
        below = Customer.objects.current().filter(partner=reseller, association_type=Customer.AssociationType.RESELLER)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Change status"),
            "opts": self.opts,
            "original": reseller,
            "form": form,
            "confirming": form.is_valid(),
            "customers": below[: COUNT_CAP + 1].count(),
        }
        status = 422 if form.errors else 200
        return render(request, "admin/partnercenter/partner/status.html", context, status=status)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: Any, obj: Partner, form: Any, change: bool) -> None:
        switched = change and "verification_required" in form.changed_data
        if switched:
            # The action writes it, with its record.
            obj.verification_required = not obj.verification_required
        super().save_model(request, obj, form, change)
        if switched:
            switch_verification(obj, on=not obj.verification_required, operator=request.user)
        if obj.is_reseller:
            Grant.objects.get_or_create(partner=obj)


@admin.register(User)
class PartnerUserAdmin(UserAdmin):
    """Users; a distributor's staff only those of their resellers, without passwords, staff or superuser rights."""

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

    def get_queryset(self, request: Any) -> Any:
        users = super().get_queryset(request).select_related("partner")
        if request.user.is_superuser:
            return users
        return users.filter(partner__in=own_partners(request.user), is_superuser=False, is_staff=False)

    def get_fieldsets(self, request: Any, obj: Any = None) -> Any:
        if obj is None:
            return self.add_fieldsets
        extra = [(_("Platform"), {"fields": ["password", *self.platform_fields]})] if request.user.is_superuser else []
        return [*self.fieldsets, *extra]

    def get_readonly_fields(self, request: Any, obj: Any = None) -> list[str]:
        # Whoever changes the address of an account can choose its password.
        return ["username", "partner", "email"] if obj and not request.user.is_superuser else []

    def formfield_for_foreignkey(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        if db_field.name == "partner":
            kwargs["queryset"] = own_partners(request.user)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_form(self, request: Any, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        if not request.user.is_superuser and "partner" in form.base_fields:
            form.base_fields["partner"].required = True
        return form

    def user_change_password(self, request: Any, id: str, form_url: str = "") -> Any:
        if not request.user.is_superuser:
            raise PermissionDenied
        return super().user_change_password(request, id, form_url)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Records name the operator: who leaves is deactivated.
        return False

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if not change:
            # Nobody knows it: the new user sets their own through "Forgot your password?".
            obj.set_password(secrets.token_urlsafe(32))
            messages.info(request, _("The new user sets a password through “Forgot your password?”."))
        super().save_model(request, obj, form, change)


@admin.register(Grant)
class GrantAdmin(admin.ModelAdmin):
    """Grants: enter a quota to grant, change it, clear both to revoke; each leaves a grant record."""

    list_display = ["partner", "monthly_quota", "monthly_allocated", "one_time_quota", "one_time_allocated"]
    search_fields = ["partner__account_name", "partner__company"]
    fields = ["partner", "monthly_quota", "monthly_allocated", "one_time_quota", "one_time_allocated"]
    readonly_fields = ["partner", "monthly_allocated", "one_time_allocated"]

    def get_queryset(self, request: Any) -> Any:
        return super().get_queryset(request).filter(partner__in=own_partners(request.user)).select_related("partner")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # There is one from the reseller's first moment.
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: Any, obj: Grant, form: Any, change: bool) -> None:
        give_grant(
            obj.partner, monthly_quota=obj.monthly_quota, one_time_quota=obj.one_time_quota, operator=request.user
        )


@admin.register(GrantRecord)
class GrantRecordAdmin(ReadOnlyAdmin):
    """Every giving, change and revocation of a grant."""

    list_display = [
        "partner",
        "at",
        "operator_name",
        "monthly_quota_before",
        "monthly_quota_after",
        "one_time_quota_before",
        "one_time_quota_after",
    ]

    def get_queryset(self, request: Any) -> Any:
        return super().get_queryset(request).filter(partner__in=own_partners(request.user)).select_related("partner")


@admin.register(VerificationSwitchRecord)
class VerificationSwitchRecordAdmin(PlatformAdmin):
    """Every turning on and off of a partner's verification code."""

    list_display = ["partner", "at", "operator_name", "turned_on"]
    list_select_related = ["partner"]


@admin.register(PartnerStatusRecord)
class PartnerStatusRecordAdmin(ReadOnlyAdmin):
    """Every restricting, freezing and letting go of a reseller."""

    list_display = ["partner", "at", "operator_name", "status_before", "status_after", "reason"]

    def get_queryset(self, request: Any) -> Any:
        return super().get_queryset(request).filter(partner__in=own_partners(request.user)).select_related("partner")
