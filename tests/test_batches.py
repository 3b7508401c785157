"""Set Budget for many: chosen, reviewed, edited, confirmed, applied once.

See rules 3.9, 3.10, 5.3, 6.3 (docs/rules.md).
"""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from budgets.actions.account_state import freeze_accounts, unfreeze_accounts
from budgets.models import AdjustmentRecord, Budget
from customers.models import AccountFreezing, Customer, FreezeKind, FreezeOrigin, ReviewItem
from partnercenter.actions.authorship import Author
from partnercenter.models import BudgetType, Channel, Operation
from tests import factories

pytestmark = pytest.mark.clock("2026-09-20 04:00")

SET = "/budgets/set/"
ONE_TIME = {"budget_type": "ONE_TIME", "amount": "100", "account_freezing": "AUTOMATIC"}


def ids(customers: list[Customer]) -> list[str]:
    return [customer.customer_id for customer in customers]


def review(client: Client, customers: list[Customer], **terms: str) -> str:
    """Send terms for these customers; the path of the review."""
    answer = client.post(SET, {"customer": ids(customers), **(terms or ONE_TIME)})
    assert answer.status_code == 302, answer.content.decode()
    return answer["Location"]


def groups(client: Client, path: str) -> dict[str, int]:
    return {group["key"]: group["count"] for group in client.get(path).context["review"].groups if group["count"]}


def amounts(customers: list[Customer]) -> list[Decimal | None]:
    stored: dict[Any, Decimal] = dict(Budget.objects.values_list("customer", "amount"))
    return [stored.get(customer.pk) for customer in customers]


def test_nothing_is_set_before_ok_and_once_after_it(client, three):
    path = review(client, three, **ONE_TIME, unfreeze_now="on")
    assert not Budget.objects.exists()
    assert groups(client, path) == {"UNFROZEN": 3, "ALL": 3}
    answer = client.post(path, follow=True)
    assert "3 budgets are set. 3 accounts unfrozen." in answer.content.decode()
    assert amounts(three) == [Decimal("100.00")] * 3
    assert client.post(path).status_code == 409
    assert AdjustmentRecord.objects.filter(batch=path.split("/")[-2]).count() == 3


def test_the_message_of_a_batch_links_to_it(client, three):
    path = review(client, three)
    batch = f"/budgets/batches/{path.split('/')[-2]}/"
    page = client.post(path, follow=True).content.decode()
    assert f'3 budgets are set. <a href="{batch}">Show batch</a>' in page
    assert client.get(batch).status_code == 200


def test_the_toast_of_a_batch_links_to_it(client, three):
    path = review(client, three)
    toast = json.loads(client.post(path, headers={"HX-Request": "true"})["HX-Trigger"])["toast"]
    assert toast["link"] == {"path": f"/budgets/batches/{path.split('/')[-2]}/", "label": "Show batch"}


def test_the_dialog_for_many_names_the_first_and_how_many(client, three):
    page = client.post("/budgets/terms/", {"customer": ids(three)})
    assert page.context["number"] == 3
    assert page.context["first"] == [customer.account_name for customer in three]


@pytest.mark.parametrize("path", [SET, "/budgets/terms/"])
def test_another_partners_customer_makes_the_whole_batch_a_404(client, three, borealis, path):
    stranger = factories.customer(borealis)
    answer = client.post(path, {"customer": [*ids(three), stranger.customer_id], **ONE_TIME})
    assert answer.status_code == 404
    assert not Operation.objects.exists()


def test_all_that_match_the_lists_own_query_are_meant(client, three, acme):
    other = factories.customer(acme, account_name="elsewhere")
    answer = client.post(f"{SET}?q=elsewhere", {"all_matching": "1", **ONE_TIME})
    client.post(answer["Location"])
    assert amounts([*three, other]) == [None, None, None, Decimal("100.00")]


def test_more_than_five_thousand_are_not_ticked_one_by_one(client):
    answer = client.post("/budgets/terms/", {"customer": [f"c{n}" for n in range(5_001)]})
    assert answer.status_code == 422
    assert "select all that match" in answer.content.decode()


