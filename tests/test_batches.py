"""Budgets set for many customers: the review, edits to it, OK, the batch it becomes, and undo.

See rules 3.9, 3.10, 5.3, 6.3 (docs/rules.md).
"""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from budgets.actions.account_state import freeze_accounts, unfreeze_accounts
from budgets.models import AdjustmentRecord, Budget
from customers.models import AccountFreezing, FreezeKind, FreezeOrigin, ReviewItem
from partnercenter.actions.authorship import Author
from partnercenter.models import BudgetType, Channel, Operation
from tests import factories
from tests.pages import ONE_TIME, amounts, batch_of, customer_ids, group_counts, start_review, start_undo

pytestmark = pytest.mark.clock("2026-09-20 04:00")

SET_BUDGETS = "/budgets/set/"


def test_a_batch_is_set_once_after_ok_and_not_before(client, three):
    path = start_review(client, three, **ONE_TIME, unfreeze_now="on")
    assert not Budget.objects.exists()
    assert group_counts(client, path) == {"UNFROZEN": 3, "ALL": 3}
    response = client.post(path, follow=True)
    assert "3 budgets are set. 3 accounts unfrozen." in response.content.decode()
    assert amounts(three) == [Decimal("100.00")] * 3
    assert client.post(path).status_code == 409
    assert AdjustmentRecord.objects.filter(batch=path.split("/")[-2]).count() == 3


def test_the_message_of_a_batch_links_to_it(client, three):
    path = start_review(client, three)
    batch = batch_of(path)
    page = client.post(path, follow=True).content.decode()
    assert f'3 budgets are set. <a href="{batch}">Show batch</a>' in page
    assert client.get(batch).status_code == 200


def test_the_toast_of_a_batch_links_to_it(client, three):
    path = start_review(client, three)
    toast = json.loads(client.post(path, headers={"HX-Request": "true"})["HX-Trigger"])["toast"]
    assert toast["link"] == {"path": batch_of(path), "label": "Show batch"}


def test_the_dialog_for_many_shows_how_many_and_names_the_first(client, three):
    page = client.post("/budgets/terms/", {"customer": customer_ids(three)})
    assert page.context["number"] == 3
    assert page.context["first"] == [customer.account_name for customer in three]


@pytest.mark.parametrize("path", [SET_BUDGETS, "/budgets/terms/"])
def test_another_partners_customer_makes_the_whole_batch_a_404(client, three, borealis, path):
    stranger = factories.customer(borealis)
    response = client.post(path, {"customer": [*customer_ids(three), stranger.customer_id], **ONE_TIME})
    assert response.status_code == 404
    assert not Operation.objects.exists()


def test_select_all_matching_means_the_customers_the_query_finds(client, three, acme):
    other = factories.customer(acme, account_name="elsewhere")
    response = client.post(f"{SET_BUDGETS}?q=elsewhere", {"all_matching": "1", **ONE_TIME})
    client.post(response["Location"])
    assert amounts([*three, other]) == [None, None, None, Decimal("100.00")]


def test_more_than_five_thousand_ticked_customers_are_refused(client):
    response = client.post("/budgets/terms/", {"customer": [f"c{n}" for n in range(5_001)]})
    assert response.status_code == 422
    assert "select all that match" in response.content.decode()


def test_excluding_a_customer_or_changing_an_amount_makes_a_new_review(client, three):
    first = start_review(client, three)
    second = client.post(f"{first}edit/", {"leave_out": three[0].customer_id})["Location"]
    third = client.post(f"{second}edit/", {f"amount_{three[1].customer_id}": "1,234.50"})["Location"]
    assert len({first, second, third}) == 3
    assert group_counts(client, third)["LEFT_OUT"] == 1
    client.post(third)
    assert amounts(three) == [None, Decimal("1234.50"), Decimal("100.00")]


def test_reviewing_again_keeps_edited_amounts_and_exclusions(client, three, ann):
    path = start_review(client, three)
    path = client.post(f"{path}edit/", {f"amount_{three[1].customer_id}": "1,234.50"})["Location"]
    path = client.post(f"{path}edit/", {"leave_out": three[2].customer_id})["Location"]
    factories.budget(three[0], ann, "7")
    assert client.post(path).status_code == 409
    path = client.post(f"{path}edit/", {"again": "1"})["Location"]
    client.post(path)
    assert amounts(three) == [Decimal(100), Decimal("1234.50"), None]


