"""The pages of freezing by hand: one at once, many by a review, codes.

Refusals in the order of rule 5.6 (docs/rules.md).
"""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from customers.agreement import CURRENT_VERSION, WORDINGS
from customers.listing.retention import RetentionCounts
from customers.models import AgreementRecord, Customer, ExportRecord, FreezeKind, FreezeRecord
from partnercenter.actions import jobs
from partnercenter.actions.partners import give_grant
from partnercenter.models import BudgetType, Job, Operation, Partner
from tests import factories

pytestmark = pytest.mark.clock("2026-09-20 04:00")

FREEZE, UNFREEZE = "/customers/freeze/", "/customers/unfreeze/"
ACCOUNT = {"kind": "ACCOUNT", "reason": "Unpaid invoice"}
RESOURCES = {"kind": "ACCOUNT_AND_RESOURCE", "reason": "Unpaid invoice", "agreement": "1"}
IN_DIALOG = {"HX-Request": "true", "HX-Target": "dialog-body"}


@pytest.fixture
def free(acme, ann) -> Customer:
    """A customer with a budget, not frozen, whose ID has slashes."""
    customer = factories.customer(acme, "/sub/1 & 2")
    factories.budget(customer, ann, "100")
    return customer


@pytest.fixture
def three(acme, ann) -> list[Customer]:
    customers = factories.customers(acme, 3)
    factories.budget(customers, ann, "100")
    return customers


def ids(customers: list[Customer]) -> list[str]:
    return [customer.customer_id for customer in customers]


def kind(customer: Customer) -> str:
    return factories.fresh(customer).freeze_kind


def groups(client: Client, path: str) -> dict[str, int]:
    return {group["key"]: group["count"] for group in client.get(path).context["review"].groups if group["count"]}


# --- One customer -----------------------------------------------------------------------------------------------------


def test_one_customer_is_frozen_and_unfrozen_at_once(client, free, ann):
    page = client.post(FREEZE, {"customer": free.customer_id, **ACCOUNT}, follow=True).content.decode()
    assert "The account is frozen." in page
    assert "partner" in page
    assert "Unpaid invoice" in page
    page = client.post(UNFREEZE, {"customer": free.customer_id, "kind": "ACCOUNT", "reason": "Paid"}, follow=True)
    assert "The account is unfrozen." in page.content.decode()
    assert list(FreezeRecord.objects.order_by("pk").values_list("operation", "reason"))[-2:] == [
        ("FREEZE", "Unpaid invoice"),
        ("UNFREEZE", "Paid"),
    ]


def test_in_the_dialog_it_closes_and_the_list_reloads(client, free):
    answer = client.post(FREEZE, {"customer": free.customer_id, **ACCOUNT}, headers=IN_DIALOG)
    assert answer.status_code == 204
    events = json.loads(answer["HX-Trigger"])
    assert {"dialog:close", "customers:changed"} < set(events)
    assert events["toast"]["text"] == "The account is frozen."


def test_the_form_shows_whom_it_is_about_and_the_agreement(client, free, sign_in):
    page = client.get(FREEZE, {"customer": free.customer_id, "kind": "ACCOUNT_AND_RESOURCE"})
    text = page.content.decode()
    assert str(WORDINGS[CURRENT_VERSION]).replace("'", "&#x27;") in text
    assert page.context["form"]["kind"].value() == "ACCOUNT_AND_RESOURCE"
    assert free.name not in text
    assert free.account_name in text
    assert not Operation.objects.filter(kind="FREEZE").exists()


def test_unfreezing_offers_the_kind_of_the_freeze_and_says_since_when(client, free):
    client.post(FREEZE, {"customer": free.customer_id, **RESOURCES})
    page = client.get(UNFREEZE, {"customer": free.customer_id})
    assert page.context["form"]["kind"].value() == "ACCOUNT_AND_RESOURCE"
    assert "since 2026-09-20 12:00 by ann: Unpaid invoice" in page.content.decode()
    assert "2026-10-05" in page.content.decode()


def test_resources_are_frozen_with_the_agreement_which_is_recorded(client, free):
    answer = client.post(FREEZE, {"customer": free.customer_id, **RESOURCES, "agreement": ""})
    assert (answer.status_code, kind(free)) == (422, "")
    assert "Tick the agreement" in answer.content.decode()
    client.post(FREEZE, {"customer": free.customer_id, **RESOURCES})
    assert kind(free) == FreezeKind.ACCOUNT_AND_RESOURCE
    assert AgreementRecord.objects.get().version == CURRENT_VERSION


