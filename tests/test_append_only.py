"""Records cannot be changed or deleted by the ORM, by SQL, by a command or in Django admin.

See section 9 (docs/rules.md).
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError
from django.db import IntegrityError, connection, models, transaction
from django.test import Client
from django.utils import timezone

from budgets.models import AdjustmentRecord
from customers.actions.audit import record_export, reveal_names
from customers.models import (
    AgreementRecord,
    Customer,
    CustomerNote,
    ExportRecord,
    FreezeRecord,
    ReviewItem,
    Snooze,
)
from partnercenter.lib import append_only
from partnercenter.lib.append_only import Record, record_models
from partnercenter.models import (
    AcceptedCode,
    CodeRequest,
    Confirmation,
    Operation,
    Partner,
    PartnerStatusRecord,
    User,
    VerificationSwitchRecord,
)
from tests import factories
from tests.sql import POSTGRESQL_ONLY, SQLITE_ONLY, run_sql

EVERY_RECORD = pytest.mark.parametrize("model", record_models(), ids=lambda model: model.__name__)
REFUSAL = "is append-only"


@pytest.fixture
def record_of(acme: Partner, ann: User) -> Callable[[type[Record]], Any]:
    """Write a record of every model; the result finds the one of a given model."""
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100.00")
    factories.report((customer, "2026-09", "1"))
    reveal_names([customer], operator=ann, page="/customers/")
    record_export(ExportRecord.What.LIST, query="", rows=1, operator=ann, partner=acme)
    operation = Operation.objects.create(
        kind=Operation.Kind.SET_BUDGET, operator=ann, partner=acme, expires_at=timezone.now()
    )
    ReviewItem.objects.create(operation=operation, customer=customer)
    CodeRequest.objects.create(operation=operation, operator=ann)
    Confirmation.objects.create(operation=operation, how=Confirmation.How.EMAIL)
    AcceptedCode.objects.create(operation=operation, how=Confirmation.How.EMAIL)
    by_ann: dict[str, Any] = {"operator": ann, "operator_name": ann.username}
    AgreementRecord.objects.create(partner=acme, version="1", operation=operation.pk, **by_ann)
    PartnerStatusRecord.objects.create(partner=acme, status_after=Partner.Status.FROZEN, reason="unpaid", **by_ann)
    VerificationSwitchRecord.objects.create(partner=acme, turned_on=True, **by_ann)
    CustomerNote.objects.create(customer=customer, text="called", **by_ann)
    now = timezone.now()
    Snooze.objects.create(customer=customer, until=now, exhausted_since=now, reason="promised to pay", **by_ann)
    return lambda model: manager(model).order_by("pk")[0]


def manager(model: type[models.Model]) -> Any:
    return model._default_manager


def rows(model: type[models.Model]) -> list[dict[str, Any]]:
    return list(manager(model).order_by("pk").values())


def assert_refused(model: type[Record], attempt: Callable[[], Any], match: str = REFUSAL) -> None:
    """Assert that the attempt fails and changes no row of the model."""
    before = rows(model)
    assert before
    with pytest.raises(IntegrityError, match=match), transaction.atomic():
        attempt()
    assert rows(model) == before


# --- The ORM ----------------------------------------------------------------------------------------------------------


@EVERY_RECORD
def test_the_orm_cannot_update_records(model: type[Record], record_of: Callable[..., Any]) -> None:
    record = record_of(model)
    key = model._meta.pk.name
    assert_refused(model, lambda: manager(model).filter(pk=record.pk).update(**{key: record.pk}))
    assert_refused(model, lambda: manager(model).bulk_update([record], [other_fields(model)[0].name]))


def other_fields(model: type[Record]) -> Any:
    return [field for field in model._meta.concrete_fields if not field.primary_key]


@EVERY_RECORD
def test_the_orm_cannot_save_a_record_again(model: type[Record], record_of: Callable[..., Any]) -> None:
    assert_refused(model, record_of(model).save)


@EVERY_RECORD
def test_the_orm_cannot_delete_records(model: type[Record], record_of: Callable[..., Any]) -> None:
    record = record_of(model)
    assert_refused(model, record.delete, match=f"{REFUSAL}|protected foreign keys")
    assert_refused(model, lambda: manager(model).filter(pk=record.pk)._raw_delete("default"))


@EVERY_RECORD
def test_no_cascade_deletes_records(model: type[Record]) -> None:
    relations: Any = [field.remote_field for field in model._meta.concrete_fields if field.is_relation]
    assert all(relation.on_delete is models.PROTECT for relation in relations)


def test_customers_users_and_partners_named_by_a_record_cannot_be_deleted(
    record_of: Callable[..., Any], ann: User, acme: Partner
) -> None:
    for named in (record_of(FreezeRecord).customer, ann, acme):
        with pytest.raises(models.ProtectedError):
            named.delete()


# --- SQL --------------------------------------------------------------------------------------------------------------


@EVERY_RECORD
def test_sql_cannot_update_or_delete_records(model: type[Record], record_of: Callable[..., Any]) -> None:
    record_of(model)
    table, column = model._meta.db_table, other_fields(model)[0].column
    assert_refused(model, lambda: run_sql(f'UPDATE "{table}" SET "{column}" = "{column}"'))
    assert_refused(model, lambda: run_sql(f'DELETE FROM "{table}"'))


@EVERY_RECORD
def test_an_upsert_cannot_replace_a_record(model: type[Record], record_of: Callable[..., Any]) -> None:
    record_of(model)
    table, key, column = model._meta.db_table, model._meta.pk.column, other_fields(model)[0].column
    upsert = (
        f'INSERT INTO "{table}" SELECT * FROM "{table}" WHERE true '
        f'ON CONFLICT ("{key}") DO UPDATE SET "{column}" = EXCLUDED."{column}"'
    )
    assert_refused(model, lambda: run_sql(upsert))


@SQLITE_ONLY
@EVERY_RECORD
def test_insert_or_replace_cannot_replace_a_record(model: type[Record], record_of: Callable[..., Any]) -> None:
    """INSERT OR REPLACE deletes rows without firing the triggers on DELETE."""
    record_of(model)
    table = model._meta.db_table
    assert_refused(model, lambda: run_sql(f'INSERT OR REPLACE INTO "{table}" SELECT * FROM "{table}"'))


@SQLITE_ONLY
def test_insert_or_replace_cannot_replace_a_record_by_another_unique_constraint(record_of: Callable[..., Any]) -> None:
    """The new row has another key but the same operation and customer, so SQLite would delete the existing row."""
    record_of(ReviewItem)
    columns = "operation_id, customer_id, adjustment_record, freeze_kind, frozen_since"
    replace = (
        f"INSERT OR REPLACE INTO customers_reviewedcustomer (id, {columns})"
        f" SELECT id + 1000, {columns} FROM customers_reviewedcustomer"
    )
    assert_refused(ReviewItem, lambda: run_sql(replace))


@POSTGRESQL_ONLY
@pytest.mark.parametrize("through", ["itself", "customers_customer", "partnercenter_user", "partnercenter_partner"])
@EVERY_RECORD
def test_truncate_cannot_empty_a_table_of_records(
    model: type[Record], through: str, record_of: Callable[..., Any]
) -> None:
    record_of(model)
    table = model._meta.db_table if through == "itself" else through
    # Otherwise deferred foreign keys would refuse it, whatever the triggers do.
    run_sql("SET CONSTRAINTS ALL IMMEDIATE")
    assert_refused(model, lambda: run_sql(f'TRUNCATE "{table}" CASCADE'))


# --- Commands ---------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_flush_is_refused(record_of: Callable[..., Any]) -> None:
    record_of(AdjustmentRecord)
    all_models: list[type[models.Model]] = [*record_models(), Customer, User, Partner]
    before = {model: rows(model) for model in all_models}
    with pytest.raises(CommandError) as refused:
        call_command("flush", interactive=False, verbosity=0)
    assert REFUSAL in str(refused.value.__cause__)
    assert {model: rows(model) for model in before} == before


# --- Django admin -----------------------------------------------------------------------------------------------------


def admin_path(model: type[models.Model]) -> str:
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/"


@pytest.fixture
def superuser(sign_in: Callable[[User], Client], platform: User) -> Client:
    """The browser of a superuser of the platform, to whom Django itself would allow everything."""
    return sign_in(platform)


@EVERY_RECORD
def test_admin_cannot_add_change_or_delete_records(
    model: type[Record], superuser: Client, record_of: Callable[..., Any]
) -> None:
    path, key = admin_path(model), record_of(model).pk
    before = rows(model)
    status = 403 if admin.site.is_registered(model) else 404
    forms = {f"{path}add/": {}, f"{path}{key}/change/": {"note": "another"}, f"{path}{key}/delete/": {"post": "yes"}}
    assert [superuser.post(url, data).status_code for url, data in forms.items()] == [status] * 3
    assert rows(model) == before


@EVERY_RECORD
def test_the_admin_action_delete_selected_deletes_no_records(
    model: type[Record], superuser: Client, record_of: Callable[..., Any]
) -> None:
    key = record_of(model).pk
    before = rows(model)
    superuser.post(admin_path(model), {"action": "delete_selected", "_selected_action": [key], "post": "yes"})
    assert rows(model) == before


@pytest.mark.parametrize("named", [Customer, User, Partner], ids=lambda model: model.__name__)
def test_admin_cannot_delete_what_records_name(
    named: type[models.Model], superuser: Client, record_of: Callable[..., Any]
) -> None:
    record_of(AdjustmentRecord)
    before = rows(named)
    for row in manager(named).all():
        assert superuser.post(f"{admin_path(named)}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert rows(named) == before


# --- The triggers -----------------------------------------------------------------------------------------------------

# Statements that take the protection away from a table.
REMOVALS = {
    "sqlite": [f'DROP TRIGGER "{{table}}_{name}"' for name in append_only.SQLITE_TRIGGERS],
    "postgresql": [
        'DROP TRIGGER append_only ON "{table}"',
        'ALTER TABLE "{table}" DISABLE TRIGGER append_only',
        'ALTER TABLE "{table}" ENABLE REPLICA TRIGGER append_only',
    ],
}


def test_every_record_table_is_protected_after_migrate(db: None) -> None:
    assert append_only.unprotected_tables() == []
    call_command("check", databases=["default"])


@pytest.mark.parametrize("removal", REMOVALS[connection.vendor])
@EVERY_RECORD
def test_a_missing_trigger_is_reported_by_the_check_and_can_be_installed_again(
    model: type[Record], removal: str, db: None
) -> None:
    table = model._meta.db_table
    run_sql(removal.format(table=table))
    assert append_only.unprotected_tables() == [table]
    with pytest.raises(SystemCheckError, match=f"{table} is not append-only"):
        call_command("check", databases=["default"])
    append_only.install_triggers()
    assert append_only.unprotected_tables() == []


def test_installing_triggers_restores_missing_ones_and_may_be_repeated(db: None) -> None:
    append_only.remove_triggers()
    assert sorted(append_only.unprotected_tables()) == sorted(model._meta.db_table for model in record_models())
    append_only.install_triggers()
    append_only.install_triggers()
    assert append_only.unprotected_tables() == []


@pytest.mark.django_db(transaction=True)
def test_migrate_installs_triggers_again_after_a_table_was_rebuilt() -> None:
    """SQLite silently drops the triggers when Django alters a field; PostgreSQL keeps them."""
    field = FreezeRecord._meta.get_field("reason")
    wider = models.CharField(max_length=300, blank=True)
    wider.set_attributes_from_name("reason")
    wider.model = FreezeRecord
    try:
        with connection.schema_editor() as editor:
            editor.alter_field(FreezeRecord, field, wider)
        unprotected = [FreezeRecord._meta.db_table] if connection.vendor == "sqlite" else []
        assert append_only.unprotected_tables() == unprotected
        call_command("migrate", verbosity=0)
        assert append_only.unprotected_tables() == []
    finally:
        with connection.schema_editor() as editor:
            editor.alter_field(FreezeRecord, wider, field)
        append_only.install_triggers()


def test_another_record_can_be_added(record_of: Callable[..., Any], acme: Partner) -> None:
    """Only changes are refused; another record can always be added."""
    first = record_of(FreezeRecord)
    number = FreezeRecord.objects.count()
    factories.customer(acme, f"another-{uuid4().hex}")
    assert FreezeRecord.objects.count() == number + 1
    assert FreezeRecord.objects.get(pk=first.pk) == first
    assert AdjustmentRecord.objects.get().amount_after == Decimal("100.00")
