"""Set Budget for all matching customers leaves out, and names, those whose budget the operator may not set.

Customers ticked one by one are refused instead; see rules 5.2, 5.6, 5.8 (docs/rules.md).
"""

from typing import Any

import pytest
from django.test import Client

from budgets.models import Budget
from customers.models import Customer
from partnercenter.actions.partners import give_grant
from tests import factories
from tests.pages import MANUAL_BUDGET

TERMS, SET = "/budgets/terms/", "/budgets/set/"
ALL_MATCHING = {"all_matching": "1"}


@pytest.fixture
def two(acme) -> list[Customer]:
    return factories.customers(acme, 2)


def excluded(client: Client, path: str) -> dict[str, str]:
    """The customers excluded from a review, by customer ID, and why."""
    opened: Any = client.get(f"{path}?group=LEFT_OUT").context["review"].open
    return {row["customer_id"]: row["why_left_out"] for row in opened["rows"]} if opened else {}


def ids_with_budget() -> set[str]:
    return set(Budget.objects.values_list("customer__customer_id", flat=True))


def test_a_referral_customer_is_left_out_with_the_reason(client, two, referral):
    page = client.post(TERMS, ALL_MATCHING)
    assert (page.context["number"], page.context["left_out"]) == (3, 1)
    assert "matching; 1 of them is excluded" in page.content.decode()
    assert referral.account_name not in page.context["first"]
    path = client.post(SET, ALL_MATCHING | MANUAL_BUDGET)["Location"]
    assert excluded(client, path) == {"referral": "a customer of the referral model"}
    client.post(path)
    assert ids_with_budget() == {customer.customer_id for customer in two}


def test_a_distributor_leaves_out_customers_of_resellers_with_a_grant(sign_in, dora, two, ungranted):
    without_grant = factories.customer(ungranted, "without-grant")
    client = sign_in(dora)
    page = client.post(TERMS, ALL_MATCHING)
    assert (page.context["number"], page.context["left_out"]) == (3, 2)
    assert "Unfreeze Account (1 frozen)" in page.content.decode()
    path = client.post(SET, ALL_MATCHING | MANUAL_BUDGET)["Location"]
    assert set(excluded(client, path).values()) == {"its reseller holds the permission to set budgets"}
    client.post(path)
    assert ids_with_budget() == {without_grant.customer_id}


def test_customers_ticked_one_by_one_are_refused(client, two, referral, sign_in, dora, ungranted):
    ticked = [two[0].customer_id, "referral"]
    assert client.post(SET, {"customer": ticked, **MANUAL_BUDGET}).status_code == 422
    ticked = [two[0].customer_id, factories.customer(ungranted).customer_id]
    assert sign_in(dora).post(SET, {"customer": ticked, **MANUAL_BUDGET}).status_code == 403
    # The form itself is refused already.
    assert sign_in(dora).post("/budgets/terms/", {"customer": ticked}).status_code == 403
    assert sign_in(dora).post("/budgets/terms/", {"customer": ticked[1:]}).status_code == 200
    assert ids_with_budget() == set()


def test_a_request_that_leaves_out_all_customers_is_refused(client, referral):
    response = client.post(SET, ALL_MATCHING | MANUAL_BUDGET)
    assert response.status_code == 422
    assert "None of the customers can be given this budget." in response.content.decode()


@pytest.mark.parametrize("edit", [{"take_in": "referral"}, {"amount_referral": "5"}, {"leave_out": "referral"}])
def test_no_edit_of_the_review_includes_a_customer_who_can_have_no_budget(client, two, referral, edit):
    path = client.post(SET, ALL_MATCHING | MANUAL_BUDGET)["Location"]
    for changes in (edit, {"take_in": "referral"}):
        path = client.post(f"{path}edit/", changes)["Location"]
        assert excluded(client, path) == {"referral": "a customer of the referral model"}
    client.post(path)
    assert ids_with_budget() == {customer.customer_id for customer in two}


def test_reviewing_again_leaves_out_the_same_customers(client, two, referral, ann):
    path = client.post(SET, ALL_MATCHING | MANUAL_BUDGET)["Location"]
    factories.budget(two[0], ann, "7")
    assert client.post(path).status_code == 409
    path = client.post(f"{path}edit/", {"again": "1"})["Location"]
    assert excluded(client, path) == {"referral": "a customer of the referral model"}


def test_a_grant_given_after_the_review_makes_the_confirmation_fail(sign_in, dora, two, ungranted):
    factories.customers(ungranted, 2)
    client = sign_in(dora)
    path = client.post(SET, ALL_MATCHING | MANUAL_BUDGET)["Location"]
    give_grant(ungranted, monthly_quota=factories.MILLION, one_time_quota=None, operator=dora)
    assert client.post(path).status_code == 403
    assert ids_with_budget() == set()
