"""Freezing and unfreezing by hand through the pages: one customer directly, many with a review, and codes.

Errors come in the order of rule 5.6 (docs/rules.md).
"""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from customers.agreement import CURRENT_VERSION, WORDINGS
from customers.listing.retention import RetentionCounts
from customers.models import AgreementRecord, Customer, ExportRecord, FreezeKind, FreezeRecord
from partnercenter.actions import jobs
from partnercenter.actions.partners import give_grant
from partnercenter.models import BudgetType, Job, Operation, Partner
from tests import factories
from tests.pages import IN_DIALOG, batch_of, customer_ids, group_counts

pytestmark = pytest.mark.clock("2026-09-20 04:00")

FREEZE, UNFREEZE = "/customers/freeze/", "/customers/unfreeze/"
ACCOUNT = {"kind": "ACCOUNT", "reason": "Unpaid invoice"}
RESOURCES = {"kind": "ACCOUNT_AND_RESOURCE", "reason": "Unpaid invoice", "agreement": "1"}


@pytest.fixture
def unfrozen(acme, ann) -> Customer:
    """A customer with a budget, not frozen, whose ID has slashes."""
    customer = factories.customer(acme, "/sub/1 & 2")
    factories.budget(customer, ann, "100")
    return customer


@pytest.fixture
def three(acme, ann) -> list[Customer]:
    """Three customers with a budget, not frozen."""
    customers = factories.customers(acme, 3)
    factories.budget(customers, ann, "100")
    return customers


def freeze_kind(customer: Customer) -> str:
    return factories.fresh(customer).freeze_kind


# --- One customer -----------------------------------------------------------------------------------------------------


def test_one_customer_is_frozen_and_unfrozen_without_a_review(client, unfrozen, ann):
    page = client.post(FREEZE, {"customer": unfrozen.customer_id, **ACCOUNT}, follow=True).content.decode()
    assert "The account is frozen." in page
    assert "partner" in page
    assert "Unpaid invoice" in page
    page = client.post(UNFREEZE, {"customer": unfrozen.customer_id, "kind": "ACCOUNT", "reason": "Paid"}, follow=True)
    assert "The account is unfrozen." in page.content.decode()
    assert list(FreezeRecord.objects.order_by("pk").values_list("operation", "reason"))[-2:] == [
        ("FREEZE", "Unpaid invoice"),
        ("UNFREEZE", "Paid"),
    ]


def test_freezing_in_the_dialog_closes_it_and_reloads_the_list(client, unfrozen):
    response = client.post(FREEZE, {"customer": unfrozen.customer_id, **ACCOUNT}, headers=IN_DIALOG)
    assert response.status_code == 204
    events = json.loads(response["HX-Trigger"])
    assert {"dialog:close", "customers:changed"} < set(events)
    assert events["toast"]["text"] == "The account is frozen."


def test_the_form_shows_the_masked_customer_and_the_agreement(client, unfrozen, sign_in):
    page = client.get(FREEZE, {"customer": unfrozen.customer_id, "kind": "ACCOUNT_AND_RESOURCE"})
    text = page.content.decode()
    assert str(WORDINGS[CURRENT_VERSION]).replace("'", "&#x27;") in text
    assert page.context["form"]["kind"].value() == "ACCOUNT_AND_RESOURCE"
    assert unfrozen.name not in text
    assert unfrozen.account_name in text
    assert not Operation.objects.filter(kind="FREEZE").exists()


def test_the_unfreeze_form_preselects_the_kind_of_the_freeze_and_says_since_when(client, unfrozen):
    client.post(FREEZE, {"customer": unfrozen.customer_id, **RESOURCES})
    page = client.get(UNFREEZE, {"customer": unfrozen.customer_id})
    assert page.context["form"]["kind"].value() == "ACCOUNT_AND_RESOURCE"
    assert "since 2026-09-20 12:00 by ann: Unpaid invoice" in page.content.decode()
    assert "2026-10-05" in page.content.decode()


