"""The customer list: search, filters, counts, sorting, pages, and what each row shows (rule 5.8 (docs/rules.md))."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client

from customers.models import AccountFreezing, Customer
from partnercenter.actions.partners import give_grant
from partnercenter.models import BudgetType, Partner, User
from tests import factories
from tests.pages import htmx, row_texts

pytestmark = pytest.mark.clock("2026-09-15 02:00")

NOW = factories.moment("2026-09-15 02:00")


def rows(client: Client, **query: Any) -> dict[str, str]:
    """The text of each row of the list by customer ID, in the order of the rows."""
    return row_texts(client.get("/customers/", query))


def listed(client: Client, **query: Any) -> list[str]:
    """The customer IDs of the list, in its order."""
    return list(rows(client, **query))


def counts(client: Client, **query: Any) -> tuple[int, int, int]:
    """The counts above the list: all customers, the frozen ones, those whose budget is used up."""
    counts = client.get("/customers/", query).context["counts"]
    return counts.customers, counts.frozen, counts.exhausted


@pytest.fixture
def customers_with_names(acme: Partner) -> None:
    """Customers with names in several scripts, with punctuation and with characters that SQL treats as wildcards."""
    for customer_id, account_name, name in [
        ("1001", "nova_cloud", "Nova Medical GmbH"),
        ("1002", "beta", "天津医疗科技"),
        ("1003", "gamma50%", "Straße & Söhne"),
        ("1004", "delta", 'O\'Hara "Best" \\ Co'),
        ("100", "zeta", "Ordinary"),
    ]:
        factories.customer(acme, customer_id, account_name=account_name, name=name)


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("nova", {"1001"}),
        ("NOVA MED", {"1001"}),
        ("A_C", {"1001"}),
        ("_", set()),
        ("%", set()),
        ("50%", {"1003"}),
        ("a%a", set()),
        ("医疗科", {"1002"}),
        ("医疗", set()),
        ("天津", {"1002"}),
        ("天", {"1002"}),
        ("BE", {"1002"}),
        ("ga", {"1003"}),
        ("ｎｏｖａ", {"1001"}),
        ("STRASSE", {"1003"}),
        ("söhne", {"1003"}),
        ("SÖHNE", {"1003"}),
        ("o'", {"1004"}),
        ("'ha", {"1004"}),
        ('"best"', {"1004"}),
        (" \\ ", set()),
        ('" \\ co', {"1004"}),
        ("  delta  ", {"1004"}),
        ("100", {"100"}),
        ("1001", {"1001"}),
        ("101", set()),
        ("' OR '1'='1", set()),
        ("", {"1001", "1002", "1003", "1004", "100"}),
        ("\0", set()),
    ],
)
def test_search_finds_parts_of_names_and_accounts_and_whole_customer_ids(q, found, customers_with_names, client):
    assert set(listed(client, q=q)) == found
    assert counts(client, q=q)[0] == len(found)


def test_a_search_does_not_match_across_name_and_account_name(customers_with_names, client):
    assert listed(client, q="gmbhnova") == listed(client, q="gmbh nova") == []


@pytest.fixture
def customers(acme: Partner, ann: User) -> dict[str, Customer]:
    """One customer for every status and budget type, by customer ID."""
    customers = {name: factories.customer(acme, name) for name in ("new", "monthly", "once", "over", "frozen")}
    factories.budget(customers["monthly"], ann, "100", BudgetType.MONTHLY)
    factories.budget(customers["once"], ann, "80")
    factories.budget(customers["over"], ann, "10", account_freezing=AccountFreezing.MANUAL)
    factories.budget(customers["frozen"], ann, "20")
    totals = {"monthly": "90", "once": "8", "over": "50.40", "frozen": "20"}
    lines = [(customers[name], "2026-09", total) for name, total in totals.items()]
    factories.report(*lines, at=NOW - timedelta(hours=1))
    return customers


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"status": "FROZEN"}, {"new", "frozen"}),
        ({"status": "EXHAUSTED"}, {"over", "frozen"}),
        ({"status": "NORMAL"}, {"monthly", "once"}),
        ({"budget_type": "MONTHLY"}, {"monthly"}),
        ({"budget_type": "ONE_TIME"}, {"once", "over", "frozen"}),
        ({"budget_type": "NONE"}, {"new"}),
        ({"budget_type": "ONE_TIME", "status": "FROZEN"}, {"frozen"}),
        ({"budget_type": "NONE", "status": "NORMAL"}, set()),
        ({}, {"new", "monthly", "once", "over", "frozen"}),
    ],
)
def test_filters_narrow_the_list_and_its_counts(query, found, customers, client):
    assert set(listed(client, **query)) == found
    expected = len(found), len(found & {"new", "frozen"}), len(found & {"over", "frozen"})
    assert counts(client, **query) == expected


def test_each_count_links_to_the_customers_it_counts(customers, client):
    counts = client.get("/customers/", {"budget_type": "ONE_TIME", "page": 1}).context["counts"]
    for query, number in ((counts.frozen_query, counts.frozen), (counts.exhausted_query, counts.exhausted)):
        assert len(row_texts(client.get(f"/customers/{query}"))) == number


@pytest.mark.parametrize(
    ("key", "ascending"),
    [
        ("usage", ["once", "monthly", "frozen", "over"]),
        ("amount", ["over", "frozen", "once", "monthly"]),
        ("used", ["once", "frozen", "over", "monthly"]),
    ],
)
def test_customers_without_a_budget_come_last_in_both_directions(key, ascending, customers, client):
    assert listed(client, sort=key) == [*ascending, "new"]
    assert listed(client, sort=f"-{key}") == [*reversed(ascending), "new"]


@pytest.mark.parametrize("key", ["name", "account_name", "associated_on"])
def test_the_list_sorts_by_name_account_name_and_association_time(key, acme, client, clock):
    for customer_id in ("b", "c", "a"):
        factories.customer(acme, customer_id, name=f"name {customer_id}", account_name=f"account {customer_id}")
        clock.shift(timedelta(hours=1))
    expected = ["b", "c", "a"] if key == "associated_on" else ["a", "b", "c"]
    assert listed(client, sort=key) == expected
    assert listed(client, sort=f"-{key}") == expected[::-1]
    content = client.get("/customers/", {"sort": f"-{key}"}).content.decode()
    assert content.count("aria-sort=") == 1
    assert 'aria-sort="descending"' in content


def test_the_list_is_sorted_by_account_name_by_default(acme, client):
    for name in ("b", "a", "c"):
        factories.customer(acme, name, account_name=name)
    assert listed(client) == ["a", "b", "c"]


def test_pages_of_fifty_show_each_customer_once_even_among_equal_names(acme, client):
    everyone = {customer.customer_id for customer in factories.customers(acme, 101, account_name="same", name="same")}
    for sort in ("account_name", "-name", "usage", "-usage", "associated_on"):
        pages = [listed(client, page=page, sort=sort) for page in (1, 2, 3)]
        assert [len(page) for page in pages] == [50, 50, 1]
        assert set().union(*pages) == everyone


def test_links_between_pages_keep_filters_and_order(acme, client):
    factories.customers(acme, 51, account_name="same & more")
    content = unescape(client.get("/customers/", {"q": "e & m", "sort": "-name"}).content.decode())
    link = next(link for link in re.findall(r'href="/customers/(\?[^"]*)"', content) if "page=2" in link)
    assert len(row_texts(client.get(f"/customers/{link}"))) == 1


@pytest.mark.parametrize(
    "query",
    [
        {"page": "0"},
        {"page": "-1"},
        {"page": "x"},
        {"page": "9" * 30},
        {"page": "1\0"},
        {"sort": "partner__users__password"},
        {"sort": "--name"},
        {"sort": "\0"},
        {"q": ["a", ""]},
        {"q": "[", "status": ["FROZEN", ""]},
        {"unknown": "1"},
    ],
)
def test_meaningless_parameters_are_ignored(query, acme, client):
    factories.customer(acme, "1", name="[a]")
    assert listed(client, **query) == ["1"]


def test_a_list_without_customers_says_so(client):
    assert "You have no associated customers yet." in client.get("/customers/").content.decode()


def test_a_list_without_a_match_offers_to_clear_the_filters(acme, client):
    factories.customer(acme)
    content = client.get("/customers/", {"q": "nothing like it"}).content.decode()
    assert "No customer matches these filters." in content
    assert re.search(r'href="/customers/"[^>]*>Clear filters', content)
    assert 'value="nothing like it"' in content


@pytest.mark.parametrize(
    ("who", "explanation"), [("vera", "You are a viewer"), ("una", "Contact your distributor Dora Distribution")]
)
def test_without_permission_the_list_says_why_and_offers_no_set_budget(
    who, explanation, acme, ungranted, sign_in, request
):
    person = request.getfixturevalue(who)
    customer = factories.customer(person.partner)
    content = sign_in(person).get("/customers/").content.decode()
    assert explanation in content.split('<p class="notice notice-warning">')[1].split("</p>")[0]
    assert "/budgets/set/" not in content
    assert explanation in rows(sign_in(person))[customer.customer_id]
    assert "/budgets/records/" in content


def test_the_row_of_a_referral_customer_says_that_it_has_no_budget(referral, client):
    assert "A customer of the referral model has no budget." in rows(client)[referral.customer_id]


def test_a_row_shows_status_budget_estimate_and_account_freezing(customers, client):
    row = rows(client)
    assert "Normal Monthly budget 100.00 90.00 as of 2026-09-15 09:00 90% 2026-09-16 Automatic" in row["monthly"]
    assert "Budget used up One-time budget 10.00 50.40 as of 2026-09-15 09:00 504% -- Manual" in row["over"]
    assert "Frozen since association on 2026-09-15 10:00 -- -- -- -- --" in row["new"]


def test_a_frozen_row_says_since_when_and_why_with_the_figures_of_that_moment(customers, client):
    factories.report((customers["frozen"], "2026-09", "33"))
    row = rows(client)["frozen"]
    assert "Frozen since 2026-09-15 10:00, budget exhausted (20.00 of 20.00 used)" in row
    assert "20.00 33.00 as of 2026-09-15 10:00 165%" in row


def test_the_usage_bar_is_capped_and_its_tone_shows_the_status(customers, client):
    page = client.get("/customers/").context["page"].object_list
    bars = {row.customer_id: (row.bar, row.tone) for row in page}
    expected = {"monthly": (64, "near"), "once": (7, "ok"), "over": (72, "over"), "frozen": (72, "frozen")}
    assert bars == expected | {"new": (0, "frozen")}


def test_times_are_shown_in_the_partners_time_zone_which_is_named(acme, customers, client):
    Partner.objects.filter(pk=acme.pk).update(time_zone="America/New_York")
    assert "as of 2026-09-14 21:00" in rows(client)["monthly"]
    assert "America/New_York (GMT-04:00)" in client.get("/customers/").content.decode()


@pytest.mark.parametrize("customer_id", ["/subscriptions/64e3/x y", "a&b=c#d?e", "100%25", "a+b", "é\"'<b>医"])
def test_any_customer_id_works_in_rows_and_links(customer_id, acme, client):
    factories.customer(acme, customer_id)
    assert listed(client, q=customer_id) == [customer_id]
    content = client.get("/customers/").content.decode()
    link = re.findall(r'href="(/budgets/set/[^"]*)"', content)[0]
    assert client.get(unescape(link)).context["customer"].customer_id == customer_id


def test_a_distributor_sees_its_resellers_customers_and_acts_where_no_grant_is_given(acme, ungranted, dora, sign_in):
    granted, without_grant = factories.customer(acme, "granted"), factories.customer(ungranted, "free")
    stranger = factories.customer(factories.reseller(factories.distributor("other-distribution"), "other-reseller"))
    client = sign_in(dora)
    row = rows(client)
    assert stranger.customer_id not in row
    assert "Acme Reseller" in row[granted.customer_id]
    assert "acme-reseller holds the permission to set budgets for this customer." in row[granted.customer_id]
    assert "Plain Reseller" in row[without_grant.customer_id]
    content = client.get("/customers/").content.decode()
    assert ("?customer=free" in content, "/budgets/set/?customer=granted" in content) == (True, False)
    give_grant(ungranted, monthly_quota=factories.MILLION, one_time_quota=None, operator=dora)
    assert "/budgets/set/" not in client.get("/customers/").content.decode()


def test_an_htmx_request_gets_only_the_list_and_the_counts_out_of_band(customers, client):
    headers = htmx("customer-list")
    content = client.get("/customers/", {"status": "FROZEN"}, headers=headers).content.decode()
    assert "<html" not in content
    assert content.strip().startswith('<div id="customer-list"')
    assert 'id="counts"' in content
    assert 'hx-swap-oob="true"' in content
    page = client.get("/customers/", headers={**headers, "HX-History-Restore-Request": "true"})
    assert page.content.startswith(b"<!doctype html>")


def test_expenditure_of_a_future_month_is_not_part_of_the_estimate(acme, ann, sign_in):
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100")
    factories.report((customer, "2999-01", "5"))
    page = sign_in(ann).get("/customers/")
    [row] = page.context["page"].object_list
    assert (row.used, row.as_of) == ("0.00", "")


def test_an_account_name_may_wrap_after_punctuation_and_is_escaped(acme, client):
    factories.customer(acme, account_name="kestwick_foods-0012.<b>@x_")
    content = client.get("/customers/").content.decode()
    assert "kestwick_<wbr>foods-<wbr>0012.<wbr>&lt;b&gt;@<wbr>x_</a></th>" in content


def test_names_are_escaped_in_the_rows(acme, client):
    factories.customer(acme, "1", account_name="<b>one & \"two\" 'three'</b>", name="<i>")
    content = client.get("/customers/").content.decode()
    assert "<b>one" not in content
    # The account name may wrap after a slash, so "</b>" is shown in two parts.
    assert "<b>one & \"two\" 'three'</ b> <****> Frozen" in rows(client)["1"].removeprefix("Select ")


def test_filter_fields_show_the_values_of_this_request_and_no_earlier_one(client):
    filtered = client.get("/customers/", {"manager": "<Ada>", "status": "FROZEN"}).content.decode()
    assert 'name="manager" value="&lt;Ada&gt;"' in filtered
    assert '<option value="FROZEN" selected>' in filtered
    unfiltered = client.get("/customers/").content.decode()
    assert 'name="manager" id=' in unfiltered
    assert '<option value="FROZEN">' in unfiltered