def test_of_the_account_alone_nothing_is_agreed_to_though_it_was_ticked(client, free):
    client.post(FREEZE, {"customer": free.customer_id, **ACCOUNT, "agreement": "1"})
    assert not AgreementRecord.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [{"reason": ""}, {"reason": " "}, {"reason": "x" * 257}, {"reason": "a\0b"}, {"kind": ""}, {"kind": "RESOURCE"}],
)
@pytest.mark.parametrize("path", [FREEZE, UNFREEZE])
def test_what_is_typed_wrong_is_told_at_its_field(client, free, path, wrong):
    for headers in ({}, IN_DIALOG):
        answer = client.post(path, {"customer": free.customer_id, **ACCOUNT, **wrong}, headers=headers)
        assert answer.status_code == 422
        assert list(answer.context["form"].errors) == list(wrong)
    assert not Operation.objects.filter(kind__in=["FREEZE", "UNFREEZE"]).exists()


def test_what_does_not_apply_is_told_in_the_form_and_writes_nothing(client, free, acme):
    frozen = factories.customer(acme)
    before = FreezeRecord.objects.count()
    for path, customer, told in (
        (UNFREEZE, free, "This account is not frozen."),
        (FREEZE, frozen, "This account is already frozen in this way."),
    ):
        answer = client.post(path, {"customer": customer.customer_id, **ACCOUNT})
        assert answer.status_code == 422
        assert told in answer.content.decode()
    assert FreezeRecord.objects.count() == before


def test_unfreezing_what_is_used_up_names_both_figures(client, free):
    factories.report((free, "2026-09", "120"))
    answer = client.post(UNFREEZE, {"customer": free.customer_id, **ACCOUNT})
    assert answer.status_code == 422
    assert "120.00 is used of a budget of 100.00" in answer.content.decode()


def test_what_changed_since_the_form_was_opened_is_told_first(client, free, ann, clock):
    factories.report((free, "2026-09", "120"))
    factories.budget(free, ann, "100", account_freezing=None, unfreeze=False)
    version = client.get(UNFREEZE, {"customer": free.customer_id}).context["form"]["version"].value()
    factories.budget(free, ann, "200", unfreeze=True)
    clock.shift(60)
    client.post(FREEZE, {"customer": free.customer_id, "kind": "ACCOUNT", "reason": "Fraud"})
    given = {"customer": free.customer_id, "kind": "ACCOUNT", "reason": "Paid", "version": version}
    answer = client.post(UNFREEZE, given)
    assert (answer.status_code, kind(free)) == (409, "ACCOUNT")
    assert "Fraud" in answer.content.decode()
    form = answer.context["form"]
    assert (form["reason"].value(), form["version"].value() == version) == ("Paid", False)
    again = {"customer": free.customer_id, **{name: form[name].value() for name in ("kind", "reason", "version")}}
    assert client.post(UNFREEZE, again).status_code == 302
    assert kind(free) == ""


@pytest.mark.parametrize("path", [FREEZE, UNFREEZE])
@pytest.mark.parametrize("version", ["x", "|ACCOUNT|nonsense", "999|ACCOUNT|2026-09-01T00:00:00+00:00"])
def test_an_outdated_version_does_nothing(client, free, path, version):
    answer = client.post(path, {"customer": free.customer_id, **ACCOUNT, "version": version})
    assert (answer.status_code, kind(free)) == (409, "")


def test_where_the_switch_is_on_one_customer_needs_a_code_too(carl, borealis, sign_in, mailoutbox, clock):
    client, customer = sign_in(carl), factories.customer(borealis)
    path = client.post(UNFREEZE, {"customer": customer.customer_id, **ACCOUNT})["Location"]
    assert kind(customer) == "ACCOUNT"
    assert "Unpaid invoice" in client.get(path).content.decode()
    client.post(f"{path}code/")
    assert "Unpaid invoice" in mailoutbox[0].body
    code = carl.emaildevice_set.get().token
    assert client.post(path, {"verification_code": "000000"}).status_code == 422
    clock.shift(10)
    assert client.post(path, {"verification_code": code}).status_code == 302
    assert kind(customer) == ""
    assert client.post(path, {"verification_code": code}).status_code == 409


