"""URLs of budgets, batches, records and expenditure."""

from django.urls import path

from budgets.views.batches import batch, batches, export_batch, undo
from budgets.views.expenditure import expenditure, expenditure_report, unassociated
from budgets.views.import_budgets import import_budgets_page
from budgets.views.set_budget import adjustment_records, set_budget
from budgets.views.set_budgets import terms

urlpatterns = [
    path("budgets/terms/", terms, name="budget_terms"),
    path("budgets/set/", set_budget, name="set_budget"),
    path("budgets/import/", import_budgets_page, name="import_budgets"),
    path("budgets/records/", adjustment_records, name="adjustment_records"),
    path("budgets/batches/", batches, name="batches"),
    path("budgets/batches/<uuid:pk>/", batch, name="batch"),
    path("budgets/batches/<uuid:pk>/export/", export_batch, name="export_batch"),
    path("budgets/batches/<uuid:pk>/undo/", undo, name="undo_batch"),
    path("customers/expenditure/", expenditure, name="expenditure"),
    path("customers/expenditure/<uuid:pk>/", expenditure_report, name="expenditure_report"),
    path("customers/unassociated/", unassociated, name="unassociated"),
]
