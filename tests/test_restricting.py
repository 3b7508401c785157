"""Restricting and freezing a reseller: who may do it, what is recorded, and what the reseller's people read.

See rules 4.7, 5.7 (docs/rules.md).
"""

from typing import Any

import pytest
from django.test import Client

from partnercenter.actions.partners import set_partner_status
from partnercenter.lib.errors import InvalidRequest, PermissionRefused
from partnercenter.models import Partner, PartnerStatusRecord, User
from tests import factories

pytestmark = pytest.mark.clock("2026-09-20 04:00")

NORMAL, RESTRICTED, FROZEN = Partner.Status
PARTNERS = "/admin/partnercenter/partner/"


@pytest.fixture
def client(dora: User, sign_in) -> Client:
    """The browser of Dora, who is staff of the distributor."""
    return sign_in(dora)


def stored_status(partner: Partner) -> tuple[Any, ...]:
    """Status, since when, and the reason."""
    return Partner.objects.values_list("status", "status_since", "status_reason").get(pk=partner.pk)


def records(partner: Partner) -> list[tuple[str, ...]]:
    """Each change of the status: before, after, reason and operator."""
    records = PartnerStatusRecord.objects.filter(partner=partner).order_by("pk")
    return list(records.values_list("status_before", "status_after", "reason", "operator_name"))


def test_each_change_of_status_is_stored_with_time_and_reason_and_recorded(acme, dora):
    since = factories.moment("2026-09-20 04:00")
    assert set_partner_status(acme, status=RESTRICTED, reason=" Unpaid ", operator=dora)
    assert stored_status(acme) == ("RESTRICTED", since, "Unpaid")
    assert set_partner_status(acme, status=FROZEN, reason="Still unpaid", operator=dora)
    assert stored_status(acme) == ("FROZEN", since, "Still unpaid")
    assert set_partner_status(acme, status=NORMAL, reason="Paid", operator=None)
    assert stored_status(acme) == ("", None, "")
    assert records(acme) == [
        ("", "RESTRICTED", "Unpaid", "dora"),
        ("RESTRICTED", "FROZEN", "Still unpaid", "dora"),
        ("FROZEN", "", "Paid", "system"),
    ]


def test_setting_the_same_status_again_writes_nothing(acme, dora, clock):
    set_partner_status(acme, status=RESTRICTED, reason="Unpaid", operator=dora)
    before = stored_status(acme)
    clock.move_to("2026-09-21T04:00:00Z", tick=False)
    assert not set_partner_status(acme, status=RESTRICTED, reason="Other", operator=dora)
    assert (stored_status(acme), len(records(acme))) == (before, 1)


@pytest.mark.parametrize("reason", ["", "   ", "x" * 257])
def test_a_reason_has_1_to_256_characters(acme, dora, reason):
    with pytest.raises(InvalidRequest, match="reason") as refused:
        set_partner_status(acme, status=FROZEN, reason=reason, operator=dora)
    assert refused.value.field == "reason"
    assert (stored_status(acme), records(acme)) == (("", None, ""), [])


def test_nobody_but_its_distributor_and_the_platform_restricts_a_reseller(acme, ann, sol):
    stranger = factories.user("erik", factories.distributor("other-distribution"), is_staff=True)
    for operator in (ann, sol, stranger):
        with pytest.raises(PermissionRefused):
            set_partner_status(acme, status=FROZEN, reason="Mine", operator=operator)
    assert (stored_status(acme), records(acme)) == (("", None, ""), [])


@pytest.mark.parametrize("who", ["dora_distribution", "sol_solutions"])
def test_only_resellers_can_be_restricted(who, platform, request):
    with pytest.raises(InvalidRequest, match="Only a reseller"):
        set_partner_status(request.getfixturevalue(who), status=FROZEN, reason="Unpaid", operator=platform)


def status_path(partner: Partner) -> str:
    return f"{PARTNERS}{partner.pk}/status/"


