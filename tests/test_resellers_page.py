"""Resellers' Customers, the page that shows a distributor its resellers, their quotas and the way to their customers.

See rules 5.2, 5.4, 5.8 (docs/rules.md).
"""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from budgets.models import Budget
from customers.models import AccountFreezing, Customer
from partnercenter.actions.partners import give_grant, set_partner_status
from partnercenter.models import Partner, User
from tests import factories
from tests.pages import MANUAL_BUDGET

PAGE = "/customers/resellers/"


@pytest.fixture
def client(dora: User, sign_in) -> Client:
    """The browser of Dora, who works for the distributor."""
    return sign_in(dora)


@pytest.fixture
def resellers(dora_distribution, acme, borealis, ungranted) -> dict[str, Partner]:
    """acme and borealis have a quota of a million of each type, mono has 50 of monthly budgets, plain has no grant."""
    mono = factories.reseller(dora_distribution, "mono-reseller", quota=None)
    give_grant(mono, monthly_quota=Decimal(50), one_time_quota=None, operator=None)
    factories.reseller(factories.distributor("other-distribution"), "elsewhere-reseller")
    return {"acme": acme, "borealis": borealis, "mono": mono, "plain": ungranted}


def rows(client: Client, **query: str) -> list[Any]:
    """The resellers that the page shows."""
    response = client.get(PAGE, query)
    assert response.status_code == 200
    return list(response.context["page"].object_list)


def names(client: Client, **query: str) -> list[str]:
    """The account names of these resellers, without their common ending."""
    return [reseller.account_name.removesuffix("-reseller") for reseller in rows(client, **query)]


def listed(client: Client, **query: str) -> list[str]:
    """The customer IDs that the customer list shows."""
    return [row.customer_id for row in client.get("/customers/", query).context["page"].object_list]


def test_a_distributor_sees_its_own_resellers_only(client, resellers):
    assert names(client) == ["acme", "borealis", "mono", "plain"]
    page = client.get(PAGE).content.decode()
    assert "elsewhere" not in page
    assert "Acme Reseller" in page


def test_each_reseller_is_shown_with_its_customers_grant_and_pools(client, resellers, ann):
    customers = factories.customers(resellers["acme"], 3)
    factories.budget(customers[:2], ann, "300.25")
    left = factories.customer(resellers["acme"])
    Customer.objects.filter(pk=left.pk).update(disassociated_on=left.associated_on)
    acme, _borealis, mono, plain = rows(client)
    assert (acme.customers, plain.customers) == (3, 0)
    assert [each.authorized for each in (acme, mono, plain)] == [
        "Granted: monthly and one-time budgets",
        "Granted: monthly budgets",
        "Not granted",
    ]
    monthly, one_time = acme.pools
    assert (monthly.allocated, one_time.allocated, one_time.left) == (0, Decimal("600.50"), Decimal("999399.50"))
    assert [pool.granted for pool in mono.pools] == [50, None]


def test_over_allocated_resellers_are_marked_counted_and_found(client, resellers, ann, dora):
    factories.budget(factories.customer(resellers["acme"]), ann, "500")
    give_grant(resellers["acme"], monthly_quota=None, one_time_quota=Decimal(100), operator=dora)
    assert names(client, authorized="OVER") == ["acme"]
    response = client.get(PAGE)
    assert response.context["counts"] == {"number": 4, "granted": 3, "over": 1}
    assert "<small>Over-allocated</small>" in response.content.decode()


def test_a_reseller_without_a_quota_is_not_over_allocated(client, resellers, dora):
    factories.budget(factories.customer(resellers["plain"]), dora, "500")
    assert names(client, authorized="OVER") == []


