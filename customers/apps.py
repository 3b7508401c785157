"""The application of the customers."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class CustomersConfig(AppConfig):
    """Takes part in the one signal of the house: after every migration SQLite gets back what the search needs."""

    name = "customers"

    def ready(self) -> None:
        from customers import search

        post_migrate.connect(search.install_search, sender=self, dispatch_uid="customer_search")
