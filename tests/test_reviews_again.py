"""A review that is no longer as it was: what is told of it, what reviewing again keeps, and what is left as it is."""

from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from budgets.actions.account_state import freeze_accounts, unfreeze_accounts
from budgets.actions.import_budgets import review_import
from budgets.models import Budget
from customers.masking import mask_name
from customers.models import AccountFreezing, Customer, CustomerQuerySet, FreezeKind, FreezeOrigin
from partnercenter.actions.authorship import Author
from partnercenter.actions.partners import give_grant
from partnercenter.models import BudgetType, Channel, User
from tests import factories

pytestmark = pytest.mark.clock("2026-09-20 04:00")

ONE_TIME = {"budget_type": "ONE_TIME", "amount": "100", "account_freezing": "AUTOMATIC"}


def review(client: Client, customers: list[Customer], **terms: str) -> str:
    ids = [each.customer_id for each in customers]
    return client.post("/budgets/set/", {"customer": ids, **(terms or ONE_TIME)})["Location"]


def undo(client: Client, path: str) -> str:
    return client.post(f"/budgets/batches/{path.split('/')[-2]}/undo/")["Location"]


def edit(client: Client, path: str, **changes: Any) -> str:
    return client.post(f"{path}edit/", changes)["Location"]


def again(client: Client, path: str) -> str:
    """OK is refused, and the same is reviewed again."""
    assert client.post(path).status_code == 409
    return edit(client, path, again="1")


def groups(client: Client, path: str) -> dict[str, int]:
    return {group["key"]: group["count"] for group in client.get(path).context["review"].groups if group["count"]}


def rows(client: Client, path: str, group: str) -> dict[str, Any]:
    """The rows of an open group, by customer ID."""
    return {row["customer_id"]: row for row in client.get(f"{path}?group={group}").context["review"].open["rows"]}


def amounts(customers: list[Customer]) -> list[Decimal | None]:
    stored: dict[Any, Decimal] = dict(Budget.objects.values_list("customer", "amount"))
    return [stored.get(customer.pk) for customer in customers]


def changes(answer: Any) -> dict[str, list[str]]:
    """What a review that went stale says of each account."""
    assert answer.status_code == 409
    return {each["account_name"]: each["changes"] for each in answer.context["stale"]["changed"]}


def test_a_stale_review_says_what_each_budget_was_and_what_it_is_now(client, three, ann, ben):
    factories.budget(three[0], ann, "60", account_freezing=AccountFreezing.MANUAL)
    path = review(client, three)
    factories.budget(three[0], ben, "7", BudgetType.MONTHLY)
    factories.budget(three[1], ben, "8", unfreeze=False)
    answer = client.post(path)
    assert changes(answer) == {
        three[0].account_name: [
            "Budget: One-time budget 60.00 (Manual) before, Monthly budget 7.00 (Automatic) now.",
            "Changed by ben at 2026-09-20 12:00.",
        ],
        three[1].account_name: [
            "Budget: none before, One-time budget 8.00 (Automatic) now.",
            "Changed by ben at 2026-09-20 12:00.",
        ],
    }
    page = answer.content.decode()
    assert "Monthly budget 7.00 (Automatic) now." in page
    assert mask_name(three[0].name) in page
    assert three[0].name not in page


def test_a_stale_review_says_whose_budget_was_taken_away(client, three, ben, sign_in):
    path = review(client, three)
    client.post(path)
    later = review(client, three, amount="70")
    bens = sign_in(ben)
    bens.post(edit(bens, undo(bens, path), leave_out=[each.customer_id for each in three[1:]]))
    [said] = changes(client.post(later)).values()
    assert said[0] == "Budget: One-time budget 100.00 (Automatic) before, none now."


def test_a_stale_review_says_whose_account_was_frozen_or_unfrozen(client, three, ann):
    factories.budget(three[0], ann, "500")
    path = review(client, three)
    author = Author(ann, Channel.CONSOLE, timezone.now())
    for customer, do in ((three[0], freeze_by_hand), (three[1], unfreeze_accounts)):
        do(Customer.objects.filter(pk=customer.pk), author=author)
    assert changes(client.post(path)) == {
        three[0].account_name: [
            "The account is now frozen since 2026-09-20 12:00 by ann: Unpaid invoice.",
            "Effect: none before, stays frozen now.",
        ],
        three[1].account_name: [
            "The account is no longer frozen.",
            "Effect: stays frozen before, none now.",
        ],
    }


def freeze_by_hand(customers: CustomerQuerySet, *, author: Author) -> None:
    freeze_accounts(customers, FreezeKind.ACCOUNT, FreezeOrigin.PARTNER, author=author, reason="Unpaid invoice")


def test_a_stale_review_says_what_would_happen_now(client, three, ann):
    factories.budget(three, ann, "500")
    factories.report((three[0], "2026-09", "120"))
    path = review(client, three)
    factories.report((three[0], "2026-09", "30"), (three[1], "2026-09", "100"))
    assert changes(client.post(path)) == {
        three[0].account_name: [
            "The new budget would no longer be used up immediately: 30.00 is used.",
            "Effect: frozen immediately before, none now.",
        ],
        three[1].account_name: [
            "The new budget would be used up immediately: 100.00 is used.",
            "Effect: none before, frozen immediately now.",
        ],
    }


