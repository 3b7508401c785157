"""The search itself: `search__holds` on both engines, its indexes, and that SQLite cannot lose them."""

from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection, models, transaction

from customers import search
from customers.listing.customer_list import CustomerList
from customers.models import Customer
from customers.search import fold
from partnercenter.models import Partner
from tests import factories

ON_SQLITE = pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL keeps its indexes")
ON_POSTGRESQL = pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL has a collation")


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
        Customer(partner=partner, customer_id=account, account_name=account, name=name, search=fold(name, account))
        for name, account in names
    )
    run("ANALYZE customers_customer")


TAKEN = {
    ("sqlite", "nov"): ["SCAN customer_search VIRTUAL TABLE"],
    ("sqlite", "no"): ["USING INDEX customer_begins_name", "USING INDEX customer_begins_account"],
    ("postgresql", "nov"): ["Bitmap Index Scan on customer_search"],
    ("postgresql", "no"): ["Bitmap Index Scan on customer_begins_name", "Bitmap Index Scan on customer_begins_account"],
}


@pytest.mark.parametrize("text", ["nov", "no"])
def test_the_search_takes_its_indexes(text, acme, nova):
    many(acme, 3_000)
    if connection.vendor == "postgresql":
        # So few rows are read as a whole: what is asked is whether the indexes can be taken.
        run("SET LOCAL enable_seqscan = off")
        run("SELECT gin_clean_pending_list('customer_search')")
    plan = Customer.objects.filter(partner=acme, search__holds=text).explain()
    assert [taken for taken in TAKEN[connection.vendor, text] if taken not in plan] == []


@ON_SQLITE
@pytest.mark.parametrize("text", ["nov", "no"])
def test_the_list_looks_name_account_and_id_up_each_in_its_index(text, acme, ann, nova):
    many(acme, 3_000)
    plan = CustomerList({"q": text}, ann).queryset.explain()
    assert "MULTI-INDEX OR" in plan
    assert "one_current_association_per_customer_id" in plan
    assert [taken for taken in TAKEN["sqlite", text] if taken not in plan] == []


@ON_POSTGRESQL
def test_beginnings_are_compared_by_character_whatever_the_collation(db):
    definitions = [row[0] for row in run("SELECT indexdef FROM pg_indexes WHERE indexname LIKE 'customer_begins%'")]
    assert len(definitions) == 2
    assert all("text_pattern_ops" in definition for definition in definitions)


@ON_SQLITE
@pytest.mark.parametrize("name", search.SQLITE)
def test_what_is_lost_is_missed_by_the_check_and_put_back(name, nova):
    kind = run(f"SELECT type FROM sqlite_master WHERE name = '{name}'")[0][0]
    run(f"DROP {kind} {name}")
    assert search.missing_search_parts() == [name]
    with pytest.raises(SystemCheckError, match=f"{name} is missing"):
        call_command("check", databases=["default"])
    search.install_search()
    assert search.missing_search_parts() == []
    assert found("nova") == {"1"}


@ON_SQLITE
def test_installing_finds_what_was_written_while_a_trigger_was_lost(acme):
    run("DROP TRIGGER customer_search_insert")
    factories.customer(acme, "1", name="Zephyr")
    assert found("zephyr") == set()
    search.install_search()
    assert found("zephyr") == {"1"}


@pytest.mark.django_db(transaction=True)
def test_the_search_survives_the_migration_that_rebuilds_the_table(acme):
    factories.customer(acme, "1", name="Zephyr")
    field = Customer._meta.get_field("account_manager")
    wider = models.CharField(max_length=300, blank=True)
    wider.set_attributes_from_name("account_manager")
    wider.model = Customer
    try:
        with connection.schema_editor() as editor:
            editor.alter_field(Customer, field, wider)
        assert bool(search.missing_search_parts()) == (connection.vendor == "sqlite")
        call_command("migrate", verbosity=0)
        assert search.missing_search_parts() == []
        factories.customer(acme, "2", name="Zephyr too")
        assert found("zephyr") == {"1", "2"}
    finally:
        with connection.schema_editor() as editor:
            editor.alter_field(Customer, wider, field)
        search.install_search()
    if connection.vendor == "sqlite":
        run("INSERT INTO customer_search (customer_search, rank) VALUES ('integrity-check', 1)")
