"""Records cannot be changed or deleted: not by the ORM, not by SQL, not by a command, not by admin.

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

EVERY_RECORD = pytest.mark.parametrize("model", record_models(), ids=lambda model: model.__name__)
ON_SQLITE = pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite has it")
ON_POSTGRESQL = pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL has it")
REFUSED = "is append-only"


@pytest.fixture
def record_of(acme: Partner, ann: User) -> Callable[[type[Record]], Any]:
    """One written record of the model asked for; there is one of each."""
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100.00")
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


def run(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def refuses(model: type[Record], attempt: Callable[[], Any], match: str = REFUSED) -> None:
    """The attempt is refused, and every row is as it was."""
    before = rows(model)
    assert before
    with pytest.raises(IntegrityError, match=match), transaction.atomic():
        attempt()
    assert rows(model) == before


# --- By the ORM -------------------------------------------------------------------------------------------------------


@EVERY_RECORD
def test_the_orm_updates_no_record(model: type[Record], record_of: Callable[..., Any]) -> None:
    record = record_of(model)
    key = model._meta.pk.name
    refuses(model, lambda: manager(model).filter(pk=record.pk).update(**{key: record.pk}))
    refuses(model, lambda: manager(model).bulk_update([record], [other_fields(model)[0].name]))


def other_fields(model: type[Record]) -> Any:
    return [field for field in model._meta.concrete_fields if not field.primary_key]


@EVERY_RECORD
def test_the_orm_saves_no_record_again(model: type[Record], record_of: Callable[..., Any]) -> None:
    refuses(model, record_of(model).save)


@EVERY_RECORD
def test_the_orm_deletes_no_record(model: type[Record], record_of: Callable[..., Any]) -> None:
    record = record_of(model)
    refuses(model, record.delete, match=f"{REFUSED}|protected foreign keys")
    refuses(model, lambda: manager(model).filter(pk=record.pk)._raw_delete("default"))


@EVERY_RECORD
def test_no_cascade_reaches_a_record(model: type[Record]) -> None:
    relations: Any = [field.remote_field for field in model._meta.concrete_fields if field.is_relation]
    assert all(relation.on_delete is models.PROTECT for relation in relations)


def test_whoever_a_record_names_cannot_be_deleted(record_of: Callable[..., Any], ann: User, acme: Partner) -> None:
    for named in (record_of(FreezeRecord).customer, ann, acme):
        with pytest.raises(models.ProtectedError):
            named.delete()


# --- By SQL -----------------------------------------------------------------------------------------------------------


@EVERY_RECORD
def test_sql_updates_and_deletes_no_record(model: type[Record], record_of: Callable[..., Any]) -> None:
    record_of(model)
    table, column = model._meta.db_table, other_fields(model)[0].column
    refuses(model, lambda: run(f'UPDATE "{table}" SET "{column}" = "{column}"'))
    refuses(model, lambda: run(f'DELETE FROM "{table}"'))


@EVERY_RECORD
def test_an_upsert_replaces_no_record(model: type[Record], record_of: Callable[..., Any]) -> None:
    record_of(model)
    table, key, column = model._meta.db_table, model._meta.pk.column, other_fields(model)[0].column
    upsert = (
        f'INSERT INTO "{table}" SELECT * FROM "{table}" WHERE true '
        f'ON CONFLICT ("{key}") DO UPDATE SET "{column}" = EXCLUDED."{column}"'
    )
    refuses(model, lambda: run(upsert))


@ON_SQLITE
@EVERY_RECORD
def test_insert_or_replace_replaces_no_record(model: type[Record], record_of: Callable[..., Any]) -> None:
    """It deletes without firing a trigger on DELETE."""
    record_of(model)
    table = model._meta.db_table
    refuses(model, lambda: run(f'INSERT OR REPLACE INTO "{table}" SELECT * FROM "{table}"'))


@ON_SQLITE
def test_insert_or_replace_replaces_no_record_by_another_unique_constraint(record_of: Callable[..., Any]) -> None:
    """A new key, but the same operation and customer: SQLite would delete the former row for it."""
    record_of(ReviewItem)
    columns = "operation_id, customer_id, adjustment_record, freeze_kind, frozen_since"
    replace = (
        f"INSERT OR REPLACE INTO customers_reviewedcustomer (id, {columns})"
        f" SELECT id + 1000, {columns} FROM customers_reviewedcustomer"
    )
    refuses(ReviewItem, lambda: run(replace))


@ON_POSTGRESQL
@pytest.mark.parametrize("through", ["itself", "customers_customer", "partnercenter_user", "partnercenter_partner"])
@EVERY_RECORD
def test_no_truncate_empties_a_record_table(model: type[Record], through: str, record_of: Callable[..., Any]) -> None:
    record_of(model)
    table = model._meta.db_table if through == "itself" else through
    # Else the foreign keys that wait for the commit would refuse it, and prove nothing.
    run("SET CONSTRAINTS ALL IMMEDIATE")
    refuses(model, lambda: run(f'TRUNCATE "{table}" CASCADE'))


# --- By a command -----------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_flush_is_refused(record_of: Callable[..., Any]) -> None:
    record_of(AdjustmentRecord)
    models_kept: list[type[models.Model]] = [*record_models(), Customer, User, Partner]
    before = {model: rows(model) for model in models_kept}
    with pytest.raises(CommandError) as refused:
        call_command("flush", interactive=False, verbosity=0)
    assert REFUSED in str(refused.value.__cause__)
    assert {model: rows(model) for model in before} == before


# --- By admin ---------------------------------------------------------------------------------------------------------


def page_of(model: type[models.Model]) -> str:
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/"


@pytest.fixture
def superuser(sign_in: Callable[[User], Client], platform: User) -> Client:
    """A superuser of the platform, whom Django itself would allow everything."""
    return sign_in(platform)


@EVERY_RECORD
def test_admin_adds_changes_and_deletes_no_record(
    model: type[Record], superuser: Client, record_of: Callable[..., Any]
) -> None:
    page, key = page_of(model), record_of(model).pk
    before = rows(model)
    refusal = 403 if admin.site.is_registered(model) else 404
    sent = {f"{page}add/": {}, f"{page}{key}/change/": {"note": "another"}, f"{page}{key}/delete/": {"post": "yes"}}
    assert [superuser.post(url, data).status_code for url, data in sent.items()] == [refusal] * 3
    assert rows(model) == before


@EVERY_RECORD
def test_no_admin_action_deletes_records(model: type[Record], superuser: Client, record_of: Callable[..., Any]) -> None:
    key = record_of(model).pk
    before = rows(model)
    superuser.post(page_of(model), {"action": "delete_selected", "_selected_action": [key], "post": "yes"})
    assert rows(model) == before


@pytest.mark.parametrize("named", [Customer, User, Partner], ids=lambda model: model.__name__)
def test_admin_deletes_nothing_that_records_name(
    named: type[models.Model], superuser: Client, record_of: Callable[..., Any]
) -> None:
    record_of(AdjustmentRecord)
    before = rows(named)
    for row in manager(named).all():
        assert superuser.post(f"{page_of(named)}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert rows(named) == before


# --- The triggers themselves ------------------------------------------------------------------------------------------

LIFTED = {
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


@pytest.mark.parametrize("lift", LIFTED[connection.vendor])
@EVERY_RECORD
def test_a_lifted_trigger_is_missed_by_the_check_and_put_back(model: type[Record], lift: str, db: None) -> None:
    table = model._meta.db_table
    run(lift.format(table=table))
    assert append_only.unprotected_tables() == [table]
    with pytest.raises(SystemCheckError, match=f"{table} is not append-only"):
        call_command("check", databases=["default"])
    append_only.install_triggers()
    assert append_only.unprotected_tables() == []


def test_installing_puts_back_what_was_lifted_and_may_be_repeated(db: None) -> None:
    append_only.remove_triggers()
    assert sorted(append_only.unprotected_tables()) == sorted(model._meta.db_table for model in record_models())
    append_only.install_triggers()
    append_only.install_triggers()
    assert append_only.unprotected_tables() == []


@pytest.mark.django_db(transaction=True)
def test_triggers_come_back_with_the_migration_that_rebuilds_a_table() -> None:
    """SQLite drops them without a word when Django alters a field; PostgreSQL keeps them."""
    field = FreezeRecord._meta.get_field("reason")
    wider = models.CharField(max_length=300, blank=True)
    wider.set_attributes_from_name("reason")
    wider.model = FreezeRecord
    try:
        with connection.schema_editor() as editor:
            editor.alter_field(FreezeRecord, field, wider)
        lost = [FreezeRecord._meta.db_table] if connection.vendor == "sqlite" else []
        assert append_only.unprotected_tables() == lost
        call_command("migrate", verbosity=0)
        assert append_only.unprotected_tables() == []
    finally:
        with connection.schema_editor() as editor:
            editor.alter_field(FreezeRecord, wider, field)
        append_only.install_triggers()


def test_a_record_is_written_once_and_then_stands(record_of: Callable[..., Any], acme: Partner) -> None:
    """What is refused is the change: another record may always come."""
    first = record_of(FreezeRecord)
    number = FreezeRecord.objects.count()
    factories.customer(acme, f"another-{uuid4().hex}")
    assert FreezeRecord.objects.count() == number + 1
    assert FreezeRecord.objects.get(pk=first.pk) == first
    assert AdjustmentRecord.objects.get().amount_after == Decimal("100.00")
