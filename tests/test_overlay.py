"""A restricted reseller's customers in the list (rule 4.7 (docs/rules.md)), by every filter.

Order and count as plain Python says it.

None of their rows is touched, and all is as before once it ends.
"""

import re
from html import unescape
from itertools import product
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from customers.listing import ordering
from customers.listing.filters import SORTS
from customers.listing.status import Status
from customers.models import Customer
from partnercenter.actions.partners import set_partner_status
from partnercenter.models import BudgetType, Partner, User
from tests import factories

pytestmark = pytest.mark.clock("2026-09-20 04:00")

NORMAL, RESTRICTED, FROZEN = Partner.Status
SHOWN = re.compile(r'<tr data-customer="([^"]*)">')
TYPES = ["", *BudgetType.values, "NONE"]
STATUSES = ["", *Status.values]


def kinds_of_customers(partner: Partner, operator: User) -> None:
    """One in each state a customer can be in, named after its reseller."""
    named = [factories.customer(partner, f"{partner.account_name}-{n}") for n in range(9)]
    factories.customer(partner, f"{partner.account_name}-r", association_type=Customer.AssociationType.REFERRAL)
    *budgeted, _without = named
    for n, (budget_type, unfreeze, used_up) in enumerate(product(BudgetType, (True, False), (True, False))):
        amount = "10" if used_up else "100"
        factories.budget(budgeted[n], operator, amount, budget_type, None, unfreeze=unfreeze)
    factories.report(*[(customer, "2026-09", "12") for customer in named])


@pytest.fixture
def everybody(acme: Partner, borealis: Partner, ann: User, carl: User) -> None:
    kinds_of_customers(acme, ann)
    kinds_of_customers(borealis, carl)


def restrict(partner: Partner, status: Any = RESTRICTED) -> None:
    set_partner_status(partner, status=status, reason="Unpaid", operator=None)


def is_frozen(customer: Customer) -> bool:
    is_referral = customer.association_type == Customer.AssociationType.REFERRAL
    return bool(customer.freeze_kind) or (bool(customer.partner.status) and not is_referral)


def matches(customer: Customer, status: str, budget_type: str) -> bool:
    budget = getattr(customer, "budget", None)
    is_of_status = {
        "": True,
        "FROZEN": is_frozen(customer),
        "EXHAUSTED": bool(budget and budget.exhausted),
        "NORMAL": not is_frozen(customer) and not (budget and budget.exhausted),
    }
    return is_of_status[status] and budget_type in ("", budget.budget_type if budget else "NONE")


def expected(user: User, status: str, budget_type: str) -> list[Customer]:
    own = Customer.objects.visible_to(user).select_related("partner", "budget")
    return [customer for customer in own if matches(customer, status, budget_type)]


def shown(client: Client, **query: str) -> list[str]:
    """The customer IDs of the list, in its order."""
    return [
        unescape(each) for each in SHOWN.findall(client.get("/customers/", query | {"size": "100"}).content.decode())
    ]


def assert_list_is_as_expected(client: Client, user: User, **query: str) -> None:
    wanted = expected(user, query.get("status", ""), query.get("budget_type", ""))
    assert sorted(shown(client, **query)) == sorted(customer.customer_id for customer in wanted), query
    counts = client.get("/customers/", query).context["counts"]
    exhausted = [customer for customer in wanted if getattr(customer, "budget", None) and customer.budget.exhausted]
    frozen = [customer for customer in wanted if is_frozen(customer)]
    assert (counts.customers, counts.frozen, counts.exhausted) == (len(wanted), len(frozen), len(exhausted)), query
    assert client.get("/customers/count/", query).content.decode() == str(len(wanted))


# Whose list, who is restricted: all of one's customers, some of a distributor's, all of them, and nobody.
LISTS = [("ann", ["acme"]), ("dora", ["acme"]), ("dora", ["acme", "borealis"]), ("ann", []), ("dora", [])]


@pytest.mark.parametrize("merged", [True, False], ids=["merged", "gathered"])
@pytest.mark.parametrize(("who", "restricted"), LISTS)
def test_every_filter_shows_and_counts_whom_plain_python_finds(
    who, restricted, merged, everybody, dora, sign_in, request, monkeypatch
):
    user = request.getfixturevalue(who)
    for name in restricted:
        restrict(request.getfixturevalue(name))
    if not merged:
        monkeypatch.setattr(ordering, "MERGE_LIMIT", 1)
    client = sign_in(user)
    for status, budget_type in product(STATUSES, TYPES):
        assert_list_is_as_expected(client, user, status=status, budget_type=budget_type)


