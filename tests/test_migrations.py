"""Migrating each app's last migration back and forth keeps the data, the append-only triggers and the search."""

from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from budgets.queries.integrity import differences
from customers.models import Customer
from partnercenter.lib import append_only
from partnercenter.models import Partner, User
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

APPS = ("partnercenter", "customers", "budgets")


def migrations(app: str) -> list[str]:
    """The migrations of an app, in the order of their dependencies."""
    graph = MigrationLoader(connection).graph
    [last] = graph.leaf_nodes(app)
    return [name for label, name in graph.forwards_plan(last) if label == app]


def stored_rows() -> dict[str, list[Any]]:
    models: list[Any] = [*append_only.record_models(), Customer, Partner, User]
    return {model.__name__: list(model._default_manager.order_by("pk").values()) for model in models}


@pytest.mark.parametrize("app", APPS)
def test_data_triggers_and_search_survive_migrating_back_and_forth(app, acme, ann, sign_in):
    customers = factories.customers(acme, 3)
    factories.confirmed(factories.reviewed(customers, ann, "100"))
    before = stored_rows()
    *_earlier, second_to_last, _last = migrations(app)
    try:
        call_command("migrate", app, second_to_last, verbosity=0)
        assert append_only.unprotected_tables() == []
    finally:
        call_command("migrate", verbosity=0)
    assert stored_rows() == before
    assert append_only.unprotected_tables() == []
    assert list(differences()) == []
    call_command("check", databases=["default"])
    customers_found = sign_in(ann).get("/customers/", {"q": customers[0].name}).context["counts"].customers
    assert customers_found == 1
