"""Editing a review: which edits its pages offer, and how an invalid amount comes back in its row."""

import re
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from budgets.actions.review_edits import edit_review
from customers.models import Customer
from partnercenter.models import BudgetType, Operation
from tests import factories, pages
from tests.pages import batch_of, group_rows, start_undo

HUNDRED = {"budget_type": "ONE_TIME", "amount": "100", "account_freezing": "MANUAL"}


def start_review(client: Client, customers: list[Customer], **terms: str) -> str:
    return pages.start_review(client, customers, **(terms or HUNDRED))


def offered_edits(content: str) -> list[str]:
    """What the buttons in the rows do: include or exclude their customer."""
    return re.findall(r'formnovalidate name="(take_in|leave_out)"', content)


def test_include_is_offered_only_for_customers_that_can_be_included(client, acme, ann):
    fine, small, without = factories.customers(acme, 3)
    factories.budget(fine, ann, "100")
    factories.budget(small, ann, "10")
    path = start_review(client, [fine, small, without], budget_type="", plus="-10")
    assert offered_edits(client.get(f"{path}?group=LEFT_OUT").content.decode()) == []
    assert offered_edits(client.get(f"{path}?group=ALL").content.decode()) == ["leave_out"]
    excluded = group_rows(client, path, "LEFT_OUT")
    assert excluded[small.customer_id]["can_change"], "a higher amount could still be set"
    assert not excluded[without.customer_id]["can_change"], "the budget would still have no type"


def test_an_excluded_customer_can_be_included_unless_no_budget_could_be_set(client, acme, ann):
    fine, other, without = factories.customers(acme, 3)
    factories.budget([fine, other], ann, "100")
    path = start_review(client, [fine, other, without], percent="110")
    path = client.post(f"{path}edit/", {"leave_out": [other.customer_id, without.customer_id]})["Location"]
    can_include = {key: row["can_include"] for key, row in group_rows(client, path, "LEFT_OUT").items()}
    assert can_include == {other.customer_id: True, without.customer_id: False}


def test_a_whole_group_is_excluded_and_no_other_customer(client, acme, ann):
    fine, other, new = factories.customers(acme, 3)
    factories.budget([fine, other], ann, "50", BudgetType.MONTHLY)
    path = start_review(client, [fine, other, new])
    path = client.post(f"{path}edit/", {"leave_out_group": "TYPE"})["Location"]
    assert set(group_rows(client, path, "LEFT_OUT")) == {fine.customer_id, other.customer_id}
    assert set(group_rows(client, path, "ALL")) == {new.customer_id}
    assert client.post(f"{path}edit/", {"leave_out_group": "NO_SUCH_GROUP"}).status_code == 404
    path = client.post(f"{path}edit/", {"take_in": fine.customer_id})["Location"]
    assert set(group_rows(client, path, "ALL")) == {fine.customer_id, new.customer_id}


def test_an_undo_offers_no_amount_to_edit(client, three):
    path = start_review(client, three)
    client.post(path)
    back = start_undo(client, path)
    back = client.post(f"{back}edit/", {"leave_out": three[0].customer_id})["Location"]
    content = client.get(f"{back}?group=ALL").content.decode()
    assert "amount-form" not in content
    assert offered_edits(content) == ["leave_out"] * 2
    assert offered_edits(client.get(f"{back}?group=LEFT_OUT").content.decode()) == ["take_in"]


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true", "HX-Target": "dialog-body"}])
@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("1e3", "Enter an amount such as 1200 or 1,200.50"),
        ("0", "Enter an amount greater than 0."),
        ("2147483647.01", "Enter an amount of at most 2,147,483,647.00."),
        ("", "This field is required."),
        ('"><b>', "Enter an amount such as"),
    ],
)
def test_an_invalid_amount_comes_back_in_its_row_with_the_error(client, three, headers, typed, message):
    path = start_review(client, three)
    response = client.post(f"{path}edit/?group=ALL&page=1", {f"amount_{three[1].customer_id}": typed}, headers=headers)
    assert response.status_code == 422
    rows = {row["customer_id"]: row for row in response.context["review"].open["rows"]}
    assert rows[three[1].customer_id]["typed"] == typed
    assert message in rows[three[1].customer_id]["error"]
    assert [rows[each.customer_id]["error"] for each in (three[0], three[2])] == ["", ""]
    content = response.content.decode()
    assert content.count('aria-invalid="true"') == 1
    assert content.count(message) == 1
    assert '"><b>' not in content
    assert Operation.objects.count() == 1