def test_an_excluded_customer_can_be_included_again(client, three):
    path = client.post(f"{start_review(client, three)}edit/", {"leave_out": customer_ids(three)[:2]})["Location"]
    path = client.post(f"{path}edit/", {"take_in": three[0].customer_id})["Location"]
    client.post(path)
    assert amounts(three) == [Decimal("100.00"), None, Decimal("100.00")]


def test_ok_with_edited_amounts_updates_the_review_and_sets_nothing_yet(client, three):
    path = start_review(client, three)
    typed = {f"amount_{each.customer_id}": "100.00" for each in three} | {f"amount_{three[1].customer_id}": "9,999"}
    response = client.post(path, typed)
    assert not Budget.objects.exists()
    assert "The amounts you typed are now in the review" in client.get(response["Location"]).content.decode()
    client.post(response["Location"], typed)
    assert amounts(three) == [Decimal(100), Decimal(9999), Decimal(100)]


def test_ok_with_an_invalid_amount_sets_nothing(client, three):
    path = start_review(client, three)
    response = client.post(f"{path}?group=ALL", {f"amount_{three[1].customer_id}": "1e3"})
    assert (response.status_code, "1e3" in response.content.decode()) == (422, True)
    assert not Budget.objects.exists()


def test_an_edit_that_changes_nothing_confirms_nothing_and_keeps_the_code_valid(carl, borealis, sign_in, mailoutbox):
    client, customers = sign_in(carl), factories.customers(borealis, 2)
    path = start_review(client, customers)
    client.post(f"{path}code/")
    code = next(word for word in mailoutbox[0].body.split() if word.isdigit() and len(word) == 6)
    same = client.post(f"{path}edit/", {"verification_code": code, f"amount_{customers[0].customer_id}": "100.00"})
    assert (same["Location"], amounts(customers)) == (path, [None, None])
    client.post(path, {"verification_code": code})
    assert amounts(customers) == [Decimal(100)] * 2


@pytest.mark.parametrize("typed", [{"percent": "1e3"}, {"percent": "-5"}, {"plus": "abc"}, {"amount": "0"}])
def test_an_invalid_number_is_reported_at_its_own_field_only(client, three, typed):
    response = client.post(SET_BUDGETS, {"customer": customer_ids(three), "budget_type": "", **typed})
    assert response.status_code == 422
    assert list(response.context["form"].errors) == list(typed)


def test_an_edit_with_an_invalid_amount_leaves_the_review_unchanged(client, three):
    path = start_review(client, three)
    response = client.post(f"{path}edit/", {f"amount_{three[1].customer_id}": "1e3"})
    assert response.status_code == 422
    assert "Enter an amount such as" in response.content.decode()
    assert Operation.objects.count() == 1


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({"percent": "110"}, ["110.00", "55.00"]),
        ({"percent": "112.5"}, ["112.50", "56.25"]),
        ({"percent": "110", "round_up_to": "100"}, ["200.00", "100.00"]),
        ({"plus": "25.25"}, ["125.25", "75.25"]),
        ({"plus": "-20"}, ["80.00", "30.00"]),
        ({"last_month_times": "1.5"}, ["15.00", "30.02"]),
        ({"last_month_times": "1.5", "round_up_to": "10"}, ["20.00", "40.00"]),
    ],
)
def test_relative_amounts_are_computed_from_each_customers_budget_or_expenditure(client, acme, ann, terms, expected):
    one, other = factories.customers(acme, 2)
    factories.budget(one, ann, "100")
    factories.budget(other, ann, "50")
    factories.report((one, "2026-08", "10"), (other, "2026-08", "20.01"))
    client.post(start_review(client, [one, other], **terms))
    assert amounts([one, other]) == [Decimal(each) for each in expected]


def test_customers_without_a_budget_or_with_a_result_of_zero_or_less_are_excluded_and_listed(client, acme, ann):
    with_budget, small, without = factories.customers(acme, 3)
    factories.budget(with_budget, ann, "100")
    factories.budget(small, ann, "10")
    path = start_review(client, [with_budget, small, without], plus="-10")
    rows = client.get(f"{path}?group=LEFT_OUT").context["review"].open["rows"]
    assert {(row["customer_id"], row["why_left_out"]) for row in rows} == {
        (small.customer_id, "the new amount would be 0 or less"),
        (without.customer_id, "no budget to change"),
    }
    client.post(path)
    assert amounts([with_budget, small, without]) == [Decimal("90.00"), Decimal("10.00"), None]


