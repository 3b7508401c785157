"""Signing in and out, guessing, forgotten passwords, and what every answer carries (issue: people, strict CSP)."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from partnercenter.models import User
from tests import factories

pytestmark = pytest.mark.clock("2026-09-15 02:00")

HERE, ELSEWHERE = "203.0.113.7", "198.51.100.9"


def sign_in_as(username: str, password: str = factories.PASSWORD, address: str = HERE, **more: Any) -> Any:
    given = {"username": username, "password": password, **more}
    return Client(REMOTE_ADDR=address).post("/sign-in/", given)


def fail(username: str, times: int, address: str = HERE) -> list[int]:
    return [sign_in_as(username, "wrong", address).status_code for _each in range(times)]


def test_the_right_password_leads_to_the_overview(ann):
    response = sign_in_as("ann")
    assert (response.status_code, response["Location"]) == (302, "/")
    assert response.cookies["sessionid"]["httponly"]


def test_a_wrong_password_and_an_unknown_account_are_told_alike(ann):
    answers = [sign_in_as(username, "wrong") for username in ("ann", "nobody")]
    assert [answer.status_code for answer in answers] == [200, 200]
    told = [answer.context["form"].non_field_errors() for answer in answers]
    assert told[0] == told[1]
    assert all('role="alert"' in answer.content.decode() for answer in answers)


def test_a_deactivated_account_cannot_sign_in(ann):
    User.objects.update(is_active=False)
    assert sign_in_as("ann").status_code == 200


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_signing_in_leads_to_no_other_site(back, ann):
    assert sign_in_as("ann", next=back)["Location"] == "/"


def test_signing_in_leads_back_to_where_one_was_going(ann):
    client = Client()
    asked = client.get("/customers/", {"q": "a b", "page": "2"})["Location"]
    content = client.get(asked).content.decode()
    back = re.findall(r'name="next" value="([^"]*)"', content)[0].replace("&amp;", "&")
    assert sign_in_as("ann", next=back)["Location"] == "/customers/?q=a+b&page=2"


def test_a_pair_of_account_and_address_is_locked_after_five(ann):
    assert fail("ann", 6)[:4] == [200] * 4
    response = sign_in_as("ann")
    assert response.status_code == 429
    assert "Too many failed attempts" in response.content.decode()
    assert 'name="password"' not in response.content.decode()


def test_four_wrong_and_one_right_is_no_guessing(ann):
    for _round in range(3):
        assert fail("ann", 4) == [200] * 4
        assert sign_in_as("ann").status_code == 302


def test_nobody_locks_out_another_from_elsewhere(ann, ben):
    fail("ann", 6, address=ELSEWHERE)
    assert sign_in_as("ann", address=ELSEWHERE).status_code == 429
    assert sign_in_as("ann", address=HERE).status_code == 302
    assert sign_in_as("ben", address=ELSEWHERE).status_code == 302


def test_an_unknown_account_is_locked_just_the_same(db):
    assert fail("nobody", 6)[-1] == 429


@pytest.mark.parametrize("written", [" ann", "ann ", "ａｎｎ"])
def test_writing_the_account_in_another_way_gives_no_more_tries(written, ann):
    for _try in range(3):
        fail("ann", 1)
        fail(written, 1)
    assert sign_in_as("ann").status_code == 429


def test_the_lock_ends_after_a_quarter_of_an_hour(ann, clock):
    fail("ann", 6)
    clock.shift(timedelta(minutes=14))
    assert sign_in_as("ann").status_code == 429
    clock.shift(timedelta(minutes=16))
    assert sign_in_as("ann").status_code == 302


def test_an_address_has_a_high_bound_over_all_accounts(ann, settings):
    settings.AXES_FAILURE_LIMIT_PER_ADDRESS = 20
    for number in range(19):
        assert fail(f"guess{number}", 1) == [200]
    assert sign_in_as("ann").status_code == 302
    fail("guess", 1)
    assert sign_in_as("ann").status_code == 429
    assert sign_in_as("ann", address=ELSEWHERE).status_code == 302


def test_the_bound_of_an_address_is_a_hundred(settings):
    assert (settings.AXES_FAILURE_LIMIT, settings.AXES_FAILURE_LIMIT_PER_ADDRESS) == (5, 100)


def test_signing_in_to_ones_own_account_does_not_clear_the_bound_of_the_address(ann, ben, settings):
    settings.AXES_FAILURE_LIMIT_PER_ADDRESS = 20
    for number in range(20):
        fail(f"guess{number}", 1)
        if number == 10:
            assert sign_in_as("ben").status_code == 302
    assert sign_in_as("ann").status_code == 429


def test_what_a_browser_claims_of_its_address_is_not_believed(ann):
    for number in range(5):
        Client(REMOTE_ADDR=HERE, HTTP_X_FORWARDED_FOR=f"10.0.0.{number}").post(
            "/sign-in/", {"username": "ann", "password": "wrong"}
        )
    assert sign_in_as("ann").status_code == 429


def test_behind_our_own_proxy_the_address_it_saw_counts(ann, settings):
    settings.TRUSTED_PROXIES = 1
    client = Client(REMOTE_ADDR="10.0.0.1")
    for number in range(6):
        claimed = f"192.0.2.{number}, {HERE}"
        client.post("/sign-in/", {"username": "ann", "password": "wrong"}, headers={"X-Forwarded-For": claimed})
    good = {"username": "ann", "password": factories.PASSWORD}
    assert client.post("/sign-in/", good, headers={"X-Forwarded-For": HERE}).status_code == 429
    assert client.post("/sign-in/", good, headers={"X-Forwarded-For": ELSEWHERE}).status_code == 302


def reset_link(address: str) -> str:
    Client().post("/password/reset/", {"email": address})
    found = re.search(r"http://testserver(/password/reset/\S+)", str(mail.outbox[-1].body))
    assert found
    return found[1]


def choose(client: Client, link: str, password: str) -> Any:
    form = client.get(link, follow=True)
    [(path, _status)] = form.redirect_chain
    return client.post(path, {"new_password1": password, "new_password2": password})


def test_who_forgot_the_password_chooses_a_new_one_with_a_link_that_holds_once(ann):
    link = reset_link(ann.email)
    assert mail.outbox[0].to == [ann.email]
    assert choose(Client(), link, "a-new-and-long-one").status_code == 302
    assert "This link is no longer valid" in Client().get(link).content.decode()
    assert sign_in_as("ann").status_code == 200
    assert sign_in_as("ann", "a-new-and-long-one").status_code == 302


def test_a_bad_new_password_is_refused_with_the_reason(ann):
    response = choose(Client(), reset_link(ann.email), "12345")
    assert response.context["form"].errors
    assert sign_in_as("ann").status_code == 302


def test_an_unknown_address_is_answered_alike_and_gets_no_mail(ann):
    answers = [Client().post("/password/reset/", {"email": to}) for to in (ann.email, "nobody@else.example")]
    assert {(answer.status_code, answer["Location"]) for answer in answers} == {(302, "/password/reset/sent/")}
    assert len(mail.outbox) == 1


def test_a_user_created_by_the_distributors_staff_chooses_the_first_password(dora, acme, sign_in):
    given = {"username": "newcomer", "partner": acme.pk, "role": "OPERATOR", "email": "newcomer@acme.example"}
    assert sign_in(dora).post("/admin/partnercenter/user/add/", given).status_code == 302
    choose(Client(), reset_link("newcomer@acme.example"), "a-new-and-long-one")
    assert sign_in_as("newcomer", "a-new-and-long-one").status_code == 302


def test_a_new_password_lifts_the_lock_as_the_page_promises(ann):
    fail("ann", 6)
    assert "or reset your password" in sign_in_as("ann").content.decode()
    choose(Client(REMOTE_ADDR=HERE), reset_link(ann.email), "a-new-and-long-one")
    assert sign_in_as("ann", "a-new-and-long-one").status_code == 302


def test_changing_the_password_keeps_this_session_and_ends_the_others(ann, sign_in):
    here, elsewhere = sign_in(ann), sign_in(ann)
    new = "a-new-and-long-one"
    given = {"old_password": factories.PASSWORD, "new_password1": new, "new_password2": new}
    assert here.post("/password/", given).status_code == 302
    assert (here.get("/").status_code, elsewhere.get("/").status_code) == (200, 302)


def test_signing_out_ends_the_session(ann, sign_in):
    client = sign_in(ann)
    response = client.post("/sign-out/")
    assert (response.status_code, response["Location"]) == (302, "/sign-in/")
    assert client.get("/customers/").status_code == 302


def test_a_form_from_before_a_new_sign_in_loads_the_page_anew_under_htmx(ann):
    client = Client(enforce_csrf_checks=True)
    client.force_login(ann, "partnercenter.permissions.GrantBackend")
    plain = client.post("/customers/names/", {"shown": "1"})
    fragment = client.post("/customers/names/", {"shown": "1"}, headers={"HX-Request": "true"})
    assert (plain.status_code, fragment.status_code) == (403, 403)
    assert fragment["HX-Refresh"] == "true"
    assert "HX-Refresh" not in plain


def test_healthz_answers_only_while_the_database_does(db, monkeypatch):
    assert Client().get("/healthz").content == b"ok"

    def gone(*_args: Any) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr("partnercenter.views.home.connection.cursor", gone)
        assert Client(raise_request_exception=False).get("/healthz").status_code == 500


POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; font-src 'self'"
)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/customers/", 200),
        ("/partner-information/", 200),
        ("/customers/expenditure/", 200),
        ("/password/", 200),
        ("/sign-in/", 200),
        ("/password/reset/", 200),
        ("/budgets/set/", 422),
        ("/budgets/set/?customer=none", 404),
        ("/nowhere/", 404),
        ("/customers/names/", 405),
        ("/admin/", 302),
        ("/admin/login/", 403),
        ("/healthz", 200),
    ],
)
def test_every_answer_carries_the_policy_and_no_exception_to_it(path, status, ann, sign_in):
    response = sign_in(ann).get(path)
    assert response.status_code == status
    assert set(response["Content-Security-Policy"].split("; ")) == set(POLICY.split("; "))
    assert response["X-Frame-Options"] == "DENY"
    assert response["X-Content-Type-Options"] == "nosniff"


def test_the_pages_of_locked_sign_in_and_of_the_administration_carry_it_too(ann, platform, sign_in):
    fail("ann", 5)
    for response in (sign_in_as("ann"), sign_in(platform).get("/admin/partnercenter/grant/")):
        assert response.status_code in (200, 429)
        assert set(response["Content-Security-Policy"].split("; ")) == set(POLICY.split("; "))


def test_there_is_one_sign_in_page_for_console_and_administration(ann, platform, sign_in):
    to_admin = Client().get("/admin/", follow=True)
    assert to_admin.redirect_chain[-1][0] == "/sign-in/?next=%2Fadmin%2F"
    assert sign_in(platform).get("/admin/login/").status_code == 302
    refused = sign_in(ann).get("/admin/", follow=True)
    assert refused.status_code == 403
    assert "Your account has no access to the administration." in refused.content.decode()


def test_a_form_from_before_a_new_sign_in_is_answered_by_a_page_of_our_own(ann):
    client = Client(enforce_csrf_checks=True)
    client.force_login(ann, "partnercenter.permissions.GrantBackend")
    answer = client.post("/customers/names/", {"shown": "1"})
    assert answer.status_code == 403
    assert "This page is outdated. Reload it and try again." in answer.content.decode()
    assert "<style" not in answer.content.decode()


def test_signing_in_from_a_second_tab_leads_home(ann):
    client = Client(enforce_csrf_checks=True)
    client.force_login(ann, "partnercenter.permissions.GrantBackend")
    answer = client.post("/sign-in/", {"username": "ann", "password": factories.PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/")
