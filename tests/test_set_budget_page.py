"""Set Budget for one customer through its page and dialog: statuses, events, errors, quotas and concurrent changes.

See sections 3 and 5 (docs/rules.md).
"""

import json
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from budgets.models import AdjustmentRecord
from customers.models import AccountFreezing, Customer
from partnercenter.actions.partners import give_grant
from partnercenter.models import BudgetType, Grant, Partner
from tests import factories
from tests.pages import IN_DIALOG, VALID_TERMS, messages, set_budget, set_budget_form, set_budget_path

pytestmark = pytest.mark.clock("2026-09-15 02:00")


@pytest.fixture
def customer(acme: Partner) -> Customer:
    return factories.customer(acme)


def test_without_htmx_a_whole_page_is_sent_and_to_the_dialog_only_its_form(client, customer):
    page = client.get(set_budget_path(customer)).content.decode()
    fragment = client.get(set_budget_path(customer), headers=IN_DIALOG).content.decode()
    assert page.startswith("<!doctype html>")
    assert "<h1>Set Budget</h1>" in page
    assert "<html" not in fragment
    assert '<h2 id="dialog-title">Set Budget</h2>' in fragment
    assert 'name="amount"' in fragment


def test_htmx_restoring_history_gets_the_whole_page(client, customer):
    headers = {**IN_DIALOG, "HX-History-Restore-Request": "true"}
    assert client.get(set_budget_path(customer), headers=headers).content.startswith(b"<!doctype html>")


@pytest.mark.parametrize(("kind", "name"), [("ONE_TIME", "one-time"), ("MONTHLY", "monthly")])
def test_without_htmx_success_redirects_to_the_list_with_a_message_that_names_the_type(kind, name, client, customer):
    response = client.post(set_budget_path(customer), {**VALID_TERMS, "budget_type": kind}, follow=True)
    assert response.redirect_chain == [("/customers/", 302)]
    assert messages(response) == [f"The {name} budget is set."]
    assert (factories.stored(customer).budget_type, factories.stored(customer).amount) == (kind, Decimal("1200.50"))


def test_with_htmx_success_is_an_empty_response_with_events(client, customer):
    response = set_budget(client, customer, IN_DIALOG, unfreeze_now="on")
    assert (response.status_code, response.content) == (204, b"")
    events = json.loads(response["HX-Trigger"])
    assert events == {
        "dialog:close": {},
        "customers:changed": {},
        "toast": {"level": "success", "text": "The one-time budget is set. The account is unfrozen."},
    }


def test_the_customer_id_may_be_sent_in_the_form(client, customer):
    response = client.post("/budgets/set/", {**VALID_TERMS, "customer": customer.customer_id})
    assert response.status_code == 302
    assert factories.stored(customer).amount == Decimal("1200.50")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("amount", "", "This field is required."),
        ("amount", None, "This field is required."),
        ("amount", "0", "Enter an amount greater than 0."),
        ("amount", "0.00", "Enter an amount greater than 0."),
        ("amount", "-1", "Enter an amount such as"),
        ("amount", "1.005", "Enter an amount such as"),
        ("amount", "12,34", "Enter an amount such as"),
        ("amount", "1e3", "Enter an amount such as"),
        ("amount", "1_000", "Enter an amount such as"),
        ("amount", "NaN", "Enter an amount such as"),
        ("amount", "٣", "Enter an amount such as"),
        ("amount", "1\0", "Enter an amount such as"),
        ("amount", "9" * 400, "Enter an amount such as"),
        ("amount", "2147483647.01", "Enter an amount of at most 2,147,483,647.00."),
        ("budget_type", "", "This field is required."),
        ("budget_type", None, "This field is required."),
        ("budget_type", "PACKAGE", "Select a valid choice."),
        ("account_freezing", "NEVER", "Select a valid choice."),
    ],
)
def test_invalid_input_is_answered_with_the_form_and_its_errors(field, value, message, client, customer):
    for headers in ({}, IN_DIALOG):
        response = set_budget(client, customer, headers, **{field: value})
        assert response.status_code == 422
        assert message in str(response.context["form"].errors[field])
        assert 'aria-invalid="true"' in response.content.decode()
        assert 'role="alert"' in response.content.decode()
    assert not AdjustmentRecord.objects.exists()


