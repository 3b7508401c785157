"""A stale review: what has changed since, what reviewing again keeps, and which customers are skipped."""

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
from customers.masking import mask_name
from customers.models import AccountFreezing, Customer, CustomerQuerySet, FreezeKind, FreezeOrigin
from partnercenter.actions.authorship import Author
from partnercenter.actions.partners import give_grant
from partnercenter.models import BudgetType, Channel, User
from tests import factories
from tests.factories import terms
from tests.pages import ONE_TIME, amounts, customer_ids, edit, group_counts, group_rows, start_review, start_undo

pytestmark = pytest.mark.clock("2026-09-20 04:00")


def review_again(client: Client, path: str) -> str:
    """Press OK, which is refused because something changed, and review the same again; the path of the new review."""
    assert client.post(path).status_code == 409
    return edit(client, path, again="1")


def listed_changes(response: Any) -> dict[str, list[str]]:
    """What a stale review lists as changed, by account name."""
    assert response.status_code == 409
    return {each["account_name"]: each["changes"] for each in response.context["stale"]["changed"]}


def test_a_stale_review_says_what_each_budget_was_and_what_it_is_now(client, three, ann, ben):
    factories.budget(three[0], ann, "60", account_freezing=AccountFreezing.MANUAL)
    path = start_review(client, three)
    factories.budget(three[0], ben, "7", BudgetType.MONTHLY)
    factories.budget(three[1], ben, "8", unfreeze=False)
    response = client.post(path)
    assert listed_changes(response) == {
        three[0].account_name: [
            "Budget: One-time budget 60.00 (Manual) before, Monthly budget 7.00 (Automatic) now.",
            "Changed by ben at 2026-09-20 12:00.",
        ],
        three[1].account_name: [
            "Budget: none before, One-time budget 8.00 (Automatic) now.",
            "Changed by ben at 2026-09-20 12:00.",
        ],
    }
    page = response.content.decode()
    assert "Monthly budget 7.00 (Automatic) now." in page
    assert mask_name(three[0].name) in page
    assert three[0].name not in page


def test_a_stale_review_says_whose_budget_was_removed(client, three, ben, sign_in):
    path = start_review(client, three)
    client.post(path)
    later = start_review(client, three, amount="70")
    client_of_ben = sign_in(ben)
    undo = edit(client_of_ben, start_undo(client_of_ben, path), leave_out=customer_ids(three[1:]))
    client_of_ben.post(undo)
    [changes_of_first] = listed_changes(client.post(later)).values()
    assert changes_of_first[0] == "Budget: One-time budget 100.00 (Automatic) before, none now."


