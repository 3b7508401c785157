"""Django admin: what a distributor's staff and the platform may see and change there (rule 5.7 (docs/rules.md))."""

from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from partnercenter.actions.partners import give_grant
from partnercenter.lib.append_only import Record
from partnercenter.models import Grant, GrantRecord, Partner, PartnerStatusRecord, User
from tests import factories

USERS, GRANTS, PARTNERS = "/admin/partnercenter/user/", "/admin/partnercenter/grant/", "/admin/partnercenter/partner/"
RECORDS = "/admin/partnercenter/grantrecord/"


@pytest.fixture
def client(dora: User, sign_in) -> Client:
    """The browser of Dora, who is staff of the distributor."""
    return sign_in(dora)


@pytest.fixture
def foreign_reseller(db: None) -> Partner:
    """A reseller of another distributor, with a user `erik`."""
    partner = factories.reseller(factories.distributor("other-distribution"), "elsewhere-reseller")
    factories.user("erik", partner, User.Role.ADMINISTRATOR)
    return partner


def listed(client: Client, path: str) -> set[Any]:
    """The objects that a list in the administration shows."""
    return set(client.get(path).context["cl"].queryset)


def set_quotas(client: Client, partner: Partner, monthly: str, one_time: str, /, **forged: Any) -> Any:
    fields = {"monthly_quota": monthly, "one_time_quota": one_time, **forged}
    return client.post(f"{GRANTS}{partner.pk}/change/", fields)


def test_staff_see_only_their_resellers_and_the_users_grants_and_records_of_these(
    client, acme, ungranted, foreign_reseller, ann, dora
):
    assert listed(client, PARTNERS) == {acme, ungranted}
    assert listed(client, USERS) == {ann}
    assert {grant.partner for grant in listed(client, GRANTS)} == {acme, ungranted}
    assert {record.partner for record in listed(client, RECORDS)} == {acme}
    for path in (PARTNERS, USERS, GRANTS, RECORDS):
        assert "elsewhere" not in client.get(path).content.decode()


def test_staff_cannot_open_or_change_anything_of_another_distributor(client, foreign_reseller):
    erik, record = User.objects.get(username="erik"), GrantRecord.objects.get()
    for path in (
        f"{PARTNERS}{foreign_reseller.pk}",
        f"{USERS}{erik.pk}",
        f"{GRANTS}{foreign_reseller.pk}",
        f"{RECORDS}{record.pk}",
    ):
        for page in ("change", "history"):
            response = client.get(f"{path}/{page}/")
            assert (response.status_code, response["Location"]) == (302, "/admin/")
    assert set_quotas(client, foreign_reseller, "5", "5").status_code == 302
    assert Grant.objects.get(partner=foreign_reseller).monthly_quota == factories.MILLION
    client.post(f"{USERS}{erik.pk}/change/", {"username": "erika", "role": "VIEWER"})
    assert User.objects.get(pk=erik.pk).username == "erik"


def test_searches_and_filters_reveal_nothing_of_others(client, acme, foreign_reseller, ann):
    for path in (PARTNERS, USERS, GRANTS):
        assert not listed(client, f"{path}?q=elsewhere")
    assert client.get(f"{USERS}?password__startswith=pbkdf2").status_code in (302, 400)
    assert client.get(f"{GRANTS}?partner__users__password__startswith=p").status_code in (302, 400)


OTHER_PAGES = [
    "customers/customer",
    "customers/freezerecord",
    "customers/revealrecord",
    "customers/exportrecord",
    "budgets/budget",
    "budgets/adjustmentrecord",
    "budgets/expenditurereport",
    "otp_email/emaildevice",
    "otp_totp/totpdevice",
    "axes/accessattempt",
    "auth/group",
]


@pytest.mark.parametrize("page", OTHER_PAGES)
@pytest.mark.parametrize("what", ["", "add/"])
def test_staff_cannot_open_the_other_pages(page, what, client):
    assert client.get(f"/admin/{page}/{what}").status_code in (403, 404)