def test_type_amount_and_policy_can_each_be_left_unchanged(client, acme, ann):
    one, other = factories.customers(acme, 2)
    factories.budget(one, ann, "100", BudgetType.ONE_TIME)
    factories.budget(other, ann, "50", BudgetType.MONTHLY)
    client.post(start_review(client, [one, other], account_freezing="MANUAL"))
    terms = list(Budget.objects.order_by("customer").values_list("budget_type", "amount", "account_freezing"))
    assert terms == [("ONE_TIME", Decimal(100), "MANUAL"), ("MONTHLY", Decimal(50), "MANUAL")]


def test_a_batch_that_leaves_every_term_unchanged_is_refused(client, three):
    response = client.post(SET_BUDGETS, {"customer": customer_ids(three)})
    assert response.status_code == 422
    assert "choose what to set" in response.content.decode()


def test_the_review_says_who_will_be_frozen_and_who_stays_frozen(client, acme, ann):
    exhausted, frozen, fine = factories.customers(acme, 3)
    factories.budget([exhausted, fine], ann, "500", account_freezing=AccountFreezing.MANUAL)
    factories.report((exhausted, "2026-09", "100"), (frozen, "2026-09", "100"))
    path = start_review(client, [exhausted, frozen, fine], **ONE_TIME, unfreeze_now="on")
    assert group_counts(client, path) == {"EXHAUSTED": 2, "FROZEN": 1, "STAYS_FROZEN": 1, "ALL": 3}
    page = client.post(path, follow=True).content.decode()
    assert "3 budgets are set. 1 account frozen. 1 account stays frozen." in page


def test_a_batch_that_would_exceed_a_quota_is_refused_as_a_whole(client, three):
    response = client.post(SET_BUDGETS, {"customer": customer_ids(three), **ONE_TIME, "amount": "400000"})
    assert response.status_code == 422
    assert "This change would raise that to 1,200,000.00" in response.content.decode()
    assert not Operation.objects.exists()


def test_a_swap_between_the_two_pools_fits_if_the_end_state_does(client, acme, ann):
    one, other = factories.customers(acme, 2)
    factories.budget(one, ann, "900000", BudgetType.ONE_TIME)
    factories.budget(other, ann, "900000", BudgetType.MONTHLY)
    path = start_review(client, [one, other], amount="950000")
    assert client.post(path).status_code == 302


def changed_accounts(response: Any) -> list[str]:
    """The customers that a stale review names as changed."""
    return [each["account_name"] for each in response.context["stale"]["changed"]]


def test_changes_since_the_review_are_listed_and_the_unchanged_customers_can_be_set(client, three, ann):
    path = start_review(client, three)
    factories.budget(three[0], ann, "7")
    response = client.post(path)
    assert response.status_code == 409
    stale = response.context["stale"]
    assert (stale["count"], stale["unchanged"], changed_accounts(response)) == (1, 2, [three[0].account_name])
    assert client.post(path, {"apply": "unchanged"}).status_code == 302
    assert amounts(three) == [Decimal("7.00"), Decimal("100.00"), Decimal("100.00")]


def test_a_report_that_changes_only_used_does_not_make_a_review_stale(client, three):
    path = start_review(client, three)
    factories.report((three[0], "2026-09", "99.99"))
    assert client.post(path).status_code == 302


def test_a_report_that_would_freeze_a_customer_makes_the_review_stale(client, three, ann):
    factories.budget(three, ann, "500")
    path = start_review(client, three)
    factories.report((three[0], "2026-09", "100"))
    assert client.post(path).status_code == 409
    assert amounts(three) == [Decimal("500.00")] * 3


def test_a_report_that_would_exhaust_a_new_budget_makes_the_review_stale_under_any_policy(client, three, ann):
    factories.budget(three, ann, "500")
    path = start_review(client, three, **{**ONE_TIME, "account_freezing": "MANUAL"})
    factories.report((three[0], "2026-09", "100"))
    response = client.post(path)
    assert (response.status_code, changed_accounts(response)) == (409, [three[0].account_name])
    client.post(path, {"apply": "unchanged"})
    assert amounts(three) == [Decimal(500), Decimal(100), Decimal(100)]


