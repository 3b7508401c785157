"""All that match are meant: those for whom the operator can set no budget are left out and named, not refused.

Who was ticked one by one is refused still; see rules 5.2, 5.6, 5.8 (docs/rules.md).
"""

from typing import Any

import pytest
from django.test import Client

from budgets.models import Budget
from customers.models import Customer
from partnercenter.actions.partners import give_grant
from tests import factories

TERMS, SET = "/budgets/terms/", "/budgets/set/"
ALL = {"all_matching": "1"}
HUNDRED = {"budget_type": "ONE_TIME", "amount": "100", "account_freezing": "MANUAL"}


@pytest.fixture
def referral(acme) -> Customer:
    return factories.customer(acme, "referral", association_type=Customer.AssociationType.REFERRAL)


@pytest.fixture
def two(acme) -> list[Customer]:
    return factories.customers(acme, 2)


def left_out(client: Client, path: str) -> dict[str, str]:
    """Who is left out of a review, and why."""
    opened: Any = client.get(f"{path}?group=LEFT_OUT").context["review"].open
    return {row["customer_id"]: row["why_left_out"] for row in opened["rows"]} if opened else {}


def set_for() -> set[str]:
    return set(Budget.objects.values_list("customer__customer_id", flat=True))


def test_a_customer_of_the_referral_model_is_left_out_and_says_why(client, two, referral):
    page = client.post(TERMS, ALL)
    assert (page.context["number"], page.context["left_out"]) == (3, 1)
    assert "matching; 1 of them is excluded" in page.content.decode()
    assert referral.account_name not in page.context["first"]
    path = client.post(SET, ALL | HUNDRED)["Location"]
    assert left_out(client, path) == {"referral": "a customer of the referral model"}
    client.post(path)
    assert set_for() == {customer.customer_id for customer in two}


def test_a_distributor_leaves_out_whom_a_reseller_with_a_grant_sets(sign_in, dora, two, ungranted):
    own = factories.customer(ungranted, "to-be-set")
    client = sign_in(dora)
    page = client.post(TERMS, ALL)
    assert (page.context["number"], page.context["left_out"]) == (3, 2)
    assert "Unfreeze Account (1 frozen)" in page.content.decode()
    path = client.post(SET, ALL | HUNDRED)["Location"]
    assert set(left_out(client, path).values()) == {"its reseller holds the permission to set budgets"}
    client.post(path)
    assert set_for() == {own.customer_id}


def test_who_was_ticked_is_refused_as_ever(client, two, referral, sign_in, dora, ungranted):
    ticked = [two[0].customer_id, "referral"]
    assert client.post(SET, {"customer": ticked, **HUNDRED}).status_code == 422
    ticked = [two[0].customer_id, factories.customer(ungranted).customer_id]
    assert sign_in(dora).post(SET, {"customer": ticked, **HUNDRED}).status_code == 403
    assert sign_in(dora).post("/budgets/terms/", {"customer": ticked}).status_code == 403, "before anything is typed"
    assert sign_in(dora).post("/budgets/terms/", {"customer": ticked[1:]}).status_code == 200
    assert set_for() == set()


def test_where_nobody_is_left_it_is_refused(client, referral):
    answer = client.post(SET, ALL | HUNDRED)
    assert answer.status_code == 422
    assert "None of the customers can be given this budget." in answer.content.decode()


@pytest.mark.parametrize("edit", [{"take_in": "referral"}, {"amount_referral": "5"}, {"leave_out": "referral"}])
def test_no_edit_takes_in_whom_no_budget_can_be_set_for(client, two, referral, edit):
    path = client.post(SET, ALL | HUNDRED)["Location"]
    for given in (edit, {"take_in": "referral"}):
        path = client.post(f"{path}edit/", given)["Location"]
        assert left_out(client, path) == {"referral": "a customer of the referral model"}
    client.post(path)
    assert set_for() == {customer.customer_id for customer in two}


def test_reviewing_again_leaves_the_same_out(client, two, referral, ann):
    path = client.post(SET, ALL | HUNDRED)["Location"]
    factories.budget(two[0], ann, "7")
    assert client.post(path).status_code == 409
    path = client.post(f"{path}edit/", {"again": "1"})["Location"]
    assert left_out(client, path) == {"referral": "a customer of the referral model"}


def test_a_grant_given_after_the_review_is_not_overruled(sign_in, dora, two, ungranted):
    factories.customers(ungranted, 2)
    client = sign_in(dora)
    path = client.post(SET, ALL | HUNDRED)["Location"]
    give_grant(ungranted, monthly_quota=factories.MILLION, one_time_quota=None, operator=dora)
    assert client.post(path).status_code == 403
    assert set_for() == set()
