"""Prepared queries (partnercenter/lib/prepared.py) are compiled once and still return current rows for each person."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from customers.models import Customer
from partnercenter.lib.prepared import CappedCount, MergedRanges, PreparedQuery
from partnercenter.models import Partner, User
from tests import factories

COUNT_CAP = 3


def listed(client: Client, query: str = "") -> set[str]:
    """The customer IDs that the list shows."""
    return {row.customer_id for row in client.get(f"/customers/{query}").context["page"].object_list}


def test_each_company_sees_its_own_list_whoever_looked_before(
    acme: Partner, borealis: Partner, ann: User, carl: User, dora: User, sign_in
):
    mine, others = factories.customer(acme, "a-1"), factories.customer(borealis, "b-1")
    for _repetition in range(2):
        assert listed(sign_in(ann)) == {mine.customer_id}
        assert listed(sign_in(carl)) == {others.customer_id}
        assert listed(sign_in(dora)) == {mine.customer_id, others.customer_id}


def test_the_list_and_its_count_include_customers_added_since_the_last_request(ann: User, acme: Partner, sign_in):
    client = sign_in(ann)
    factories.customer(acme, "a-1")
    before = client.get("/customers/").context["counts"].customers
    factories.customer(acme, "a-2")
    assert (before, client.get("/customers/").context["counts"].customers) == (1, 2)
    assert listed(client) == {"a-1", "a-2"}


def test_a_distributors_list_includes_a_new_reseller(dora_distribution: Partner, dora: User, acme: Partner, sign_in):
    client = sign_in(dora)
    factories.customer(acme, "a-1")
    assert listed(client) == {"a-1"}
    factories.customer(factories.reseller(dora_distribution, "newcomer"), "n-1")
    assert listed(client) == {"a-1", "n-1"}


def test_filters_of_one_person_do_not_affect_the_next_one(
    acme: Partner, borealis: Partner, ann: User, carl: User, sign_in
):
    factories.customer(acme, "a-1")
    factories.customer(borealis, "b-1")
    assert listed(sign_in(ann), "?q=nobody&usage_min=x&status=FROZEN") == set()
    page = sign_in(carl).get("/customers/")
    assert {row.customer_id for row in page.context["page"].object_list} == {"b-1"}
    assert "nobody" not in page.content.decode()
    assert page.context["active_filters"] == []


def test_an_expired_session_leads_to_the_sign_in_page(ann: User, sign_in):
    client = sign_in(ann)
    assert client.get("/customers/").status_code == 200
    with time_machine.travel(timezone.now() + timedelta(hours=12, minutes=1)):
        assert client.get("/customers/").headers["Location"].startswith("/sign-in/")


def test_a_prepared_query_returns_the_current_rows_for_its_value(acme: Partner):
    names = PreparedQuery(Customer.objects.order_by("-customer_id").values_list("customer_id", flat=True), "partner", 0)
    assert names.fetch(acme.pk) == []
    factories.customer(acme, "a-1")
    factories.customer(acme, "a-2")
    assert names.fetch(acme.pk) == ["a-2", "a-1"]
    assert names.fetch(acme.distributor_id) == []


@pytest.mark.parametrize(
    ("in_part", "others", "counts"), [(0, 2, [2, 0]), (1, 1, [2, 1]), (1, 9, [3, 1]), (9, 0, [3, 3])]
)
def test_a_capped_count_stops_above_its_cap_also_for_a_part_of_the_rows(in_part, others, counts, acme: Partner):
    factories.customers(acme, in_part, account_manager="Mia")
    factories.customers(acme, others)
    everyone = Customer.objects.filter(partner=acme)
    assert CappedCount.of(COUNT_CAP, [everyone], [everyone.filter(account_manager="Mia")]).fetch() == counts
    assert CappedCount.of(COUNT_CAP, [everyone], [everyone.none()]).fetch() == [counts[0], 0]


def test_merged_ranges_return_keys_in_order_and_count_up_to_a_cap(acme: Partner, borealis: Partner):
    keys = [factories.customer(partner).pk for partner in (acme, borealis, acme)]
    parts = [Customer.objects.filter(partner=partner) for partner in (acme, borealis)]
    merged = MergedRanges.of(parts, ("pk",), descending=False)
    assert merged.first(9) == list(merged.all()) == sorted(keys)
    assert merged.first(1, start=1) == sorted(keys)[1:2]
    assert [merged.count(cap) for cap in (2, 9)] == [2, 3]
    empty = MergedRanges.of([Customer.objects.none()], ("pk",), descending=False)
    assert (empty.first(9), list(empty.all()), empty.count(9)) == ([], [], 0)