def test_staff_are_refused_on_every_page_that_is_not_listed_as_allowed(client, acme):
    allowed = {Partner, User, Grant, GrantRecord, PartnerStatusRecord}
    for model in admin.site._registry:
        path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        assert client.get(path).status_code == (200 if model in allowed else 403), path


@pytest.mark.parametrize("who", ["ann", "una", "vera"])
def test_people_who_are_not_staff_are_refused(who, sign_in, request):
    response = sign_in(request.getfixturevalue(who)).get(GRANTS, follow=True)
    assert response.status_code == 403


def test_a_resellers_user_made_staff_by_mistake_is_refused_everywhere(acme, sign_in):
    client = sign_in(factories.user("amy", acme, User.Role.ADMINISTRATOR, is_staff=True))
    for path in (PARTNERS, USERS, GRANTS, RECORDS):
        assert client.get(path).status_code == 403


def test_after_revoking_the_distributor_reads_what_it_means(client, acme):
    saved = set_quotas(client, acme, "", "")
    content = client.get(saved.url).content.decode()
    assert "Revoked: acme-reseller can no longer set budgets; you can." in content
    assert "changed successfully" not in content
    assert "changed successfully" in client.get(set_quotas(client, acme, "5", "5").url).content.decode()


def test_granting_changing_and_revoking_each_leave_a_record_with_old_and_new_quotas(client, ungranted, dora):
    for monthly, one_time in (("1,000.50", ""), ("2000", "7"), ("", "")):
        assert set_quotas(client, ungranted, monthly, one_time).status_code == 302
    records = GrantRecord.objects.filter(partner=ungranted).order_by("pk")
    before_and_after = [
        (
            record.monthly_quota_before,
            record.one_time_quota_before,
            record.monthly_quota_after,
            record.one_time_quota_after,
        )
        for record in records
    ]
    first, second = (Decimal("1000.50"), None), (Decimal(2000), Decimal(7))
    assert before_and_after == [(None, None, *first), (*first, *second), (*second, None, None)]
    assert {(record.operator, record.operator_name) for record in records} == {(dora, "dora")}
    assert not Grant.objects.get(partner=ungranted).given


def test_setting_the_same_quotas_again_leaves_no_record(client, acme):
    number = GrantRecord.objects.count()
    assert set_quotas(client, acme, "1,000,000.00", "1000000").status_code == 302
    assert GrantRecord.objects.count() == number


@pytest.mark.parametrize("bad", ["0", "-1", "1.005", "1e3", "99999999999999999", "x"])
def test_an_invalid_quota_is_refused(bad, client, acme):
    response = set_quotas(client, acme, bad, "5")
    assert response.status_code == 200
    assert response.context["adminform"].form.errors
    assert Grant.objects.get(partner=acme).one_time_quota == factories.MILLION


def test_a_quota_below_what_is_allocated_is_accepted(client, acme, ann, sign_in):
    factories.budget(factories.customer(acme), ann, "500")
    saved = set_quotas(client, acme, "", "100")
    grant = Grant.objects.get(partner=acme)
    assert (grant.one_time_quota, grant.one_time_allocated) == (100, 500)
    message = "One-time budget quota: over-allocated by 400.00. No budget can be raised until it fits."
    assert message in client.get(saved.url).content.decode()
    assert message in sign_in(ann).get("/partner-information/").content.decode()


def test_the_form_of_a_grant_changes_neither_its_partner_nor_what_is_allocated(client, acme, foreign_reseller):
    set_quotas(client, acme, "5", "5", one_time_allocated="0.01", monthly_allocated="9", partner=foreign_reseller.pk)
    grant = Grant.objects.get(partner=acme)
    assert (grant.one_time_quota, grant.one_time_allocated, grant.monthly_allocated) == (5, 0, 0)
    assert Grant.objects.get(partner=foreign_reseller).one_time_quota == factories.MILLION


def add_user(client: Client, **changes: Any) -> Any:
    return client.post(f"{USERS}add/", {"username": "new", "role": "OPERATOR", "email": "new@x.example", **changes})