# --- Many -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [FREEZE, UNFREEZE])
def test_the_dialog_for_many_names_the_first_and_how_many(client, three, path):
    page = client.post(path, {"customer": ids(three), "dialog": "1"}, headers=IN_DIALOG)
    assert (page.status_code, page.context["number"]) == (200, 3)
    assert page.context["first"] == [customer.account_name for customer in three]
    assert not Operation.objects.filter(kind__in=["FREEZE", "UNFREEZE"]).exists()


def test_many_are_reviewed_and_frozen_at_ok_once(client, three, acme):
    frozen = factories.customer(acme)
    path = client.post(FREEZE, {"customer": ids([*three, frozen]), **RESOURCES})["Location"]
    assert groups(client, path) == {"FROZEN": 3, "ESCALATED": 1, "ALL": 4}
    page = client.get(f"{path}?group=ALL").content.decode()
    assert "2026-10-05" in page
    assert f"accepted, version {CURRENT_VERSION}" in page
    assert not Customer.objects.filter(freeze_kind="ACCOUNT_AND_RESOURCE").exists()
    said = client.post(path, follow=True).content.decode()
    assert "4 accounts frozen with their resources." in said
    assert Customer.objects.filter(freeze_kind="ACCOUNT_AND_RESOURCE").count() == 4
    assert client.post(path).status_code == 409
    assert FreezeRecord.objects.filter(batch=path.split("/")[-2]).count() == 4


def test_the_review_says_to_whom_it_does_not_apply_and_the_message_how_many(client, three, acme):
    frozen = factories.customer(acme)
    path = client.post(FREEZE, {"customer": ids([*three, frozen]), **ACCOUNT})["Location"]
    assert groups(client, path) == {"FROZEN": 3, "FROZEN_SO": 1, "ALL": 3}
    page = client.get(f"{path}?group=FROZEN_SO").content.decode()
    assert "already frozen in this way" in page
    assert "since association on 2026-09-20 12:00" in page
    assert "3 accounts frozen. 1 customer was excluded." in client.post(path, follow=True).content.decode()


def test_of_the_review_some_are_left_out_and_taken_in_again(client, three):
    path = client.post(FREEZE, {"customer": ids(three), **ACCOUNT})["Location"]
    path = client.post(f"{path}edit/", {"leave_out": ids(three)[:2]})["Location"]
    path = client.post(f"{path}edit/", {"take_in": ids(three)[0]})["Location"]
    client.post(path)
    assert [kind(each) for each in three] == ["ACCOUNT", "", "ACCOUNT"]


def test_all_that_match_the_lists_own_query_are_meant(client, three, acme, ann):
    other = factories.customer(acme, account_name="elsewhere")
    factories.budget(other, ann, "100")
    opened = client.post(f"{FREEZE}?q=elsewhere", {"all_matching": "1", "dialog": "1"})
    assert opened.context["number"] == 1
    path = client.post(f"{FREEZE}?q=elsewhere", {"all_matching": "1", **ACCOUNT})["Location"]
    client.post(path)
    assert [kind(each) for each in (*three, other)] == ["", "", "", "ACCOUNT"]


@pytest.mark.parametrize("path", [FREEZE, UNFREEZE])
def test_another_partners_customer_makes_all_of_it_a_404(client, three, borealis, path):
    stranger = factories.customer(borealis)
    for more in ({"dialog": "1"}, ACCOUNT):
        assert client.post(path, {"customer": [*ids(three), stranger.customer_id], **more}).status_code == 404
    assert not Operation.objects.filter(kind__in=["FREEZE", "UNFREEZE"]).exists()


@pytest.mark.parametrize("path", [FREEZE, UNFREEZE])
@pytest.mark.parametrize("customer_id", ["none", "\0", "x" * 5000])
def test_an_id_that_nobody_has_does_not_exist(client, path, customer_id):
    assert client.get(path, {"customer": customer_id}).status_code == 404
    assert client.post(path, {"customer": customer_id, **ACCOUNT}).status_code == 404


@pytest.mark.parametrize("path", [FREEZE, UNFREEZE])
@pytest.mark.parametrize(("who", "status"), [("vera", 403), ("una", 403), ("ann", 422), ("dora", 422)])
def test_no_customer_at_all_is_told_only_to_who_may_act(path, who, status, sign_in, request):
    client = sign_in(request.getfixturevalue(who))
    assert (client.get(path).status_code, client.post(path, ACCOUNT).status_code) == (status, status)