def test_freezing_resources_needs_the_agreement_which_is_recorded(client, unfrozen):
    response = client.post(FREEZE, {"customer": unfrozen.customer_id, **RESOURCES, "agreement": ""})
    assert (response.status_code, freeze_kind(unfrozen)) == (422, "")
    assert "Tick the agreement" in response.content.decode()
    client.post(FREEZE, {"customer": unfrozen.customer_id, **RESOURCES})
    assert freeze_kind(unfrozen) == FreezeKind.ACCOUNT_AND_RESOURCE
    assert AgreementRecord.objects.get().version == CURRENT_VERSION


def test_no_agreement_is_recorded_where_only_the_account_is_frozen(client, unfrozen):
    client.post(FREEZE, {"customer": unfrozen.customer_id, **ACCOUNT, "agreement": "1"})
    assert not AgreementRecord.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [{"reason": ""}, {"reason": " "}, {"reason": "x" * 257}, {"reason": "a\0b"}, {"kind": ""}, {"kind": "RESOURCE"}],
)
@pytest.mark.parametrize("path", [FREEZE, UNFREEZE])
def test_invalid_input_is_reported_at_its_field(client, unfrozen, path, wrong):
    for headers in ({}, IN_DIALOG):
        response = client.post(path, {"customer": unfrozen.customer_id, **ACCOUNT, **wrong}, headers=headers)
        assert response.status_code == 422
        assert list(response.context["form"].errors) == list(wrong)
    assert not Operation.objects.filter(kind__in=["FREEZE", "UNFREEZE"]).exists()


def test_a_freeze_that_does_not_apply_is_refused_in_the_form_and_writes_nothing(client, unfrozen, acme):
    frozen = factories.customer(acme)
    before = FreezeRecord.objects.count()
    for path, customer, message in (
        (UNFREEZE, unfrozen, "This account is not frozen."),
        (FREEZE, frozen, "This account is already frozen in this way."),
    ):
        response = client.post(path, {"customer": customer.customer_id, **ACCOUNT})
        assert response.status_code == 422
        assert message in response.content.decode()
    assert FreezeRecord.objects.count() == before


def test_unfreezing_an_exhausted_budget_is_refused_with_both_figures(client, unfrozen):
    factories.report((unfrozen, "2026-09", "120"))
    response = client.post(UNFREEZE, {"customer": unfrozen.customer_id, **ACCOUNT})
    assert response.status_code == 422
    assert "120.00 is used of a budget of 100.00" in response.content.decode()


def test_a_change_since_the_form_was_opened_is_shown_first(client, unfrozen, ann, clock):
    factories.report((unfrozen, "2026-09", "120"))
    factories.budget(unfrozen, ann, "100", account_freezing=None, unfreeze=False)
    version = client.get(UNFREEZE, {"customer": unfrozen.customer_id}).context["form"]["version"].value()
    factories.budget(unfrozen, ann, "200", unfreeze=True)
    clock.shift(60)
    client.post(FREEZE, {"customer": unfrozen.customer_id, "kind": "ACCOUNT", "reason": "Fraud"})
    fields = {"customer": unfrozen.customer_id, "kind": "ACCOUNT", "reason": "Paid", "version": version}
    response = client.post(UNFREEZE, fields)
    assert (response.status_code, freeze_kind(unfrozen)) == (409, "ACCOUNT")
    assert "Fraud" in response.content.decode()
    form = response.context["form"]
    assert (form["reason"].value(), form["version"].value() == version) == ("Paid", False)
    again = {"customer": unfrozen.customer_id, **{name: form[name].value() for name in ("kind", "reason", "version")}}
    assert client.post(UNFREEZE, again).status_code == 302
    assert freeze_kind(unfrozen) == ""