def test_an_edit_voids_the_code_that_was_sent(carl, borealis, sign_in, mailoutbox):
    customers = factories.customers(borealis, 2)
    client = sign_in(carl)
    path = start_review(client, customers)
    client.post(f"{path}code/")
    code = carl.emaildevice_set.get().token
    assert "Customers" in mailoutbox[0].body
    edited = client.post(f"{path}edit/", {f"amount_{customers[0].customer_id}": "5"})["Location"]
    assert client.post(edited, {"verification_code": code}).status_code == 422
    assert client.post(path, {"verification_code": code}).status_code == 409
    assert amounts(customers) == [None, None]


def test_a_colleagues_review_does_not_exist(client, three, ben, sign_in):
    path = start_review(client, three)
    assert sign_in(ben).get(path).status_code == 404
    assert sign_in(ben).post(f"{path}edit/", {"leave_out": three[0].customer_id}).status_code == 404


@pytest.mark.parametrize("path", ["review", "page", "ok", "edit"])
def test_the_number_of_queries_does_not_grow_with_the_customers(path, client, acme):
    def queries_for(number: int) -> int:
        customers = factories.customers(acme, number)
        operation = start_review(client, customers, **ONE_TIME, unfreeze_now="on") if path != "review" else ""
        calls: dict[str, Any] = {
            "review": lambda: start_review(client, customers, **ONE_TIME),
            "page": lambda: client.get(f"{operation}?group=ALL"),
            "ok": lambda: client.post(operation),
            "edit": lambda: client.post(f"{operation}edit/", {"leave_out": customers[0].customer_id}),
        }
        with CaptureQueriesContext(connection) as captured:
            calls[path]()
        return len(captured)

    assert queries_for(30) == queries_for(300)


def test_names_are_masked_in_a_review(client, three):
    page = client.get(f"{start_review(client, three)}?group=ALL").content.decode()
    assert three[0].account_name in page
    assert three[0].name not in page


def test_the_reviewed_terms_are_stored_for_each_customer(client, three):
    start_review(client, three)
    assert set(ReviewItem.objects.values_list("budget_type", "amount", "account_freezing")) == {
        ("ONE_TIME", Decimal(100), "AUTOMATIC")
    }


def test_a_batch_is_listed_and_undo_restores_the_budgets_from_before(client, acme, ann):
    with_budget, first = factories.customers(acme, 2)
    factories.budget(with_budget, ann, "70", BudgetType.MONTHLY, AccountFreezing.MANUAL)
    path = start_review(client, [with_budget, first])
    client.post(path)
    batch = batch_of(path)
    assert batch in client.get("/budgets/batches/").content.decode()
    assert client.get(batch).context["undoable"] == 2
    page = client.post(start_undo(client, path), follow=True).content.decode()
    assert "2 budgets were restored to their previous values." in page
    budget = factories.stored(with_budget)
    assert (budget.budget_type, budget.amount, budget.account_freezing) == ("MONTHLY", Decimal(70), "MANUAL")
    assert not Budget.objects.filter(customer=first).exists()
    last = first.adjustment_records.latest("pk")
    assert (last.operation, last.budget_type_after) == (AdjustmentRecord.Operation.REMOVED, None)


def test_a_batch_shows_its_channel_and_one_that_changed_nothing_is_not_listed(client, three, ann):
    path = start_review(client, three)
    client.post(path)
    unchanged = start_review(client, three)
    page = client.post(unchanged, follow=True).content.decode()
    assert "Nothing to change: the budgets are already set to these values." in page
    batches = client.get("/budgets/batches/").context["page"].object_list
    assert {str(batch["pk"]): batch["channel_label"] for batch in batches} == {path.split("/")[-2]: "Console"}, (
        "a review that changed nothing is not listed as a batch"
    )
    assert client.get(batch_of(path)).context["batch"]["channel_label"] == "Console"


