"""What can be edited in a review is what is offered there; a bad amount comes back in its row, and nothing is lost."""

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
from tests import factories

SET = "/budgets/set/"
HUNDRED = {"budget_type": "ONE_TIME", "amount": "100", "account_freezing": "MANUAL"}


def review(client: Client, customers: list[Customer], **terms: str) -> str:
    return client.post(SET, {"customer": [each.customer_id for each in customers], **(terms or HUNDRED)})["Location"]


def rows(client: Client, path: str, group: str) -> dict[str, Any]:
    opened: Any = client.get(f"{path}?group={group}").context["review"].open
    return {row["customer_id"]: row for row in opened["rows"]}


def offered(content: str) -> list[str]:
    """What the buttons of the rows do."""
    return re.findall(r'formnovalidate name="(take_in|leave_out)"', content)


def test_only_who_can_be_taken_in_is_offered_to_be(client, acme, ann):
    fine, small, without = factories.customers(acme, 3)
    factories.budget(fine, ann, "100")
    factories.budget(small, ann, "10")
    path = review(client, [fine, small, without], budget_type="", plus="-10")
    assert offered(client.get(f"{path}?group=LEFT_OUT").content.decode()) == []
    assert offered(client.get(f"{path}?group=ALL").content.decode()) == ["leave_out"]
    found = rows(client, path, "LEFT_OUT")
    assert found[small.customer_id]["can_change"], "another amount helps"
    assert not found[without.customer_id]["can_change"], "it would still have no type"


def test_who_was_left_out_by_hand_can_be_taken_in_unless_nothing_could_be_set(client, acme, ann):
    fine, other, without = factories.customers(acme, 3)
    factories.budget([fine, other], ann, "100")
    path = review(client, [fine, other, without], percent="110")
    both = [other.customer_id, without.customer_id]
    path = client.post(f"{path}edit/", {"leave_out": both})["Location"]
    found = rows(client, path, "LEFT_OUT")
    assert {key: row["can_take_in"] for key, row in found.items()} == {both[0]: True, both[1]: False}


def test_a_whole_group_is_left_out_at_once_and_nobody_else(client, acme, ann):
    fine, other, new = factories.customers(acme, 3)
    factories.budget([fine, other], ann, "50", BudgetType.MONTHLY)
    path = review(client, [fine, other, new])
    path = client.post(f"{path}edit/", {"leave_out_group": "TYPE"})["Location"]
    assert set(rows(client, path, "LEFT_OUT")) == {fine.customer_id, other.customer_id}
    assert set(rows(client, path, "ALL")) == {new.customer_id}
    assert client.post(f"{path}edit/", {"leave_out_group": "NO_SUCH_GROUP"}).status_code == 404
    path = client.post(f"{path}edit/", {"take_in": fine.customer_id})["Location"]
    assert set(rows(client, path, "ALL")) == {fine.customer_id, new.customer_id}


def test_in_an_undo_no_amount_is_offered_to_be_changed(client, three):
    path = review(client, three)
    client.post(path)
    back = client.post(f"/budgets/batches/{path.split('/')[-2]}/undo/")["Location"]
    back = client.post(f"{back}edit/", {"leave_out": three[0].customer_id})["Location"]
    content = client.get(f"{back}?group=ALL").content.decode()
    assert "amount-form" not in content
    assert offered(content) == ["leave_out"] * 2
    assert offered(client.get(f"{back}?group=LEFT_OUT").content.decode()) == ["take_in"]


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true", "HX-Target": "dialog-body"}])
@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("1e3", "Enter an amount such as 1200 or 1,200.50"),
        ("0", "Enter an amount greater than 0."),
        ("2147483647.01", "Enter an amount of at most 2,147,483,647.00."),
        ("", "This field is required."),
        ('"><b>', "Enter an amount such as"),
    ],
)
def test_a_bad_amount_comes_back_in_its_row_with_what_is_wrong(client, three, headers, typed, said):
    path = review(client, three)
    answer = client.post(f"{path}edit/?group=ALL&page=1", {f"amount_{three[1].customer_id}": typed}, headers=headers)
    assert answer.status_code == 422
    found = {row["customer_id"]: row for row in answer.context["review"].open["rows"]}
    assert found[three[1].customer_id]["typed"] == typed
    assert said in found[three[1].customer_id]["error"]
    assert [found[each.customer_id]["error"] for each in (three[0], three[2])] == ["", ""]
    content = answer.content.decode()
    assert content.count('aria-invalid="true"') == 1
    assert content.count(said) == 1
    assert '"><b>' not in content
    assert Operation.objects.count() == 1