@pytest.mark.parametrize("who", ["ann", "dora"])
def test_in_every_order_the_frozen_stand_as_they_do_among_all(who, everybody, acme, dora, sign_in, request):
    restrict(acme)
    user = request.getfixturevalue(who)
    client, frozen = sign_in(user), {customer.customer_id for customer in expected(user, "FROZEN", "")}
    for sort in (sign + key for key in SORTS for sign in ("", "-")):
        everyone = shown(client, sort=sort)
        assert shown(client, sort=sort, status="FROZEN") == [each for each in everyone if each in frozen], sort


def test_who_is_searched_for_is_found_by_the_status_in_effect(everybody, acme, dora, sign_in):
    restrict(acme)
    client = sign_in(dora)
    for status in STATUSES:
        wanted = expected(dora, status, "")
        assert set(shown(client, q="name", status=status)) == {customer.customer_id for customer in wanted}
        counts = client.get("/customers/", {"q": "name", "status": status}).context["counts"]
        assert (counts.customers, counts.frozen) == (len(wanted), sum(map(is_frozen, wanted)))


@pytest.mark.parametrize("status", [RESTRICTED, FROZEN])
def test_each_row_says_frozen_and_why_beside_what_the_account_is_by_itself(status, everybody, acme, ann, sign_in):
    restrict(acme, status)
    rows = {row.customer_id: row for row in sign_in(ann).get("/customers/").context["page"].object_list}
    above = f"reseller {status.lower()} since 2026-09-20 12:00"
    free, associated = rows["acme-reseller-1"], rows["acme-reseller-8"]
    assert (free.status, free.status_label, free.tone) == ("frozen", "Frozen", "frozen")
    assert (free.frozen_above, free.frozen_why) == (above, "")
    assert (associated.frozen_above, associated.frozen_why) == (above, "since association on 2026-09-20 12:00")
    assert (rows["acme-reseller-r"].status, rows["acme-reseller-r"].frozen_above) == ("normal", "")


def test_it_goes_as_it_came_and_no_row_of_a_customer_is_written(everybody, acme, ann, sign_in):
    client = sign_in(ann)
    rows, listed = list(Customer.objects.order_by("pk").values()), shown(client, status="FROZEN")
    with CaptureQueriesContext(connection) as captured:
        restrict(acme)
        assert len(shown(client, status="FROZEN")) == 9
        restrict(acme, NORMAL)
    assert not [query for query in captured if re.match('(UPDATE|INSERT INTO) "(customers|budgets)_', query["sql"])]
    assert list(Customer.objects.order_by("pk").values()) == rows
    assert shown(client, status="FROZEN") == listed


def test_the_export_and_all_that_match_go_by_the_same_filter(everybody, acme, ann, sign_in):
    restrict(acme)
    client = sign_in(ann)
    wanted = {customer.customer_id for customer in expected(ann, "FROZEN", "MONTHLY")}
    query = {"status": "FROZEN", "budget_type": "MONTHLY"}
    lines = b"".join(client.get("/customers/export/", query)).decode("utf-8-sig").splitlines()[1:]
    assert {line.split(",")[0] for line in lines} == wanted
    assert all("reseller restricted" in line for line in lines)
    dialog = client.post("/budgets/terms/?status=FROZEN&budget_type=MONTHLY", {"all_matching": "1"})
    assert dialog.status_code == 200
    assert str(len(wanted)) in dialog.content.decode()


def test_the_dialog_says_it_too(everybody, acme, ann, sign_in):
    restrict(acme)
    page = sign_in(ann).get("/budgets/set/", {"customer": "acme-reseller-1"}).content.decode()
    assert "reseller restricted since" in page


@pytest.mark.parametrize("who", ["ann", "dora"])
def test_the_list_asks_the_database_as_often_as_without(who, everybody, acme, dora, sign_in, request):
    client = sign_in(request.getfixturevalue(who))
    pages = [{}, {"status": "FROZEN"}, {"status": "FROZEN", "sort": "-usage"}, {"q": "name"}, {"status": "NORMAL"}]
    without = [queries(client, page) for page in pages]
    restrict(acme)
    assert [queries(client, page) for page in pages] == without


def queries(client: Client, query: dict[str, str]) -> int:
    client.get("/customers/", query)
    with CaptureQueriesContext(connection) as captured:
        assert client.get("/customers/", query).status_code == 200
    return len(captured)