def test_a_stale_review_says_whose_account_was_frozen_or_unfrozen(client, three, ann):
    factories.budget(three[0], ann, "500")
    path = start_review(client, three)
    author = Author(ann, Channel.CONSOLE, timezone.now())
    for customer, change in ((three[0], freeze_by_hand), (three[1], unfreeze_accounts)):
        change(Customer.objects.filter(pk=customer.pk), author=author)
    assert listed_changes(client.post(path)) == {
        three[0].account_name: [
            "The account is now frozen: since 2026-09-20 12:00 by ann: Unpaid invoice.",
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
    path = start_review(client, three)
    factories.report((three[0], "2026-09", "30"), (three[1], "2026-09", "100"))
    assert listed_changes(client.post(path)) == {
        three[0].account_name: [
            "The new budget would no longer be used up immediately: 30.00 is used.",
            "Effect: frozen immediately before, none now.",
        ],
        three[1].account_name: [
            "The new budget would be used up immediately: 100.00 is used.",
            "Effect: none before, frozen immediately now.",
        ],
    }


def test_a_stale_review_says_only_that_a_customer_who_left_is_no_longer_yours(client, three, ben):
    path = start_review(client, three)
    factories.budget(three[0], ben, "7")
    Customer.objects.filter(pk=three[0].pk).update(disassociated_on=timezone.now())
    assert listed_changes(client.post(path)) == {three[0].account_name: ["No longer your customer."]}


def test_a_stale_review_lists_the_first_fifty_and_how_many_more(client, acme, ben):
    counted = []
    for number in (3, 52):
        customers = factories.customers(acme, number)
        path = start_review(client, customers)
        factories.budget(customers, ben, "7")
        with CaptureQueriesContext(connection) as captured:
            response = client.post(path)
        counted.append(len(captured))
    assert list(listed_changes(response)) == [each.account_name for each in customers[:50]]
    assert "and 2 more" in response.content.decode()
    assert counted[0] == counted[1]


def test_an_undo_reviewed_again_keeps_the_operators_exclusions(client, three, ben):
    path = start_review(client, three)
    client.post(path)
    back = edit(client, start_undo(client, path), leave_out=three[0].customer_id)
    factories.budget(three[1], ben, "7")
    back = review_again(client, back)
    assert group_counts(client, back).items() >= {"MOVED_ON": 1, "LEFT_OUT": 1, "ALL": 1}.items()
    client.post(back)
    assert amounts(three) == [Decimal(100), Decimal(7), None]


def test_an_undo_reviewed_again_counts_an_excluded_customer_changed_since_as_changed(client, three, ben):
    path = start_review(client, three)
    client.post(path)
    back = edit(client, start_undo(client, path), leave_out=three[0].customer_id)
    factories.budget(three[:2], ben, "7")
    back = review_again(client, back)
    counts = group_counts(client, back)
    assert (counts["MOVED_ON"], counts["ALL"], "LEFT_OUT" in counts) == (2, 1, False)


def start_import(operator: User, *lines: str) -> str:
    """Import a file of budgets with these lines; the path of its review."""
    text = "customer_id,budget_type,amount,account_freezing\n" + "".join(f"{line}\n" for line in lines)
    operation = review_import("budgets.csv", BytesIO(text.encode()), operator=operator).operation
    assert operation is not None
    return f"/operations/{operation.pk}/"


@pytest.fixture
def two(acme, ann) -> list[Customer]:
    """Two customers, `one` and `other`, each with a one-time budget of 60 and Manual."""
    customers = [factories.customer(acme, name) for name in ("one", "other")]
    factories.budget(customers, ann, "60", account_freezing=AccountFreezing.MANUAL)
    return customers


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("one,,,AUTOMATIC", ("MONTHLY", Decimal(70), "AUTOMATIC")),
        ("one,ONE_TIME,80,", ("ONE_TIME", Decimal(80), "AUTOMATIC_WITH_RESOURCES")),
        ("one,ONE_TIME,,AUTOMATIC", ("ONE_TIME", Decimal(70), "AUTOMATIC")),
        ("one,,80,", ("MONTHLY", Decimal(80), "AUTOMATIC_WITH_RESOURCES")),
    ],
)
def test_in_a_file_reviewed_again_an_empty_cell_keeps_the_current_value(client, two, ann, ben, line, expected):
    path = start_import(ann, line, "other,,90,")
    factories.budget(two[0], ben, "70", BudgetType.MONTHLY, AccountFreezing.AUTOMATIC_WITH_RESOURCES)
    client.post(review_again(client, path))
    assert terms(two[0]) == expected
    assert terms(two[1]) == ("ONE_TIME", Decimal(90), "MANUAL")


def test_a_quota_lowered_since_is_compared_with_the_edited_amounts(client, acme, three, ben):
    path = start_review(client, three, **{**ONE_TIME, "amount": "300000"})
    path = edit(client, path, **{f"amount_{each.customer_id}": "200" for each in three})
    factories.budget(three[0], ben, "70")
    give_grant(acme, monthly_quota=None, one_time_quota=Decimal(1000), operator=None)
    client.post(review_again(client, path))
    assert amounts(three) == [Decimal(200)] * 3


def test_in_a_file_reviewed_again_an_edited_amount_is_kept(client, two, ann, ben):
    path = edit(client, start_import(ann, "one,,,AUTOMATIC", "other,,,AUTOMATIC"), amount_one="65")
    factories.budget(two, ben, "70")
    client.post(review_again(client, path))
    assert amounts(two) == [Decimal(65), Decimal(70)]


def test_in_a_file_reviewed_again_a_customer_whose_budget_was_removed_is_excluded(client, two, acme, ann):
    path = start_review(client, [factories.customer(acme, "third"), factories.customer(acme, "fourth")])
    client.post(path)
    file = start_import(ann, "third,,,MANUAL", "other,,90,")
    client.post(start_undo(client, path))
    file = review_again(client, file)
    assert group_rows(client, file, "LEFT_OUT")["third"]["why_left_out"] == "no budget to change"
    client.post(file)
    assert amounts(two) == [Decimal(60), Decimal(90)]


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (1, "1 customer had changed since the review and was skipped."),
        (2, "2 customers had changed since the review and were skipped."),
    ],
)
def test_customers_that_were_skipped_are_counted_in_the_message(client, three, ben, number, message):
    path = start_review(client, three)
    factories.budget(three[:number], ben, "7")
    assert client.post(path).status_code == 409
    page = client.post(path, {"apply": "unchanged"}, follow=True).content.decode()
    assert message in page
    assert "had changed" not in client.post(start_review(client, three, amount="9"), follow=True).content.decode()
