"""What is stored, and what protects and finds it, survives each application's last migration back and forth."""

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

OURS = ("partnercenter", "customers", "budgets")


def names(app: str) -> list[str]:
    """The application's migrations, each after those it follows."""
    graph = MigrationLoader(connection).graph
    [last] = graph.leaf_nodes(app)
    return [name for of, name in graph.forwards_plan(last) if of == app]


def rows() -> dict[str, list[Any]]:
    stored: list[Any] = [*append_only.record_models(), Customer, Partner, User]
    return {model.__name__: list(model._default_manager.order_by("pk").values()) for model in stored}


@pytest.mark.parametrize("app", OURS)
def test_data_triggers_and_search_survive_the_last_migration_back_and_forth(app, acme, ann, sign_in):
    customers = factories.customers(acme, 3)
    factories.confirmed(factories.reviewed(customers, ann, "100"))
    before = rows()
    *_earlier, former, _last = names(app)
    try:
        call_command("migrate", app, former, verbosity=0)
        assert append_only.unprotected_tables() == []
    finally:
        call_command("migrate", verbosity=0)
    assert rows() == before
    assert append_only.unprotected_tables() == []
    assert list(differences()) == []
    call_command("check", databases=["default"])
    found = sign_in(ann).get("/customers/", {"q": customers[0].name}).context["counts"].customers
    assert found == 1
