"""The baseline Django admin: the product's tables in an admin site that exists only in the benchmark, and its URLs."""

import uuid
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.urls import path
from django.utils import timezone

from budgets.models import MARKS, AdjustmentRecord, Budget
from customers.models import Customer
from partnercenter.models import Channel
from partnercenter.urls import urlpatterns as product

site = admin.AdminSite(name="bench")


@admin.register(Customer, site=site)
class CustomerAdmin(admin.ModelAdmin):
    """A changelist with the columns of the console's list, 50 customers a page, written in the usual way."""

    list_display = ["account_name", "name", "freeze_kind", "type", "amount", "used", "usage", "policy", "associated_on"]
    list_select_related = ["budget"]
    list_filter = ["freeze_kind", "budget__budget_type"]
    search_fields = ["name", "account_name"]
    ordering = ["account_name"]
    list_per_page = 50

    @admin.display(ordering="budget__budget_type")
    def type(self, customer: Customer) -> Any:
        return hasattr(customer, "budget") and customer.budget.get_budget_type_display()

    @admin.display(ordering="budget__amount")
    def amount(self, customer: Customer) -> Any:
        return hasattr(customer, "budget") and customer.budget.amount

    @admin.display(ordering="budget__used")
    def used(self, customer: Customer) -> Any:
        return hasattr(customer, "budget") and customer.budget.used

    @admin.display(ordering="budget__usage")
    def usage(self, customer: Customer) -> Any:
        return hasattr(customer, "budget") and customer.budget.usage

    @admin.display
    def policy(self, customer: Customer) -> Any:
        return hasattr(customer, "budget") and customer.budget.get_account_freezing_display()


@admin.register(Budget, site=site)
class BudgetAdmin(admin.ModelAdmin):
    """A change form, and an action that loops over `save()`. Each change writes an adjustment record."""

    fields = ["amount"]
    actions = ["raise_amount"]

    def save_model(self, request: Any, obj: Budget, form: Any, change: bool) -> None:
        save(obj, form.initial["amount"], request.user)

    @admin.action
    @transaction.atomic
    def raise_amount(self, request: Any, queryset: QuerySet[Budget]) -> None:
        up_to, amount = int(request.POST["up_to"]), Decimal(request.POST["amount"])
        for budget in queryset.filter(pk__lte=up_to):
            before, budget.amount = budget.amount, amount
            save(budget, before, request.user)


def save(budget: Budget, amount_before: Decimal, operator: Any) -> None:
    """Write the record of one budget, and then the budget."""
    terms = {f"{name}_{side}": getattr(budget, name) for name in TERMS for side in ("before", "after")}
    budget.record = AdjustmentRecord.objects.create(
        customer_id=budget.pk,
        at=timezone.now(),
        operator=operator,
        operator_name=operator.username,
        used=budget.used,
        unfreeze=False,
        channel=Channel.CONSOLE,
        batch=uuid.uuid4(),
        **terms | {"amount_before": amount_before},
    )
    budget.usage = int(budget.used * 100 / budget.amount)
    budget.level = next((mark for mark in MARKS if budget.used * 100 >= budget.amount * mark), 0)
    budget.save()


TERMS = ("budget_type", "amount", "account_freezing", "counted_from", "unfreeze_on_restore")
urlpatterns = [*product, path("bench/", site.urls)]