def test_a_restricted_reseller_is_shown_as_restricted_with_the_reason(client, resellers, dora):
    set_partner_status(resellers["acme"], status=Partner.Status.RESTRICTED, reason="Unpaid invoice", operator=dora)
    acme, borealis = rows(client, q="reseller", authorized="ONE_TIME")
    assert (acme.status_label, acme.status_reason) == ("Restricted", "Unpaid invoice")
    assert (borealis.status_label, borealis.status_reason) == ("Normal", "")
    assert "<small>Unpaid invoice</small>" in client.get(PAGE).content.decode()


def test_all_customers_of_a_restricted_reseller_and_no_others_are_frozen(client, resellers, ann, dora):
    for name in ("acme", "borealis"):
        factories.customer(resellers[name], f"of-{name}")
    unfrozen = factories.customer(resellers["acme"], "unfrozen")
    factories.budget(unfrozen, ann, "100", account_freezing=AccountFreezing.MANUAL)
    assert listed(client, reseller="acme-reseller", status="FROZEN") == ["of-acme"]
    set_partner_status(resellers["acme"], status=Partner.Status.FROZEN, reason="Unpaid", operator=dora)
    assert set(listed(client, reseller="acme-reseller", status="FROZEN")) == {"of-acme", "unfrozen"}
    assert listed(client, reseller="borealis-reseller", status="FROZEN") == ["of-borealis"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"authorized": "GRANTED"}, ["acme", "borealis", "mono"]),
        ({"authorized": "MONTHLY"}, ["acme", "borealis", "mono"]),
        ({"authorized": "ONE_TIME"}, ["acme", "borealis"]),
        ({"authorized": "NOT_GRANTED"}, ["plain"]),
        ({"authorized": "nonsense"}, []),
        ({"q": "BOREALIS res"}, ["borealis"]),
        ({"q": "o-reseller"}, ["mono"]),
        ({"q": "reseller", "authorized": "ONE_TIME"}, ["acme", "borealis"]),
        ({"q": "\0"}, []),
        ({"q": "elsewhere"}, []),
        ({"q": "%"}, []),
        ({"sort": "-company"}, ["plain", "mono", "borealis", "acme"]),
        ({"sort": "nonsense"}, ["acme", "borealis", "mono", "plain"]),
        ({"sort": "monthly_quota"}, ["mono", "acme", "borealis", "plain"]),
        ({"sort": "-monthly_quota"}, ["acme", "borealis", "mono", "plain"]),
        ({"sort": "one_time_left"}, ["acme", "borealis", "mono", "plain"]),
        ({"sort": "-one_time_left"}, ["borealis", "acme", "mono", "plain"]),
        ({"sort": "-one_time_allocated"}, ["acme", "borealis", "mono", "plain"]),
    ],
)
def test_resellers_are_searched_filtered_and_sorted(client, resellers, ann, query, expected):
    factories.budget(factories.customer(resellers["acme"]), ann, "500")
    assert names(client, **query) == expected


def test_resellers_are_shown_page_by_page(client, dora_distribution):
    for number in range(51):
        factories.reseller(dora_distribution, f"r-{number:02}", quota=None)
    assert names(client, page="2") == ["r-50"]
    assert "Total: 51" in client.get(PAGE).content.decode()


def test_a_page_without_resellers_or_without_a_match_says_so(client, dora_distribution):
    assert "Your company has no resellers yet." in client.get(PAGE).content.decode()
    factories.reseller(dora_distribution, "acme-reseller")
    assert "No reseller matches these filters." in client.get(PAGE, {"q": "nobody"}).content.decode()


def test_each_reseller_links_to_its_customers(client, resellers):
    theirs = factories.customer(resellers["acme"], "theirs")
    factories.customer(resellers["borealis"], "others")
    assert 'href="/customers/?reseller=acme-reseller"' in client.get(PAGE).content.decode()
    assert listed(client, reseller="acme-reseller") == [theirs.customer_id]
    page = client.get("/customers/", {"reseller": "acme-reseller"})
    assert page.context["counts"].customers == 1
    assert [(each.name, each.value) for each in page.context["active_filters"]] == [("reseller", "acme-reseller")]


