"""Verification codes: how a critical operation is confirmed, and what a code by e-mail may and may not do.

See section 6 (docs/rules.md).
"""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.mail.backends.base import BaseEmailBackend
from django.test import Client
from django_otp.plugins.otp_email.models import EmailDevice

from budgets.models import AdjustmentRecord
from customers.models import Customer
from partnercenter.models import CodeRequest, Confirmation, Operation, Partner, User
from tests import factories
from tests.pages import IN_DIALOG, confirm, get_code, messages, start_undo

pytestmark = pytest.mark.clock("2026-09-15 02:00")

TERMS = {"budget_type": "ONE_TIME", "amount": "200", "account_freezing": "AUTOMATIC", "unfreeze_now": "on"}


class UnreachableMailServer(BaseEmailBackend):
    """A mail server that does not answer."""

    def send_messages(self, email_messages: Any) -> int:
        raise ConnectionRefusedError


@pytest.fixture
def customer(borealis: Partner) -> Customer:
    return factories.customer(borealis, name="Tianjin Medical 0")


@pytest.fixture
def client(carl: User, sign_in) -> Client:
    return sign_in(carl)


@pytest.fixture
def path(client: Client, customer: Customer) -> str:
    """The path of an operation that waits for its code."""
    return review(client, customer)


def review(client: Client, customer: Customer, **changes: str) -> str:
    """Send Set Budget for a customer; the path of the operation to confirm."""
    response = client.post(f"/budgets/set/?customer={customer.customer_id}", {**TERMS, **changes})
    assert response.status_code == 302
    return response["Location"]


def wrong(code: str) -> str:
    """A code other than this one."""
    return "111111" if code != "111111" else "222222"


def error_of(response: Any) -> str:
    """The error of a refused confirmation, at the field of the code or above it; nothing was set."""
    assert response.status_code == 422
    assert not AdjustmentRecord.objects.exists()
    assert not Confirmation.objects.exists()
    return response.context["error"] or " ".join(response.context["form"].errors["verification_code"])


def test_a_confirmed_code_sets_the_budget_with_the_operation_as_its_batch(client, customer, path):
    assert not AdjustmentRecord.objects.exists()
    response = client.post(path, {"verification_code": get_code(client, path)}, follow=True)
    assert response.redirect_chain == [("/customers/", 302)]
    assert messages(response) == ["The one-time budget is set. The account is unfrozen."]
    operation = Operation.objects.get()
    assert AdjustmentRecord.objects.get().batch == operation.pk
    assert Confirmation.objects.get().how == Confirmation.How.EMAIL
    assert factories.stored(customer).amount == 200


def test_the_dialog_asks_for_the_code_and_closes_on_success(client, customer):
    posted = client.post(f"/budgets/set/?customer={customer.customer_id}", TERMS, headers=IN_DIALOG)
    assert posted.status_code == 302  # followed by the browser, headers included
    fragment = client.get(posted["Location"], headers=IN_DIALOG).content.decode()
    assert "<html" not in fragment
    assert 'name="verification_code"' in fragment
    code = get_code(client, posted["Location"])
    response = confirm(client, posted["Location"], code, IN_DIALOG)
    assert response.status_code == 204
    assert set(json.loads(response["HX-Trigger"])) == {"dialog:close", "toast", "customers:changed", "selection:clear"}


def test_the_page_and_the_mail_say_what_is_confirmed_with_masked_names(client, customer, path):
    page = client.get(path).content.decode()
    code = get_code(client, path)
    [message] = mail.outbox
    for text in (page, message.body):
        assert customer.account_name in text
        assert "200.00" in text
        assert "One-time budget" in text
        assert "T****0" in text
        assert "Tianjin" not in text
    assert "c****@borealis-reseller.example" in page
    assert "carl@" not in page
    assert message.to == ["carl@borealis-reseller.example"]
    assert code not in message.subject


@pytest.mark.parametrize("typed", ["{}{}{} {}{}{}", " {}{}{}{}{}{} "])
def test_spaces_in_a_code_are_ignored(typed, client, path):
    assert confirm(client, path, typed.format(*get_code(client, path))).status_code == 302


def test_every_way_of_setting_budgets_needs_a_code(client, borealis):
    one, other = factories.customers(borealis, 2)
    ids = [one.customer_id, other.customer_id]
    rows = "customer_id,budget_type,amount\n" + "".join(f"{each},ONE_TIME,300\n" for each in ids)
    file = SimpleUploadedFile("budgets.csv", rows.encode())
    assert_needs_a_code(client, review(client, one))
    assert_needs_a_code(client, client.post("/budgets/set/", {**TERMS, "customer": ids})["Location"])
    imported = client.post("/budgets/import/", {"file": file})["Location"]
    assert_needs_a_code(client, imported)
    assert_needs_a_code(client, start_undo(client, imported))


def assert_needs_a_code(client: Client, path: str) -> None:
    """OK without a code is refused, OK with a code changes budgets."""
    records = AdjustmentRecord.objects.count()
    assert client.post(path).status_code == 422
    assert AdjustmentRecord.objects.count() == records
    assert confirm(client, path, get_code(client, path)).status_code == 302
    assert AdjustmentRecord.objects.count() > records


@pytest.mark.parametrize("code", ["", "   ", None])
def test_without_a_code_nothing_is_done(code, client, path):
    get_code(client, path)
    response = client.post(path, {} if code is None else {"verification_code": code})
    assert error_of(response) == "Enter the verification code."


def test_a_code_must_be_requested_first(client, path):
    assert error_of(confirm(client, path, "123456")) == "Get a verification code for this operation first."


