"""The overlay: customers of a restricted or frozen reseller are listed as frozen, and none of their rows is written.

Every filter, order and count is compared with what plain Python computes; see rule 4.7 (docs/rules.md).
"""

import re
from itertools import product
from typing import Any

import pytest
import time_machine
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
from tests.pages import row_ids
from tests.sql import count_queries

pytestmark = pytest.mark.clock("2026-09-20 04:00")

NOW = factories.moment("2026-09-20 04:00")
NORMAL, RESTRICTED, FROZEN = Partner.Status
TYPES = ["", *BudgetType.values, "NONE"]
STATUSES = ["", *Status.values]


def add_customers_in_all_states(partner: Partner, operator: User) -> None:
    """One customer in each state; the customer IDs begin with the reseller's name."""
    customers = [factories.customer(partner, f"{partner.account_name}-{n}") for n in range(9)]
    factories.customer(partner, f"{partner.account_name}-r", association_type=Customer.AssociationType.REFERRAL)
    *budgeted, _without_budget = customers
    for n, (budget_type, unfreeze, used_up) in enumerate(product(BudgetType, (True, False), (True, False))):
        amount = "10" if used_up else "100"
        factories.budget(budgeted[n], operator, amount, budget_type, None, unfreeze=unfreeze)
    factories.report(*[(customer, "2026-09", "12") for customer in customers])


@pytest.fixture(scope="module")
def customers(acme: Partner, borealis: Partner, ann: User, carl: User) -> None:
    """Customers of both resellers in all states."""
    with time_machine.travel(NOW, tick=False):
        add_customers_in_all_states(acme, ann)
        add_customers_in_all_states(borealis, carl)


def restrict(partner: Partner, status: Any = RESTRICTED) -> None:
    set_partner_status(partner, status=status, reason="Unpaid", operator=None)


def is_frozen(customer: Customer) -> bool:
    is_referral = customer.association_type == Customer.AssociationType.REFERRAL
    return bool(customer.freeze_kind) or (bool(customer.partner.status) and not is_referral)


def matches(customer: Customer, status: str, budget_type: str) -> bool:
    """Whether these filters should show the customer, decided by Python."""
    budget = getattr(customer, "budget", None)
    has_status = {
        "": True,
        "FROZEN": is_frozen(customer),
        "EXHAUSTED": bool(budget and budget.exhausted),
        "NORMAL": not is_frozen(customer) and not (budget and budget.exhausted),
    }
    return has_status[status] and budget_type in ("", budget.budget_type if budget else "NONE")


def expected(user: User, status: str, budget_type: str) -> list[Customer]:
    """The customers that these filters should show to the user."""
    visible = Customer.objects.visible_to(user).select_related("partner", "budget")
    return [customer for customer in visible if matches(customer, status, budget_type)]


def listed(client: Client, **query: str) -> list[str]:
    """The customer IDs of the list, in its order."""
    return row_ids(client.get("/customers/", query | {"size": "100"}))


def assert_list_is_as_expected(client: Client, user: User, **query: str) -> None:
    customers = expected(user, query.get("status", ""), query.get("budget_type", ""))
    assert sorted(listed(client, **query)) == sorted(customer.customer_id for customer in customers), query
    counts = client.get("/customers/", query).context["counts"]
    exhausted = [customer for customer in customers if getattr(customer, "budget", None) and customer.budget.exhausted]
    frozen = [customer for customer in customers if is_frozen(customer)]
    assert (counts.customers, counts.frozen, counts.exhausted) == (len(customers), len(frozen), len(exhausted)), query
    assert client.get("/customers/count/", query).content.decode() == str(len(customers))


# Who looks at the list, and which resellers are restricted: all whose customers it shows, some of them, or none.
LISTS = [("ann", ["acme"]), ("dora", ["acme"]), ("dora", ["acme", "borealis"]), ("ann", []), ("dora", [])]