@pytest.mark.parametrize(("who", "status"), [("carl", 404), ("vera", 403), ("ann", 422)])
def test_not_yours_comes_before_not_allowed_before_what_is_wrong(who, status, acme, sign_in, request):
    referral = factories.customer(acme, association_type=Customer.AssociationType.REFERRAL)
    client = sign_in(request.getfixturevalue(who))
    assert client.post(FREEZE, {"customer": referral.customer_id, **ACCOUNT}).status_code == status


def test_a_distributor_acts_where_no_grant_is_given(client, dora, acme, ungranted, sign_in):
    theirs, own = factories.customer(acme), factories.customer(ungranted)
    distributor = sign_in(dora)
    assert distributor.get(UNFREEZE, {"customer": theirs.customer_id}).status_code == 403
    assert distributor.post(UNFREEZE, {"customer": ids([theirs, own]), **ACCOUNT}).status_code == 403
    assert distributor.post(UNFREEZE, {"customer": own.customer_id, **ACCOUNT}).status_code == 302
    assert (kind(theirs), kind(own)) == ("ACCOUNT", "")


def test_a_grant_revoked_meanwhile_holds_at_once(client, three, acme):
    path = client.post(FREEZE, {"customer": ids(three), **ACCOUNT})["Location"]
    give_grant(acme, monthly_quota=None, one_time_quota=None, operator=None)
    assert client.post(path).status_code == 403
    assert not Customer.objects.frozen().exists()


def test_a_frozen_resellers_people_are_offered_no_unfreezing_and_get_none(client, three, acme):
    frozen = factories.customer(acme)
    Partner.objects.filter(pk=acme.pk).update(status=Partner.Status.FROZEN, status_since=timezone.now())
    page = client.get("/customers/").content.decode()
    assert "batch-unfreeze" not in page
    assert f"unfreeze-{frozen.pk}" not in page
    assert client.get(UNFREEZE, {"customer": frozen.customer_id}).status_code == 403
    assert client.post(UNFREEZE, {"customer": frozen.customer_id, **ACCOUNT}).status_code == 403
    form = client.get("/budgets/set/", {"customer": frozen.customer_id}).context["form"]
    assert "unfreeze_now" not in form.fields
    terms = {"budget_type": "ONE_TIME", "amount": "5", "unfreeze_now": "on"}
    assert client.post("/budgets/set/", {"customer": frozen.customer_id, **terms}).status_code == 403
    assert client.post(FREEZE, {"customer": three[0].customer_id, **ACCOUNT}).status_code == 302


def test_what_changed_after_the_review_is_told_and_the_unchanged_can_be_done(client, three, clock):
    path = client.post(FREEZE, {"customer": ids(three), **ACCOUNT})["Location"]
    clock.shift(60)
    factories.report((three[0], "2026-09", "100"))
    answer = client.post(path)
    stale = answer.context["stale"]
    assert (answer.status_code, stale["count"], stale["unchanged"]) == (409, 1, 2)
    assert "The account is now frozen since" in answer.content.decode()
    said = client.post(path, {"apply": "unchanged"}, follow=True).content.decode()
    assert "2 accounts frozen. 1 customer had changed since the review and was skipped." in said
    assert FreezeRecord.objects.filter(batch=path.split("/")[-2]).count() == 2


def test_after_what_changed_it_can_be_reviewed_again(client, three, clock):
    path = client.post(FREEZE, {"customer": ids(three), **ACCOUNT})["Location"]
    factories.report((three[0], "2026-09", "100"))
    again = client.post(f"{path}edit/", {"again": "1"})["Location"]
    assert groups(client, again) == {"FROZEN": 2, "FROZEN_SO": 1, "ALL": 2}


def test_very_many_are_left_to_a_worker(client, three, monkeypatch):
    monkeypatch.setattr(jobs, "WORKER_THRESHOLD", 2)
    path = client.post(FREEZE, {"customer": ids(three), **ACCOUNT})["Location"]
    assert path.startswith("/operations/")
    client.post(path)
    assert [kind(each) for each in three] == ["ACCOUNT"] * 3
    assert set(Job.objects.values_list("task", flat=True)) == {"budgets.tasks.review_freezing", "budgets.tasks.confirm"}


def test_what_a_worker_refuses_is_told_in_the_form(client, three, monkeypatch):
    monkeypatch.setattr(jobs, "WORKER_THRESHOLD", 2)
    answer = client.post(UNFREEZE, {"customer": ids(three), **ACCOUNT})
    assert answer.status_code == 422
    assert "None of the customers can be unfrozen: not frozen (3)." in answer.content.decode()