def test_leaving_out_and_another_amount_make_a_new_review(client, three):
    first = review(client, three)
    second = client.post(f"{first}edit/", {"leave_out": three[0].customer_id})["Location"]
    third = client.post(f"{second}edit/", {f"amount_{three[1].customer_id}": "1,234.50"})["Location"]
    assert len({first, second, third}) == 3
    assert groups(client, third)["LEFT_OUT"] == 1
    client.post(third)
    assert amounts(three) == [None, Decimal("1234.50"), Decimal("100.00")]


def test_reviewing_again_keeps_the_amounts_that_were_given_one_by_one(client, three, ann):
    path = client.post(f"{review(client, three)}edit/", {f"amount_{three[1].customer_id}": "1,234.50"})["Location"]
    path = client.post(f"{path}edit/", {"leave_out": three[2].customer_id})["Location"]
    factories.budget(three[0], ann, "7")
    assert client.post(path).status_code == 409
    path = client.post(f"{path}edit/", {"again": "1"})["Location"]
    client.post(path)
    assert amounts(three) == [Decimal(100), Decimal("1234.50"), None]


def test_who_was_left_out_can_be_taken_in_again(client, three):
    path = client.post(f"{review(client, three)}edit/", {"leave_out": ids(three)[:2]})["Location"]
    path = client.post(f"{path}edit/", {"take_in": three[0].customer_id})["Location"]
    client.post(path)
    assert amounts(three) == [Decimal("100.00"), None, Decimal("100.00")]


def test_ok_takes_over_what_was_typed_before_it_sets_anything(client, three):
    path = review(client, three)
    typed = {f"amount_{each.customer_id}": "100.00" for each in three} | {f"amount_{three[1].customer_id}": "9,999"}
    answer = client.post(path, typed)
    assert not Budget.objects.exists()
    assert "The amounts you typed are now in the review" in client.get(answer["Location"]).content.decode()
    client.post(answer["Location"], typed)
    assert amounts(three) == [Decimal(100), Decimal(9999), Decimal(100)]


def test_ok_with_a_bad_amount_typed_sets_nothing(client, three):
    path = review(client, three)
    answer = client.post(f"{path}?group=ALL", {f"amount_{three[1].customer_id}": "1e3"})
    assert (answer.status_code, "1e3" in answer.content.decode()) == (422, True)
    assert not Budget.objects.exists()


def test_change_confirms_nothing_and_where_nothing_is_changed_the_code_stays_good(carl, borealis, sign_in, mailoutbox):
    client, customers = sign_in(carl), factories.customers(borealis, 2)
    path = review(client, customers)
    client.post(f"{path}code/")
    code = next(word for word in mailoutbox[0].body.split() if word.isdigit() and len(word) == 6)
    same = client.post(f"{path}edit/", {"verification_code": code, f"amount_{customers[0].customer_id}": "100.00"})
    assert (same["Location"], amounts(customers)) == (path, [None, None])
    client.post(path, {"verification_code": code})
    assert amounts(customers) == [Decimal(100)] * 2


@pytest.mark.parametrize("typed", [{"percent": "1e3"}, {"percent": "-5"}, {"plus": "abc"}, {"amount": "0"}])
def test_a_bad_number_is_told_at_its_field_alone(client, three, typed):
    answer = client.post(SET, {"customer": ids(three), "budget_type": "", **typed})
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == list(typed)


def test_an_amount_that_is_none_leaves_the_review_as_it_is(client, three):
    path = review(client, three)
    answer = client.post(f"{path}edit/", {f"amount_{three[1].customer_id}": "1e3"})
    assert answer.status_code == 422
    assert "Enter an amount such as" in answer.content.decode()
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
def test_amounts_go_by_what_each_has(client, acme, ann, terms, expected):
    one, other = factories.customers(acme, 2)
    factories.budget(one, ann, "100")
    factories.budget(other, ann, "50")
    factories.report((one, "2026-08", "10"), (other, "2026-08", "20.01"))
    client.post(review(client, [one, other], **terms))
    assert amounts([one, other]) == [Decimal(each) for each in expected]


def test_who_has_nothing_to_go_by_or_would_come_to_nothing_is_listed_and_left_out(client, acme, ann):
    with_budget, small, without = factories.customers(acme, 3)
    factories.budget(with_budget, ann, "100")
    factories.budget(small, ann, "10")
    path = review(client, [with_budget, small, without], plus="-10")
    rows = client.get(f"{path}?group=LEFT_OUT").context["review"].open["rows"]
    assert {(row["customer_id"], row["why_left_out"]) for row in rows} == {
        (small.customer_id, "the new amount would be 0 or less"),
        (without.customer_id, "no budget to change"),
    }
    client.post(path)
    assert amounts([with_budget, small, without]) == [Decimal("90.00"), Decimal("10.00"), None]


