"""Adjustment records, expenditure reports and unassociated accounts in Django admin, read-only, for superusers."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from budgets.models import AdjustmentRecord, ExpenditureReport, ReportImport, ReportSum, UnassociatedExpenditure
from budgets.months import month_name
from partnercenter.lib.admin import PlatformAdmin
from partnercenter.lib.types import Context


@admin.register(AdjustmentRecord)
class AdjustmentRecordAdmin(PlatformAdmin):
    list_display = ["customer", "at", "operator_name", "budget_type_after", "amount_before", "amount_after", "channel"]
    list_select_related = ["customer"]
    search_fields = ["=customer__customer_id"]


class ReportSumInline(admin.TabularInline):
    """What a report stated by month and partner, beside the totals stored before."""

    model = ReportSum
    fields = ["partner", "month", "accounts", "total_before", "total", "risen", "fallen"]
    ordering = ["month", "partner"]
    extra = 0
    can_delete = False

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.is_active and request.user.is_superuser

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(ExpenditureReport)
class ExpenditureReportAdmin(PlatformAdmin):
    list_display = ["reported_at", "imported_at", "operator_name", "partner", "format"]
    list_select_related = ["partner"]
    inlines = [ReportSumInline]


@admin.register(ReportImport)
class ReportImportAdmin(PlatformAdmin):
    """Every attempt to import a report, with what it needs a confirmation for or why it was refused."""

    list_display = ["began_at", "state", "partner", "operator_name", "reported_at", "reason", "confirmed_by"]
    list_select_related = ["partner"]
    list_filter = ["state"]
    exclude = ["files"]


@admin.register(UnassociatedExpenditure)
class UnassociatedExpenditureAdmin(PlatformAdmin):
    """Expenditure of accounts that no customer is associated with, by month, each with a link to associate it.

    See rule 8.4 (docs/rules.md).
    """

    list_display = ["account", "billing_month", "total", "reported_at", "operation"]
    list_display_links = None
    list_per_page = 50
    show_full_result_count = False
    search_fields = ["account__startswith"]
    search_help_text = _("By the beginning of the customer ID.")
    ordering = ["-month", "account"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).filter(customer=None)

    def changelist_view(self, request: HttpRequest, extra_context: Context | None = None) -> HttpResponse:
        return super().changelist_view(request, {"title": capfirst(self.opts.verbose_name_plural)})

    @admin.display(description=_("billing month"), ordering="month")
    def billing_month(self, spent: UnassociatedExpenditure) -> str:
        return month_name(spent.month)

    @admin.display(description=_("operation"))
    def operation(self, spent: UnassociatedExpenditure) -> SafeString:
        path, query = reverse("admin:customers_customer_add"), urlencode({"customer_id": spent.account})
        return format_html('<a href="{}?{}">{}</a>', path, query, _("Associate"))