@pytest.mark.parametrize("typed", ["1200.5", " 1,200.50 ", "１２００．５０", "01200.50"])
def test_an_amount_is_accepted_in_the_forms_people_type(typed, client, customer):
    assert set_budget(client, customer, amount=typed).status_code == 302
    assert factories.stored(customer).amount == Decimal("1200.50")


def test_what_was_typed_is_kept_after_an_error(client, customer):
    content = set_budget(client, customer, amount="12,34", budget_type="MONTHLY").content.decode()
    assert 'value="12,34"' in content
    assert content.count("checked") == 2  # the type and the policy


def disabled_types(client: Client, customer: Customer) -> set[str]:
    options = set_budget_form(client, customer)["budget_type"].subwidgets
    return {option.data["value"] for option in options if "disabled" in option.data["attrs"]}


@pytest.mark.parametrize(("granted", "other"), [("monthly", "ONE_TIME"), ("one_time", "MONTHLY")])
def test_only_the_granted_types_are_offered_and_accepted(granted, other, client, customer, acme):
    quotas = dict.fromkeys(("monthly_quota", "one_time_quota"), None) | {f"{granted}_quota": factories.MILLION}
    give_grant(acme, **quotas, operator=None)
    assert disabled_types(client, customer) == {other}
    assert f"{granted.upper()}" == set_budget_form(client, customer)["budget_type"].initial
    response = set_budget(client, customer, budget_type=other)
    assert response.status_code == 422
    assert "Contact your distributor to be granted a" in str(response.context["form"].errors["budget_type"])
    assert set_budget(client, customer, budget_type=granted.upper()).status_code == 302


def test_both_types_are_offered_where_both_are_granted(client, customer):
    assert disabled_types(client, customer) == set()


def test_an_amount_over_quota_is_refused_with_quota_allocated_and_needed(client, customer, acme, ann):
    factories.budget(factories.customer(acme), ann, "999000")
    response = set_budget(client, customer, amount="1000.01")
    assert response.status_code == 422
    [error] = response.context["form"].errors["amount"]
    assert error == (
        "The one-time budget quota is 1,000,000.00 and 999,000.00 of it is allocated. "
        "This change would raise that to 1,000,000.01."
    )
    assert set_budget(client, customer, amount="1000.00").status_code == 302
    assert Grant.objects.get(partner=acme).one_time_allocated == factories.MILLION


def test_an_over_allocated_pool_may_shrink_but_not_grow(client, customer, acme, ann):
    factories.budget(customer, ann, "1000")
    give_grant(acme, monthly_quota=None, one_time_quota=Decimal(100), operator=None)
    assert set_budget(client, customer, amount="1000.01").status_code == 422
    assert set_budget(client, customer, amount="900").status_code == 302
    assert factories.stored(customer).amount == 900


def test_setting_the_same_values_again_writes_nothing_and_says_so(client, customer, ann):
    factories.budget(customer, ann, "1200.50")
    record_before = factories.stored(customer).record_id
    response = client.post(set_budget_path(customer), VALID_TERMS, follow=True)
    assert messages(response) == ["Nothing to change: the budget is already set to these values."]
    toast = json.loads(set_budget(client, customer, IN_DIALOG)["HX-Trigger"])["toast"]
    assert toast == {"level": "info", "text": "Nothing to change: the budget is already set to these values."}
    assert AdjustmentRecord.objects.count() == 1
    assert factories.stored(customer).record_id == record_before


def test_without_a_policy_the_first_budget_is_manual_and_a_later_one_keeps_its_policy(client, customer):
    set_budget(client, customer, account_freezing=None)
    assert factories.stored(customer).account_freezing == AccountFreezing.MANUAL
    set_budget(client, customer, account_freezing="AUTOMATIC")
    set_budget(client, customer, account_freezing=None, amount="7")
    budget = factories.stored(customer)
    assert (budget.account_freezing, budget.amount) == (AccountFreezing.AUTOMATIC, 7)


