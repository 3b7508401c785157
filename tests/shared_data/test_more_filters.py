"""The filters in the panel *More filters* of the customer list: which customers each finds, alone and together."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from customers.listing.filters import CustomerFilterForm
from customers.models import Customer
from partnercenter.models import BudgetType, Partner, User
from tests import factories
from tests.pages import row_ids
from tests.sql import POSTGRESQL_ONLY, run_sql

pytestmark = pytest.mark.clock("2026-09-15 02:00")

NOW = factories.moment("2026-09-15 02:00")
ALL = {"new", "low", "near", "over", "frozen", "referral"}


@pytest.fixture(scope="module")
def customers(acme: Partner, ann: User) -> dict[str, Customer]:
    """Customers by customer ID that differ in usage, expenditure, association, manager, tags and cause of freezing."""
    with time_machine.travel(NOW, tick=False) as clock:
        return make_customers(acme, ann, clock)


def make_customers(acme: Partner, ann: User, clock: time_machine.Traveller) -> dict[str, Customer]:
    customers = {}
    clock.move_to("2026-09-10 15:59:59Z")
    customers["new"] = factories.customer(acme, "new", account_manager="Li Lei", tags=("vip", "gold"))
    clock.move_to("2026-09-10 16:00:00Z")
    customers["low"] = factories.customer(acme, "low", account_manager="li lei", tags=("VIP",))
    customers["referral"] = factories.customer(acme, "referral", association_type=Customer.AssociationType.REFERRAL)
    clock.move_to(NOW)
    for name in ("near", "over", "frozen"):
        customers[name] = factories.customer(acme, name, tags=("go",))
    factories.budget([customers["low"], customers["near"]], ann, "100", BudgetType.MONTHLY)
    factories.budget(customers["over"], ann, "10", account_freezing=None)
    factories.budget(customers["frozen"], ann, "20")
    totals = {"low": "0.99", "near": "75", "over": "10.00", "frozen": "50.40", "referral": "-3"}
    factories.report(*[(customers[name], "2026-09", total) for name, total in totals.items()])
    factories.report((customers["new"], "2026-08", "500"))
    return customers


def listed(client: Client, **query: str) -> set[str]:
    """The customer IDs that the list shows, which must be as many as it counts."""
    response = client.get("/customers/", query)
    ids = row_ids(response)
    assert response.context["counts"].customers == len(ids) == len(set(ids))
    return set(ids)


QUERIES = [
    ({"usage_min": "75"}, {"near", "over", "frozen"}),
    ({"usage_min": "76"}, {"over", "frozen"}),
    ({"usage_max": "75"}, {"low", "near"}),
    ({"usage_min": "0", "usage_max": "0"}, {"low"}),
    ({"usage_min": "90", "usage_max": "100"}, {"over"}),
    ({"auto_frozen": "1"}, {"frozen"}),
    ({"auto_frozen": "0"}, ALL - {"frozen"}),
    ({"mtd_min": "0.99"}, {"low", "near", "over", "frozen"}),
    ({"mtd_min": "1"}, {"near", "over", "frozen"}),
    ({"mtd_min": "0"}, ALL - {"referral"}),
    ({"mtd_max": "0"}, {"new", "referral"}),
    ({"mtd_max": "10"}, {"new", "referral", "low", "over"}),
    ({"mtd_min": "10.00", "mtd_max": "1,000.00"}, {"near", "over", "frozen"}),
    ({"association_type": "REFERRAL"}, {"referral"}),
    ({"association_type": "RESELLER"}, ALL - {"referral"}),
    ({"associated_after": "2026-09-11"}, ALL - {"new"}),
    ({"associated_before": "2026-09-10"}, {"new"}),
    ({"associated_after": "2026-09-10", "associated_before": "2026-09-11"}, {"new", "low", "referral"}),
    ({"manager": "Li Lei"}, {"new"}),
    ({"manager": "Li"}, set()),
    ({"tag": "vip"}, {"new"}),
    ({"tag": "VIP"}, {"low"}),
    ({"tag": "go"}, {"near", "over", "frozen"}),
    ({"tag": "vip;gold"}, set()),
    ({"tag": "%"}, set()),
    ({"tag": "go", "usage_min": "100", "auto_frozen": "0"}, {"over"}),
]


@pytest.mark.parametrize(("query", "expected"), QUERIES)
@pytest.mark.parametrize("sort", ["account_name", "-usage"])
def test_each_filter_finds_its_customers_in_any_order(query, expected, sort, customers, client):
    assert listed(client, sort=sort, **query) == expected


@pytest.mark.parametrize(
    "query",
    [
        {"tag": "  "},
        {"usage_min": "", "usage_max": " "},
        {"size": "-1"},
        {"sort": "worst_first"},
    ],
)
def test_empty_filters_and_an_unknown_order_show_all_customers(query, customers, client):
    assert listed(client, **query) == ALL


def test_days_are_those_of_the_partners_time_zone(acme, customers, client):
    Partner.objects.filter(pk=acme.pk).update(time_zone="UTC")
    assert listed(client, associated_before="2026-09-10") == {"new", "low", "referral"}


def test_month_to_date_expenditure_is_that_of_the_current_month(ann, customers, sign_in, clock):
    clock.move_to("2026-09-30 16:00:00Z")
    client = sign_in(ann)
    assert listed(client, mtd_max="0") == ALL
    factories.report((customers["low"], "2026-10", "7"))
    assert listed(client, mtd_min="7") == {"low"}


def test_the_panel_is_closed_until_one_of_its_filters_is_in_use_and_shows_their_values(customers, client):
    def is_open(**query: str) -> bool:
        content = client.get("/customers/", query).content.decode()
        return '<details class="more-filters" id="more-filters" open>' in content

    assert [is_open(), is_open(size="20"), is_open(q="a"), is_open(tag="go")] == [False, False, False, True]
    content = client.get("/customers/", {"tag": "a&b", "associated_after": "2026-09-11", "size": "20"}).content.decode()
    assert 'name="tag" value="a&amp;b"' in content
    assert 'value="2026-09-11"' in content
    assert '<option value="20" selected>' in content


def test_every_filter_has_a_label(client):
    content = client.get("/customers/").content.decode()
    form = content[content.index('<form class="filters"') :]
    form = form[: form.index("</form>")]
    fields = re.findall(r'<(?:input|select)[^>]* id="([^"]+)"', form)
    # A reseller has no filter by reseller; the number of rows per page is chosen in the same form.
    assert len(fields) == len([*CustomerFilterForm.filter_names(), "size"]) - 1
    assert [field for field in fields if f'for="{field}"' not in form] == []


def test_a_filter_without_a_match_says_so_and_offers_to_clear_the_filters(customers, client):
    assert "Clear filters" in client.get("/customers/", {"manager": "Nobody"}).content.decode()
    assert "No customer matches these filters." in client.get("/customers/", {"manager": "Nobody"}).content.decode()


def test_links_to_pages_keep_the_filters(borealis, carl, sign_in):
    client = sign_in(carl)
    factories.customers(borealis, 11, tags=("go",))
    page = client.get("/customers/", {"tag": "go", "size": "10"}).context["page"]
    assert len(client.get(f"/customers/{page.next}").context["page"].object_list) == 1


@POSTGRESQL_ONLY
def test_the_index_by_tag_exists(db):
    [[definition]] = run_sql("SELECT indexdef FROM pg_indexes WHERE indexname = 'customer_tags'")
    assert "gin" in definition


def test_a_customer_belongs_to_the_day_of_association_at_any_hour(borealis, carl, sign_in, clock):
    client = sign_in(carl)
    clock.move_to("2026-09-14 15:59:59Z")
    factories.customer(borealis, "last second")
    clock.shift(timedelta(seconds=1))
    factories.customer(borealis, "first second")
    assert listed(client, associated_after="2026-09-15") == {"first second"}