@pytest.mark.parametrize("who", ["dora", "platform"])
def test_staff_restrict_a_reseller_after_a_page_that_states_the_consequences(who, acme, sign_in, request):
    client = sign_in(request.getfixturevalue(who))
    factories.customers(acme, 3)
    assert status_path(acme) in client.get(f"{PARTNERS}{acme.pk}/change/").content.decode()
    warning = client.post(status_path(acme), {"status": "RESTRICTED", "reason": "Unpaid"})
    assert "its customers of the reseller model (3) are frozen immediately" in warning.content.decode()
    assert stored_status(acme) == ("", None, "")
    done = client.post(status_path(acme), {"status": "RESTRICTED", "reason": "Unpaid", "confirmed": "1"}, follow=True)
    assert "The status was changed." in done.content.decode()
    assert records(acme) == [("", "RESTRICTED", "Unpaid", who)]
    again = client.post(status_path(acme), {"status": "RESTRICTED", "reason": "Unpaid", "confirmed": "1"}, follow=True)
    assert "Nothing to change" in again.content.decode()
    assert len(records(acme)) == 1


@pytest.mark.parametrize("bad", [{"reason": ""}, {"reason": "x" * 257}, {"reason": "Unpaid", "status": "GONE"}])
def test_invalid_input_is_refused_with_a_message_and_writes_nothing(client, acme, bad):
    response = client.post(status_path(acme), {"status": "FROZEN", "confirmed": "1", **bad})
    assert response.status_code == 422
    assert "Please correct the error" in response.content.decode()
    assert records(acme) == []


def test_for_another_distributors_reseller_or_a_distributor_the_page_does_not_exist(client, dora_distribution):
    foreign_reseller = factories.reseller(factories.distributor("other-distribution"), "elsewhere-reseller")
    for partner in (foreign_reseller, dora_distribution):
        assert client.get(status_path(partner)).status_code == 404
        fields = {"status": "FROZEN", "reason": "Mine", "confirmed": "1"}
        assert client.post(status_path(partner), fields).status_code == 404
    assert stored_status(foreign_reseller) == ("", None, "")


def test_a_viewer_of_the_distributor_is_offered_no_change_of_status_and_refused(acme, dora_distribution, sign_in):
    viewer = sign_in(factories.user("dave", dora_distribution, User.Role.VIEWER, is_staff=True))
    assert "Change status" not in viewer.get(f"{PARTNERS}{acme.pk}/change/").content.decode()
    fields = {"status": "FROZEN", "reason": "Mine", "confirmed": "1"}
    assert viewer.post(status_path(acme), fields).status_code == 403
    assert records(acme) == []


@pytest.mark.parametrize("who", ["ann", "sol"])
def test_people_of_other_partners_cannot_open_the_page(who, acme, sign_in, request):
    assert sign_in(request.getfixturevalue(who)).get(status_path(acme)).status_code in (302, 403)


@pytest.mark.parametrize(("status", "word"), [(RESTRICTED, "restricted"), (FROZEN, "frozen")])
def test_people_of_the_reseller_read_on_every_page_who_restricted_it_since_when_and_why(
    acme, ann, dora, sign_in, status, word
):
    set_partner_status(acme, status=status, reason="Unpaid <invoice>", operator=dora)
    console = sign_in(ann)
    notice = (
        f"Your distributor Dora Distribution has {word} your account since 2026-09-20 12:00: Unpaid &lt;invoice&gt;"
    )
    for path in ("/", "/customers/", "/partner-information/", "/budgets/batches/"):
        assert notice in console.get(path).content.decode()
    set_partner_status(acme, status=NORMAL, reason="Paid", operator=dora)
    assert "Your distributor" not in console.get("/customers/").content.decode()


def test_people_of_other_partners_do_not_see_the_notice(acme, dora, carl, sign_in):
    set_partner_status(acme, status=FROZEN, reason="Unpaid", operator=dora)
    for person in (dora, carl):
        assert "Unpaid" not in sign_in(person).get("/customers/").content.decode()


def test_people_of_a_restricted_reseller_still_set_budgets(acme, ann, dora):
    customer = factories.customer(acme)
    set_partner_status(acme, status=RESTRICTED, reason="Unpaid", operator=dora)
    assert factories.budget(customer, ann, "100").changed == 1
    assert not factories.fresh(customer).is_frozen