@pytest.mark.parametrize("path", [FREEZE, UNFREEZE])
@pytest.mark.parametrize("version", ["x", "|ACCOUNT|nonsense", "999|ACCOUNT|2026-09-01T00:00:00+00:00"])
def test_a_form_with_an_outdated_version_changes_nothing(client, unfrozen, path, version):
    response = client.post(path, {"customer": unfrozen.customer_id, **ACCOUNT, "version": version})
    assert (response.status_code, freeze_kind(unfrozen)) == (409, "")


def test_with_verification_required_one_customer_needs_a_code_too(carl, borealis, sign_in, mailoutbox, clock):
    client, customer = sign_in(carl), factories.customer(borealis)
    path = client.post(UNFREEZE, {"customer": customer.customer_id, **ACCOUNT})["Location"]
    assert freeze_kind(customer) == "ACCOUNT"
    assert "Unpaid invoice" in client.get(path).content.decode()
    client.post(f"{path}code/")
    assert "Unpaid invoice" in mailoutbox[0].body
    code = carl.emaildevice_set.get().token
    assert client.post(path, {"verification_code": "000000"}).status_code == 422
    clock.shift(10)
    assert client.post(path, {"verification_code": code}).status_code == 302
    assert freeze_kind(customer) == ""
    assert client.post(path, {"verification_code": code}).status_code == 409


# --- Many -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [FREEZE, UNFREEZE])
def test_the_dialog_for_many_shows_how_many_and_names_the_first(client, three, path):
    page = client.post(path, {"customer": customer_ids(three), "dialog": "1"}, headers=IN_DIALOG)
    assert (page.status_code, page.context["number"]) == (200, 3)
    assert page.context["first"] == [customer.account_name for customer in three]
    assert not Operation.objects.filter(kind__in=["FREEZE", "UNFREEZE"]).exists()


def test_many_are_reviewed_and_frozen_once_at_ok(client, three, acme):
    frozen = factories.customer(acme)
    path = client.post(FREEZE, {"customer": customer_ids([*three, frozen]), **RESOURCES})["Location"]
    assert group_counts(client, path) == {"FROZEN": 3, "ESCALATED": 1, "ALL": 4}
    page = client.get(f"{path}?group=ALL").content.decode()
    assert "2026-10-05" in page
    assert f"accepted, version {CURRENT_VERSION}" in page
    assert not Customer.objects.filter(freeze_kind="ACCOUNT_AND_RESOURCE").exists()
    page = client.post(path, follow=True).content.decode()
    assert "4 accounts frozen with their resources." in page
    assert Customer.objects.filter(freeze_kind="ACCOUNT_AND_RESOURCE").count() == 4
    assert client.post(path).status_code == 409
    assert FreezeRecord.objects.filter(batch=path.split("/")[-2]).count() == 4


def test_the_review_lists_customers_it_does_not_apply_to_and_the_message_counts_them(client, three, acme):
    frozen = factories.customer(acme)
    path = client.post(FREEZE, {"customer": customer_ids([*three, frozen]), **ACCOUNT})["Location"]
    assert group_counts(client, path) == {"FROZEN": 3, "FROZEN_SO": 1, "ALL": 3}
    page = client.get(f"{path}?group=FROZEN_SO").content.decode()
    assert "already frozen in this way" in page
    assert "since association on 2026-09-20 12:00" in page
    assert "3 accounts frozen. 1 customer was excluded." in client.post(path, follow=True).content.decode()


def test_customers_can_be_excluded_from_the_review_and_included_again(client, three):
    path = client.post(FREEZE, {"customer": customer_ids(three), **ACCOUNT})["Location"]
    path = client.post(f"{path}edit/", {"leave_out": customer_ids(three)[:2]})["Location"]
    path = client.post(f"{path}edit/", {"take_in": customer_ids(three)[0]})["Location"]
    client.post(path)
    assert [freeze_kind(each) for each in three] == ["ACCOUNT", "", "ACCOUNT"]


