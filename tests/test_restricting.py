"""Restricting and freezing a reseller (rules 4.7, 5.7 (docs/rules.md)): who may, what is recorded.

And what its people are told.
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
    return sign_in(dora)


def stands(partner: Partner) -> tuple[Any, ...]:
    return Partner.objects.values_list("status", "status_since", "status_reason").get(pk=partner.pk)


def records(partner: Partner) -> list[tuple[str, ...]]:
    kept = PartnerStatusRecord.objects.filter(partner=partner).order_by("pk")
    return list(kept.values_list("status_before", "status_after", "reason", "operator_name"))


def test_each_change_of_status_leaves_a_record_and_says_since_when_and_why(acme, dora):
    since = factories.moment("2026-09-20 04:00")
    assert set_partner_status(acme, status=RESTRICTED, reason=" Unpaid ", operator=dora)
    assert stands(acme) == ("RESTRICTED", since, "Unpaid")
    assert set_partner_status(acme, status=FROZEN, reason="Still unpaid", operator=dora)
    assert stands(acme) == ("FROZEN", since, "Still unpaid")
    assert set_partner_status(acme, status=NORMAL, reason="Paid", operator=None)
    assert stands(acme) == ("", None, "")
    assert records(acme) == [
        ("", "RESTRICTED", "Unpaid", "dora"),
        ("RESTRICTED", "FROZEN", "Still unpaid", "dora"),
        ("FROZEN", "", "Paid", "system"),
    ]


def test_the_same_status_again_writes_nothing(acme, dora, clock):
    set_partner_status(acme, status=RESTRICTED, reason="Unpaid", operator=dora)
    before = stands(acme)
    clock.move_to("2026-09-21T04:00:00Z", tick=False)
    assert not set_partner_status(acme, status=RESTRICTED, reason="Other", operator=dora)
    assert (stands(acme), len(records(acme))) == (before, 1)


@pytest.mark.parametrize("reason", ["", "   ", "x" * 257])
def test_a_reason_has_1_to_256_characters(acme, dora, reason):
    with pytest.raises(InvalidRequest, match="reason") as refused:
        set_partner_status(acme, status=FROZEN, reason=reason, operator=dora)
    assert refused.value.field == "reason"
    assert (stands(acme), records(acme)) == (("", None, ""), [])


def test_nobody_else_restricts_a_reseller(acme, ann, sol):
    stranger = factories.user("erik", factories.distributor("other-distribution"), is_staff=True)
    for operator in (ann, sol, stranger):
        with pytest.raises(PermissionRefused):
            set_partner_status(acme, status=FROZEN, reason="Mine", operator=operator)
    assert (stands(acme), records(acme)) == (("", None, ""), [])


@pytest.mark.parametrize("who", ["dora_distribution", "sol_solutions"])
def test_only_a_reseller_is_restricted(who, platform, request):
    with pytest.raises(InvalidRequest, match="Only a reseller"):
        set_partner_status(request.getfixturevalue(who), status=FROZEN, reason="Unpaid", operator=platform)


def page_of(partner: Partner) -> str:
    return f"{PARTNERS}{partner.pk}/status/"


@pytest.mark.parametrize("who", ["dora", "platform"])
def test_staff_restrict_a_reseller_after_they_read_what_it_means(who, acme, sign_in, request):
    client = sign_in(request.getfixturevalue(who))
    factories.customers(acme, 3)
    assert page_of(acme) in client.get(f"{PARTNERS}{acme.pk}/change/").content.decode()
    asked = client.post(page_of(acme), {"status": "RESTRICTED", "reason": "Unpaid"})
    assert "its customers of the reseller model (3) are frozen immediately" in asked.content.decode()
    assert stands(acme) == ("", None, "")
    done = client.post(page_of(acme), {"status": "RESTRICTED", "reason": "Unpaid", "confirmed": "1"}, follow=True)
    assert "The status was changed." in done.content.decode()
    assert records(acme) == [("", "RESTRICTED", "Unpaid", who)]
    again = client.post(page_of(acme), {"status": "RESTRICTED", "reason": "Unpaid", "confirmed": "1"}, follow=True)
    assert "Nothing to change" in again.content.decode()
    assert len(records(acme)) == 1


@pytest.mark.parametrize("bad", [{"reason": ""}, {"reason": "x" * 257}, {"reason": "Unpaid", "status": "GONE"}])
def test_what_is_wrong_is_told_and_nothing_written(client, acme, bad):
    answer = client.post(page_of(acme), {"status": "FROZEN", "confirmed": "1", **bad})
    assert answer.status_code == 422
    assert "Please correct the error" in answer.content.decode()
    assert records(acme) == []


def test_another_distributors_reseller_or_who_is_none_does_not_exist(client, dora_distribution):
    elsewhere = factories.reseller(factories.distributor("other-distribution"), "elsewhere-reseller")
    for partner in (elsewhere, dora_distribution):
        assert client.get(page_of(partner)).status_code == 404
        given = {"status": "FROZEN", "reason": "Mine", "confirmed": "1"}
        assert client.post(page_of(partner), given).status_code == 404
    assert stands(elsewhere) == ("", None, "")


def test_who_only_looks_is_offered_nothing_and_refused(acme, dora_distribution, sign_in):
    viewer = sign_in(factories.user("dave", dora_distribution, User.Role.VIEWER, is_staff=True))
    assert "Change status" not in viewer.get(f"{PARTNERS}{acme.pk}/change/").content.decode()
    given = {"status": "FROZEN", "reason": "Mine", "confirmed": "1"}
    assert viewer.post(page_of(acme), given).status_code == 403
    assert records(acme) == []


@pytest.mark.parametrize("who", ["ann", "sol"])
def test_nobody_of_another_partner_reaches_the_page(who, acme, sign_in, request):
    assert sign_in(request.getfixturevalue(who)).get(page_of(acme)).status_code in (302, 403)


@pytest.mark.parametrize(("status", "word"), [(RESTRICTED, "restricted"), (FROZEN, "frozen")])
def test_its_people_are_told_by_whom_since_when_and_why_on_every_page(acme, ann, dora, sign_in, status, word):
    set_partner_status(acme, status=status, reason="Unpaid <invoice>", operator=dora)
    console = sign_in(ann)
    told = f"Your distributor Dora Distribution has {word} your account since 2026-09-20 12:00: Unpaid &lt;invoice&gt;"
    for path in ("/", "/customers/", "/partner-information/", "/budgets/batches/"):
        assert told in console.get(path).content.decode()
    set_partner_status(acme, status=NORMAL, reason="Paid", operator=dora)
    assert "Your distributor" not in console.get("/customers/").content.decode()


def test_who_is_not_concerned_is_told_nothing(acme, dora, carl, sign_in):
    set_partner_status(acme, status=FROZEN, reason="Unpaid", operator=dora)
    for person in (dora, carl):
        assert "Unpaid" not in sign_in(person).get("/customers/").content.decode()


def test_its_people_go_on_setting_budgets_which_hold_once_it_ends(acme, ann, dora):
    customer = factories.customer(acme)
    set_partner_status(acme, status=RESTRICTED, reason="Unpaid", operator=dora)
    assert factories.budget(customer, ann, "100").changed == 1
    assert not factories.fresh(customer).is_frozen
