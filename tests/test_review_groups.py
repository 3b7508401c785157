"""The groups of a review say of each customer what will happen to it, and why."""

from typing import Any

import pytest
from django.test import Client

from budgets.actions.account_state import freeze_accounts
from customers.models import AccountFreezing, Customer, FreezeKind, FreezeOrigin
from partnercenter.actions.authorship import Author
from partnercenter.models import BudgetType, Channel, User
from tests import factories

pytestmark = pytest.mark.clock("2026-09-20 04:00")

ONE_TIME = {"budget_type": "ONE_TIME", "amount": "100", "account_freezing": "AUTOMATIC"}
UNFREEZE = {"unfreeze_now": "on"}


def review(client: Client, customers: list[Customer], **terms: str) -> str:
    ids = [each.customer_id for each in customers]
    return client.post("/budgets/set/", {"customer": ids, **(terms or ONE_TIME)})["Location"]


def undo(client: Client, path: str, **ticked: str) -> str:
    return client.post(f"/budgets/batches/{path.split('/')[-2]}/undo/", ticked)["Location"]


def rows(client: Client, path: str, group: str) -> dict[str, Any]:
    """The rows of an open group, by customer ID."""
    return {row["customer_id"]: row for row in client.get(f"{path}?group={group}").context["review"].open["rows"]}


def notes(client: Client, path: str, group: str = "STAYS_FROZEN") -> dict[str, list[str]]:
    return {key: row["notes"] for key, row in rows(client, path, group).items()}


def freeze(customer: Customer, operator: User) -> None:
    author = Author(operator, Channel.CONSOLE, factories.moment("2026-09-18 04:00"))
    chosen = Customer.objects.filter(pk=customer.pk)
    freeze_accounts(chosen, FreezeKind.ACCOUNT, FreezeOrigin.PARTNER, author=author, reason="Unpaid invoice")


def test_who_stays_frozen_is_told_since_when_and_by_what(client, three, ann):
    associated, by_person, by_budget = three
    factories.budget([by_person, by_budget], ann, "50")
    freeze(by_person, ann)
    factories.report((by_budget, "2026-09", "60"))
    path = review(client, three)
    why = "Unfreezing is not ticked."
    assert notes(client, path) == {
        associated.customer_id: ["Frozen since association on 2026-09-20 12:00.", why],
        by_person.customer_id: ["Frozen since 2026-09-18 12:00 by ann: Unpaid invoice.", why],
        by_budget.customer_id: ["Frozen since 2026-09-20 12:00, budget exhausted (60.00 of 50.00 used).", why],
    }
    assert "by ann: Unpaid invoice" in client.get(f"{path}?group=STAYS_FROZEN").content.decode()


def test_whose_resources_are_frozen_as_well_is_told_before_ok(client, three, ann):
    factories.budget(three, ann, "100", BudgetType.MONTHLY)
    factories.report((three[0], "2026-09", "150"), (three[1], "2026-09", "10"))
    terms = {"budget_type": "MONTHLY", "amount": "50", "account_freezing": "AUTOMATIC_WITH_RESOURCES", "agreement": "1"}
    shown = client.get(f"{review(client, three, **terms)}?group=ESCALATED")
    counts = {each["key"]: each["count"] for each in shown.context["review"].groups}
    assert (counts["ESCALATED"], counts["STAYS_FROZEN"], counts["FROZEN"]) == (1, 0, 0)
    assert three[0].account_name in shown.content.decode()
    assert "resources frozen as well" in shown.content.decode()


def test_who_stays_frozen_although_unfreezing_is_ticked_is_told_both_figures(client, three):
    factories.report((three[0], "2026-09", "100.50"))
    path = review(client, three, **ONE_TIME, **UNFREEZE)
    assert notes(client, path) == {
        three[0].customer_id: [
            "Frozen since association on 2026-09-20 12:00.",
            "100.50 is used of a budget of 100.00 with automatic freezing.",
        ]
    }


def test_an_undo_tells_whom_it_does_not_unfreeze_and_why(client, three):
    path = review(client, three)
    client.post(path)
    reasons = {
        ticked: {each[1] for each in notes(client, undo(client, path, **form)).values()} for ticked, form in TICKS
    }
    assert reasons == {False: {"Unfreezing is not ticked."}, True: {"It was not frozen by this batch."}}


TICKS: list[tuple[bool, dict[str, str]]] = [(False, {}), (True, {"unfreeze": "on"})]


@pytest.mark.parametrize("group", ["EXHAUSTED", "FROZEN"])
def test_whose_budget_is_used_up_at_once_is_told_how_much_is_used(client, three, ann, group):
    factories.budget(three, ann, "500", account_freezing=AccountFreezing.MANUAL)
    factories.report((three[0], "2026-09", "123.45"))
    path = review(client, three)
    assert {key: str(row["used_after"]) for key, row in rows(client, path, group).items()} == {
        three[0].customer_id: "123.45"
    }
    assert "One-time budget, 123.45 used" in client.get(f"{path}?group={group}").content.decode()


