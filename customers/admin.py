"""Customers and their records in Django admin: platform staff view, associate and disassociate, but never edit."""

from typing import cast

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.db.models import Count, Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from budgets.actions.association import associate_customers, disassociate_customers
from budgets.presenters.messages import message_for_associated, message_for_disassociated
from customers.files import CUSTOMER_COLUMNS
from customers.forms import AssociationForm, CustomersFileForm
from customers.models import (
    AgreementRecord,
    Customer,
    CustomerNote,
    CustomerQuerySet,
    ExportRecord,
    FreezeRecord,
    RevealRecord,
    Snooze,
)
from partnercenter.lib.admin import PlatformAdmin
from partnercenter.lib.csv_files import BadFile
from partnercenter.lib.money import money
from partnercenter.lib.types import Context
from partnercenter.models import BudgetType, User


@admin.register(Customer)
class CustomerAdmin(PlatformAdmin):
    """Current and former customers. They are associated and disassociated by actions and never edited."""

    list_display = ["customer_id", "account_name", "partner", "freeze_kind", "associated_on", "disassociated_on"]
    list_filter = [("disassociated_on", admin.EmptyFieldListFilter)]
    list_select_related = ["partner"]
    search_fields = ["=customer_id", "account_name"]
    # The console masks these and records who reveals them. See section 7 (docs/rules.md).
    exclude = ["name", "search", "email", "mobile"]
    actions = ["disassociate"]

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return self.has_view_permission(request)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Context | None = None) -> HttpResponse:
        """Associate one customer from a form, or many from a file as the command does. 422 if the form has errors."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        by_file = "by_file" in request.POST
        one = AssociationForm(None if by_file else request.POST or None, initial=request.GET.dict())
        many = CustomersFileForm(*(request.POST, request.FILES) if by_file else ())
        form = many if by_file else one
        if form.is_valid() and (number := self._associate(form, cast(User, request.user))):
            messages.success(request, message_for_associated(number))
            return redirect("admin:customers_customer_changelist")
        context = self.admin_site.each_context(request) | {
            "title": _("Associate customers"),
            "opts": self.opts,
            "one": one,
            "many": many,
            "columns": ", ".join(CUSTOMER_COLUMNS),
        }
        return render(request, "admin/associate.html", context, status=422 if form.is_bound else 200)

    @staticmethod
    def _associate(form: AssociationForm | CustomersFileForm, operator: User) -> int:
        """Associate the customers of a valid form; return how many, or 0 after adding errors to the form."""
        try:
            if number := associate_customers(form.newcomers(), operator=operator, channel=form.channel):
                return number
            form.add_error(None, _("The file contains no customers."))
        except BadFile as bad:
            form.add_error("file", [bad.message, *bad.lines])
        except IntegrityError:
            form.add_error(None, _("Somebody else has associated one of these customers. Nothing was changed."))
        return 0

    @admin.action(description=gettext_lazy("Disassociate selected customers"), permissions=["view"])
    def disassociate(self, request: HttpRequest, customers: CustomerQuerySet) -> HttpResponse | None:
        """Disassociate customers, after a page that names the consequences is confirmed."""
        current = customers.current()
        if not current.exists():
            messages.warning(request, _("These customers have already been disassociated."))
            return None
        if "confirmed" in request.POST:
            leaving = list(current)
            number = disassociate_customers(current, note=_("by %(operator)s") % {"operator": request.user})
            LogEntry.objects.log_actions(cast(User, request.user).pk, leaving, CHANGE, _("Disassociated."))
            messages.success(request, message_for_disassociated(number))
            return None
        context = self.admin_site.each_context(request) | {
            "title": _("Disassociate customers"),
            "opts": self.opts,
            "partners": self._by_partner(current),
            "checkbox": ACTION_CHECKBOX_NAME,
            "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
            "across": request.POST.get("select_across", "0"),
        }
        return render(request, "admin/disassociate.html", context)

    @staticmethod
    def _by_partner(customers: CustomerQuerySet) -> QuerySet:
        """By partner, the number of these customers and the number and sums of their budgets."""
        sums = {
            kind.lower(): Sum("budget__amount", filter=Q(budget__budget_type=kind), default=money(0))
            for kind in BudgetType.values
        }
        by_partner = customers.order_by("partner__account_name").values("partner__account_name")
        return by_partner.annotate(number=Count("pk"), budgets=Count("budget"), **sums)


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


@admin.register(AgreementRecord)
class AgreementRecordAdmin(PlatformAdmin):
    list_display = ["operator_name", "at", "partner", "version"]
    list_select_related = ["partner"]


@admin.register(CustomerNote)
class CustomerNoteAdmin(PlatformAdmin):
    list_display = ["customer", "at", "operator_name"]
    list_select_related = ["customer"]
    search_fields = ["=customer__customer_id"]


@admin.register(Snooze)
class SnoozeAdmin(PlatformAdmin):
    list_display = ["customer", "at", "until", "operator_name", "reason"]
    list_select_related = ["customer"]
    search_fields = ["=customer__customer_id"]
