"""The search itself: `search__holds` on both engines, and how each of them looks customers up."""

import re
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, models, transaction

from customers.listing.customer_list import CustomerList
from customers.models import Customer
from customers.search import fold
from partnercenter.models import Partner
from tests import factories

ON_SQLITE = pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has indexes for the search")
ON_POSTGRESQL = pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL has these indexes")


def found(text: str) -> set[str]:
    return set(Customer.objects.filter(search__holds=fold(text)).values_list("customer_id", flat=True))


def run(sql: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def nova(acme: Partner) -> Customer:
    return factories.customer(acme, "1", account_name="acme_nova", name="王秀英")


@pytest.mark.parametrize("text", ["王", "王秀", "王秀英", "a", "ac", "acm", "NOV", "me_", "_nova"])
def test_names_and_accounts_are_found_by_any_part_of_three_and_by_their_beginning(text, nova):
    assert found(text) == {"1"}


@pytest.mark.parametrize("text", ["秀", "秀英", "no", "va", "_n", "英a", "英\n", "\na", "%", "__", "w\U0010ffff"])
def test_one_and_two_characters_are_not_looked_for_in_the_middle(text, nova):
    assert found(text) == set()


def test_what_a_beginning_is_followed_by_does_not_matter(acme):
    factories.customer(acme, "1", name="ab")
    factories.customer(acme, "2", name="ab\U0010fffe")
    factories.customer(acme, "3", name="ac")
    factories.customer(acme, "4", name="aa\U0010fffe")
    assert found("ab") == {"1", "2"}


def test_search_composes_with_exclude_and_or(acme, nova):
    factories.customer(acme, "2", name="Other name")
    chosen = Customer.objects.exclude(search__holds=fold("NOVA"))
    assert set(chosen.values_list("customer_id", flat=True)) == {"2"}
    either = Customer.objects.filter(models.Q(search__holds="acme") | models.Q(search__holds="ot"))
    assert either.count() == 2


def test_what_was_renamed_is_found_by_the_new_name_alone(nova):
    Customer.objects.filter(pk=nova.pk).update(search=fold("Zephyr", "acme_nova"))
    assert (found("王秀英"), found("zephyr")) == (set(), {"1"})
    assert (found("王"), found("ze")) == (set(), {"1"})


def test_a_write_that_is_taken_back_leaves_nothing_to_find(acme):
    with transaction.atomic():
        factories.customer(acme, "1", name="Zephyr")
        assert found("zephyr") == {"1"}
        transaction.set_rollback(True)
    assert found("zephyr") == set()


def many(partner: Partner, number: int) -> None:
    """So many customers besides, enough for an index to pay."""
    names = [(f"name {n:05}", f"account {n:05}") for n in range(number)]
    Customer.objects.bulk_create(
        Customer(
            partner=partner,
            customer_id=f"{partner.pk} {account}",
            account_name=account,
            name=name,
            search=fold(name, account),
        )
        for name, account in names
    )
    run("ANALYZE customers_customer")


INDEXES = {
    "nov": ["Bitmap Index Scan on customer_search"],
    "no": ["Bitmap Index Scan on customer_begins_name", "Bitmap Index Scan on customer_begins_account"],
}


@ON_POSTGRESQL
@pytest.mark.parametrize("text", INDEXES)
def test_the_search_takes_its_indexes(text, acme, nova):
    many(acme, 3_000)
    # So few rows are read as a whole: what is asked is whether the indexes can be taken.
    run("SET LOCAL enable_seqscan = off")
    run("SELECT gin_clean_pending_list('customer_search')")
    plan = Customer.objects.filter(partner=acme, search__holds=text).explain()
    assert [index for index in INDEXES[text] if index not in plan] == []


@ON_SQLITE
@pytest.mark.parametrize("text", ["nov", "no"])
def test_without_such_indexes_the_list_reads_the_customers_of_its_partner_alone(text, acme, borealis, ann, nova):
    many(acme, 3_000)
    many(borealis, 3_000)
    plan = CustomerList({"q": text}, ann).queryset.explain()
    assert re.search(r"SEARCH customers_customer USING INDEX \w+ \(partner_id=\?\)", plan)
    assert "one_current_association_per_customer_id (customer_id=?)" in plan
    assert "SCAN" not in plan.replace("SCALAR", "")


@ON_POSTGRESQL
def test_beginnings_are_compared_by_character_whatever_the_collation(db):
    definitions = [row[0] for row in run("SELECT indexdef FROM pg_indexes WHERE indexname LIKE 'customer_begins%'")]
    assert len(definitions) == 2
    assert all("text_pattern_ops" in definition for definition in definitions)


FULL_TEXT_TABLE = (
    "CREATE VIRTUAL TABLE customer_search USING fts5(search, content='customers_customer', content_rowid='id')"
)
FULL_TEXT_TRIGGER = (
    "CREATE TRIGGER customer_search_insert AFTER INSERT ON customers_customer BEGIN"
    " INSERT INTO customer_search (rowid, search) VALUES (NEW.id, NEW.search); END"
)


@ON_SQLITE
@pytest.mark.django_db(transaction=True)
def test_a_migration_removes_the_former_full_text_search(acme):
    try:
        call_command("migrate", "customers", "0015_imported_at", verbosity=0)
        run(FULL_TEXT_TABLE)
        run(FULL_TEXT_TRIGGER)
    finally:
        call_command("migrate", verbosity=0)
    assert (
        run("SELECT name FROM sqlite_master WHERE name LIKE 'customer_search%' OR name LIKE 'customer_begins%'") == []
    )
    factories.customer(acme, "1", name="Zephyr")
    assert found("zephyr") == {"1"}
