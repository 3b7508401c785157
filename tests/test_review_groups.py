"""The groups of a review say what will happen to each customer, and why."""

import pytest
from django.test import Client

from budgets.actions.account_state import freeze_accounts
from customers.models import AccountFreezing, Customer, FreezeKind, FreezeOrigin
from partnercenter.actions.authorship import Author
from partnercenter.models import BudgetType, Channel, User
from tests import factories
from tests.pages import ONE_TIME, batch_of, group_rows, start_review, start_undo

pytestmark = pytest.mark.clock("2026-09-20 04:00")

UNFREEZE = {"unfreeze_now": "on"}


def notes(client: Client, path: str, group: str = "STAYS_FROZEN") -> dict[str, list[str]]:
    """The explanations in the rows of a group, by customer ID."""
    return {key: row["notes"] for key, row in group_rows(client, path, group).items()}


def freeze_two_days_ago(customer: Customer, operator: User) -> None:
    author = Author(operator, Channel.CONSOLE, factories.moment("2026-09-18 04:00"))
    account = factories.queryset_of(customer)
    freeze_accounts(account, FreezeKind.ACCOUNT, FreezeOrigin.PARTNER, author=author, reason="Unpaid invoice")


def test_a_customer_that_stays_frozen_shows_since_when_and_why(client, three, ann):
    associated, by_person, by_budget = three
    factories.budget([by_person, by_budget], ann, "50")
    freeze_two_days_ago(by_person, ann)
    factories.report((by_budget, "2026-09", "60"))
    path = start_review(client, three)
    not_ticked = "Unfreezing is not ticked."
    assert notes(client, path) == {
        associated.customer_id: ["Frozen since association on 2026-09-20 12:00.", not_ticked],
        by_person.customer_id: ["Frozen since 2026-09-18 12:00 by ann: Unpaid invoice.", not_ticked],
        by_budget.customer_id: ["Frozen since 2026-09-20 12:00, budget exhausted (60.00 of 50.00 used).", not_ticked],
    }
    assert "by ann: Unpaid invoice" in client.get(f"{path}?group=STAYS_FROZEN").content.decode()


def test_the_review_lists_accounts_whose_resources_will_be_frozen_too(client, three, ann):
    factories.budget(three, ann, "100", BudgetType.MONTHLY)
    factories.report((three[0], "2026-09", "150"), (three[1], "2026-09", "10"))
    terms = {"budget_type": "MONTHLY", "amount": "50", "account_freezing": "AUTOMATIC_WITH_RESOURCES", "agreement": "1"}
    shown = client.get(f"{start_review(client, three, **terms)}?group=ESCALATED")
    counts = {each["key"]: each["count"] for each in shown.context["review"].groups}
    assert (counts["ESCALATED"], counts["STAYS_FROZEN"], counts["FROZEN"]) == (1, 0, 0)
    assert three[0].account_name in shown.content.decode()
    assert "resources frozen as well" in shown.content.decode()


def test_a_customer_that_stays_frozen_although_unfreezing_is_ticked_shows_both_figures(client, three):
    factories.report((three[0], "2026-09", "100.50"))
    path = start_review(client, three, **ONE_TIME, **UNFREEZE)
    assert notes(client, path) == {
        three[0].customer_id: [
            "Frozen since association on 2026-09-20 12:00.",
            "100.50 is used of a budget of 100.00 with automatic freezing.",
        ]
    }


def test_an_undo_says_why_it_does_not_unfreeze_an_account(client, three):
    path = start_review(client, three)
    client.post(path)
    reasons = {}
    for ticked in ("", "on"):
        review_of_undo = start_undo(client, path, **({"unfreeze": ticked} if ticked else {}))
        reasons[ticked] = {reason for _frozen_since, reason in notes(client, review_of_undo).values()}
    assert reasons == {"": {"Unfreezing is not ticked."}, "on": {"It was not frozen by this batch."}}


@pytest.mark.parametrize("group", ["EXHAUSTED", "FROZEN"])
def test_a_budget_that_will_be_exhausted_immediately_shows_how_much_is_used(client, three, ann, group):
    factories.budget(three, ann, "500", account_freezing=AccountFreezing.MANUAL)
    factories.report((three[0], "2026-09", "123.45"))
    path = start_review(client, three)
    assert {key: str(row["used_after"]) for key, row in group_rows(client, path, group).items()} == {
        three[0].customer_id: "123.45"
    }
    assert "One-time budget, 123.45 used" in client.get(f"{path}?group={group}").content.decode()