def test_a_stale_review_tells_nothing_of_whoever_is_no_customer_any_more(client, three, ben):
    path = review(client, three)
    factories.budget(three[0], ben, "7")
    Customer.objects.filter(pk=three[0].pk).update(disassociated_on=timezone.now())
    assert changes(client.post(path)) == {three[0].account_name: ["No longer your customer."]}


def test_a_stale_review_tells_of_the_first_fifty_and_how_many_more(client, acme, ben):
    counted = []
    for number in (3, 52):
        customers = factories.customers(acme, number)
        path = review(client, customers)
        factories.budget(customers, ben, "7")
        with CaptureQueriesContext(connection) as captured:
            answer = client.post(path)
        counted.append(len(captured))
    assert list(changes(answer)) == [each.account_name for each in customers[:50]]
    assert "and 2 more" in answer.content.decode()
    assert counted[0] == counted[1]


def test_an_undo_reviewed_again_keeps_out_whom_the_operator_left_out(client, three, ben):
    path = review(client, three)
    client.post(path)
    back = edit(client, undo(client, path), leave_out=three[0].customer_id)
    factories.budget(three[1], ben, "7")
    back = again(client, back)
    assert groups(client, back).items() >= {"MOVED_ON": 1, "LEFT_OUT": 1, "ALL": 1}.items()
    client.post(back)
    assert amounts(three) == [Decimal(100), Decimal(7), None]


def test_an_undo_reviewed_again_lets_who_moved_on_since_stay(client, three, ben):
    path = review(client, three)
    client.post(path)
    back = edit(client, undo(client, path), leave_out=three[0].customer_id)
    factories.budget(three[:2], ben, "7")
    back = again(client, back)
    found = groups(client, back)
    assert (found["MOVED_ON"], found["ALL"], "LEFT_OUT" in found) == (2, 1, False)


def imported(operator: User, *lines: str) -> str:
    """Send a file with these lines; the path of its review."""
    text = "customer_id,budget_type,amount,account_freezing\n" + "".join(f"{line}\n" for line in lines)
    operation = review_import("budgets.csv", BytesIO(text.encode()), operator=operator).operation
    assert operation is not None
    return f"/operations/{operation.pk}/"


@pytest.fixture
def two(acme, ann) -> list[Customer]:
    """Both with a one-time budget of 60 and Manual."""
    customers = [factories.customer(acme, name) for name in ("one", "other")]
    factories.budget(customers, ann, "60", account_freezing=AccountFreezing.MANUAL)
    return customers


def terms(customer: Customer) -> tuple[str, Decimal, str]:
    budget = factories.stored(customer)
    return budget.budget_type, budget.amount, budget.account_freezing


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("one,,,AUTOMATIC", ("MONTHLY", Decimal(70), "AUTOMATIC")),
        ("one,ONE_TIME,80,", ("ONE_TIME", Decimal(80), "AUTOMATIC_WITH_RESOURCES")),
        ("one,ONE_TIME,,AUTOMATIC", ("ONE_TIME", Decimal(70), "AUTOMATIC")),
        ("one,,80,", ("MONTHLY", Decimal(80), "AUTOMATIC_WITH_RESOURCES")),
    ],
)
def test_in_a_file_reviewed_again_an_empty_cell_leaves_what_stands_now(client, two, ann, ben, line, expected):
    path = imported(ann, line, "other,,90,")
    factories.budget(two[0], ben, "70", BudgetType.MONTHLY, AccountFreezing.AUTOMATIC_WITH_RESOURCES)
    client.post(again(client, path))
    assert terms(two[0]) == expected
    assert terms(two[1]) == ("ONE_TIME", Decimal(90), "MANUAL")


def test_a_quota_lowered_since_is_held_against_the_amounts_given_one_by_one(client, acme, three, ben):
    path = review(client, three, **{**ONE_TIME, "amount": "300000"})
    path = edit(client, path, **{f"amount_{each.customer_id}": "200" for each in three})
    factories.budget(three[0], ben, "70")
    give_grant(acme, monthly_quota=None, one_time_quota=Decimal(1000), operator=None)
    client.post(again(client, path))
    assert amounts(three) == [Decimal(200)] * 3


def test_in_a_file_reviewed_again_an_amount_given_one_by_one_stays(client, two, ann, ben):
    path = edit(client, imported(ann, "one,,,AUTOMATIC", "other,,,AUTOMATIC"), amount_one="65")
    factories.budget(two, ben, "70")
    client.post(again(client, path))
    assert amounts(two) == [Decimal(65), Decimal(70)]


def test_in_a_file_reviewed_again_nothing_is_set_where_the_amount_to_be_left_is_gone(client, two, acme, ann):
    path = review(client, [factories.customer(acme, "third"), factories.customer(acme, "fourth")])
    client.post(path)
    file = imported(ann, "third,,,MANUAL", "other,,90,")
    client.post(undo(client, path))
    file = again(client, file)
    assert rows(client, file, "LEFT_OUT")["third"]["why_left_out"] == "no budget to change"
    client.post(file)
    assert amounts(two) == [Decimal(60), Decimal(90)]


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (1, "1 customer had changed since the review and was skipped."),
        (2, "2 customers had changed since the review and were skipped."),
    ],
)
def test_who_was_left_as_it_is_is_counted_in_the_message(client, three, ben, number, said):
    path = review(client, three)
    factories.budget(three[:number], ben, "7")
    assert client.post(path).status_code == 409
    page = client.post(path, {"apply": "unchanged"}, follow=True).content.decode()
    assert said in page
    assert "had changed" not in client.post(review(client, three, amount="9"), follow=True).content.decode()