def test_undo_restores_counted_from_of_a_one_time_budget(sign_in, acme, ann, clock):
    one, other = factories.customers(acme, 2)
    factories.budget([one, other], ann, "100")
    factories.report((one, "2026-09", "60"))
    clock.move_to("2026-10-05T04:00:00Z", tick=False)
    client = sign_in(ann)
    path = start_review(client, [one, other], budget_type="MONTHLY")
    client.post(path)
    assert factories.stored(one).used == 0
    client.post(start_undo(client, path))
    assert (factories.stored(one).counted_from, factories.stored(one).used) == (202609, Decimal("60.00"))


def test_undo_skips_customers_whose_budget_changed_since_the_batch(client, three, ann):
    path = start_review(client, three)
    client.post(path)
    factories.budget(three[0], ann, "7")
    assert client.get(batch_of(path)).context["moved_on"] == 1
    client.post(start_undo(client, path))
    assert amounts(three) == [Decimal("7.00"), None, None]


def test_undo_skips_customers_whose_budget_was_set_and_removed_since(client, three):
    first = start_review(client, three)
    client.post(first)
    removal = start_undo(client, first)
    client.post(removal)
    again = start_review(client, three[:2])
    client.post(again)
    client.post(start_undo(client, again))
    client.post(start_undo(client, removal))
    assert amounts(three) == [None, None, Decimal(100)]


def test_undo_keeps_a_freeze_that_came_after_the_batch(client, acme, ann):
    [customer] = customers = factories.customers(acme, 1)
    factories.budget(customers, ann, "500", account_freezing=AccountFreezing.MANUAL)
    factories.report((customer, "2026-09", "200"))
    path = start_review(client, [customer, *factories.customers(acme, 1)], **{**ONE_TIME, "amount": "150"})
    client.post(path)
    author = Author(ann, Channel.CONSOLE, timezone.now() + timedelta(hours=1))
    account = factories.queryset_of(customer)
    unfreeze_accounts(account, author=author)
    freeze_accounts(account, FreezeKind.ACCOUNT, FreezeOrigin.PARTNER, author=author, reason="Unpaid invoice")
    client.post(start_undo(client, path, unfreeze="on"))
    assert factories.fresh(customer).freeze_origin == FreezeOrigin.PARTNER
    assert amounts(customers) == [Decimal(500)]


@pytest.mark.parametrize("ticked", ["on", "1"])
def test_undo_unfreezes_the_accounts_the_batch_froze_if_that_is_ticked(client, acme, ann, ticked):
    customers = factories.customers(acme, 2)
    factories.budget(customers, ann, "500", account_freezing=AccountFreezing.MANUAL)
    factories.report((customers[0], "2026-09", "200"))
    path = start_review(client, customers, **{**ONE_TIME, "amount": "150"})
    client.post(path)
    assert factories.fresh(customers[0]).is_frozen
    back = start_undo(client, path, unfreeze=ticked)
    assert group_counts(client, back)["UNFROZEN"] == 1
    client.post(back)
    assert not factories.fresh(customers[0]).is_frozen
    assert amounts(customers) == [Decimal("500.00")] * 2


def test_another_partners_batch_does_not_exist(client, three, carl, sign_in):
    path = start_review(client, three)
    client.post(path)
    batch = batch_of(path)
    stranger = sign_in(carl)
    assert [stranger.get(batch).status_code, stranger.post(f"{batch}undo/").status_code] == [404, 404]


def test_undo_gives_the_quota_back(client, three, acme):
    path = start_review(client, three)
    client.post(path)
    client.post(start_undo(client, path))
    acme.grant.refresh_from_db()
    assert acme.grant.one_time_allocated == 0


def test_an_edited_review_still_finds_changes_since_the_first_review(client, three, ann):
    factories.budget(three, ann, "500")
    path = start_review(client, three, account_freezing="MANUAL")
    factories.budget(three[0], ann, "5000")
    edited = client.post(f"{path}edit/", {"leave_out": three[1].customer_id})["Location"]
    assert client.post(edited).status_code == 409
    assert factories.stored(three[0]).amount == Decimal("5000.00")


def test_reviewing_again_uses_the_current_budgets(client, three, ann):
    factories.budget(three, ann, "500")
    path = start_review(client, three, percent="110")
    factories.budget(three[0], ann, "1000")
    assert client.post(path).status_code == 409
    again = client.post(f"{path}edit/", {"again": "1"})["Location"]
    client.post(again)
    assert amounts(three) == [Decimal("1100.00"), Decimal("550.00"), Decimal("550.00")]