def test_the_used_figure_is_that_of_the_months_the_new_budget_counts(sign_in, three, ann, clock):
    factories.budget(three, ann, "500")
    factories.report((three[0], "2026-09", "90"))
    clock.move_to("2026-10-05T04:00:00Z", tick=False)
    factories.report((three[0], "2026-10", "20"))
    client = sign_in(ann)
    used = []
    for budget_type in ("ONE_TIME", "MONTHLY"):
        rows = group_rows(client, start_review(client, three, budget_type=budget_type), "ALL")
        used.append(str(rows[three[0].customer_id]["used_after"]))
    assert used == ["110.00", "20.00"]


def test_a_change_of_type_says_which_months_no_longer_count(sign_in, three, ann, clock):
    factories.budget(three[:2], ann, "500")
    clock.move_to("2026-12-05T04:00:00Z", tick=False)
    factories.budget(three[1], ann, "500", BudgetType.MONTHLY)
    client = sign_in(ann)
    path = start_review(client, three, **{**ONE_TIME, "budget_type": "MONTHLY"})
    assert notes(client, path, "TYPE") == {three[0].customer_id: ["2026-09 to 2026-11 no longer count."]}


def test_accounts_frozen_by_a_person_are_listed_apart_from_the_others_to_unfreeze(client, three, ann):
    factories.budget(three[0], ann, "50")
    freeze_two_days_ago(three[0], ann)
    path = start_review(client, three, **ONE_TIME, **UNFREEZE)
    assert set(group_rows(client, path, "UNFROZEN_PARTNER")) == {three[0].customer_id}
    assert set(group_rows(client, path, "UNFROZEN")) == {each.customer_id for each in three[1:]}


def test_a_batch_marks_and_lists_the_customers_changed_since(client, three, ann):
    path = start_review(client, three)
    client.post(path)
    factories.budget(three[0], ann, "7")
    batch = batch_of(path)
    response = client.get(batch)
    marked = {row["customer_id"]: row["moved_on"] for row in response.context["page"].object_list}
    assert [marked[each.customer_id] for each in three] == [True, False, False]
    content = response.content.decode()
    assert "1 customer has changed since." in content
    assert f'href="{batch}?moved_on=1"' in content
    changed_only = client.get(f"{batch}?moved_on=1")
    assert [row["customer_id"] for row in changed_only.context["page"].object_list] == [three[0].customer_id]
    assert (changed_only.context["undoable"], changed_only.context["moved_on"]) == (2, 1)


def test_an_undo_names_customers_changed_since_the_batch_and_cannot_include_them(client, three, ben):
    path = start_review(client, three)
    client.post(path)
    factories.budget(three[0], ben, "7")
    back = start_undo(client, path)
    moved_on = group_rows(client, back, "MOVED_ON")
    assert {key: row["why_left_out"] for key, row in moved_on.items()} == {
        three[0].customer_id: "changed since the batch"
    }
    page = client.get(f"{back}?group=MOVED_ON").content.decode()
    assert "Changed since the batch: not restored" in page
    assert 'form="edit-form"' not in page
    for edit in ({"leave_out": three[0].customer_id}, {"take_in": three[0].customer_id}):
        back = client.post(f"{back}edit/", edit)["Location"]
        assert list(group_rows(client, back, "MOVED_ON")) == [three[0].customer_id]
    client.post(back)
    assert factories.stored(three[0]).amount == 7
    assert not any(hasattr(factories.fresh(each), "budget") for each in three[1:])


def test_after_an_undo_every_customer_of_the_batch_counts_as_changed(client, three):
    path = start_review(client, three)
    client.post(path)
    client.post(start_undo(client, path))
    response = client.get(f"{batch_of(path)}?moved_on=1")
    assert len(response.context["page"].object_list) == 3
    assert not response.context["may_undo"]


def test_the_review_of_an_undo_has_its_own_wording(client, three, ben):
    path = start_review(client, three)
    client.post(path)
    back = start_undo(client, path)
    page = client.get(back).content.decode()
    assert "<strong>3</strong> customers will get back the budgets they had before the batch." in page
    assert "replace the earlier budgets" not in page
    # Getting back no budget at all does not count as a change of type.
    assert client.get(f"{back}?group=TYPE").context["review"].open is None
    assert "replace the earlier budgets" in client.get(start_review(client, three)).content.decode()
    factories.budget(three, ben, "7")
    response = client.post(f"{batch_of(path)}undo/")
    assert response.status_code == 422
    assert (
        "Nothing can be undone: every customer was changed after the batch or left out of this review."
        in response.content.decode()
    )