@pytest.mark.parametrize("merged", [True, False], ids=["merged", "sorted"])
@pytest.mark.parametrize(("who", "restricted"), LISTS)
def test_every_filter_shows_and_counts_the_customers_that_plain_python_finds(
    who, restricted, merged, customers, dora, sign_in, request, monkeypatch
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
def test_frozen_customers_keep_their_place_in_every_order(who, customers, acme, dora, sign_in, request):
    restrict(acme)
    user = request.getfixturevalue(who)
    client, frozen = sign_in(user), {customer.customer_id for customer in expected(user, "FROZEN", "")}
    for sort in (sign + key for key in SORTS for sign in ("", "-")):
        everyone = listed(client, sort=sort)
        assert listed(client, sort=sort, status="FROZEN") == [each for each in everyone if each in frozen], sort


def test_a_search_by_status_uses_the_status_in_effect(customers, acme, dora, sign_in):
    restrict(acme)
    client = sign_in(dora)
    for status in STATUSES:
        customers = expected(dora, status, "")
        assert set(listed(client, q="name", status=status)) == {customer.customer_id for customer in customers}
        counts = client.get("/customers/", {"q": "name", "status": status}).context["counts"]
        assert (counts.customers, counts.frozen) == (len(customers), sum(map(is_frozen, customers)))


@pytest.mark.parametrize("status", [RESTRICTED, FROZEN])
def test_each_row_shows_the_overlay_and_the_customers_own_freeze(status, customers, acme, ann, sign_in):
    restrict(acme, status)
    rows = {row.customer_id: row for row in sign_in(ann).get("/customers/").context["page"].object_list}
    overlay = f"reseller {status.lower()} since 2026-09-20 12:00"
    unfrozen, associated = rows["acme-reseller-1"], rows["acme-reseller-8"]
    assert (unfrozen.status, unfrozen.status_label, unfrozen.tone) == ("frozen", "Frozen", "frozen")
    assert (unfrozen.frozen_above, unfrozen.frozen_why) == (overlay, "")
    assert (associated.frozen_above, associated.frozen_why) == (overlay, "since association on 2026-09-20 12:00")
    assert (rows["acme-reseller-r"].status, rows["acme-reseller-r"].frozen_above) == ("normal", "")


def test_beginning_and_ending_the_overlay_writes_no_customer_row(customers, acme, ann, sign_in):
    client = sign_in(ann)
    rows, frozen = list(Customer.objects.order_by("pk").values()), listed(client, status="FROZEN")
    with CaptureQueriesContext(connection) as captured:
        restrict(acme)
        assert len(listed(client, status="FROZEN")) == 9
        restrict(acme, NORMAL)
    assert not [query for query in captured if re.match('(UPDATE|INSERT INTO) "(customers|budgets)_', query["sql"])]
    assert list(Customer.objects.order_by("pk").values()) == rows
    assert listed(client, status="FROZEN") == frozen


def test_export_and_all_matching_use_the_same_filter(customers, acme, ann, sign_in):
    restrict(acme)
    client = sign_in(ann)
    ids = {customer.customer_id for customer in expected(ann, "FROZEN", "MONTHLY")}
    query = {"status": "FROZEN", "budget_type": "MONTHLY"}
    lines = b"".join(client.get("/customers/export/", query)).decode("utf-8-sig").splitlines()[1:]
    assert {line.split(",")[0] for line in lines} == ids
    assert all("reseller restricted" in line for line in lines)
    dialog = client.post("/budgets/terms/?status=FROZEN&budget_type=MONTHLY", {"all_matching": "1"})
    assert dialog.status_code == 200
    assert str(len(ids)) in dialog.content.decode()


def test_the_set_budget_dialog_shows_the_overlay(customers, acme, ann, sign_in):
    restrict(acme)
    page = sign_in(ann).get("/budgets/set/", {"customer": "acme-reseller-1"}).content.decode()
    assert "reseller restricted since" in page


@pytest.mark.parametrize("who", ["ann", "dora"])
def test_the_list_needs_as_many_queries_with_the_overlay_as_without(who, customers, acme, dora, sign_in, request):
    client = sign_in(request.getfixturevalue(who))
    pages = [{}, {"status": "FROZEN"}, {"status": "FROZEN", "sort": "-usage"}, {"q": "name"}, {"status": "NORMAL"}]
    without_overlay = [number_of_queries(client, page) for page in pages]
    restrict(acme)
    assert [number_of_queries(client, page) for page in pages] == without_overlay


def number_of_queries(client: Client, query: dict[str, str]) -> int:
    client.get("/customers/", query)
    return count_queries(lambda: row_ids(client.get("/customers/", query)))
