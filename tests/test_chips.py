"""The filters that are set stand above the list in words, each with the way back; and usage from 75, 90 and 100 %."""

from typing import Any

import pytest
from django.test import Client

from partnercenter.models import Partner, User
from tests import factories

pytestmark = pytest.mark.clock("2026-09-15 02:00")

IN_LIST = {"HX-Request": "true", "HX-Target": "customer-list"}


def chips(client: Client, **query: str) -> list[Any]:
    return client.get("/customers/", query).context["active_filters"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"q": "alder"}, "Search: alder"),
        ({"status": "FROZEN"}, "Status: Frozen"),
        ({"budget_type": "NONE"}, "Budget type: No budget"),
        ({"usage_min": "75", "usage_max": "90"}, "Usage: 75 to 90%"),
        ({"usage_min": "75"}, "Usage: from 75%"),
        ({"usage_max": "0"}, "Usage: up to 0%"),
        ({"usage_min": "90", "usage_max": "90"}, "Usage: 90%"),
        ({"auto_frozen": "0"}, "Automatically frozen: No"),
        ({"mtd_min": "1200", "mtd_max": "5,000.5"}, "Month-to-date expenditure: 1,200.00 to 5,000.50"),
        ({"association_type": "REFERRAL"}, "Association type: Referral model"),
        ({"associated_after": "2026-09-01"}, "Associated: from 2026-09-01"),
        ({"manager": "Li Lei"}, "Account manager: Li Lei"),
        ({"tag": "vip"}, "Tag: vip"),
    ],
)
def test_each_filter_or_range_is_one_chip_in_words(query, said, client):
    [chip] = chips(client, **query)
    assert f"{chip.label}: {chip.value}" == said
    assert chip.query == ""


def test_a_chip_leads_to_the_same_list_without_its_filter(client):
    query = {"q": "alder", "usage_min": "75", "usage_max": "90", "sort": "-usage", "size": "20", "page": "3"}
    assert [chip.query for chip in chips(client, **query)] == [
        "?usage_min=75&usage_max=90&sort=-usage&size=20",
        "?q=alder&sort=-usage&size=20",
    ]
    content = client.get("/customers/", query).content.decode()
    assert 'href="/customers/?q=alder&amp;sort=-usage&amp;size=20"' in content
    assert 'href="/customers/?sort=-usage&amp;size=20"' in content


def test_what_means_nothing_and_what_only_sorts_is_no_chip(client):
    assert chips(client, status="nothing", usage_min="many", sort="name", size="20", q="") == []


def test_what_was_typed_is_never_markup(client):
    assert b"<b>x" not in client.get("/customers/", {"q": "<b>x"}).content


def test_usage_from_75_90_and_100_percent_on_keeps_the_other_filters(client, acme: Partner, ann: User):
    low, near, over = factories.customers(acme, 3)
    factories.budget([low, near, over], ann, "100")
    factories.report((low, "2026-09", "74.99"), (near, "2026-09", "75"), (over, "2026-09", "150"))
    ranges = client.get("/customers/", {"budget_type": "ONE_TIME", "usage_max": "3"}).context["usage_shortcuts"]
    assert [each.percent for each in ranges] == [75, 90, 100]
    pages = [client.get(f"/customers/{each.query}").context for each in ranges]
    assert [page["counts"].customers for page in pages] == [2, 1, 1]
    assert [each.chosen for each in pages[1]["usage_shortcuts"]] == [False, True, False]
    assert len(pages[1]["active_filters"]) == 2


def test_the_form_of_the_filters_follows_a_chip_but_not_what_is_typed_into_it(client):
    def answer(trigger: str) -> str:
        return client.get("/customers/", {"tag": "vip"}, headers={**IN_LIST, "HX-Trigger": trigger}).content.decode()

    assert 'id="filters"' in answer("filter-q")
    assert 'id="filters"' not in answer("filters")
    assert answer("filters").count('id="usage-ranges"') == answer("filter-q").count('id="usage-ranges"') == 1
