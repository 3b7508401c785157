"""Searching customers: the lookup `search__holds` on SQLite and PostgreSQL, and the indexes that each of them uses."""

import re

import pytest
from django.core.management import call_command
from django.db import models, transaction

from customers.listing.customer_list import CustomerList
from customers.models import Customer
from customers.search import fold
from partnercenter.models import Partner
from tests import factories
from tests.sql import POSTGRESQL_ONLY, SQLITE_ONLY, run_sql


def found(text: str) -> set[str]:
    """The IDs of the customers that a search for this text finds."""
    return set(Customer.objects.filter(search__holds=fold(text)).values_list("customer_id", flat=True))


@pytest.fixture
def nova(acme: Partner) -> Customer:
    return factories.customer(acme, "1", account_name="acme_nova", name="王秀英")


@pytest.mark.parametrize("text", ["王", "王秀", "王秀英", "a", "ac", "acm", "NOV", "me_", "_nova"])
def test_names_and_account_names_are_found_by_their_beginning_or_any_three_characters_in_a_row(text, nova):
    assert found(text) == {"1"}


@pytest.mark.parametrize("text", ["秀", "秀英", "no", "va", "_n", "英a", "英\n", "\na", "%", "__", "w\U0010ffff"])
def test_one_or_two_characters_are_found_only_at_the_beginning(text, nova):
    assert found(text) == set()


def test_a_beginning_is_found_whatever_follows_it(acme):
    factories.customer(acme, "1", name="ab")
    factories.customer(acme, "2", name="ab\U0010fffe")
    factories.customer(acme, "3", name="ac")
    factories.customer(acme, "4", name="aa\U0010fffe")
    assert found("ab") == {"1", "2"}


def test_the_search_works_with_exclude_and_or(acme, nova):
    factories.customer(acme, "2", name="Other name")
    others = Customer.objects.exclude(search__holds=fold("NOVA"))
    assert set(others.values_list("customer_id", flat=True)) == {"2"}
    either = Customer.objects.filter(models.Q(search__holds="acme") | models.Q(search__holds="ot"))
    assert either.count() == 2


def test_a_renamed_customer_is_found_only_by_the_new_name(nova):
    Customer.objects.filter(pk=nova.pk).update(search=fold("Zephyr", "acme_nova"))
    assert (found("王秀英"), found("zephyr")) == (set(), {"1"})
    assert (found("王"), found("ze")) == (set(), {"1"})


def test_a_customer_whose_creation_is_rolled_back_is_not_found(acme):
    with transaction.atomic():
        factories.customer(acme, "1", name="Zephyr")
        assert found("zephyr") == {"1"}
        transaction.set_rollback(True)
    assert found("zephyr") == set()


def add_many_customers(partner: Partner) -> None:
    """Add enough customers for an index to be worth using."""
    factories.bulk_customers(partner, 3_000, prefix=partner.account_name)
    run_sql("ANALYZE customers_customer")


INDEXES = {
    "nov": ["Bitmap Index Scan on customer_search"],
    "no": ["Bitmap Index Scan on customer_begins_name", "Bitmap Index Scan on customer_begins_account"],
}


@POSTGRESQL_ONLY
@pytest.mark.parametrize("text", INDEXES)
def test_the_search_uses_its_indexes(text, acme, nova):
    add_many_customers(acme)
    # PostgreSQL would rather scan so few rows; the question is whether it can use the indexes.
    run_sql("SET LOCAL enable_seqscan = off")
    run_sql("SELECT gin_clean_pending_list('customer_search')")
    plan = Customer.objects.filter(partner=acme, search__holds=text).explain()
    assert [index for index in INDEXES[text] if index not in plan] == []


@SQLITE_ONLY
@pytest.mark.parametrize("text", ["nov", "no"])
def test_without_search_indexes_the_list_reads_only_the_customers_of_its_partner(text, acme, borealis, ann, nova):
    add_many_customers(acme)
    add_many_customers(borealis)
    plan = CustomerList({"q": text}, ann).queryset.explain()
    assert re.search(r"SEARCH customers_customer USING INDEX \w+ \(partner_id=\?\)", plan)
    assert "one_current_association_per_customer_id (customer_id=?)" in plan
    assert "SCAN" not in plan.replace("SCALAR", "")


@POSTGRESQL_ONLY
def test_beginnings_are_compared_by_character_whatever_the_collation_is(db):
    definitions = [row[0] for row in run_sql("SELECT indexdef FROM pg_indexes WHERE indexname LIKE 'customer_begins%'")]
    assert len(definitions) == 2
    assert all("text_pattern_ops" in definition for definition in definitions)


FULL_TEXT_TABLE = (
    "CREATE VIRTUAL TABLE customer_search USING fts5(search, content='customers_customer', content_rowid='id')"
)
FULL_TEXT_TRIGGER = (
    "CREATE TRIGGER customer_search_insert AFTER INSERT ON customers_customer BEGIN"
    " INSERT INTO customer_search (rowid, search) VALUES (NEW.id, NEW.search); END"
)


@SQLITE_ONLY
@pytest.mark.django_db(transaction=True)
def test_a_migration_removes_the_earlier_full_text_search(acme):
    try:
        call_command("migrate", "customers", "0015_imported_at", verbosity=0)
        run_sql(FULL_TEXT_TABLE)
        run_sql(FULL_TEXT_TRIGGER)
    finally:
        call_command("migrate", verbosity=0)
    named = "name LIKE 'customer_search%' OR name LIKE 'customer_begins%'"
    assert run_sql(f"SELECT name FROM sqlite_master WHERE {named}") == []
    factories.customer(acme, "1", name="Zephyr")
    assert found("zephyr") == {"1"}
