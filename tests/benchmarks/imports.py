"""Importing a CSV of budgets through the pages, compared with django-import-export in bulk mode."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from typing import Any

import tablib
from django.core.files.uploadedfile import SimpleUploadedFile
from import_export import fields, resources, widgets

from budgets.models import Budget
from customers.models import Customer
from tests.benchmarks.budgets import ensure_redirect
from tests.benchmarks.databases import Database
from tests.benchmarks.pages import client_of
from tests.benchmarks.table import Row, median_seconds, seconds_of

LINES, GOAL = 10_000, 1 / 5
HEADER = "customer_id,budget_type,amount,account_freezing\n"
amounts = (Decimal(200_000) + Decimal(n).scaleb(-2) for n in count())


class CurrentCustomer(widgets.ForeignKeyWidget):
    """Finds a current customer by its ID, for which there is an index."""

    def get_queryset(self, value: Any, row: Any, *args: Any, **kwargs: Any) -> Any:
        return Customer.objects.current()


class BudgetResource(resources.ModelResource):
    """A resource as the documentation of django-import-export shows it: found by the customer's ID, in bulk mode."""

    customer = fields.Field("customer", "customer_id", CurrentCustomer(Customer, "customer_id"))

    class Meta:
        model = Budget
        fields = ("customer", "budget_type", "amount", "account_freezing")
        import_id_fields = ("customer",)
        use_bulk = True
        batch_size = 1_000
        skip_diff = True


def measure(by_size: dict[int, Database]) -> Iterator[Row]:
    """Measure the largest database, if it has enough budgets; django-import-export takes long and runs once."""
    by_size[max(by_size)].use()
    ids = list(Budget.objects.order_by("pk").values_list("customer__customer_id", flat=True)[:LINES])
    if len(ids) < LINES:
        return
    ann = client_of("ann")
    (product,) = median_seconds(lambda: import_by_pages(ann, csv_of(ids)), rounds=3)
    baseline = seconds_of(import_by_resource, csv_of(ids))
    yield Row("a CSV of budgets, check and apply", LINES, product, "django-import-export, bulk", baseline, GOAL)


def csv_of(ids: list[str]) -> str:
    amount = next(amounts)
    return HEADER + "".join(f"{each},MONTHLY,{amount},MANUAL\n" for each in ids)


def import_by_pages(ann: Any, text: str) -> None:
    """Upload the file, which leads to a review, and press OK."""
    review = ann.post("/budgets/import/", {"file": SimpleUploadedFile("budgets.csv", text.encode())})
    ensure_redirect(review)
    ensure_redirect(ann.post(review["Location"]))


def import_by_resource(text: str) -> None:
    """Check the file in a dry run, and import it."""
    for dry_run in (True, False):
        data = tablib.Dataset().load(text, format="csv")
        result = BudgetResource().import_data(data, dry_run=dry_run, raise_errors=True)
        if result.total_rows != LINES:
            raise AssertionError(f"{result.total_rows} of {LINES} lines were read")