@pytest.mark.parametrize("headers", [{}, IN_DIALOG])
def test_a_budget_changed_in_the_meantime_is_shown_together_with_what_was_typed(headers, client, customer, ben):
    factories.budget(customer, ben, "50", account_freezing=AccountFreezing.MANUAL)
    version = set_budget_form(client, customer)["version"].value()
    factories.budget(customer, ben, "77.70", BudgetType.MONTHLY)
    response = set_budget(client, customer, headers, version=version)
    assert response.status_code == 409
    content = response.content.decode()
    assert "while you were editing. Your change was not saved." in content
    assert response.context["changes"] == [
        "Budget: One-time budget 50.00 (Manual) before, Monthly budget 77.70 (Automatic) now.",
        "Changed by ben at 2026-09-15 10:00.",
    ]
    assert response.context["budget"]["amount"] == factories.stored(customer).amount == Decimal("77.70")
    typed = {bound.name: bound.value() for bound in response.context["form"]}
    assert (typed["budget_type"], typed["amount"], typed["account_freezing"]) == ("ONE_TIME", "1,200.50", "AUTOMATIC")
    assert set_budget(client, customer, version=response.context["form"]["version"].value()).status_code == 302


def test_a_freeze_in_the_meantime_is_shown_too(client, customer, ann):
    factories.budget(customer, ann, "10")
    version = set_budget_form(client, customer)["version"].value()
    factories.report((customer, "2026-09", "10"))
    response = set_budget(client, customer, version=version)
    assert response.status_code == 409
    assert response.context["form"]["unfreeze_now"].label == "Unfreeze Now"
    assert response.context["changes"] == [
        "The account is now frozen: since 2026-09-15 10:00, budget exhausted (10.00 of 10.00 used)."
    ]
    assert 'value="1,200.50"' in response.content.decode()


def test_a_version_that_is_still_current_is_no_conflict(client, customer, ann):
    for amount in ("10", "20"):
        version = set_budget_form(client, customer)["version"].value()
        assert set_budget(client, customer, amount=amount, version=version).status_code == 302


@pytest.mark.parametrize(
    "version",
    [
        "x",
        "1",
        "||||||",
        "-1||",
        "9" * 30 + "||",
        "|ACCOUNT|soon",
        "|ACCOUNT|2026-13-45T00:00:00+00:00",
        "|ACCOUNT|2026-09-15T02:00:00",
        "|ACCOUNT|0001-01-01T00:00:00+23:59",
        "|ACCOUNT|9999-12-31T23:59:59-23:59",
    ],
)
def test_an_invalid_version_sets_nothing(version, client, customer):
    assert set_budget(client, customer, version=version).status_code == 409
    assert not AdjustmentRecord.objects.exists()


def test_a_grant_revoked_while_the_dialog_is_open_refuses_the_change(client, customer, acme):
    version = set_budget_form(client, customer)["version"].value()
    give_grant(acme, monthly_quota=None, one_time_quota=None, operator=None)
    assert set_budget(client, customer, IN_DIALOG, version=version).status_code == 403
    assert not AdjustmentRecord.objects.exists()


@pytest.mark.parametrize("budget_type", BudgetType.values)
def test_sending_the_form_as_it_was_opened_changes_nothing(budget_type, client, customer, ann):
    factories.budget(customer, ann, "1234.50", BudgetType(budget_type))
    fields = {bound.name: bound.value() for bound in set_budget_form(client, customer)}
    assert (fields["amount"], fields["budget_type"]) == ("1,234.50", budget_type)
    response = client.post(set_budget_path(customer), fields, follow=True)
    assert messages(response) == ["Nothing to change: the budget is already set to these values."]


def test_the_record_holds_operator_time_and_channel(client, customer, ann):
    set_budget(client, customer, unfreeze_now="on")
    record = AdjustmentRecord.objects.get()
    assert (record.operator, record.operator_name, record.channel) == (ann, "ann", "CONSOLE")
    assert (record.partner_account_name, record.at, record.unfreeze) == ("acme-reseller", timezone.now(), True)


ODD_IDS = ["/subscriptions/64e3/x y", "ocid1.tenancy..aé", "a&b=c", "100%25", "a+b", "#1?x", "é\"'<b>", "x" * 128]


@pytest.mark.parametrize("customer_id", ODD_IDS)
def test_links_carry_any_customer_id(customer_id, client, acme):
    factories.customer(acme, customer_id)
    page = client.get("/budgets/set/", {"customer": customer_id})
    action = page.content.decode().split('<form method="post" action="/budgets/set/')[1].split('"')[0]
    assert client.post(f"/budgets/set/{action}", VALID_TERMS).status_code == 302
    assert AdjustmentRecord.objects.get().customer.customer_id == customer_id
