"""Customers and their records in Django admin: to look at, for the platform's superusers."""

from django.contrib import admin

from customers.models import Customer, ExportRecord, FreezeRecord, RevealRecord
from partnercenter.readonly_admin import PlatformAdmin


@admin.register(Customer)
class CustomerAdmin(PlatformAdmin):
    list_display = ["customer_id", "account_name", "partner", "freeze_kind", "associated_on"]
    list_select_related = ["partner"]
    search_fields = ["=customer_id", "account_name"]
    # What the console masks is not shown here either: a reveal is recorded there (domain 7).
    exclude = ["name", "search", "email", "mobile"]


@admin.register(FreezeRecord)
class FreezeRecordAdmin(PlatformAdmin):
    list_display = ["customer", "at", "operation", "origin_after", "operator_name", "channel"]
    list_select_related = ["customer"]
    search_fields = ["=customer__customer_id"]


@admin.register(RevealRecord)
class RevealRecordAdmin(PlatformAdmin):
    list_display = ["operator", "at", "page"]
    list_select_related = ["operator"]


@admin.register(ExportRecord)
class ExportRecordAdmin(PlatformAdmin):
    list_display = ["operator_name", "at", "partner", "what", "rows"]
    list_select_related = ["partner"]