def test_a_customer_without_a_budget_cannot_be_included_in_a_relative_change(client, acme, ann):
    one, other = factories.customers(acme, 2)
    factories.budget(one, ann, "100")
    path = start_review(client, [one, other], budget_type="MONTHLY", percent="110")
    edited = client.post(f"{path}edit/", {"take_in": other.customer_id})["Location"]
    assert group_counts(client, edited)["LEFT_OUT"] == 1
    assert client.post(edited).status_code == 302


def test_a_customer_can_be_excluded_from_an_undo_and_included_again(client, three):
    path = start_review(client, three)
    client.post(path)
    back = start_undo(client, path)
    back = client.post(f"{back}edit/", {"leave_out": three[0].customer_id})["Location"]
    back = client.post(f"{back}edit/", {"take_in": three[0].customer_id})["Location"]
    client.post(back)
    assert amounts(three) == [None, None, None]


@pytest.mark.parametrize("name", ["leave_out", "take_in", "amount_\0"])
def test_an_edit_with_an_unknown_customer_id_is_a_404(client, three, name):
    value = "5\0" if name != "amount_\0" else "5"
    assert client.post(f"{start_review(client, three)}edit/", {name: value}).status_code == 404


def test_a_relative_amount_above_the_maximum_excludes_the_customer(client, acme, ann):
    one, other = factories.customers(acme, 2)
    factories.budget([one, other], ann, "1")
    factories.report((one, "2026-08", "9999999999999.99"), (other, "2026-08", "1"))
    path = start_review(client, [one, other], last_month_times="1000")
    assert group_counts(client, path)["LEFT_OUT"] == 1
    client.post(path)
    assert amounts([one, other]) == [Decimal("1.00"), Decimal("1000.00")]


def test_a_percentage_of_no_budget_gives_no_amount(client, acme, ann):
    with_budget, without = factories.customers(acme, 2)
    factories.budget(with_budget, ann, "100")
    path = start_review(client, [with_budget, without], percent="10000", budget_type="MONTHLY")
    opened: Any = client.get(f"{path}?group=LEFT_OUT").context["review"].open
    assert [(row["customer_id"], row["amount_after"], row["typed"]) for row in opened["rows"]] == [
        (without.customer_id, None, "")
    ]


@pytest.mark.parametrize(("terms", "prefilled"), [({"percent": "110"}, ""), ({"plus": "-1000"}, "-900.00")])
def test_the_prefilled_amount_of_an_excluded_customer_is_not_taken_as_typed(client, acme, ann, terms, prefilled):
    """While the group of excluded customers is open, its amount fields are sent along with OK."""
    included, other = factories.customers(acme, 2)
    factories.budget(included, ann, "5000")
    if prefilled:
        factories.budget(other, ann, "100")
    path = start_review(client, [included, other], **terms, budget_type="MONTHLY")
    page = client.get(f"{path}?group=LEFT_OUT")
    assert [row["typed"] for row in page.context["review"].open["rows"]] == [prefilled]
    assert client.post(f"{path}?group=LEFT_OUT", {f"amount_{other.customer_id}": prefilled}).status_code == 302
    assert AdjustmentRecord.objects.filter(batch=path.split("/")[-2]).count() == 1


def test_applying_only_the_unchanged_is_refused_where_every_customer_changed(client, three, ann):
    path = start_review(client, three)
    factories.budget(three, ann, "77")
    assert client.post(path).status_code == 409
    assert client.post(path, {"apply": "unchanged"}).status_code == 409
    assert not AdjustmentRecord.objects.filter(batch=path.split("/")[-2]).exists()


def test_the_review_names_frozen_resources_and_their_retention_deadline(client, acme, ann):
    customers = factories.customers(acme, 2)
    factories.budget(customers, ann, "100", account_freezing=AccountFreezing.AUTOMATIC_WITH_RESOURCES)
    path = start_review(client, customers, account_freezing="MANUAL")
    client.post(path)
    factories.report((customers[0], "2026-09", "150"))
    back = start_undo(client, path)
    opened: Any = client.get(f"{back}?group=FROZEN").context["review"].open
    assert [row["notes"] for row in opened["rows"]] == [["Frozen with its resources: data is kept until 2026-10-05."]]