def test_staff_create_users_of_their_resellers_without_privileges(client, acme):
    forged = {"is_staff": "on", "is_superuser": "on", "password": "x", "user_permissions": ["1"], "groups": ["1"]}
    assert add_user(client, partner=acme.pk, **forged).status_code == 302
    user = User.objects.get(username="new")
    assert (user.partner, user.role, user.is_active) == (acme, "OPERATOR", True)
    privileges = [user.is_staff, user.is_superuser, user.check_password("x"), user.user_permissions.exists()]
    assert privileges == [False] * 4


@pytest.mark.parametrize("partner", ["foreign_reseller", "dora_distribution", None])
def test_staff_cannot_create_users_of_other_partners(partner, client, request):
    key = request.getfixturevalue(partner).pk if partner else ""
    response = add_user(client, partner=key)
    assert response.status_code == 200
    assert "partner" in response.context["adminform"].form.errors
    assert not User.objects.filter(username="new").exists()


def test_staff_change_role_and_activity_of_a_user_but_neither_partner_nor_privileges(
    client, ann, acme, ungranted, foreign_reseller
):
    hashed = User.objects.get(pk=ann.pk).password
    for partner in (ungranted.pk, foreign_reseller.pk, ""):
        fields = {"username": "ann", "role": "VIEWER", "email": ann.email, "partner": partner}
        forged = {"is_staff": "on", "is_superuser": "on", "password": "x", "groups": ["1"]}
        assert client.post(f"{USERS}{ann.pk}/change/", fields | forged).status_code == 302
    user = User.objects.get(pk=ann.pk)
    assert (user.partner, user.role, user.is_active) == (acme, "VIEWER", False)
    assert (user.is_staff, user.is_superuser, user.password) == (False, False, hashed)


def test_staff_cannot_set_another_persons_password(client, ann, foreign_reseller):
    hashed = User.objects.get(pk=ann.pk).password
    for user in (ann, User.objects.get(username="erik")):
        path = f"{USERS}{user.pk}/password/"
        assert client.get(path).status_code == 403
        fields = {"password1": "a-new-and-long-one", "password2": "a-new-and-long-one", "usable_password": "true"}
        assert client.post(path, fields).status_code == 403
    assert User.objects.get(pk=ann.pk).password == hashed


def test_staff_cannot_change_colleagues_or_platform_users(client, dora_distribution, platform, dora):
    colleague = factories.user("dan", dora_distribution, is_staff=True)
    for user in (colleague, platform, dora):
        assert client.get(f"{USERS}{user.pk}/change/").status_code == 302
        client.post(f"{USERS}{user.pk}/change/", {"username": "taken", "role": "VIEWER"})
    assert not User.objects.filter(username="taken").exists()


def test_staff_cannot_change_or_add_partners(client, acme):
    assert client.get(f"{PARTNERS}{acme.pk}/change/").status_code == 200
    fields = {"account_name": "acme-reseller", "company": "Changed", "time_zone": "UTC"}
    assert client.post(f"{PARTNERS}{acme.pk}/change/", fields).status_code == 403
    assert client.post(f"{PARTNERS}add/", fields | {"kind": "DISTRIBUTOR"}).status_code == 403
    assert Partner.objects.get(pk=acme.pk).company == "Acme Reseller"


@pytest.mark.parametrize("who", ["dora", "platform"])
def test_nobody_deletes_partners_users_or_grants(who, acme, ann, sign_in, request):
    client = sign_in(request.getfixturevalue(who))
    for path in (f"{PARTNERS}{acme.pk}", f"{USERS}{ann.pk}", f"{GRANTS}{acme.pk}"):
        assert client.post(f"{path}/delete/", {"post": "yes"}).status_code == 403
    for path, key in ((PARTNERS, acme.pk), (USERS, ann.pk), (GRANTS, acme.pk)):
        client.post(path, {"action": "delete_selected", "_selected_action": [key], "post": "yes"})
    assert User.objects.filter(pk=ann.pk).exists()
    assert Grant.objects.filter(pk=acme.pk).exists()


