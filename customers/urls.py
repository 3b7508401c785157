"""Addresses below /customers/."""

from django.urls import path

from customers import views

urlpatterns = [
    path("", views.customer_list, name="customers"),
    path("export/", views.export, name="export_customers"),
    path("exports/", views.exports, name="exports"),
    path("count/", views.customer_count, name="customer_count"),
    path("names/", views.customer_names, name="customer_names"),
    path("views/", views.save_view, name="save_view"),
    path("views/delete/", views.delete_view, name="delete_view"),
]