# --- Batches ----------------------------------------------------------------------------------------------------------


def test_a_batch_is_listed_with_its_records_and_whom_it_left_out(client, three, acme, ann):
    frozen = factories.customer(acme)
    path = client.post(FREEZE, {"customer": ids([*three, frozen]), **ACCOUNT})["Location"]
    client.post(path)
    batch = f"/budgets/batches/{path.split('/')[-2]}/"
    [listed] = [each for each in client.get("/budgets/batches/").context["page"].object_list if each["frozen"]]
    assert (listed["operation_label"], listed["operator"], listed["frozen"]) == ("Freeze", "ann", 3)
    page = client.get(batch)
    shown = {row["account_name"] for row in page.context["page"].object_list}
    assert shown == {each.account_name for each in three}
    assert "Unpaid invoice" in page.content.decode()
    left = client.get(f"{batch}?left_out=1").context["page"].object_list
    assert [(row["account_name"], row["why"]) for row in left] == [(frozen.account_name, "already frozen in this way")]
    assert client.post(f"{batch}undo/").status_code == 404
    assert f'href="{batch}export/"' in page.content.decode()
    file = b"".join(client.get(f"{batch}export/").streaming_content).decode("utf-8-sig").splitlines()
    assert len(file) == 4
    assert all(",FREEZE,,ACCOUNT,,PARTNER,Unpaid invoice," in line for line in file[1:])
    assert not any(each.name in line for each in three for line in file)
    exported = ExportRecord.objects.get()
    assert (exported.what, exported.query, exported.rows) == (ExportRecord.What.BATCH, path.split("/")[-2], 3)


# --- Set Budget -------------------------------------------------------------------------------------------------------


def test_set_budget_freezes_resources_with_the_agreement(client, free):
    terms = {"customer": free.customer_id, "budget_type": "MONTHLY", "amount": "100", "unfreeze_on_restore": "1"}
    policy = {"account_freezing": "AUTOMATIC_WITH_RESOURCES"}
    answer = client.post("/budgets/set/", {**terms, **policy})
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == ["agreement"]
    assert client.post("/budgets/set/", {**terms, **policy, "agreement": "1"}).status_code == 302
    stored = factories.stored(free)
    assert (stored.account_freezing, stored.unfreeze_on_restore) == ("AUTOMATIC_WITH_RESOURCES", True)
    record = AgreementRecord.objects.get()
    assert (record.version, record.operation) == (CURRENT_VERSION, stored.record.batch)


def test_set_budgets_for_many_does_and_keeps_the_agreement_with_the_review(client, three):
    terms = {"customer": ids(three), "account_freezing": "AUTOMATIC_WITH_RESOURCES", "budget_type": "MONTHLY"}
    answer = client.post("/budgets/set/", terms)
    assert (answer.status_code, list(answer.context["form"].errors)) == (422, ["agreement"])
    path = client.post("/budgets/set/", {**terms, "agreement": "1", "unfreeze_on_restore": "1"})["Location"]
    assert not AgreementRecord.objects.exists()
    path = client.post(f"{path}edit/", {"leave_out": ids(three)[0]})["Location"]
    client.post(path)
    assert str(AgreementRecord.objects.get().operation) == path.split("/")[-2]
    assert [factories.stored(each).unfreeze_on_restore for each in three] == [False, True, True]


@pytest.mark.parametrize(("given", "after"), [("", [True, False]), ("1", [True, True]), ("0", [False, False])])
def test_for_many_unfreezing_at_restore_is_left_as_it_is_or_chosen_or_not(client, acme, ann, given, after):
    one, other = factories.customers(acme, 2)
    factories.budget(one, ann, "50", BudgetType.MONTHLY, unfreeze_on_restore=True)
    factories.budget(other, ann, "50", BudgetType.MONTHLY)
    given_terms = {"customer": ids([one, other]), "plus": "10", "unfreeze_on_restore": given}
    client.post(client.post("/budgets/set/", given_terms)["Location"])
    assert [factories.stored(each).unfreeze_on_restore for each in (one, other)] == after


