"""Signing in and out, the lock after wrong passwords, password reset, and the security headers of every response."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from partnercenter.models import User
from tests import factories

pytestmark = pytest.mark.clock("2026-09-15 02:00")

ADDRESS, OTHER_ADDRESS = "203.0.113.7", "198.51.100.9"


def try_sign_in(username: str, password: str = factories.PASSWORD, address: str = ADDRESS, **more: Any) -> Any:
    fields = {"username": username, "password": password, **more}
    return Client(REMOTE_ADDR=address).post("/sign-in/", fields)


def fail(username: str, times: int, address: str = ADDRESS) -> list[int]:
    """Sign in with a wrong password this many times; the status of each response."""
    return [try_sign_in(username, "wrong", address).status_code for _each in range(times)]


def test_the_right_password_leads_to_the_home_page(ann):
    response = try_sign_in("ann")
    assert (response.status_code, response["Location"]) == (302, "/")
    assert response.cookies["sessionid"]["httponly"]


def test_a_wrong_password_and_an_unknown_account_get_the_same_message(ann):
    responses = [try_sign_in(username, "wrong") for username in ("ann", "nobody")]
    assert [response.status_code for response in responses] == [200, 200]
    errors = [response.context["form"].non_field_errors() for response in responses]
    assert errors[0] == errors[1]
    assert all('role="alert"' in response.content.decode() for response in responses)


def test_a_deactivated_account_cannot_sign_in(ann):
    User.objects.update(is_active=False)
    assert try_sign_in("ann").status_code == 200


@pytest.mark.parametrize(
    "next_page", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_signing_in_leads_to_no_other_site(next_page, ann):
    assert try_sign_in("ann", next=next_page)["Location"] == "/"


def test_signing_in_leads_back_to_the_page_that_was_requested(ann):
    client = Client()
    sign_in_page = client.get("/customers/", {"q": "a b", "page": "2"})["Location"]
    content = client.get(sign_in_page).content.decode()
    next_page = re.findall(r'name="next" value="([^"]*)"', content)[0].replace("&amp;", "&")
    assert try_sign_in("ann", next=next_page)["Location"] == "/customers/?q=a+b&page=2"


def test_an_account_is_locked_for_an_address_after_five_wrong_passwords(ann):
    assert fail("ann", 6)[:4] == [200] * 4
    response = try_sign_in("ann")
    assert response.status_code == 429
    assert "Too many failed attempts" in response.content.decode()
    assert 'name="password"' not in response.content.decode()


def test_the_right_password_resets_the_number_of_wrong_ones(ann):
    for _round in range(3):
        assert fail("ann", 4) == [200] * 4
        assert try_sign_in("ann").status_code == 302


def test_a_lock_applies_to_one_account_from_one_address(ann, ben):
    fail("ann", 6, address=OTHER_ADDRESS)
    assert try_sign_in("ann", address=OTHER_ADDRESS).status_code == 429
    assert try_sign_in("ann", address=ADDRESS).status_code == 302
    assert try_sign_in("ben", address=OTHER_ADDRESS).status_code == 302


def test_an_unknown_account_is_locked_in_the_same_way(db):
    assert fail("nobody", 6)[-1] == 429


@pytest.mark.parametrize("spelling", [" ann", "ann ", "ａｎｎ"])
def test_another_spelling_of_the_username_gives_no_more_attempts(spelling, ann):
    for _try in range(3):
        fail("ann", 1)
        fail(spelling, 1)
    assert try_sign_in("ann").status_code == 429


def test_the_lock_ends_after_a_quarter_of_an_hour(ann, clock):
    fail("ann", 6)
    clock.shift(timedelta(minutes=14))
    assert try_sign_in("ann").status_code == 429
    clock.shift(timedelta(minutes=16))
    assert try_sign_in("ann").status_code == 302


def test_an_address_has_a_limit_for_all_accounts_together(ann, settings):
    settings.AXES_FAILURE_LIMIT_PER_ADDRESS = 20
    for number in range(19):
        assert fail(f"guess{number}", 1) == [200]
    assert try_sign_in("ann").status_code == 302
    fail("guess", 1)
    assert try_sign_in("ann").status_code == 429
    assert try_sign_in("ann", address=OTHER_ADDRESS).status_code == 302


def test_the_limits_are_5_per_account_and_100_per_address(settings):
    assert (settings.AXES_FAILURE_LIMIT, settings.AXES_FAILURE_LIMIT_PER_ADDRESS) == (5, 100)


def test_signing_in_to_ones_own_account_does_not_reset_the_limit_of_the_address(ann, ben, settings):
    settings.AXES_FAILURE_LIMIT_PER_ADDRESS = 20
    for number in range(20):
        fail(f"guess{number}", 1)
        if number == 10:
            assert try_sign_in("ben").status_code == 302
    assert try_sign_in("ann").status_code == 429


def test_without_a_trusted_proxy_the_forwarded_address_is_ignored(ann):
    for number in range(5):
        Client(REMOTE_ADDR=ADDRESS, HTTP_X_FORWARDED_FOR=f"10.0.0.{number}").post(
            "/sign-in/", {"username": "ann", "password": "wrong"}
        )
    assert try_sign_in("ann").status_code == 429


def test_behind_a_trusted_proxy_the_address_that_it_reports_counts(ann, settings):
    settings.TRUSTED_PROXIES = 1
    client = Client(REMOTE_ADDR="10.0.0.1")
    for number in range(6):
        forwarded_for = f"192.0.2.{number}, {ADDRESS}"
        client.post("/sign-in/", {"username": "ann", "password": "wrong"}, headers={"X-Forwarded-For": forwarded_for})
    correct = {"username": "ann", "password": factories.PASSWORD}
    assert client.post("/sign-in/", correct, headers={"X-Forwarded-For": ADDRESS}).status_code == 429
    assert client.post("/sign-in/", correct, headers={"X-Forwarded-For": OTHER_ADDRESS}).status_code == 302


def reset_link(address: str) -> str:
    """Ask for a password reset; the link in the mail."""
    Client().post("/password/reset/", {"email": address})
    found = re.search(r"http://testserver(/password/reset/\S+)", str(mail.outbox[-1].body))
    assert found
    return found[1]


def set_password(client: Client, link: str, password: str) -> Any:
    """Follow the link of the mail and set this password."""
    form = client.get(link, follow=True)
    [(path, _status)] = form.redirect_chain
    return client.post(path, {"new_password1": password, "new_password2": password})


def test_a_forgotten_password_is_reset_with_a_link_that_works_once(ann):
    link = reset_link(ann.email)
    assert mail.outbox[0].to == [ann.email]
    assert set_password(Client(), link, "a-new-and-long-one").status_code == 302
    assert "This link is no longer valid" in Client().get(link).content.decode()
    assert try_sign_in("ann").status_code == 200
    assert try_sign_in("ann", "a-new-and-long-one").status_code == 302


def test_a_bad_new_password_is_refused_with_the_reason(ann):
    response = set_password(Client(), reset_link(ann.email), "12345")
    assert response.context["form"].errors
    assert try_sign_in("ann").status_code == 302


def test_a_password_reset_for_an_unknown_address_gets_the_same_answer_and_no_mail(ann):
    responses = [Client().post("/password/reset/", {"email": to}) for to in (ann.email, "nobody@else.example")]
    assert {(response.status_code, response["Location"]) for response in responses} == {(302, "/password/reset/sent/")}
    assert len(mail.outbox) == 1


def test_a_user_created_by_the_distributors_staff_sets_the_first_password_by_a_reset(dora, acme, sign_in):
    fields = {"username": "newcomer", "partner": acme.pk, "role": "OPERATOR", "email": "newcomer@acme.example"}
    assert sign_in(dora).post("/admin/partnercenter/user/add/", fields).status_code == 302
    set_password(Client(), reset_link("newcomer@acme.example"), "a-new-and-long-one")
    assert try_sign_in("newcomer", "a-new-and-long-one").status_code == 302


def test_a_password_reset_lifts_the_lock_as_the_page_says(ann):
    fail("ann", 6)
    assert "or reset your password" in try_sign_in("ann").content.decode()
    set_password(Client(REMOTE_ADDR=ADDRESS), reset_link(ann.email), "a-new-and-long-one")
    assert try_sign_in("ann", "a-new-and-long-one").status_code == 302


def test_changing_the_password_keeps_this_session_and_ends_the_others(ann, sign_in):
    this_session, other_session = sign_in(ann), sign_in(ann)
    new = "a-new-and-long-one"
    fields = {"old_password": factories.PASSWORD, "new_password1": new, "new_password2": new}
    assert this_session.post("/password/", fields).status_code == 302
    assert (this_session.get("/").status_code, other_session.get("/").status_code) == (200, 302)


def test_signing_out_ends_the_session(ann, sign_in):
    client = sign_in(ann)
    response = client.post("/sign-out/")
    assert (response.status_code, response["Location"]) == (302, "/sign-in/")
    assert client.get("/customers/").status_code == 302


def test_a_request_with_an_outdated_csrf_token_reloads_the_page_under_htmx(ann):
    client = Client(enforce_csrf_checks=True)
    client.force_login(ann, "partnercenter.permissions.GrantBackend")
    page = client.post("/customers/names/", {"shown": "1"})
    fragment = client.post("/customers/names/", {"shown": "1"}, headers={"HX-Request": "true"})
    assert (page.status_code, fragment.status_code) == (403, 403)
    assert fragment["HX-Refresh"] == "true"
    assert "HX-Refresh" not in page


def test_healthz_fails_if_the_database_is_unreachable(db, monkeypatch):
    assert Client().get("/healthz").content == b"ok"

    def unreachable(*_args: Any) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr("partnercenter.views.home.connection.cursor", unreachable)
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
def test_every_response_has_the_same_content_security_policy(path, status, ann, sign_in):
    response = sign_in(ann).get(path)
    assert response.status_code == status
    assert set(response["Content-Security-Policy"].split("; ")) == set(POLICY.split("; "))
    assert response["X-Frame-Options"] == "DENY"
    assert response["X-Content-Type-Options"] == "nosniff"


def test_locked_sign_in_and_the_administration_have_the_same_content_security_policy(ann, platform, sign_in):
    fail("ann", 5)
    for response in (try_sign_in("ann"), sign_in(platform).get("/admin/partnercenter/grant/")):
        assert response.status_code in (200, 429)
        assert set(response["Content-Security-Policy"].split("; ")) == set(POLICY.split("; "))


def test_console_and_administration_have_one_sign_in_page(ann, platform, sign_in):
    to_admin = Client().get("/admin/", follow=True)
    assert to_admin.redirect_chain[-1][0] == "/sign-in/?next=%2Fadmin%2F"
    assert sign_in(platform).get("/admin/login/").status_code == 302
    refused = sign_in(ann).get("/admin/", follow=True)
    assert refused.status_code == 403
    assert "Your account has no access to the administration." in refused.content.decode()


def test_a_form_with_an_outdated_csrf_token_is_answered_by_our_own_error_page(ann):
    client = Client(enforce_csrf_checks=True)
    client.force_login(ann, "partnercenter.permissions.GrantBackend")
    response = client.post("/customers/names/", {"shown": "1"})
    assert response.status_code == 403
    assert "This page is outdated. Reload it and try again." in response.content.decode()
    assert "<style" not in response.content.decode()


def test_signing_in_again_from_a_second_tab_leads_to_the_home_page(ann):
    client = Client(enforce_csrf_checks=True)
    client.force_login(ann, "partnercenter.permissions.GrantBackend")
    response = client.post("/sign-in/", {"username": "ann", "password": factories.PASSWORD})
    assert (response.status_code, response["Location"]) == (302, "/")
