"""A filter that cannot be read, or a range upside down, lists nobody; nor does anything else take it for no filter."""

import re
from typing import Any

import pytest
from django.test import Client

from customers.listing.filters import CustomerFilterForm
from customers.models import AccountFreezing, Customer, ExportRecord
from partnercenter.models import Operation
from tests import factories

pytestmark = pytest.mark.clock("2026-09-15 02:00")

HUNDRED = {"budget_type": "ONE_TIME", "amount": "100", "account_freezing": "MANUAL"}
# The filter that is wrong, the query, and what its field says.
UNREADABLE = [
    ("status", {"status": "WORSE"}, "Select a valid choice"),
    ("status", {"status": "\0"}, "Select a valid choice"),
    ("budget_type", {"budget_type": "PACKAGE"}, "Select a valid choice"),
    ("q", {"q": "\0"}, "Null characters are not allowed"),
    ("q", {"q": "a" * 201}, "at most 200 characters"),
    ("reseller", {"reseller": "\0"}, "Null characters are not allowed"),
    ("usage_min", {"usage_min": "5k"}, "Enter a whole number"),
    ("usage_min", {"usage_min": "9" * 30}, "less than or equal"),
    ("usage_max", {"usage_max": "-" + "9" * 30}, "greater than or equal"),
    ("usage_max", {"usage_max": "1.5"}, "Enter a whole number"),
    ("auto_frozen", {"auto_frozen": "yes"}, "Select a valid choice"),
    ("mtd_min", {"mtd_min": "-1"}, "Enter an amount such as"),
    ("mtd_min", {"mtd_min": "10.000,50"}, "Enter an amount such as"),
    ("mtd_max", {"mtd_max": "NaN"}, "Enter an amount such as"),
    ("association_type", {"association_type": "BOTH"}, "Select a valid choice"),
    ("associated_after", {"associated_after": "0001-01-01"}, "Enter a valid date"),
    ("associated_before", {"associated_before": "2026-02-30"}, "Enter a valid date"),
    ("runs_out_after", {"runs_out_after": "15/09/2026"}, "Enter a valid date"),
    ("retention", {"retention": "3"}, "Select a valid choice"),
    ("manager", {"manager": "\0"}, "Null characters are not allowed"),
    ("tag", {"tag": "\0"}, "Null characters are not allowed"),
    *[
        (last, {first: "2", last: "1"}, "is before its beginning")
        for first, last in [("usage_min", "usage_max"), ("mtd_min", "mtd_max")]
    ],
    *[
        (last, {first: "2026-09-02", last: "2026-09-01"}, "is before its beginning")
        for first, last in [("runs_out_after", "runs_out_before"), ("associated_after", "associated_before")]
    ],
]
EVERY = pytest.mark.parametrize(("name", "query", "problem"), UNREADABLE)


@pytest.fixture
def client(ann, acme, sign_in) -> Client:
    """Ann's, with two customers who match whatever is not a filter."""
    factories.customers(acme, 2)
    return sign_in(ann)


def text_of(response: Any) -> str:
    return response.content.decode()


def test_every_filter_is_among_them():
    assert {name for name, _query, _problem in UNREADABLE} | set(CustomerFilterForm.RANGES) == set(
        CustomerFilterForm.filter_names()
    )


@EVERY
def test_the_list_shows_nobody_and_the_error_of_the_field(name, query, problem, client):
    response = client.get("/customers/", query)
    content, counts = text_of(response), response.context["counts"]
    assert response.status_code == 200
    assert "data-customer=" not in content
    assert (counts.customers, counts.frozen, counts.exhausted) == (0, 0, 0)
    shown = re.search(r'id="filter-errors" role="alert">(.*?)</div>', content, re.DOTALL)
    assert shown
    assert f'data-field="id_{name}"' in shown[1]
    assert problem in shown[1]


@EVERY
def test_nothing_can_be_selected_with_it(name, query, problem, client):
    content = text_of(client.get("/customers/", query))
    assert re.search(r'id="select-all-matching"[^>]* hidden', content)
    assert 'id="select-page"' not in content


@EVERY
def test_what_asks_for_all_that_match_is_refused(name, query, problem, client):
    address = "?" + client.get("/customers/", query).wsgi_request.META["QUERY_STRING"]
    everybody = {"all_matching": "1"}
    answers = [
        client.post(f"/budgets/terms/{address}", everybody),
        client.post(f"/budgets/set/{address}", everybody | HUNDRED),
        client.post(f"/customers/freeze/{address}", everybody | {"kind": "ACCOUNT", "reason": "why"}),
        client.post(f"/customers/unfreeze/{address}", everybody | {"kind": "ACCOUNT", "reason": "why"}),
        client.get(f"/customers/count/{address}"),
        client.get(f"/customers/export/{address}"),
    ]
    assert [each.status_code for each in answers] == [422] * len(answers)
    assert all("cannot be read" in text_of(each) for each in answers)
    assert not Operation.objects.exists()
    assert not ExportRecord.objects.exists()


def test_what_else_was_asked_for_does_not_bring_anybody_back(client):
    query = {"usage_min": "5k", "status": "FROZEN", "q": "account", "sort": "-usage", "page": "2"}
    content = text_of(client.get("/customers/", query))
    assert "data-customer=" not in content
    assert 'value="5k"' in content
    assert 'aria-invalid="true"' in content


@pytest.mark.parametrize("query", [{"q": "\0"}, {"q": "a" * 201}, {"manager": "\0"}, {"manager": "m" * 129}])
@pytest.mark.parametrize("snoozed", [{}, {"snoozed": "1"}])
def test_decisions_shows_nobody_either(query, snoozed, client, acme, ann):
    customer = factories.customer(acme)
    factories.budget(customer, ann, "10", account_freezing=AccountFreezing.MANUAL)
    factories.report((customer, "2026-09", "20"))
    assert "data-customer=" in text_of(client.get("/customers/decisions/"))
    content = text_of(client.get("/customers/decisions/", query | snoozed))
    assert "data-customer=" not in content
    assert 'id="filter-errors"' in content


def test_records_are_not_exported_by_a_filter_that_cannot_be_read(client, acme):
    customer = Customer.objects.filter(partner=acme).first()
    assert customer
    query = {"customer": customer.customer_id, "tab": "freezes"}
    assert client.get("/customers/detail/records/export/", query).status_code == 200
    for wrong in ({"since": "soon"}, {"since": "2026-09-02", "until": "2026-09-01"}):
        assert client.get("/customers/detail/records/export/", query | wrong).status_code == 422


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/budgets/terms/", {}),
        ("/budgets/set/", HUNDRED),
        ("/customers/freeze/", {"kind": "ACCOUNT", "reason": "why"}),
        ("/customers/unfreeze/", {"kind": "ACCOUNT", "reason": "why"}),
    ],
)
def test_all_of_nobody_is_refused(path, more, client):
    answer = client.post(f"{path}?q=zzzz", {"all_matching": "1"} | more)
    assert answer.status_code == 422
    assert "No customer matches the filters" in text_of(answer)
    assert not Operation.objects.exists()
