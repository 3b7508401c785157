"""Migrating back and forth keeps the data, the append-only triggers and the search, and fills new columns."""

from importlib import import_module
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from budgets.actions.billing_month import current_month
from budgets.models import Budget
from budgets.months import month_name
from budgets.queries.integrity import differences
from customers.models import Customer
from partnercenter.lib import append_only
from partnercenter.models import Partner, User
from tests import factories
from tests.sql import run_sql

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


@pytest.fixture
def budgets(acme: Partner, ann: User) -> list[Any]:
    """The stored values of five budgets, of which four have used something."""
    customers = factories.customers(acme, 6)
    factories.budget(customers[:5], ann, "100")
    totals = ("33.33", "0", "-12.00", "120.00", "60.00")
    month = month_name(current_month())
    factories.report(*[(each, month, total) for each, total in zip(customers, totals, strict=False)])
    rows = list(Budget.objects.order_by("pk").values())
    assert [bool(row["used_rank"]) for row in rows] == [True, False, True, True, True]
    return rows


def test_migrating_an_existing_database_fills_the_ranks_and_replaces_the_index(budgets, monkeypatch):
    monkeypatch.setattr(import_module("budgets.migrations.0009_index_used_rank"), "NUMBER_PER_STEP", 2)
    try:
        call_command("migrate", "budgets", "0007", verbosity=0)
        assert "budget_state_used" in indexes_of("budgets_budget")
    finally:
        call_command("migrate", verbosity=0)
    assert list(Budget.objects.order_by("pk").values()) == budgets
    indexes = indexes_of("budgets_budget")
    assert indexes["budget_state_used_rank"]["columns"] == ["partner_id", "state", "used_rank", "customer_id"]
    assert "budget_state_used" not in indexes


def test_an_interrupted_migration_of_the_ranks_can_be_run_again(budgets):
    try:
        call_command("migrate", "budgets", "0008", verbosity=0)
        Budget.objects.filter(pk=budgets[0]["customer_id"]).update(used_rank=0)
        run_sql("CREATE INDEX budget_state_used_rank ON budgets_budget (used_rank)")
    finally:
        call_command("migrate", verbosity=0)
    assert list(Budget.objects.order_by("pk").values()) == budgets
    assert len(indexes_of("budgets_budget")["budget_state_used_rank"]["columns"]) == 4


def indexes_of(table: str) -> dict[str, Any]:
    """The indexes and constraints of a table by name."""
    with connection.cursor() as cursor:
        return connection.introspection.get_constraints(cursor, table)


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
