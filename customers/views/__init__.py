"""The pages of customers: their list, what is kept of it, and the page of one."""

from customers.views.decisions import decisions, snooze, wake
from customers.views.detail import customer
from customers.views.freeze_records import freeze_record
from customers.views.freezing import freeze, unfreeze
from customers.views.listing import (
    customer_count,
    customer_list,
    customer_names,
    delete_view,
    export,
    exports,
    save_view,
)
from customers.views.records import export_records
from customers.views.resellers import resellers

__all__ = [
    "customer",
    "customer_count",
    "customer_list",
    "customer_names",
    "decisions",
    "delete_view",
    "export",
    "export_records",
    "exports",
    "freeze",
    "freeze_record",
    "resellers",
    "save_view",
    "snooze",
    "unfreeze",
    "wake",
]
