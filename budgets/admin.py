"""Adjustment records and reports in Django admin: to look at, for the platform's superusers."""

from django.contrib import admin

from budgets.models import AdjustmentRecord, ExpenditureReport
from partnercenter.readonly_admin import PlatformAdmin


@admin.register(AdjustmentRecord)
class AdjustmentRecordAdmin(PlatformAdmin):
    list_display = ["customer", "at", "operator_name", "budget_type_after", "amount_before", "amount_after", "channel"]
    list_select_related = ["customer"]
    search_fields = ["=customer__customer_id"]


@admin.register(ExpenditureReport)
class ExpenditureReportAdmin(PlatformAdmin):
    list_display = ["reported_at", "taken_in_at", "operator_name", "partner", "format"]
    list_select_related = ["partner"]