def test_each_of_type_amount_and_policy_can_be_left_as_it_is(client, acme, ann):
    one, other = factories.customers(acme, 2)
    factories.budget(one, ann, "100", BudgetType.ONE_TIME)
    factories.budget(other, ann, "50", BudgetType.MONTHLY)
    client.post(review(client, [one, other], account_freezing="MANUAL"))
    stand = list(Budget.objects.order_by("customer").values_list("budget_type", "amount", "account_freezing"))
    assert stand == [("ONE_TIME", Decimal(100), "MANUAL"), ("MONTHLY", Decimal(50), "MANUAL")]


def test_to_leave_everything_as_it_is_is_no_batch(client, three):
    answer = client.post(SET, {"customer": ids(three)})
    assert answer.status_code == 422
    assert "choose what to set" in answer.content.decode()


def test_the_review_says_who_is_frozen_at_once_and_who_stays_frozen(client, acme, ann):
    used_up, frozen, fine = factories.customers(acme, 3)
    factories.budget([used_up, fine], ann, "500", account_freezing=AccountFreezing.MANUAL)
    factories.report((used_up, "2026-09", "100"), (frozen, "2026-09", "100"))
    path = review(client, [used_up, frozen, fine], **ONE_TIME, unfreeze_now="on")
    assert groups(client, path) == {"EXHAUSTED": 2, "FROZEN": 1, "STAYS_FROZEN": 1, "ALL": 3}
    said = client.post(path, follow=True).content.decode()
    assert "3 budgets are set. 1 account frozen. 1 account stays frozen." in said


def test_a_batch_that_would_exceed_a_quota_is_refused_as_a_whole(client, three):
    answer = client.post(SET, {"customer": ids(three), **ONE_TIME, "amount": "400000"})
    assert answer.status_code == 422
    assert "This change would raise that to 1,200,000.00" in answer.content.decode()
    assert not Operation.objects.exists()


def test_a_swap_between_pools_may_net_to_fit(client, acme, ann):
    one, other = factories.customers(acme, 2)
    factories.budget(one, ann, "900000", BudgetType.ONE_TIME)
    factories.budget(other, ann, "900000", BudgetType.MONTHLY)
    path = review(client, [one, other], amount="950000")
    assert client.post(path).status_code == 302


def changed(answer: Any) -> list[str]:
    return [each["account_name"] for each in answer.context["stale"]["changed"]]


def test_what_changed_after_the_review_is_told_and_the_unchanged_can_be_set(client, three, ann):
    path = review(client, three)
    factories.budget(three[0], ann, "7")
    answer = client.post(path)
    assert answer.status_code == 409
    stale = answer.context["stale"]
    assert (stale["count"], stale["unchanged"], changed(answer)) == (1, 2, [three[0].account_name])
    assert client.post(path, {"apply": "unchanged"}).status_code == 302
    assert amounts(three) == [Decimal("7.00"), Decimal("100.00"), Decimal("100.00")]


def test_a_report_that_only_moves_what_is_used_makes_nothing_stale(client, three):
    path = review(client, three)
    factories.report((three[0], "2026-09", "99.99"))
    assert client.post(path).status_code == 302


def test_a_report_that_would_freeze_somebody_makes_the_review_stale(client, three, ann):
    factories.budget(three, ann, "500")
    path = review(client, three)
    factories.report((three[0], "2026-09", "100"))
    assert client.post(path).status_code == 409
    assert amounts(three) == [Decimal("500.00")] * 3


def test_a_report_that_would_use_up_a_budget_at_once_makes_the_review_stale_whatever_the_policy(client, three, ann):
    factories.budget(three, ann, "500")
    path = review(client, three, **{**ONE_TIME, "account_freezing": "MANUAL"})
    factories.report((three[0], "2026-09", "100"))
    answer = client.post(path)
    assert (answer.status_code, changed(answer)) == (409, [three[0].account_name])
    client.post(path, {"apply": "unchanged"})
    assert amounts(three) == [Decimal(500), Decimal(100), Decimal(100)]


