"""Addresses of budgets, their records, and expenditure."""

from django.urls import path

from budgets import views

urlpatterns = [
    path("budgets/terms/", views.terms, name="budget_terms"),
    path("budgets/set/", views.set_budget, name="set_budget"),
    path("budgets/import/", views.import_budgets, name="import_budgets"),
    path("budgets/records/", views.adjustment_records, name="adjustment_records"),
    path("budgets/batches/", views.batches, name="batches"),
    path("budgets/batches/<uuid:pk>/", views.batch, name="batch"),
    path("budgets/batches/<uuid:pk>/export/", views.export_batch, name="export_batch"),
    path("budgets/batches/<uuid:pk>/undo/", views.undo, name="undo_batch"),
    path("customers/expenditure/", views.expenditure, name="expenditure"),
    path("customers/expenditure/<uuid:pk>/", views.expenditure_report, name="expenditure_report"),
    path("customers/unassociated/", views.unassociated, name="unassociated"),
]
