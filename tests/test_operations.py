"""Operations: confirmed as they were reviewed, once, in time and by their own operator; and the verification switch.

See rules 6.1, 6.3 (docs/rules.md).
"""

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from budgets.models import AdjustmentRecord
from customers.models import Customer
from partnercenter.actions.partners import give_grant
from partnercenter.actions.verification_switch import switch_verification
from partnercenter.lib.errors import PermissionRefused
from partnercenter.models import Confirmation, Operation, Partner, User, VerificationSwitchRecord
from tests import factories
from tests.pages import IN_DIALOG, confirm, get_code, messages
from tests.test_verification import TERMS, review

pytestmark = pytest.mark.clock("2026-09-15 02:00")


@pytest.fixture
def customer(borealis: Partner) -> Customer:
    return factories.customer(borealis)


@pytest.fixture
def client(carl: User, sign_in) -> Client:
    return sign_in(carl)


@pytest.fixture
def path(client: Client, customer: Customer) -> str:
    return review(client, customer)


def alert(response: Any) -> str:
    """What the page of an operation says that can no longer be confirmed."""
    assert response.status_code == 409
    content = response.content.decode()
    assert 'name="verification_code"' not in content
    return content.split('role="alert" tabindex="-1">')[1].split("<")[0]


def test_no_confirmation_is_needed_where_nothing_would_change(client, customer, carl):
    factories.budget(customer, carl, "200")
    response = client.post(f"/budgets/set/?customer={customer.customer_id}", TERMS, follow=True)
    assert messages(response) == ["Nothing to change: the budget is already set to these values."]
    assert response.redirect_chain[-1][0] == "/customers/"
    assert customer.adjustment_records.count() == 1


@pytest.mark.parametrize("changes", [{"amount": "0"}, {"amount": "1000000.01"}, {"budget_type": "X"}])
def test_invalid_terms_are_refused_before_any_code(changes, client, customer):
    response = client.post(f"/budgets/set/?customer={customer.customer_id}", {**TERMS, **changes})
    assert response.status_code == 422
    assert not Operation.objects.exists()


@pytest.mark.parametrize("headers", [{}, IN_DIALOG])
def test_a_completed_operation_cannot_be_confirmed_again(headers, client, path):
    code = get_code(client, path)
    assert confirm(client, path, code).status_code == 302
    message = alert(confirm(client, path, code, headers))
    assert message == "This operation has already been completed. Nothing was done twice."
    assert message in client.get(path, headers=headers).content.decode()
    assert client.post(f"{path}code/").status_code == 409
    assert (AdjustmentRecord.objects.count(), len(mail.outbox)) == (1, 1)


def test_an_operation_expires_after_thirty_minutes_and_changes_nothing(client, path, clock):
    clock.shift(timedelta(minutes=29, seconds=59))
    code = get_code(client, path)
    clock.shift(timedelta(seconds=1))
    assert "has expired and nothing was changed" in alert(confirm(client, path, code))
    assert client.post(f"{path}code/").status_code == 409
    assert not AdjustmentRecord.objects.exists()


def change_budget(customer: Customer, carl: User) -> None:
    factories.budget(customer, carl, "33", unfreeze=False)


def change_budget_and_freeze(customer: Customer, carl: User) -> None:
    factories.budget(customer, carl, "33")
    Customer.objects.filter(pk=customer.pk).update(freeze_kind="")


@pytest.mark.parametrize("change", [change_budget, change_budget_and_freeze])
def test_a_change_since_the_review_is_reported_before_the_code_is_checked(change, client, path, customer, carl):
    code = get_code(client, path)
    change(customer, carl)
    for typed in ("", "000000", code):
        assert "changed after your review. Nothing was applied." in alert(confirm(client, path, typed))
    assert factories.stored(customer).amount == 33
    assert carl.emaildevice_set.get().throttling_failure_count == 0


def test_an_exceeded_quota_refuses_the_operation_and_keeps_the_code_valid(client, path, borealis, carl):
    code = get_code(client, path)
    other = factories.customer(borealis)
    factories.budget(other, carl, "999900")
    response = confirm(client, path, code)
    assert response.status_code == 422
    assert "This change would raise that to 1,000,100.00" in response.content.decode()
    assert not Confirmation.objects.filter(operation=path.split("/")[-2]).exists()
    factories.budget(other, carl, "1")
    assert confirm(client, path, code).status_code == 302


def test_a_grant_revoked_between_review_and_ok_refuses_the_operation_and_writes_nothing(client, path, borealis):
    code = get_code(client, path)
    give_grant(borealis, monthly_quota=None, one_time_quota=None, operator=None)
    assert confirm(client, path, code).status_code == 403
    assert not AdjustmentRecord.objects.exists()
    assert not Confirmation.objects.exists()