def test_select_all_matching_means_the_customers_the_query_finds(client, three, acme, ann):
    other = factories.customer(acme, account_name="elsewhere")
    factories.budget(other, ann, "100")
    opened = client.post(f"{FREEZE}?q=elsewhere", {"all_matching": "1", "dialog": "1"})
    assert opened.context["number"] == 1
    path = client.post(f"{FREEZE}?q=elsewhere", {"all_matching": "1", **ACCOUNT})["Location"]
    client.post(path)
    assert [freeze_kind(each) for each in (*three, other)] == ["", "", "", "ACCOUNT"]


@pytest.mark.parametrize("path", [FREEZE, UNFREEZE])
def test_another_partners_customer_makes_the_whole_request_a_404(client, three, borealis, path):
    stranger = factories.customer(borealis)
    for fields in ({"dialog": "1"}, ACCOUNT):
        assert (
            client.post(path, {"customer": [*customer_ids(three), stranger.customer_id], **fields}).status_code == 404
        )
    assert not Operation.objects.filter(kind__in=["FREEZE", "UNFREEZE"]).exists()


@pytest.mark.parametrize("path", [FREEZE, UNFREEZE])
@pytest.mark.parametrize("customer_id", ["none", "\0", "x" * 5000])
def test_an_unknown_customer_id_is_a_404(client, path, customer_id):
    assert client.get(path, {"customer": customer_id}).status_code == 404
    assert client.post(path, {"customer": customer_id, **ACCOUNT}).status_code == 404


@pytest.mark.parametrize("path", [FREEZE, UNFREEZE])
@pytest.mark.parametrize(("who", "status"), [("vera", 403), ("una", 403), ("ann", 422), ("dora", 422)])
def test_choosing_no_customer_is_reported_only_to_people_who_may_freeze(path, who, status, sign_in, request):
    client = sign_in(request.getfixturevalue(who))
    assert (client.get(path).status_code, client.post(path, ACCOUNT).status_code) == (status, status)


@pytest.mark.parametrize(("who", "status"), [("carl", 404), ("vera", 403), ("ann", 422)])
def test_a_strangers_customer_is_404_before_missing_permission_403_before_bad_input_422(
    who, status, acme, sign_in, request
):
    referral = factories.customer(acme, association_type=Customer.AssociationType.REFERRAL)
    client = sign_in(request.getfixturevalue(who))
    assert client.post(FREEZE, {"customer": referral.customer_id, **ACCOUNT}).status_code == status


def test_a_distributor_freezes_only_where_no_grant_is_given(client, dora, acme, ungranted, sign_in):
    theirs, own = factories.customer(acme), factories.customer(ungranted)
    distributor = sign_in(dora)
    assert distributor.get(UNFREEZE, {"customer": theirs.customer_id}).status_code == 403
    assert distributor.post(UNFREEZE, {"customer": customer_ids([theirs, own]), **ACCOUNT}).status_code == 403
    assert distributor.post(UNFREEZE, {"customer": own.customer_id, **ACCOUNT}).status_code == 302
    assert (freeze_kind(theirs), freeze_kind(own)) == ("ACCOUNT", "")


def test_a_grant_revoked_after_the_review_takes_effect_immediately(client, three, acme):
    path = client.post(FREEZE, {"customer": customer_ids(three), **ACCOUNT})["Location"]
    give_grant(acme, monthly_quota=None, one_time_quota=None, operator=None)
    assert client.post(path).status_code == 403
    assert not Customer.objects.frozen().exists()


def test_a_frozen_resellers_people_are_not_offered_unfreezing_and_cannot_do_it(client, three, acme):
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