def test_an_edit_voids_the_code_that_was_sent(carl, borealis, sign_in, mailoutbox):
    customers = factories.customers(borealis, 2)
    client = sign_in(carl)
    path = review(client, customers)
    client.post(f"{path}code/")
    code = carl.emaildevice_set.get().token
    assert "Customers" in mailoutbox[0].body
    edited = client.post(f"{path}edit/", {f"amount_{customers[0].customer_id}": "5"})["Location"]
    assert client.post(edited, {"verification_code": code}).status_code == 422
    assert client.post(path, {"verification_code": code}).status_code == 409
    assert amounts(customers) == [None, None]


def test_a_colleagues_review_does_not_exist(client, three, ben, sign_in):
    path = review(client, three)
    assert sign_in(ben).get(path).status_code == 404
    assert sign_in(ben).post(f"{path}edit/", {"leave_out": three[0].customer_id}).status_code == 404


@pytest.mark.parametrize("path", ["review", "page", "ok", "edit"])
def test_the_number_of_queries_is_that_of_the_step_not_of_its_customers(path, client, acme):
    def steps(number: int) -> int:
        customers = factories.customers(acme, number)
        operation = review(client, customers, **ONE_TIME, unfreeze_now="on") if path != "review" else ""
        calls: dict[str, Any] = {
            "review": lambda: review(client, customers, **ONE_TIME),
            "page": lambda: client.get(f"{operation}?group=ALL"),
            "ok": lambda: client.post(operation),
            "edit": lambda: client.post(f"{operation}edit/", {"leave_out": customers[0].customer_id}),
        }
        return queries(calls[path])

    assert steps(30) == steps(300)


def queries(call: Any) -> int:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        call()
    return len(captured)


def test_names_are_masked_in_a_review(client, three):
    page = client.get(f"{review(client, three)}?group=ALL").content.decode()
    assert three[0].account_name in page
    assert three[0].name not in page


def test_what_was_reviewed_is_kept_for_each_customer(client, three):
    review(client, three)
    assert set(ReviewItem.objects.values_list("budget_type", "amount", "account_freezing")) == {
        ("ONE_TIME", Decimal(100), "AUTOMATIC")
    }


def undo(client: Client, path: str, **ticked: str) -> str:
    """Ask for the undo of a confirmed batch; the path of its review."""
    answer = client.post(f"/budgets/batches/{path.split('/')[-2]}/undo/", ticked)
    assert answer.status_code == 302, answer.content.decode()
    return answer["Location"]


def test_a_batch_is_listed_and_undone_to_what_stood_before(client, acme, ann):
    with_budget, first = factories.customers(acme, 2)
    factories.budget(with_budget, ann, "70", BudgetType.MONTHLY, AccountFreezing.MANUAL)
    path = review(client, [with_budget, first])
    client.post(path)
    batch = f"/budgets/batches/{path.split('/')[-2]}/"
    assert batch in client.get("/budgets/batches/").content.decode()
    assert client.get(batch).context["undoable"] == 2
    assert (
        "2 budgets were restored to their previous values."
        in client.post(undo(client, path), follow=True).content.decode()
    )
    stands = factories.stored(with_budget)
    assert (stands.budget_type, stands.amount, stands.account_freezing) == ("MONTHLY", Decimal(70), "MANUAL")
    assert not Budget.objects.filter(customer=first).exists()
    last = first.adjustment_records.latest("pk")
    assert (last.operation, last.budget_type_after) == (AdjustmentRecord.Operation.REMOVED, None)


def test_batches_say_by_what_way_they_came(client, three, ann):
    path = review(client, three)
    client.post(path)
    nothing = review(client, three)
    said = client.post(nothing, follow=True).content.decode()
    assert "Nothing to change: the budgets are already set to these values." in said
    batches = client.get("/budgets/batches/").context["page"].object_list
    assert {str(batch["pk"]): batch["channel_label"] for batch in batches} == {path.split("/")[-2]: "Console"}, (
        "what changed nothing is no batch"
    )
    assert client.get(f"/budgets/batches/{path.split('/')[-2]}/").context["batch"]["channel_label"] == "Console"