def test_a_type_no_longer_granted_is_refused(client, path, borealis):
    code = get_code(client, path)
    give_grant(borealis, monthly_quota=factories.MILLION, one_time_quota=None, operator=None)
    response = confirm(client, path, code)
    assert response.status_code == 422
    assert "Contact your distributor to be granted a one-time budget quota." in response.content.decode()


def test_an_operator_made_viewer_since_the_review_may_not_confirm(client, path, carl):
    code = get_code(client, path)
    User.objects.filter(pk=carl.pk).update(role=User.Role.VIEWER)
    assert confirm(client, path, code).status_code == 403
    assert not AdjustmentRecord.objects.exists()


def test_a_colleagues_operation_does_not_exist(client, path, borealis, sign_in):
    code = get_code(client, path)
    colleague = sign_in(factories.user("cleo", borealis, User.Role.ADMINISTRATOR))
    assert colleague.get(path).status_code == 404
    assert confirm(colleague, path, code).status_code == 404
    assert colleague.post(f"{path}code/").status_code == 404
    assert not AdjustmentRecord.objects.exists()


def test_an_operation_from_before_a_move_to_another_partner_does_not_exist(client, path, carl, acme):
    User.objects.filter(pk=carl.pk).update(partner=acme)
    assert client.get(path).status_code == 404


def switch(client: Client, to: str, **more: Any) -> Any:
    """Turn the verification code `on` on Partner Information, or off (an empty text)."""
    return client.post("/partner-information/", {"verification_required": to}, **more)


def test_the_switch_is_turned_on_immediately_and_without_a_code(ann, acme, sign_in):
    response = switch(sign_in(ann), "on", follow=True)
    assert messages(response) == ["The verification code is turned on."]
    assert Partner.objects.get(pk=acme.pk).verification_required
    assert not Operation.objects.exists()


def switch_records(partner: Partner) -> list[tuple[str, bool]]:
    """Operator and direction of each recorded change of the switch."""
    records = VerificationSwitchRecord.objects.filter(partner=partner).order_by("pk")
    return list(records.values_list("operator_name", "turned_on"))


def test_each_change_of_the_switch_leaves_a_record_and_no_change_leaves_none(ann, acme, sign_in):
    client = sign_in(ann)
    for _each in range(2):
        switch(client, "on")
    path = switch(client, "")["Location"]
    assert switch_records(acme) == [("ann", True)]
    confirm(client, path, get_code(client, path))
    switch(client, "")
    assert switch_records(acme) == [("ann", True), ("ann", False)]


def test_the_platform_uses_the_switch_in_the_administration_with_a_record(platform, acme, sign_in):
    page = f"/admin/partnercenter/partner/{acme.pk}/change/"
    fields = {"account_name": acme.account_name, "company": "Acme", "time_zone": "Europe/Berlin"}
    client = sign_in(platform)
    client.post(page, fields | {"verification_required": "on"})
    acme.refresh_from_db()
    assert (acme.verification_required, acme.company) == (True, "Acme")
    client.post(page, fields)
    acme.refresh_from_db()
    assert not acme.verification_required
    assert switch_records(acme) == [("platform", True), ("platform", False)]


def test_a_partner_that_is_added_with_the_switch_on_has_a_record_of_it(platform, sign_in):
    fields = {"kind": "SOLUTION_PROVIDER", "account_name": "new", "company": "New", "time_zone": "Europe/Berlin"}
    sign_in(platform).post("/admin/partnercenter/partner/add/", fields | {"verification_required": "on"})
    partner = Partner.objects.get(account_name="new")
    assert partner.verification_required
    assert switch_records(partner) == [("platform", True)]


@pytest.mark.parametrize("on", [True, False])
def test_people_of_another_partner_cannot_use_the_switch(on, ann, borealis, acme):
    with pytest.raises(PermissionRefused):
        switch_verification(borealis if not on else acme.distributor, on=on, operator=ann)
    assert not VerificationSwitchRecord.objects.exists()


def test_a_distributors_administrator_turns_the_switch_on_for_the_distributor(dora, dora_distribution, sign_in):
    switch(sign_in(dora), "on")
    dora_distribution.refresh_from_db()
    assert dora_distribution.verification_required


def test_turning_the_switch_on_needs_an_e_mail_address(ann, acme, sign_in):
    User.objects.filter(pk=ann.pk).update(email="")
    response = switch(sign_in(ann), "on", follow=True)
    assert "Your account has no e-mail address for codes" in response.content.decode()
    assert not Partner.objects.get(pk=acme.pk).verification_required