def test_changes_since_the_review_are_listed_and_the_unchanged_can_be_frozen(client, three, clock):
    path = client.post(FREEZE, {"customer": customer_ids(three), **ACCOUNT})["Location"]
    clock.shift(60)
    factories.report((three[0], "2026-09", "100"))
    response = client.post(path)
    stale = response.context["stale"]
    assert (response.status_code, stale["count"], stale["unchanged"]) == (409, 1, 2)
    assert "The account is now frozen: since" in response.content.decode()
    page = client.post(path, {"apply": "unchanged"}, follow=True).content.decode()
    assert "2 accounts frozen. 1 customer had changed since the review and was skipped." in page
    assert FreezeRecord.objects.filter(batch=path.split("/")[-2]).count() == 2


def test_a_stale_review_can_be_reviewed_again(client, three, clock):
    path = client.post(FREEZE, {"customer": customer_ids(three), **ACCOUNT})["Location"]
    factories.report((three[0], "2026-09", "100"))
    again = client.post(f"{path}edit/", {"again": "1"})["Location"]
    assert group_counts(client, again) == {"FROZEN": 2, "FROZEN_SO": 1, "ALL": 2}


def test_very_many_customers_are_left_to_a_worker(client, three, monkeypatch):
    monkeypatch.setattr(jobs, "WORKER_THRESHOLD", 2)
    path = client.post(FREEZE, {"customer": customer_ids(three), **ACCOUNT})["Location"]
    assert path.startswith("/operations/")
    client.post(path)
    assert [freeze_kind(each) for each in three] == ["ACCOUNT"] * 3
    assert set(Job.objects.values_list("task", flat=True)) == {"budgets.tasks.review_freezing", "budgets.tasks.confirm"}


def test_what_a_worker_refuses_is_shown_in_the_form(client, three, monkeypatch):
    monkeypatch.setattr(jobs, "WORKER_THRESHOLD", 2)
    response = client.post(UNFREEZE, {"customer": customer_ids(three), **ACCOUNT})
    assert response.status_code == 422
    assert "None of the customers can be unfrozen. Not frozen: 3." in response.content.decode()


# --- Batches ----------------------------------------------------------------------------------------------------------


def test_a_batch_is_listed_with_its_records_and_the_customers_it_excluded(client, three, acme, ann):
    frozen = factories.customer(acme)
    path = client.post(FREEZE, {"customer": customer_ids([*three, frozen]), **ACCOUNT})["Location"]
    client.post(path)
    batch = batch_of(path)
    [listed] = [each for each in client.get("/budgets/batches/").context["page"].object_list if each["frozen"]]
    assert (listed["operation_label"], listed["operator"], listed["frozen"]) == ("Freeze", "ann", 3)
    page = client.get(batch)
    shown = {row["account_name"] for row in page.context["page"].object_list}
    assert shown == {each.account_name for each in three}
    assert "Unpaid invoice" in page.content.decode()
    excluded = client.get(f"{batch}?left_out=1").context["page"].object_list
    assert [(row["account_name"], row["why"]) for row in excluded] == [
        (frozen.account_name, "already frozen in this way")
    ]
    assert client.post(f"{batch}undo/").status_code == 404
    assert f'href="{batch}export/"' in page.content.decode()
    file = b"".join(client.get(f"{batch}export/").streaming_content).decode("utf-8-sig").splitlines()
    assert len(file) == 4
    assert all(",FREEZE,,ACCOUNT,,PARTNER,Unpaid invoice," in line for line in file[1:])
    assert not any(each.name in line for each in three for line in file)
    exported = ExportRecord.objects.get()
    assert (exported.what, exported.query, exported.rows) == (ExportRecord.What.BATCH, path.split("/")[-2], 3)


# --- Set Budget -------------------------------------------------------------------------------------------------------