def test_undo_brings_back_what_a_one_time_budget_counts_from(sign_in, acme, ann, clock):
    one, other = factories.customers(acme, 2)
    factories.budget([one, other], ann, "100")
    factories.report((one, "2026-09", "60"))
    clock.move_to("2026-10-05T04:00:00Z", tick=False)
    client = sign_in(ann)
    path = review(client, [one, other], budget_type="MONTHLY")
    client.post(path)
    assert factories.stored(one).used == 0
    client.post(undo(client, path))
    assert (factories.stored(one).counted_from, factories.stored(one).used) == (202609, Decimal("60.00"))


def test_undo_leaves_whoever_has_moved_on(client, three, ann):
    path = review(client, three)
    client.post(path)
    factories.budget(three[0], ann, "7")
    assert client.get(f"/budgets/batches/{path.split('/')[-2]}/").context["moved_on"] == 1
    client.post(undo(client, path))
    assert amounts(three) == [Decimal("7.00"), None, None]


def test_undo_leaves_whose_budget_was_set_and_taken_away_again_since(client, three):
    first = review(client, three)
    client.post(first)
    taken_away = undo(client, first)
    client.post(taken_away)
    again = review(client, three[:2])
    client.post(again)
    client.post(undo(client, again))
    client.post(undo(client, taken_away))
    assert amounts(three) == [None, None, Decimal(100)]


def test_undo_leaves_a_freeze_that_came_after_the_batch(client, acme, ann):
    [customer] = customers = factories.customers(acme, 1)
    factories.budget(customers, ann, "500", account_freezing=AccountFreezing.MANUAL)
    factories.report((customer, "2026-09", "200"))
    path = review(client, [customer, *factories.customers(acme, 1)], **{**ONE_TIME, "amount": "150"})
    client.post(path)
    author = Author(ann, Channel.CONSOLE, timezone.now() + timedelta(hours=1))
    chosen = Customer.objects.filter(pk=customer.pk)
    unfreeze_accounts(chosen, author=author)
    freeze_accounts(chosen, FreezeKind.ACCOUNT, FreezeOrigin.PARTNER, author=author, reason="Unpaid invoice")
    client.post(undo(client, path, unfreeze="on"))
    assert factories.fresh(customer).freeze_origin == FreezeOrigin.PARTNER
    assert amounts(customers) == [Decimal(500)]


@pytest.mark.parametrize("ticked", ["on", "1"])
def test_undo_unfreezes_whom_the_batch_froze_if_that_is_ticked(client, acme, ann, ticked):
    customers = factories.customers(acme, 2)
    factories.budget(customers, ann, "500", account_freezing=AccountFreezing.MANUAL)
    factories.report((customers[0], "2026-09", "200"))
    path = review(client, customers, **{**ONE_TIME, "amount": "150"})
    client.post(path)
    assert factories.fresh(customers[0]).is_frozen
    back = undo(client, path, unfreeze=ticked)
    assert groups(client, back)["UNFROZEN"] == 1
    client.post(back)
    assert not factories.fresh(customers[0]).is_frozen
    assert amounts(customers) == [Decimal("500.00")] * 2


def test_another_partners_batch_does_not_exist(client, three, carl, sign_in):
    path = review(client, three)
    client.post(path)
    batch = f"/budgets/batches/{path.split('/')[-2]}/"
    stranger = sign_in(carl)
    assert [stranger.get(batch).status_code, stranger.post(f"{batch}undo/").status_code] == [404, 404]


def test_undoing_gives_the_quota_back(client, three, acme):
    path = review(client, three)
    client.post(path)
    client.post(undo(client, path))
    acme.grant.refresh_from_db()
    assert acme.grant.one_time_allocated == 0


def test_an_edit_still_tells_what_changed_since_the_review(client, three, ann):
    factories.budget(three, ann, "500")
    path = review(client, three, account_freezing="MANUAL")
    factories.budget(three[0], ann, "5000")
    edited = client.post(f"{path}edit/", {"leave_out": three[1].customer_id})["Location"]
    assert client.post(edited).status_code == 409
    assert factories.stored(three[0]).amount == Decimal("5000.00")


def test_reviewing_again_goes_by_what_stands_now(client, three, ann):
    factories.budget(three, ann, "500")
    path = review(client, three, percent="110")
    factories.budget(three[0], ann, "1000")
    assert client.post(path).status_code == 409
    again = client.post(f"{path}edit/", {"again": "1"})["Location"]
    client.post(again)
    assert amounts(three) == [Decimal("1100.00"), Decimal("550.00"), Decimal("550.00")]


