"""Declarations that must agree: filters, sort columns, stored terms and kinds of operations."""

from dataclasses import fields
from decimal import Decimal
from typing import Any

import pytest
from django.db import models
from django.utils.module_loading import import_string

from budgets.actions.terms import BudgetChange, RelativeAmount, terms_as_json, terms_from_json
from budgets.models import Budget
from budgets.operations import CustomerOperation, ImportBudgets
from customers.listing.active_filters import RANGE_LABELS
from customers.listing.customer_list import NAME_COLUMNS
from customers.listing.filters import SORTS, CustomerFilterForm
from customers.listing.ordering import COLUMN_TYPES, RANK_SUFFIX, RUNS_OUT_COLUMN, USED_COLUMN
from customers.models import AccountFreezing, Customer
from partnercenter.lib.money import MoneyField
from partnercenter.models import BudgetType, Operation
from partnercenter.operation_kinds import KIND_CLASSES, OperationKind

AMOUNTS: list[Decimal | RelativeAmount] = [
    Decimal("12.30"),
    RelativeAmount(percent=Decimal("110.50")),
    RelativeAmount(plus=Decimal("-20.00"), round_up_to=Decimal("5.00")),
    RelativeAmount(last_month_times=Decimal("1.20")),
]
COLUMNS = sorted(SORTS.values())
CUSTOMER_OPERATIONS = [
    import_string(path) for path in KIND_CLASSES.values() if issubclass(import_string(path), CustomerOperation)
]


def test_each_pair_of_fields_for_a_range_is_shown_as_one_active_filter():
    ranges = CustomerFilterForm.RANGES
    assert set(RANGE_LABELS) == set(ranges)
    assert {*ranges, *ranges.values()} <= set(CustomerFilterForm.filter_names())
    firsts = {name for name in CustomerFilterForm.filter_names() if name.endswith(("_min", "_after"))}
    assert firsts == set(ranges)


def column_field(column: str) -> models.Field:
    model: type[models.Model] = Budget if column.startswith("budget__") else Customer
    field = model._meta.get_field(column.removeprefix("budget__"))
    assert isinstance(field, models.Field)
    return field


@pytest.mark.parametrize("column", COLUMNS)
def test_a_sort_column_has_a_value_for_every_row_of_its_table(column):
    """Rows without a value would be missing from the list, unless they have a segment of their own."""
    assert column == RUNS_OUT_COLUMN or not column_field(column).null


@pytest.mark.parametrize("column", COLUMNS)
def test_a_cursor_can_hold_the_value_of_each_sort_column(column):
    numeric = MoneyField | models.IntegerField
    assert isinstance(column_field(column), numeric) != (column in NAME_COLUMNS or column in COLUMN_TYPES)


@pytest.mark.parametrize("column", COLUMNS)
def test_each_sort_column_has_an_index_in_the_order_of_the_list(column):
    if column.startswith("budget__"):
        # A column that changes with every report is sorted by the index of its rank.
        indexed = column + RANK_SUFFIX if column == USED_COLUMN else column
        indexes = [["partner", "state", indexed.removeprefix("budget__"), "customer"]]
    else:
        indexes = [["partner", column, "id"], ["partner", "state", column, "id"]]
    meta: Any = column_field(column).model._meta
    assert [each for each in indexes if each not in [index.fields for index in meta.indexes]] == []


def test_terms_survive_being_stored():
    for amount in AMOUNTS:
        terms = BudgetChange(BudgetType.MONTHLY, amount, AccountFreezing.AUTOMATIC, True, "2026-11")
        assert None not in (getattr(terms, field.name) for field in fields(terms))
        assert terms_from_json(terms_as_json(terms, unfreeze=True)) == terms
    assert terms_from_json(terms_as_json(BudgetChange(), unfreeze=False)) == BudgetChange()


def test_each_kind_of_operation_has_its_class():
    assert set(KIND_CLASSES) == set(Operation.Kind)
    assert all(issubclass(import_string(path), OperationKind) for path in KIND_CLASSES.values())


@pytest.mark.parametrize("kind", [*CUSTOMER_OPERATIONS, ImportBudgets], ids=lambda kind: kind.__name__)
def test_each_kind_of_operation_on_customers_says_how_its_pages_look(kind):
    declared = [name for name in CustomerOperation.__annotations__ if not name.startswith("_")]
    assert "batch_template" in declared
    assert [name for name in declared if not hasattr(kind, name)] == []
    assert kind.__abstractmethods__ == frozenset()