def test_set_budget_with_freezing_of_resources_needs_the_agreement(client, unfrozen):
    terms = {"customer": unfrozen.customer_id, "budget_type": "MONTHLY", "amount": "100", "unfreeze_on_restore": "1"}
    policy = {"account_freezing": "AUTOMATIC_WITH_RESOURCES"}
    response = client.post("/budgets/set/", {**terms, **policy})
    assert response.status_code == 422
    assert list(response.context["form"].errors) == ["agreement"]
    assert client.post("/budgets/set/", {**terms, **policy, "agreement": "1"}).status_code == 302
    stored = factories.stored(unfrozen)
    assert (stored.account_freezing, stored.unfreeze_on_restore) == ("AUTOMATIC_WITH_RESOURCES", True)
    record = AgreementRecord.objects.get()
    assert (record.version, record.operation) == (CURRENT_VERSION, stored.record.batch)


def test_set_budget_for_many_needs_the_agreement_and_records_it_at_ok(client, three):
    terms = {"customer": customer_ids(three), "account_freezing": "AUTOMATIC_WITH_RESOURCES", "budget_type": "MONTHLY"}
    response = client.post("/budgets/set/", terms)
    assert (response.status_code, list(response.context["form"].errors)) == (422, ["agreement"])
    path = client.post("/budgets/set/", {**terms, "agreement": "1", "unfreeze_on_restore": "1"})["Location"]
    assert not AgreementRecord.objects.exists()
    path = client.post(f"{path}edit/", {"leave_out": customer_ids(three)[0]})["Location"]
    client.post(path)
    assert str(AgreementRecord.objects.get().operation) == path.split("/")[-2]
    assert [factories.stored(each).unfreeze_on_restore for each in three] == [False, True, True]


@pytest.mark.parametrize(("choice", "after"), [("", [True, False]), ("1", [True, True]), ("0", [False, False])])
def test_for_many_unfreeze_on_restore_can_be_kept_switched_on_or_off(client, acme, ann, choice, after):
    one, other = factories.customers(acme, 2)
    factories.budget(one, ann, "50", BudgetType.MONTHLY, unfreeze_on_restore=True)
    factories.budget(other, ann, "50", BudgetType.MONTHLY)
    terms = {"customer": customer_ids([one, other]), "plus": "10", "unfreeze_on_restore": choice}
    client.post(client.post("/budgets/set/", terms)["Location"])
    assert [factories.stored(each).unfreeze_on_restore for each in (one, other)] == after


# --- Retention --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "week", "day"),
    [(0, False, False), (7.9, False, False), (8.1, True, False), (13.9, True, False), (14.1, True, True)],
)
def test_the_list_warns_seven_days_and_one_day_before_data_may_be_deleted(
    client, unfrozen, ann, sign_in, clock, days, week, day
):
    client.post(FREEZE, {"customer": unfrozen.customer_id, **RESOURCES})
    clock.shift(timedelta(days=days))
    client = sign_in(ann)
    page = client.get("/customers/").content.decode()
    assert ("The data of 1 customer may be deleted within seven days." in page) == week
    assert ("The data of 1 customer may be deleted within one day." in page) == day
    for value, warned in (("7", week), ("1", day)):
        found: Any = client.get("/customers/", {"retention": value}).context["page"].object_list
        assert [row.customer_id for row in found] == ([unfrozen.customer_id] if warned else [])
    assert "data kept until 2026-10-05" in page


def test_after_the_deadline_the_list_says_since_when_data_may_be_deleted(client, unfrozen, ann, sign_in, clock):
    client.post(FREEZE, {"customer": unfrozen.customer_id, **RESOURCES})
    clock.shift(timedelta(days=15))
    client = sign_in(ann)
    page = client.get("/customers/").content.decode()
    assert "data may be deleted since 2026-10-05" in page
    assert "may be deleted within seven days" not in page
    found = {value: len(client.get(f"/customers/?retention={value}").context["page"].object_list) for value in "170"}
    assert found == {"1": 0, "7": 0, "0": 1}


