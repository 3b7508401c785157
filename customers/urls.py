"""Addresses below /customers/."""

from django.urls import path

from customers import views

urlpatterns = [
    path("", views.customer_list, name="customers"),
    path("export/", views.export, name="export_customers"),
    path("exports/", views.exports, name="exports"),
    path("freeze/", views.freeze, name="freeze"),
    path("unfreeze/", views.unfreeze, name="unfreeze"),
    path("count/", views.customer_count, name="customer_count"),
    path("decisions/", views.decisions, name="decisions"),
    path("decisions/snooze/", views.snooze, name="snooze"),
    path("decisions/wake/", views.wake, name="wake"),
    path("detail/", views.customer, name="customer"),
    path("detail/records/export/", views.export_records, name="export_records"),
    path("freeze-records/<int:pk>/", views.freeze_record, name="freeze_record"),
    path("names/", views.customer_names, name="customer_names"),
    path("resellers/", views.resellers, name="resellers"),
    path("views/", views.save_view, name="save_view"),
    path("views/delete/", views.delete_view, name="delete_view"),
]
