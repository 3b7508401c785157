"""Adjustment records and reports in Django admin: to look at, for the platform's superusers."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from budgets.models import AdjustmentRecord, ExpenditureReport, UnassociatedExpenditure
from budgets.months import month_name
from partnercenter.lib.admin import PlatformAdmin


@admin.register(AdjustmentRecord)
class AdjustmentRecordAdmin(PlatformAdmin):
    list_display = ["customer", "at", "operator_name", "budget_type_after", "amount_before", "amount_after", "channel"]
    list_select_related = ["customer"]
    search_fields = ["=customer__customer_id"]


@admin.register(ExpenditureReport)
class ExpenditureReportAdmin(PlatformAdmin):
    list_display = ["reported_at", "imported_at", "operator_name", "partner", "format"]
    list_select_related = ["partner"]


@admin.register(UnassociatedExpenditure)
class UnassociatedExpenditureAdmin(PlatformAdmin):
    """Accounts of reports that nobody knows, what they spent by month, each ready to be associated.

    See rule 8.4 (docs/rules.md).
    """

    list_display = ["account", "billing_month", "total", "reported_at", "operation"]
    list_display_links = None
    list_per_page = 50
    show_full_result_count = False
    search_fields = ["account__startswith"]
    search_help_text = _("By how the customer ID begins.")
    ordering = ["-month", "account"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).filter(customer=None)

    def changelist_view(self, request: Any, extra_context: Any = None) -> Any:
        return super().changelist_view(request, {"title": capfirst(self.opts.verbose_name_plural)})

    @admin.display(description=_("billing month"), ordering="month")
    def billing_month(self, spent: UnassociatedExpenditure) -> str:
        return month_name(spent.month)

    @admin.display(description=_("operation"))
    def operation(self, spent: UnassociatedExpenditure) -> str:
        path, query = reverse("admin:customers_customer_add"), urlencode({"customer_id": spent.account})
        return format_html('<a href="{}?{}">{}</a>', path, query, _("Associate"))