@pytest.mark.parametrize("sort", ["name", "-account_name", "usage", "-amount", "associated_on"])
@pytest.mark.parametrize("filters", [{}, {"status": "FROZEN"}, {"q": "customer of"}, {"budget_type": "MONTHLY"}])
def test_the_filter_by_reseller_shows_its_customers_only_in_every_order(client, resellers, ann, carl, sort, filters):
    for name, operator in (("acme", ann), ("borealis", carl)):
        customers = factories.customers(resellers[name], 4, name=f"Customer of {name}")
        factories.budget(customers[:2], operator, "100")
    everyone = listed(client, sort=sort, **filters)
    acmes, others = (listed(client, sort=sort, reseller=f"{name}-reseller", **filters) for name in ("acme", "borealis"))
    assert set(acmes) == {each.customer_id for each in resellers["acme"].customers.all()} & set(everyone)
    assert not set(acmes) & set(others)
    assert [each for each in everyone if each in acmes] == acmes


@pytest.mark.parametrize("name", ["elsewhere-reseller", "other-distribution", "nobody", "Acme Reseller"])
def test_the_filter_by_a_reseller_that_is_not_its_own_shows_nothing(client, resellers, name):
    factories.customer(resellers["acme"])
    factories.customer(Partner.objects.get(account_name="elsewhere-reseller"))
    for sort in ("name", "usage"):
        assert listed(client, reseller=name, sort=sort) == []
    assert client.get("/customers/count/", {"reseller": name}).content == b"0"


def test_a_reseller_finds_its_own_customers_by_its_name_and_no_others(resellers, ann, sign_in):
    own = factories.customer(resellers["acme"])
    factories.customer(resellers["borealis"])
    client = sign_in(ann)
    assert listed(client, reseller="acme-reseller") == [own.customer_id]
    assert listed(client, reseller="borealis-reseller") == []


def test_the_distributor_acts_where_no_grant_is_given_and_only_looks_where_one_is(client, resellers):
    factories.customer(resellers["acme"])
    without_grant = factories.customer(resellers["plain"])
    granted = client.get("/customers/", {"reseller": "acme-reseller"}).context["page"].object_list
    assert not granted[0].may_act
    assert "holds the permission" in granted[0].why_not
    assert client.get("/customers/", {"reseller": "plain-reseller"}).context["page"].object_list[0].may_act
    assert client.post("/budgets/set/", {"customer": without_grant.customer_id, **MANUAL_BUDGET}).status_code == 302
    assert Budget.objects.get().customer == without_grant


def test_all_matching_customers_are_those_of_the_chosen_reseller(client, resellers):
    factories.customers(resellers["plain"], 2)
    other = factories.reseller(resellers["plain"].distributor, "bare-reseller", quota=None)
    factories.customer(other)
    fields = MANUAL_BUDGET | {"all_matching": "1", "query": "reseller=plain-reseller"}
    review = client.post("/budgets/set/?reseller=plain-reseller", fields)
    client.post(review["Location"])
    assert {budget.partner for budget in Budget.objects.all()} == {resellers["plain"]}


def test_only_people_who_may_change_grants_see_links_to_them(client, resellers, dora_distribution, sign_in):
    path = f"/admin/partnercenter/grant/{resellers['plain'].pk}/change/"
    assert path in client.get(PAGE).content.decode()
    assert client.get(path).status_code == 200
    viewer = sign_in(factories.user("dave", dora_distribution, User.Role.VIEWER, is_staff=True))
    assert path not in viewer.get(PAGE).content.decode()
    assert PAGE in client.get("/customers/").content.decode()


@pytest.mark.parametrize("who", ["ann", "vera", "una", "sol", "platform"])
def test_only_people_of_a_distributor_see_the_page(who, sign_in, request):
    client = sign_in(request.getfixturevalue(who))
    assert client.get(PAGE).status_code == 403
    assert PAGE not in client.get("/").content.decode()