def test_what_was_typed_into_other_rows_is_not_lost(client, three):
    path = review(client, three)
    one, other, _third = (f"amount_{each.customer_id}" for each in three)
    answer = client.post(f"{path}edit/?group=ALL", {one: "1,5", other: "77.70"})
    assert [row["typed"] for row in answer.context["review"].open["rows"]] == ["1,5", "77.70", "100.00"]


def test_a_bad_amount_of_a_row_not_in_sight_brings_it_into_sight(client, acme):
    many = factories.customers(acme, 45)
    path = review(client, many)
    wrong = sorted(many, key=lambda each: each.account_name)[44]
    answer = client.post(f"{path}edit/?group=ALL", {f"amount_{wrong.customer_id}": "x"})
    opened: Any = answer.context["review"].open
    assert (answer.status_code, opened["key"], opened["page"].number) == (422, "ALL", 3)
    assert [row["typed"] for row in opened["rows"] if row["error"]] == ["x"]
    path = client.post(f"{path}edit/", {"leave_out": wrong.customer_id})["Location"]
    opened = client.post(f"{path}edit/", {f"amount_{wrong.customer_id}": "x"}).context["review"].open
    assert (opened["key"], [row["error"] for row in opened["rows"]]) == ("LEFT_OUT", [opened["rows"][0]["error"]])


@pytest.mark.parametrize("name", ["leave_out", "take_in", "amount_"])
def test_who_is_not_in_the_review_does_not_exist_for_it(client, three, acme, name):
    path, other = review(client, three), factories.customer(acme)
    named = {name: other.customer_id} if name != "amount_" else {f"amount_{other.customer_id}": "5"}
    assert client.post(f"{path}edit/", named).status_code == 404
    assert client.post(f"{path}edit/", {name: [three[0].customer_id, "nobody"]}).status_code == 404
    assert client.post(path, {"amount_nobody": "5"}).status_code == 404
    assert Operation.objects.count() == 1


def test_leaving_out_everybody_says_what_to_do(client, three):
    path = review(client, three)
    answer = client.post(f"{path}edit/", {"leave_out": [each.customer_id for each in three]})
    assert answer.status_code == 422
    assert "Keep at least one customer in the review, or cancel it." in answer.content.decode()
    assert len(rows(client, path, "ALL")) == 3


def test_cancelling_an_undo_leads_to_its_batch(client, three):
    path = review(client, three)
    client.post(path)
    batch = f"/budgets/batches/{path.split('/')[-2]}/"
    page = client.get(client.post(f"{batch}undo/")["Location"]).content.decode()
    assert f'<a class="button" href="{batch}">Cancel</a>' in page


def test_without_javascript_an_edit_comes_back_to_the_group_that_was_open(client, three):
    path = review(client, three)
    edited = client.post(f"{path}edit/?group=ALL&page=1", {f"amount_{three[1].customer_id}": "77.70"})
    page = client.get(edited["Location"])
    assert page.context["review"].open["key"] == "ALL"
    assert 'value="77.70"' in page.content.decode()


def test_an_edit_takes_as_many_queries_for_one_amount_as_for_many(acme, ann):
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