def test_who_has_no_budget_to_go_by_cannot_be_taken_in(client, acme, ann):
    one, other = factories.customers(acme, 2)
    factories.budget(one, ann, "100")
    path = review(client, [one, other], budget_type="MONTHLY", percent="110")
    taken = client.post(f"{path}edit/", {"take_in": other.customer_id})["Location"]
    assert groups(client, taken)["LEFT_OUT"] == 1
    assert client.post(taken).status_code == 302


def test_in_an_undo_a_first_budget_can_be_left_out_and_taken_in_again(client, three):
    path = review(client, three)
    client.post(path)
    back = undo(client, path)
    back = client.post(f"{back}edit/", {"leave_out": three[0].customer_id})["Location"]
    back = client.post(f"{back}edit/", {"take_in": three[0].customer_id})["Location"]
    client.post(back)
    assert amounts(three) == [None, None, None]


@pytest.mark.parametrize("name", ["leave_out", "take_in", "amount_\0"])
def test_an_id_that_nobody_has_is_no_edit(client, three, name):
    assert (
        client.post(f"{review(client, three)}edit/", {name: "5\0" if name != "amount_\0" else "5"}).status_code == 404
    )


def test_the_largest_expenditure_times_the_largest_factor_is_too_large_and_no_error(client, acme, ann):
    one, other = factories.customers(acme, 2)
    factories.budget([one, other], ann, "1")
    factories.report((one, "2026-08", "9999999999999.99"), (other, "2026-08", "1"))
    path = review(client, [one, other], last_month_times="1000")
    assert groups(client, path)["LEFT_OUT"] == 1
    client.post(path)
    assert amounts([one, other]) == [Decimal("1.00"), Decimal("1000.00")]


def test_a_high_percent_of_no_budget_is_nothing(client, acme, ann):
    with_budget, without = factories.customers(acme, 2)
    factories.budget(with_budget, ann, "100")
    path = review(client, [with_budget, without], percent="10000", budget_type="MONTHLY")
    opened: Any = client.get(f"{path}?group=LEFT_OUT").context["review"].open
    assert [(row["customer_id"], row["amount_after"], row["typed"]) for row in opened["rows"]] == [
        (without.customer_id, None, "")
    ]


@pytest.mark.parametrize(("terms", "untouched"), [({"percent": "110"}, ""), ({"plus": "-1000"}, "-900.00")])
def test_what_stands_in_the_row_of_who_is_left_out_was_not_typed(client, acme, ann, terms, untouched):
    """With that group open its fields are sent along with OK."""
    rich, other = factories.customers(acme, 2)
    factories.budget(rich, ann, "5000")
    if untouched:
        factories.budget(other, ann, "100")
    path = review(client, [rich, other], **terms, budget_type="MONTHLY")
    page = client.get(f"{path}?group=LEFT_OUT")
    assert [row["typed"] for row in page.context["review"].open["rows"]] == [untouched]
    assert client.post(f"{path}?group=LEFT_OUT", {f"amount_{other.customer_id}": untouched}).status_code == 302
    assert AdjustmentRecord.objects.filter(batch=path.split("/")[-2]).count() == 1


def test_where_nobody_is_unchanged_the_review_comes_back(client, three, ann):
    path = review(client, three)
    factories.budget(three, ann, "77")
    assert client.post(path).status_code == 409
    assert client.post(path, {"apply": "unchanged"}).status_code == 409
    assert not AdjustmentRecord.objects.filter(batch=path.split("/")[-2]).exists()


def test_the_review_names_frozen_resources_and_until_when_data_is_kept(client, acme, ann):
    customers = factories.customers(acme, 2)
    factories.budget(customers, ann, "100", account_freezing=AccountFreezing.AUTOMATIC_WITH_RESOURCES)
    path = review(client, customers, account_freezing="MANUAL")
    client.post(path)
    factories.report((customers[0], "2026-09", "150"))
    back = undo(client, path)
    opened: Any = client.get(f"{back}?group=FROZEN").context["review"].open
    assert [row["notes"] for row in opened["rows"]] == [["Frozen with its resources: data is kept until 2026-10-05."]]