def test_the_list_does_not_warn_of_another_partners_deadlines(client, borealis, carl, sign_in, clock):
    theirs = factories.customer(borealis)
    Customer.objects.filter(pk=theirs.pk).update(
        freeze_kind="ACCOUNT_AND_RESOURCE", retention_until=timezone.now() + timedelta(hours=3)
    )
    assert client.get("/customers/").context["retention_counts"] == RetentionCounts(0, 0)
    assert sign_in(carl).get("/customers/").context["retention_counts"] == RetentionCounts(1, 1)


def test_an_account_still_frozen_after_the_restore_says_so(client, unfrozen, ann, sign_in, clock):
    factories.budget(unfrozen, ann, "100", BudgetType.MONTHLY)
    factories.report((unfrozen, "2026-09", "120"))
    assert "the budget has restored" not in client.get("/customers/").content.decode()
    clock.move_to("2026-10-02T04:00:00Z")
    client = sign_in(ann)
    text = "since 2026-09-20 12:00, budget exhausted (120.00 of 100.00 used); the budget has restored"
    assert text in client.get("/customers/").content.decode()
    assert text in client.get("/budgets/set/", {"customer": unfrozen.customer_id}).content.decode()


# --- Which customers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [FREEZE, UNFREEZE, "/budgets/set/", "/budgets/terms/"])
def test_an_id_that_only_begins_like_a_customers_is_a_404(client, acme, ann, path):
    longest = factories.customer(acme, "x" * 128)
    factories.budget(longest, ann, "100")
    fields = {"customer": ["x" * 128 + "TAIL"], **ACCOUNT, "budget_type": "ONE_TIME", "amount": "5"}
    assert client.post(path, fields).status_code == 404
    assert not factories.fresh(longest).is_frozen


def test_a_form_opened_by_a_query_is_sent_with_the_same_query(client, acme):
    factories.customer(acme, "meant", account_name="meant")
    factories.customer(acme, "other", account_name="other")
    page = client.get(f"{FREEZE}?all_matching=1&q=meant&kind=ACCOUNT").content.decode()
    assert f'action="{FREEZE}?q=meant"' in page


def test_a_posted_form_with_ticked_customers_is_about_them_whatever_the_query_string_says(client, three):
    path = client.post(
        f"{FREEZE}?all_matching=1", {"customer": [three[0].customer_id, three[1].customer_id], **ACCOUNT}
    )["Location"]
    assert Operation.objects.get(pk=path.split("/")[2]).reviewed.count() == 2


def test_the_batch_forms_of_the_list_carry_its_filters_and_nothing_else(client, three):
    query = {
        "q": "account",
        "all_matching": "1",
        "customer": three[0].customer_id,
        "query": "x",
        "page": "1",
        "sort": "name",
    }
    content = client.get("/customers/", query).content.decode()
    assert 'action="/budgets/terms/?q=account"' in content
    assert f'formaction="{FREEZE}?q=account"' in content


def test_all_matching_counts_only_with_the_value_1(client, three):
    path = client.post(
        "/budgets/set/",
        {
            "customer": customer_ids(three)[:2],
            "all_matching": "0",
            "percent": "",
            "amount": "5",
            "budget_type": "MONTHLY",
            "account_freezing": "MANUAL",
        },
    )["Location"]
    assert client.get(path).context["review"].number == 2


def test_a_referral_customer_cannot_be_frozen(client, acme):
    referral = factories.customer(acme, "referral", association_type=Customer.AssociationType.REFERRAL)
    response = client.get(f"{FREEZE}?customer={referral.customer_id}")
    assert response.status_code == 422
    assert "A customer of the referral model has no budget and is not frozen." in response.content.decode()


def test_applying_only_the_unchanged_is_refused_where_every_customer_changed(client, three, ann):
    path = client.post(FREEZE, {"customer": customer_ids(three), **ACCOUNT})["Location"]
    for each in three:
        client.post(FREEZE, {"customer": each.customer_id, **ACCOUNT})
    assert client.post(path).status_code == 409
    assert client.post(path, {"apply": "unchanged"}).status_code == 409
