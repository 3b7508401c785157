"""An unreadable filter, or a range that ends before it begins, finds nobody and is never treated as no filter.

The list shows no customers and an error; selecting all matching customers, counting and exporting are refused.
"""

import re
from typing import Any

import pytest
from django.test import Client

from customers.listing.filters import CustomerFilterForm
from customers.models import AccountFreezing, Customer, ExportRecord
from partnercenter.models import Operation
from tests import factories
from tests.pages import MANUAL_BUDGET

pytestmark = pytest.mark.clock("2026-09-15 02:00")

FREEZE = {"kind": "ACCOUNT", "reason": "why"}
# The field with the error, the query, and the message of the field.
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
EVERY_UNREADABLE_FILTER = pytest.mark.parametrize(("name", "query", "message"), UNREADABLE)


@pytest.fixture
def client(ann, acme, sign_in) -> Client:
    """Ann's browser; acme has two customers, which a filter that is ignored would show."""
    factories.customers(acme, 2)
    return sign_in(ann)


def content_of(response: Any) -> str:
    return response.content.decode()


def test_every_filter_is_tested_here():
    assert {name for name, _query, _problem in UNREADABLE} | set(CustomerFilterForm.RANGES) == set(
        CustomerFilterForm.filter_names()
    )


@EVERY_UNREADABLE_FILTER
def test_the_list_shows_no_customers_and_the_error_of_the_field(name, query, message, client):
    response = client.get("/customers/", query)
    content, counts = content_of(response), response.context["counts"]
    assert response.status_code == 200
    assert "data-customer=" not in content
    assert (counts.customers, counts.frozen, counts.exhausted) == (0, 0, 0)
    errors = re.search(r'id="filter-errors" role="alert">(.*?)</div>', content, re.DOTALL)
    assert errors
    assert f'data-field="id_{name}"' in errors[1]
    assert message in errors[1]


@EVERY_UNREADABLE_FILTER
def test_nothing_can_be_selected(name, query, message, client):
    content = content_of(client.get("/customers/", query))
    assert re.search(r'id="select-all-matching"[^>]* hidden', content)
    assert 'id="select-page"' not in content


@EVERY_UNREADABLE_FILTER
def test_requests_for_all_matching_customers_are_refused(name, query, message, client):
    query_string = "?" + client.get("/customers/", query).wsgi_request.META["QUERY_STRING"]
    all_matching = {"all_matching": "1"}
    responses = [
        client.post(f"/budgets/terms/{query_string}", all_matching),
        client.post(f"/budgets/set/{query_string}", all_matching | MANUAL_BUDGET),
        client.post(f"/customers/freeze/{query_string}", all_matching | FREEZE),
        client.post(f"/customers/unfreeze/{query_string}", all_matching | FREEZE),
        client.get(f"/customers/count/{query_string}"),
        client.get(f"/customers/export/{query_string}"),
    ]
    assert [each.status_code for each in responses] == [422] * len(responses)
    assert all("cannot be read" in content_of(each) for each in responses)
    assert not Operation.objects.exists()
    assert not ExportRecord.objects.exists()


def test_an_unreadable_filter_shows_no_customers_even_with_other_filters(client):
    query = {"usage_min": "5k", "status": "FROZEN", "q": "account", "sort": "-usage", "page": "2"}
    content = content_of(client.get("/customers/", query))
    assert "data-customer=" not in content
    assert 'value="5k"' in content
    assert 'aria-invalid="true"' in content


@pytest.mark.parametrize("query", [{"q": "\0"}, {"q": "a" * 201}, {"manager": "\0"}, {"manager": "m" * 129}])
@pytest.mark.parametrize("snoozed", [{}, {"snoozed": "1"}])
def test_the_page_of_decisions_shows_no_customers_either(query, snoozed, client, acme, ann):
    customer = factories.customer(acme)
    factories.budget(customer, ann, "10", account_freezing=AccountFreezing.MANUAL)
    factories.report((customer, "2026-09", "20"))
    assert "data-customer=" in content_of(client.get("/customers/decisions/"))
    content = content_of(client.get("/customers/decisions/", query | snoozed))
    assert "data-customer=" not in content
    assert 'id="filter-errors"' in content


def test_records_are_not_exported_with_an_unreadable_filter(client, acme):
    customer = Customer.objects.filter(partner=acme).first()
    assert customer
    query = {"customer": customer.customer_id, "tab": "freezes"}
    assert client.get("/customers/detail/records/export/", query).status_code == 200
    for unreadable in ({"since": "soon"}, {"since": "2026-09-02", "until": "2026-09-01"}):
        assert client.get("/customers/detail/records/export/", query | unreadable).status_code == 422


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/budgets/terms/", {}),
        ("/budgets/set/", MANUAL_BUDGET),
        ("/customers/freeze/", FREEZE),
        ("/customers/unfreeze/", FREEZE),
    ],
)
def test_a_request_for_all_matching_customers_is_refused_if_none_matches(path, fields, client):
    response = client.post(f"{path}?q=zzzz", {"all_matching": "1"} | fields)
    assert response.status_code == 422
    assert "No customer matches the filters" in content_of(response)
    assert not Operation.objects.exists()
