"""Active filters: above the customer list each filter in use is shown in words, with a link that removes it.

The links to customers whose usage is at least 75, 90 or 100 % are tested here too.
"""

from typing import Any

import pytest
from django.test import Client

from partnercenter.models import Partner, User
from tests import factories
from tests.pages import htmx

pytestmark = pytest.mark.clock("2026-09-15 02:00")


def active_filters(client: Client, **query: str) -> list[Any]:
    return client.get("/customers/", query).context["active_filters"]


@pytest.mark.parametrize(
    ("query", "text"),
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
def test_each_filter_or_range_is_shown_once_in_words(query, text, client):
    [active] = active_filters(client, **query)
    assert f"{active.label}: {active.value}" == text
    assert active.query == ""


def test_an_active_filter_links_to_the_same_list_without_it(client):
    query = {"q": "alder", "usage_min": "75", "usage_max": "90", "sort": "-usage", "size": "20", "page": "3"}
    assert [active.query for active in active_filters(client, **query)] == [
        "?usage_min=75&usage_max=90&sort=-usage&size=20",
        "?q=alder&sort=-usage&size=20",
    ]
    content = client.get("/customers/", query).content.decode()
    assert 'href="/customers/?q=alder&amp;sort=-usage&amp;size=20"' in content
    assert 'href="/customers/?sort=-usage&amp;size=20"' in content


def test_unreadable_values_order_and_page_size_are_not_active_filters(client):
    assert active_filters(client, status="nothing", usage_min="many", sort="name", size="20", q="") == []


def test_the_value_of_a_filter_is_escaped(client):
    assert b"<b>x" not in client.get("/customers/", {"q": "<b>x"}).content


def test_links_to_usage_from_75_90_and_100_percent_keep_the_other_filters(client, acme: Partner, ann: User):
    low, near, over = factories.customers(acme, 3)
    factories.budget([low, near, over], ann, "100")
    factories.report((low, "2026-09", "74.99"), (near, "2026-09", "75"), (over, "2026-09", "150"))
    page = client.get("/customers/", {"budget_type": "ONE_TIME", "usage_max": "3"})
    shortcuts = page.context["usage_shortcuts"]
    assert [each.percent for each in shortcuts] == [75, 90, 100]
    pages = [client.get(f"/customers/{each.query}").context for each in shortcuts]
    assert [page["counts"].customers for page in pages] == [2, 1, 1]
    assert [each.chosen for each in pages[1]["usage_shortcuts"]] == [False, True, False]
    assert len(pages[1]["active_filters"]) == 2


def test_the_filter_form_is_replaced_when_a_filter_is_removed_but_not_while_somebody_types_in_it(client):
    def content_for(trigger: str) -> str:
        headers = {**htmx("customer-list"), "HX-Trigger": trigger}
        return client.get("/customers/", {"tag": "vip"}, headers=headers).content.decode()

    assert 'id="filters"' in content_for("filter-q")
    assert 'id="filters"' not in content_for("filters")
    assert content_for("filters").count('id="usage-ranges"') == content_for("filter-q").count('id="usage-ranges"') == 1
