"""The filters below *More filters*: alone, together, and with values that mean nothing."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from customers.models import Customer
from partnercenter.models import BudgetType, Partner, User
from tests import factories

pytestmark = pytest.mark.clock("2026-09-15 02:00")

NOW = factories.moment("2026-09-15 02:00")
SHOWN = re.compile(r'<tr data-customer="([^"]*)">')
ALL = {"new", "low", "near", "over", "frozen", "referral"}


@pytest.fixture
def mixed(acme: Partner, ann: User, clock: Any) -> dict[str, Customer]:
    made = {}
    clock.move_to("2026-09-10 15:59:59Z")
    made["new"] = factories.customer(acme, "new", account_manager="Li Lei", tags=("vip", "gold"))
    clock.move_to("2026-09-10 16:00:00Z")
    made["low"] = factories.customer(acme, "low", account_manager="li lei", tags=("VIP",))
    made["referral"] = factories.customer(acme, "referral", association_type=Customer.AssociationType.REFERRAL)
    clock.move_to(NOW)
    for name in ("near", "over", "frozen"):
        made[name] = factories.customer(acme, name, tags=("go",))
    factories.budget([made["low"], made["near"]], ann, "100", BudgetType.MONTHLY)
    factories.budget(made["over"], ann, "10", account_freezing=None)
    factories.budget(made["frozen"], ann, "20")
    totals = {"low": "0.99", "near": "75", "over": "10.00", "frozen": "50.40", "referral": "-3"}
    factories.report(*[(made[name], "2026-09", total) for name, total in totals.items()])
    factories.report((made["new"], "2026-08", "500"))
    return made


def listed(client: Client, **query: str) -> set[str]:
    response = client.get("/customers/", query)
    assert response.status_code == 200
    found = [unescape(each) for each in SHOWN.findall(response.content.decode())]
    assert response.context["counts"].customers == len(found) == len(set(found))
    return set(found)


FOUND = [
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


@pytest.mark.parametrize(("query", "found"), FOUND)
@pytest.mark.parametrize("sort", ["account_name", "-usage"])
def test_each_filter_shows_whom_it_says_in_any_order(query, found, sort, mixed, client):
    assert listed(client, sort=sort, **query) == found


@pytest.mark.parametrize(
    "query",
    [
        {"tag": "  "},
        {"usage_min": "", "usage_max": " "},
        {"size": "-1"},
        {"sort": "worst_first"},
    ],
)
def test_an_empty_filter_and_an_unknown_order_narrow_nothing(query, mixed, client):
    assert listed(client, **query) == ALL


def test_days_are_those_of_the_partners_zone(acme, mixed, client):
    Partner.objects.filter(pk=acme.pk).update(time_zone="UTC")
    assert listed(client, associated_before="2026-09-10") == {"new", "low", "referral"}


def test_the_expenditure_is_that_of_the_current_month(ann, mixed, sign_in, clock):
    clock.move_to("2026-09-30 16:00:00Z")
    client = sign_in(ann)
    assert listed(client, mtd_max="0") == ALL
    factories.report((mixed["low"], "2026-10", "7"))
    assert listed(client, mtd_min="7") == {"low"}


def test_more_filters_are_shut_until_one_is_asked_for_and_keep_what_was_typed(mixed, client):
    def opened(**query: str) -> bool:
        return (
            '<details class="more-filters" id="more-filters" open>' in client.get("/customers/", query).content.decode()
        )

    assert [opened(), opened(size="20"), opened(q="a"), opened(tag="go")] == [False, False, False, True]
    content = client.get("/customers/", {"tag": "a&b", "associated_after": "2026-09-11", "size": "20"}).content.decode()
    assert 'name="tag" value="a&amp;b"' in content
    assert 'value="2026-09-11"' in content
    assert '<option value="20" selected>' in content


def test_every_filter_has_a_label(client):
    content = client.get("/customers/").content.decode()
    form = content[content.index('<form class="filters"') :]
    form = form[: form.index("</form>")]
    fields = re.findall(r'<(?:input|select)[^>]* id="([^"]+)"', form)
    assert len(fields) == 17
    assert [field for field in fields if f'for="{field}"' not in form] == []


def test_no_match_offers_to_clear_the_filters(mixed, client):
    assert "Clear filters" in client.get("/customers/", {"manager": "Nobody"}).content.decode()
    assert "No customer matches these filters." in client.get("/customers/", {"manager": "Nobody"}).content.decode()


def test_filters_stay_in_the_links_of_pages(acme, client):
    factories.customers(acme, 11, tags=("go",))
    page = client.get("/customers/", {"tag": "go", "size": "10"}).context["page"]
    assert len(client.get(f"/customers/{page.next}").context["page"].object_list) == 1


@pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL has an index by tag")
def test_the_index_by_tag_is_there(db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'customer_tags'")
        assert "gin" in cursor.fetchone()[0]


def test_the_associated_hour_does_not_matter_to_the_day(acme, client, clock):
    clock.move_to("2026-09-14 15:59:59Z")
    factories.customer(acme, "last second")
    clock.shift(timedelta(seconds=1))
    factories.customer(acme, "first second")
    assert listed(client, associated_after="2026-09-15") == {"first second"}
