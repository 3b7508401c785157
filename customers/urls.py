"""URLs below /customers/."""

from django.urls import path

from customers.views.customer_list import (
    customer_count,
    customer_list,
    customer_names,
    delete_saved_view,
    export_customers,
    exports,
    save_current_view,
    saved_views,
)
from customers.views.customer_page import customer
from customers.views.decisions import decisions, snooze, wake
from customers.views.freeze import freeze, unfreeze
from customers.views.records import export_records, freeze_record
from customers.views.resellers import resellers

urlpatterns = [
    path("", customer_list, name="customers"),
    path("export/", export_customers, name="export_customers"),
    path("exports/", exports, name="exports"),
    path("freeze/", freeze, name="freeze"),
    path("unfreeze/", unfreeze, name="unfreeze"),
    path("count/", customer_count, name="customer_count"),
    path("decisions/", decisions, name="decisions"),
    path("decisions/snooze/", snooze, name="snooze"),
    path("decisions/wake/", wake, name="wake"),
    path("detail/", customer, name="customer"),
    path("detail/records/export/", export_records, name="export_records"),
    path("freeze-records/<int:pk>/", freeze_record, name="freeze_record"),
    path("names/", customer_names, name="customer_names"),
    path("resellers/", resellers, name="resellers"),
    path("saved-views/", saved_views, name="saved_views"),
    path("views/", save_current_view, name="save_view"),
    path("views/delete/", delete_saved_view, name="delete_view"),
]