@pytest.mark.parametrize("who", ["dora", "platform"])
def test_nobody_adds_changes_or_deletes_records(who, acme, ann, sign_in, request):
    client = sign_in(request.getfixturevalue(who))
    factories.budget(factories.customer(acme), ann, "5")
    registered = [model for model in apps.get_models() if issubclass(model, Record) and model in admin.site._registry]
    assert GrantRecord in registered
    for model in registered:
        path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        row = model._default_manager.order_by("pk").first()
        key = row.pk if row else 1
        assert client.get(f"{path}add/").status_code == 403
        for page in (f"{key}/change/", f"{key}/delete/"):
            assert client.post(f"{path}{page}", {"post": "yes"}).status_code in (403, 302)
        client.post(path, {"action": "delete_selected", "_selected_action": [key], "post": "yes"})
        assert row is None or model._default_manager.filter(pk=key).exists()


def test_the_platform_sees_everything_and_changes_grants(platform, acme, foreign_reseller, ann, dora, sign_in):
    client = sign_in(platform)
    assert {acme, foreign_reseller} <= listed(client, PARTNERS)
    assert {ann, dora, platform} <= listed(client, USERS)
    assert set_quotas(client, foreign_reseller, "5", "").status_code == 302
    assert GrantRecord.objects.latest("pk").operator == platform
    for page in OTHER_PAGES:
        assert client.get(f"/admin/{page}/").status_code in (200, 404)


def test_a_reseller_added_by_the_platform_has_an_empty_grant_from_the_start(platform, dora_distribution, sign_in):
    fields = {"kind": "RESELLER", "account_name": "new-reseller", "company": "New", "time_zone": "Asia/Shanghai"}
    client = sign_in(platform)
    refused = client.post(f"{PARTNERS}add/", fields)
    assert "A reseller must have a distributor" in str(refused.context["adminform"].form.errors)
    assert client.post(f"{PARTNERS}add/", fields | {"distributor": dora_distribution.pk}).status_code == 302
    assert not Grant.objects.get(partner__account_name="new-reseller").given


def test_the_kind_and_the_distributor_of_a_partner_cannot_be_changed(platform, acme, foreign_reseller, sign_in):
    fields = {"account_name": "acme-reseller", "company": "Acme", "time_zone": "Asia/Shanghai"}
    forged = {"kind": "DISTRIBUTOR", "distributor": foreign_reseller.distributor_id}
    assert sign_in(platform).post(f"{PARTNERS}{acme.pk}/change/", fields | forged).status_code == 302
    partner = Partner.objects.get(pk=acme.pk)
    assert (partner.kind, partner.distributor, partner.company) == ("RESELLER", acme.distributor, "Acme")


def test_a_grant_revoked_in_the_administration_is_revoked_in_the_console_immediately(client, acme, ann, sign_in):
    customer = factories.customer(acme)
    console = sign_in(ann)
    assert console.get("/budgets/set/", {"customer": customer.customer_id}).status_code == 200
    set_quotas(client, acme, "", "")
    assert console.get("/budgets/set/", {"customer": customer.customer_id}).status_code == 403
    give_grant(acme, monthly_quota=Decimal(5), one_time_quota=None, operator=None)
    assert console.get("/budgets/set/", {"customer": customer.customer_id}).status_code == 200


def test_staff_cannot_take_over_an_account_by_changing_its_username_and_email_address(dora, ben, sign_in):
    page = f"/admin/partnercenter/user/{ben.pk}/change/"
    form = {"username": "dora2", "role": ben.role, "is_active": "on", "email": "dora@dora-distribution.example"}
    assert sign_in(dora).post(page, form).status_code == 302
    ben.refresh_from_db()
    assert (ben.username, ben.email) == ("ben", "ben@acme-reseller.example")


def test_an_unknown_time_zone_of_a_partner_is_refused(platform, sign_in):
    form = {"kind": "DISTRIBUTOR", "account_name": "new", "company": "New", "time_zone": "Mars/X"}
    answer = sign_in(platform).post("/admin/partnercenter/partner/add/", form)
    assert "Enter a time zone such as Asia/Shanghai" in answer.content.decode()
