"""The Set Budget dialog when something is in the way: focus, values kept, what others did meanwhile."""

import re
from decimal import Decimal

import pytest
from playwright.sync_api import expect

from budgets.models import AdjustmentRecord
from customers.models import Customer
from partnercenter.actions.partners import give_grant
from partnercenter.models import BudgetType, Partner
from tests import factories
from tests.browser.person import Person


@pytest.fixture
def person(sit_down, ann, kestwick: Customer) -> Person:
    """Ann, looking at the list."""
    person = sit_down(ann)
    person.page.goto("/customers/?q=kestwick")
    return person


def amounts() -> list[str]:
    return [str(record.amount_after) for record in AdjustmentRecord.objects.order_by("pk")]


@pytest.mark.parametrize("budget_type", BudgetType)
def test_opening_leads_to_the_type_that_stands_and_escape_back_to_the_button(budget_type, person, kestwick, ben):
    factories.budget(kestwick, ben, "500", budget_type)
    person.open_set_budget(kestwick)
    expect(person.window.get_by_role("radio", name=budget_type.label)).to_be_focused()
    person.page.keyboard.press("Escape")
    expect(person.page.get_by_role("dialog")).to_have_count(0)
    expect(person.row(kestwick).get_by_role("link", name="Set Budget")).to_be_focused()


def test_bad_input_is_said_first_and_what_was_typed_stays(person, kestwick):
    person.open_set_budget(kestwick)
    person.fill_in("12,34", freezing="Automatic")
    person.ok.click()
    expect(person.alert).to_be_focused()
    expect(person.alert).to_have_text("Please correct the errors below.")
    expect(person.amount).to_have_attribute("aria-invalid", "true")
    expect(person.amount).to_have_value("12,34")
    expect(person.amount).to_have_accessible_description(re.compile("Enter an amount such as"))
    expect(person.window.get_by_role("radio", name="One-time budget")).to_be_checked()
    expect(person.window.get_by_role("radio", name="Automatic", exact=True)).to_be_checked()
    person.meets_no_barrier()
    assert amounts() == []


def test_a_budget_over_the_quota_is_refused_with_the_figures(person, kestwick):
    person.open_set_budget(kestwick)
    person.fill_in("1,000,000.01")
    person.ok.click()
    said = "The one-time budget quota is 1,000,000.00, 0.00 of it is allocated; this needs 1,000,000.01."
    expect(person.window.get_by_text(said)).to_be_visible()
    expect(person.amount).to_have_value("1,000,000.01")
    person.meets_no_barrier()
    assert amounts() == []


def test_what_another_operator_set_meanwhile_is_shown_and_not_overwritten(person, kestwick, ben, watch):
    watch.allow(409)
    person.open_set_budget(kestwick)
    person.fill_in("500")
    factories.budget(kestwick, ben, "750.25")
    person.ok.click()
    expect(person.alert).to_be_focused()
    expect(person.alert).to_contain_text("while you were editing. Your change was not saved.")
    expect(person.alert).to_contain_text("One-time budget 750.25")
    expect(person.amount).to_have_value("500.00")
    person.meets_no_barrier()
    person.ok.click()
    person.sees("The one-time budget is set.")
    assert amounts() == ["750.25", "500.00"]


def test_a_grant_revoked_meanwhile_is_said_inside_the_dialog(person, kestwick, acme: Partner, watch):
    watch.allow(403)
    person.open_set_budget(kestwick)
    person.fill_in("500")
    give_grant(acme, monthly_quota=None, one_time_quota=None, operator=None)
    person.ok.click()
    expect(person.alert).to_contain_text("Contact your distributor Dora Distribution")
    person.meets_no_barrier()
    assert amounts() == []


def test_a_wrong_code_leads_back_to_its_field_and_the_right_one_still_confirms(sit_down, carl, borealis):
    person, customer = sit_down(carl), factories.customer(borealis)
    person.page.goto("/customers/")
    person.open_set_budget(customer)
    person.fill_in("500")
    person.ok.click()
    right = person.get_code()
    wrong = f"{(int(right) + 1) % 1_000_000:06}"
    person.code.fill(wrong)
    person.ok.click()
    expect(person.window.get_by_text("Incorrect verification code.")).to_be_visible()
    expect(person.code).to_be_focused()
    expect(person.code).to_have_attribute("aria-invalid", "true")
    person.meets_no_barrier()
    person.clock.shift(5)
    person.code.fill(f" {right[:3]} {right[3:]} ")
    person.ok.click()
    person.sees("The one-time budget is set.")
    assert amounts() == ["500.00"]


def test_two_quick_clicks_on_ok_set_the_budget_once(person, kestwick):
    person.open_set_budget(kestwick)
    person.fill_in("500")
    asked = []
    person.page.on("request", lambda request: asked.append(request.method))
    person.ok.dblclick()
    person.sees("The one-time budget is set.")
    assert asked.count("POST") == 1
    assert amounts() == ["500.00"]


def test_success_closes_the_dialog_and_reloads_the_list_with_its_counts(person, kestwick):
    frozen = person.page.get_by_role("region", name="Summary").locator("div", has_text="Frozen").locator("dd")
    expect(frozen).to_have_text("1")
    person.open_set_budget(kestwick)
    person.fill_in("500")
    person.ok.click()
    expect(person.page.get_by_role("dialog")).to_have_count(0)
    expect(frozen).to_have_text("0")
    expect(person.row(kestwick)).to_contain_text("500.00")
    expect(person.row(kestwick).get_by_role("link", name="Set Budget")).to_be_focused()
    assert factories.stored(kestwick).amount == Decimal("500.00")


def test_an_ended_session_leads_to_signing_in_and_back_to_the_same_list(person, kestwick):
    person.page.context.clear_cookies(name="sessionid")
    person.row(kestwick).get_by_role("link", name="Set Budget").click()
    expect(person.page.get_by_role("heading", name="Sign in to Partner Center")).to_be_visible()
    expect(person.page.get_by_role("dialog")).to_have_count(0)
    person.sign_in()
    person.page.wait_for_url("**/customers/?q=kestwick")
    expect(person.page.locator("tr[data-customer]")).to_have_count(1)


def test_a_click_with_ctrl_opens_the_page_in_a_new_tab(person, kestwick):
    link = person.row(kestwick).get_by_role("link", name="Set Budget")
    with person.page.context.expect_page() as opened:
        link.click(modifiers=["ControlOrMeta"])
    expect(opened.value.get_by_role("heading", name="Set Budget", level=1)).to_be_visible()
    expect(person.page.get_by_role("dialog")).to_have_count(0)


def test_the_heading_of_the_policy_names_the_type_that_is_chosen(person, kestwick):
    person.open_set_budget(kestwick)
    for budget_type, named in (("One-time budget", "one-time"), ("Monthly budget", "monthly")):
        person.window.get_by_role("radio", name=budget_type).check()
        group = person.window.get_by_role("group", name=f"Account freezing upon {named} budget exhaustion", exact=True)
        expect(group).to_be_visible()


def test_records_are_paged_inside_the_dialog(person, kestwick, ben):
    for amount in range(100, 112):
        factories.budget(kestwick, ben, f"{amount}.00")
    person.open_set_budget(kestwick)
    person.window.get_by_role("link", name="Adjustment Records").click()
    expect(person.window.locator("tbody tr")).to_have_count(10)
    person.window.get_by_role("link", name="Next page").click()
    expect(person.window.locator("tbody tr")).to_have_count(2)
    expect(person.window.get_by_role("heading", name="Adjustment Records")).to_be_visible()