@pytest.mark.parametrize("code", ["12345", "abcdef", "1" * 32, "1" * 33, "1\0", "１２３４５６７", "' OR 1=1"])
def test_a_malformed_code_is_incorrect(code, client, path):
    get_code(client, path)
    assert error_of(confirm(client, path, code)).endswith("Incorrect verification code.")


def test_a_wrong_code_is_answered_in_the_same_dialog_and_counted(client, path, carl):
    code = get_code(client, path)
    response = confirm(client, path, wrong(code), IN_DIALOG)
    assert error_of(response) == "Incorrect verification code."
    assert "<html" not in response.content.decode()
    assert 'aria-invalid="true"' in response.content.decode()
    assert EmailDevice.objects.get(user=carl).throttling_failure_count == 1


def test_after_a_wrong_code_even_the_right_one_waits(client, path, clock):
    code = get_code(client, path)
    confirm(client, path, wrong(code))
    assert error_of(confirm(client, path, code)) == "Wait 1 second before trying again."
    clock.shift(timedelta(seconds=1.1))
    assert confirm(client, path, code).status_code == 302


def test_the_wait_doubles_with_each_wrong_code_and_a_new_code_does_not_lift_it(client, path, clock):
    code = get_code(client, path)
    for seconds in (1, 2, 4, 8, 16, 32, 64, 128):
        confirm(client, path, wrong(code))
        assert error_of(confirm(client, path, code)).startswith(f"Wait {seconds} second")
        clock.shift(timedelta(seconds=seconds + 0.1))
    confirm(client, path, wrong(code))
    assert error_of(confirm(client, path, get_code(client, path))).startswith("Wait ")


def test_a_code_lives_ten_minutes(client, path, clock):
    code = get_code(client, path)
    clock.shift(timedelta(minutes=10))
    assert error_of(confirm(client, path, code)) == "The verification code has expired. Get a new one."
    clock.shift(timedelta(seconds=2))
    assert confirm(client, path, get_code(client, path)).status_code == 302


def test_get_code_in_the_dialog_says_that_it_was_sent_and_when_the_next_is_possible(client, path):
    content = client.post(f"{path}code/", headers=IN_DIALOG).content.decode()
    assert "<html" not in content
    assert 'role="status">A verification code has been sent to you by e-mail.' in content
    assert 'data-seconds="60"' in content


def test_a_new_code_replaces_the_earlier(client, path, clock):
    first = get_code(client, path)
    clock.shift(timedelta(minutes=1))
    second = get_code(client, path)
    if first != second:
        assert error_of(confirm(client, path, first)) == "Incorrect verification code."
    clock.shift(timedelta(seconds=2))
    assert confirm(client, path, second).status_code == 302


def test_the_code_of_one_operation_confirms_no_other(client, customer, path, borealis):
    code = get_code(client, path)
    other = review(client, factories.customer(borealis))
    assert error_of(confirm(client, other, code)) == "Get a verification code for this operation first."
    same_again = review(client, customer)
    assert error_of(confirm(client, same_again, code)) == "Get a verification code for this operation first."
    assert confirm(client, path, code).status_code == 302


def test_a_code_for_another_operation_invalidates_the_first_code(client, path, borealis, clock):
    first = get_code(client, path)
    other = review(client, factories.customer(borealis))
    clock.shift(timedelta(minutes=1))
    second = get_code(client, other)
    for code in (first, second):
        assert error_of(confirm(client, path, code)) == "Get a verification code for this operation first."
    assert confirm(client, other, second).status_code == 302


def test_a_code_is_used_once(client, path, borealis):
    code = get_code(client, path)
    other = review(client, factories.customer(borealis))
    assert confirm(client, path, code).status_code == 302
    assert confirm(client, path, code).status_code == 409
    assert confirm(client, other, code).status_code == 422
    assert AdjustmentRecord.objects.count() == 1


def test_at_least_a_minute_lies_between_two_codes(client, path, clock):
    get_code(client, path)
    clock.shift(timedelta(seconds=13))
    assert client.get(path).context["wait_seconds"] == 47
    assert error_of(client.post(f"{path}code/")) == "Wait 47 seconds before trying again."
    assert len(mail.outbox) == 1
    clock.shift(timedelta(seconds=47))
    get_code(client, path)


@pytest.mark.parametrize(("limit", "number", "span"), [("HOUR", 15, 3600), ("DAY", 60, 86400)])
def test_only_a_limited_number_of_codes_is_sent_per_hour_and_day(
    limit, number, span, client, path, carl, clock, settings
):
    assert getattr(settings, f"CODES_PER_{limit}") == number
    operation = Operation.objects.get()
    start = factories.moment("2026-09-15 02:00")
    step = timedelta(seconds=span / (number + 1))
    for sent in range(number):
        CodeRequest.objects.create(operation=operation, operator=carl, at=start - step * (number - 1 - sent))
    assert error_of(client.post(f"{path}code/")) == "Too many verification codes were sent to you. Try again later."
    clock.shift(2 * step + timedelta(seconds=1))
    get_code(client, review(client, factories.customer(carl.partner)))


def test_a_mail_that_fails_counts_neither_for_the_wait_nor_for_the_limit(client, path, settings):
    working, settings.EMAIL_BACKEND = settings.EMAIL_BACKEND, f"{__name__}.UnreachableMailServer"
    for _attempt in range(2):
        error = error_of(client.post(f"{path}code/"))
        assert error == "The verification code could not be sent. Try again, or ask your administrator."
    settings.EMAIL_BACKEND = working
    assert not CodeRequest.objects.exists()
    assert confirm(client, path, get_code(client, path)).status_code == 302


def test_without_an_e_mail_address_the_error_says_whom_to_ask(client, path, carl):
    User.objects.filter(pk=carl.pk).update(email="")
    error = error_of(client.post(f"{path}code/"))
    assert error == "Your account has no e-mail address. Ask your administrator to enter one."