def test_what_was_typed_into_other_rows_is_not_lost(client, three):
    path = start_review(client, three)
    one, other, _third = (f"amount_{each.customer_id}" for each in three)
    response = client.post(f"{path}edit/?group=ALL", {one: "1,5", other: "77.70"})
    assert [row["typed"] for row in response.context["review"].open["rows"]] == ["1,5", "77.70", "100.00"]


def test_an_invalid_amount_on_another_page_opens_that_page_of_the_group(client, acme):
    many = factories.customers(acme, 45)
    path = start_review(client, many)
    last = sorted(many, key=lambda each: each.account_name)[44]
    response = client.post(f"{path}edit/?group=ALL", {f"amount_{last.customer_id}": "x"})
    opened: Any = response.context["review"].open
    assert (response.status_code, opened["key"], opened["page"].number) == (422, "ALL", 3)
    assert [row["typed"] for row in opened["rows"] if row["error"]] == ["x"]
    path = client.post(f"{path}edit/", {"leave_out": last.customer_id})["Location"]
    opened = client.post(f"{path}edit/", {f"amount_{last.customer_id}": "x"}).context["review"].open
    assert (opened["key"], [row["error"] for row in opened["rows"]]) == ("LEFT_OUT", [opened["rows"][0]["error"]])


@pytest.mark.parametrize("name", ["leave_out", "take_in", "amount_"])
def test_an_edit_of_a_customer_outside_the_review_is_a_404(client, three, acme, name):
    path, other = start_review(client, three), factories.customer(acme)
    edit_of_stranger = {name: other.customer_id} if name != "amount_" else {f"amount_{other.customer_id}": "5"}
    assert client.post(f"{path}edit/", edit_of_stranger).status_code == 404
    assert client.post(f"{path}edit/", {name: [three[0].customer_id, "nobody"]}).status_code == 404
    assert client.post(path, {"amount_nobody": "5"}).status_code == 404
    assert Operation.objects.count() == 1


def test_excluding_every_customer_is_refused_with_advice(client, three):
    path = start_review(client, three)
    response = client.post(f"{path}edit/", {"leave_out": [each.customer_id for each in three]})
    assert response.status_code == 422
    assert "Keep at least one customer in the review, or cancel it." in response.content.decode()
    assert len(group_rows(client, path, "ALL")) == 3


def test_cancelling_an_undo_leads_to_its_batch(client, three):
    path = start_review(client, three)
    client.post(path)
    batch = batch_of(path)
    page = client.get(start_undo(client, path)).content.decode()
    assert f'<a class="button" href="{batch}">Cancel</a>' in page


def test_without_javascript_an_edit_returns_to_the_group_that_was_open(client, three):
    path = start_review(client, three)
    edited = client.post(f"{path}edit/?group=ALL&page=1", {f"amount_{three[1].customer_id}": "77.70"})
    page = client.get(edited["Location"])
    assert page.context["review"].open["key"] == "ALL"
    assert 'value="77.70"' in page.content.decode()


def test_the_number_of_queries_of_an_edit_does_not_grow_with_the_amounts(acme, ann):
    many = factories.customers(acme, 40)
    batch = factories.reviewed(many, ann, "100")
    counts = []
    for customers in (many[:1], many):
        amounts = {customer.customer_id: Decimal("77.70") for customer in customers}
        with CaptureQueriesContext(connection) as captured:
            batch = edit_review(batch, amounts=amounts)
        counts.append(len(captured))
    assert counts[0] == counts[1]
    assert set(batch.reviewed.values_list("amount", flat=True)) == {Decimal("77.70")}