def test_what_is_used_is_that_of_the_months_the_new_budget_counts(sign_in, three, ann, clock):
    factories.budget(three, ann, "500")
    factories.report((three[0], "2026-09", "90"))
    clock.move_to("2026-10-05T04:00:00Z", tick=False)
    factories.report((three[0], "2026-10", "20"))
    client = sign_in(ann)
    used = [rows(client, review(client, three, budget_type=kind), "ALL") for kind in ("ONE_TIME", "MONTHLY")]
    assert [str(each[three[0].customer_id]["used_after"]) for each in used] == ["110.00", "20.00"]


def test_who_changes_type_is_told_which_months_no_longer_count(sign_in, three, ann, clock):
    factories.budget(three[:2], ann, "500")
    clock.move_to("2026-12-05T04:00:00Z", tick=False)
    factories.budget(three[1], ann, "500", BudgetType.MONTHLY)
    client = sign_in(ann)
    path = review(client, three, **{**ONE_TIME, "budget_type": "MONTHLY"})
    assert notes(client, path, "TYPE") == {three[0].customer_id: ["2026-09 to 2026-11 no longer count."]}


def test_whom_a_person_froze_is_listed_apart_from_the_others_who_are_unfrozen(client, three, ann):
    factories.budget(three[0], ann, "50")
    freeze(three[0], ann)
    path = review(client, three, **ONE_TIME, **UNFREEZE)
    assert set(rows(client, path, "UNFROZEN_PARTNER")) == {three[0].customer_id}
    assert set(rows(client, path, "UNFROZEN")) == {each.customer_id for each in three[1:]}


def test_a_batch_marks_and_lists_who_has_moved_on(client, three, ann):
    path = review(client, three)
    client.post(path)
    factories.budget(three[0], ann, "7")
    batch = f"/budgets/batches/{path.split('/')[-2]}/"
    answer = client.get(batch)
    marked = {row["customer_id"]: row["moved_on"] for row in answer.context["page"].object_list}
    assert [marked[each.customer_id] for each in three] == [True, False, False]
    content = answer.content.decode()
    assert "1 customer has changed since." in content
    assert f'href="{batch}?moved_on=1"' in content
    only = client.get(f"{batch}?moved_on=1")
    assert [row["customer_id"] for row in only.context["page"].object_list] == [three[0].customer_id]
    assert (only.context["undoable"], only.context["moved_on"]) == (2, 1)


def test_the_undo_names_who_has_moved_on_and_takes_nobody_of_them_in(client, three, ben):
    path = review(client, three)
    client.post(path)
    factories.budget(three[0], ben, "7")
    back = undo(client, path)
    moved_on = rows(client, back, "MOVED_ON")
    assert {key: row["why_left_out"] for key, row in moved_on.items()} == {
        three[0].customer_id: "changed since the batch"
    }
    page = client.get(f"{back}?group=MOVED_ON").content.decode()
    assert "Changed since the batch: not restored" in page
    assert 'form="edit-form"' not in page
    for edit in ({"leave_out": three[0].customer_id}, {"take_in": three[0].customer_id}):
        back = client.post(f"{back}edit/", edit)["Location"]
        assert list(rows(client, back, "MOVED_ON")) == [three[0].customer_id]
    client.post(back)
    assert factories.stored(three[0]).amount == 7
    assert not any(hasattr(factories.fresh(each), "budget") for each in three[1:])


def test_of_a_batch_undone_everybody_has_moved_on(client, three):
    path = review(client, three)
    client.post(path)
    client.post(undo(client, path))
    answer = client.get(f"/budgets/batches/{path.split('/')[-2]}/?moved_on=1")
    assert len(answer.context["page"].object_list) == 3
    assert not answer.context["may_undo"]


def test_the_review_of_an_undo_speaks_of_an_undo(client, three, ben):
    path = review(client, three)
    client.post(path)
    back = undo(client, path)
    page = client.get(back).content.decode()
    assert "<strong>3</strong> customers will get back the budgets they had before the batch." in page
    assert "replace the earlier budgets" not in page
    # To have none again is no other type.
    assert client.get(f"{back}?group=TYPE").context["review"].open is None
    assert "replace the earlier budgets" in client.get(review(client, three)).content.decode()
    factories.budget(three, ben, "7")
    answer = client.post(f"/budgets/batches/{path.split('/')[-2]}/undo/")
    assert answer.status_code == 422
    assert (
        "Nothing can be undone: every customer was changed after the batch or left out of this review."
        in answer.content.decode()
    )