# --- Retention --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "week", "day"),
    [(0, False, False), (7.9, False, False), (8.1, True, False), (13.9, True, False), (14.1, True, True)],
)
def test_the_list_warns_seven_days_and_one_day_before_data_may_be_deleted(
    client, free, ann, sign_in, clock, days, week, day
):
    client.post(FREEZE, {"customer": free.customer_id, **RESOURCES})
    clock.shift(timedelta(days=days))
    client = sign_in(ann)
    page = client.get("/customers/").content.decode()
    assert ("Customers whose data may be deleted within seven days: 1" in page) == week
    assert ("within one day: 1" in page) == day
    for value, warned in (("7", week), ("1", day)):
        found: Any = client.get("/customers/", {"retention": value}).context["page"].object_list
        assert [row.customer_id for row in found] == ([free.customer_id] if warned else [])
    assert "data kept until 2026-10-05" in page


def test_after_the_deadline_the_list_says_since_when_data_may_be_deleted(client, free, ann, sign_in, clock):
    client.post(FREEZE, {"customer": free.customer_id, **RESOURCES})
    clock.shift(timedelta(days=15))
    client = sign_in(ann)
    page = client.get("/customers/").content.decode()
    assert "data may be deleted since 2026-10-05" in page
    assert "may be deleted within seven days" not in page
    found = {value: len(client.get(f"/customers/?retention={value}").context["page"].object_list) for value in "170"}
    assert found == {"1": 0, "7": 0, "0": 1}


def test_of_another_partners_deadlines_nobody_is_warned(client, borealis, carl, sign_in, clock):
    theirs = factories.customer(borealis)
    Customer.objects.filter(pk=theirs.pk).update(
        freeze_kind="ACCOUNT_AND_RESOURCE", retention_until=timezone.now() + timedelta(hours=3)
    )
    assert client.get("/customers/").context["retention_counts"] == RetentionCounts(0, 0)
    assert sign_in(carl).get("/customers/").context["retention_counts"] == RetentionCounts(1, 1)


def test_an_account_still_frozen_after_the_restore_says_so(client, free, ann, sign_in, clock):
    factories.budget(free, ann, "100", BudgetType.MONTHLY)
    factories.report((free, "2026-09", "120"))
    assert "the budget has restored" not in client.get("/customers/").content.decode()
    clock.move_to("2026-10-02T04:00:00Z")
    client = sign_in(ann)
    told = "since 2026-09-20 12:00, budget exhausted (120.00 of 100.00 used); the budget has restored"
    assert told in client.get("/customers/").content.decode()
    assert told in client.get("/budgets/set/", {"customer": free.customer_id}).content.decode()


# --- Who is meant -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [FREEZE, UNFREEZE, "/budgets/set/", "/budgets/terms/"])
def test_an_id_that_only_begins_like_a_customers_does_not_exist(client, acme, ann, path):
    longest = factories.customer(acme, "x" * 128)
    factories.budget(longest, ann, "100")
    given = {"customer": ["x" * 128 + "TAIL"], **ACCOUNT, "budget_type": "ONE_TIME", "amount": "5"}
    assert client.post(path, given).status_code == 404
    assert not factories.fresh(longest).is_frozen


def test_the_form_of_an_address_means_whom_the_address_means(client, acme):
    factories.customer(acme, "meant", account_name="meant")
    factories.customer(acme, "other", account_name="other")
    page = client.get(f"{FREEZE}?all_matching=1&q=meant&kind=ACCOUNT").content.decode()
    assert f'action="{FREEZE}?q=meant"' in page


def test_all_matching_is_said_by_1_alone(client, three):
    path = client.post(
        "/budgets/set/",
        {
            "customer": ids(three)[:2],
            "all_matching": "0",
            "percent": "",
            "amount": "5",
            "budget_type": "MONTHLY",
            "account_freezing": "MANUAL",
        },
    )["Location"]
    assert client.get(path).context["review"].number == 2


def test_a_referral_customer_is_offered_no_freezing(client, acme):
    referral = factories.customer(acme, "referral", association_type=Customer.AssociationType.REFERRAL)
    answer = client.get(f"{FREEZE}?customer={referral.customer_id}")
    assert answer.status_code == 422
    assert "A customer of the referral model has no budget and is not frozen." in answer.content.decode()


def test_where_nobody_is_unchanged_the_review_comes_back(client, three, ann):
    path = client.post(FREEZE, {"customer": ids(three), **ACCOUNT})["Location"]
    for each in three:
        client.post(FREEZE, {"customer": each.customer_id, **ACCOUNT})
    assert client.post(path).status_code == 409
    assert client.post(path, {"apply": "unchanged"}).status_code == 409