def test_turning_the_switch_off_needs_a_code(client, borealis):
    path = switch(client, "")["Location"]
    assert Partner.objects.get(pk=borealis.pk).verification_required
    assert confirm(client, path, "").status_code == 422
    response = client.post(path, {"verification_code": get_code(client, path)}, follow=True)
    assert response.redirect_chain == [("/partner-information/", 302)]
    assert messages(response) == ["The verification code is turned off."]
    assert not Partner.objects.get(pk=borealis.pk).verification_required
    assert "Turn off for all operators" in mail.outbox[0].body


def test_an_administrator_made_operator_in_the_meantime_cannot_turn_the_switch_off(client, carl, borealis):
    path = switch(client, "")["Location"]
    code = get_code(client, path)
    User.objects.filter(pk=carl.pk).update(role=User.Role.OPERATOR)
    assert confirm(client, path, code).status_code == 403
    assert Partner.objects.get(pk=borealis.pk).verification_required


@pytest.mark.parametrize("who", ["ben", "vera"])
@pytest.mark.parametrize("to", ["on", ""])
def test_only_an_administrator_uses_the_switch(who, to, acme, sign_in, request):
    assert switch(sign_in(request.getfixturevalue(who)), to).status_code == 403
    assert not Partner.objects.get(pk=acme.pk).verification_required


def test_the_switch_applies_to_operations_reviewed_before_it_was_turned_on(ann, acme, sign_in):
    customer, client = factories.customer(acme), sign_in(ann)
    Partner.objects.filter(pk=acme.pk).update(verification_required=True)
    path = review(client, customer)
    Partner.objects.filter(pk=acme.pk).update(verification_required=False)
    assert 'name="verification_code"' not in client.get(path).content.decode()
    Partner.objects.filter(pk=acme.pk).update(verification_required=True)
    assert client.post(path).status_code == 422
    Partner.objects.filter(pk=acme.pk).update(verification_required=False)
    assert client.post(path).status_code == 302
    assert Confirmation.objects.get().how == Confirmation.How.WITHOUT_CODE


def authenticator(carl: User) -> tuple[TOTPDevice, str]:
    """An enrolled authenticator, and the code it shows now."""
    device = TOTPDevice.objects.create(user=carl, name="Authenticator", confirmed=True)
    generator = TOTP(device.bin_key)
    generator.time = timezone.now().timestamp()
    return device, f"{generator.token():06}"


def test_an_authenticators_code_may_be_used_instead(client, path, carl):
    _device, code = authenticator(carl)
    assert confirm(client, path, code).status_code == 302
    assert Confirmation.objects.get().how == Confirmation.How.TOTP
    assert not mail.outbox


def test_an_authenticators_code_is_used_once_and_wrong_ones_are_counted(client, path, carl, borealis):
    device, code = authenticator(carl)
    assert confirm(client, path, code).status_code == 302
    other = review(client, factories.customer(borealis))
    assert confirm(client, other, code).status_code == 422
    device.refresh_from_db()
    assert device.throttling_failure_count == 1


def test_an_authenticator_that_is_not_confirmed_is_ignored(client, path, carl):
    device, code = authenticator(carl)
    TOTPDevice.objects.filter(pk=device.pk).update(confirmed=False)
    assert confirm(client, path, code).status_code == 422


def test_an_authenticators_code_still_works_after_a_code_was_mailed(client, path, carl):
    _device, code = authenticator(carl)
    get_code(client, path)
    assert mail.outbox
    assert confirm(client, path, code).status_code == 302


def test_a_missing_permission_is_refused_before_a_code_is_sent_or_checked(client, path, carl, mailoutbox):
    User.objects.filter(pk=carl.pk).update(role=User.Role.VIEWER)
    assert confirm(client, path, "").status_code == 403
    assert client.post(f"{path}code/").status_code == 403
    assert client.get(path).status_code == 403
    assert not mailoutbox


def test_no_code_is_sent_for_a_stale_operation(client, path, customer, carl, mailoutbox):
    factories.budget(customer, carl, "33")
    assert client.post(f"{path}code/").status_code == 409
    assert not mailoutbox


def test_a_mail_folder_that_cannot_be_written_to_counts_as_a_failed_mail(client, path, settings, tmp_path):
    (tmp_path / "mail").write_text("no folder")
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path / "mail")
    response = client.post(f"{path}code/")
    assert response.status_code == 422
    assert "could not be sent" in response.content.decode()


def test_with_an_authenticator_a_wrong_code_delays_the_mailed_code_too(client, path, carl):
    _device, _code = authenticator(carl)
    mailed = get_code(client, path)
    assert confirm(client, path, "000000").status_code == 422
    assert "before trying again." in confirm(client, path, mailed).content.decode()
