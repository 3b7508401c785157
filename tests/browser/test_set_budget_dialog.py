"""The Set Budget dialog: focus, refused input, verification codes, and changes by others while it is open."""

import re
from decimal import Decimal

import pytest
from playwright.sync_api import expect

from budgets.models import AdjustmentRecord
from partnercenter.actions.partners import give_grant
from partnercenter.models import BudgetType, Partner
from tests import factories


def recorded_amounts() -> list[str]:
    return [str(record.amount_after) for record in AdjustmentRecord.objects.order_by("pk")]


@pytest.mark.parametrize("budget_type", BudgetType)
def test_the_dialog_focuses_the_current_budget_type_and_escape_returns_to_the_button(
    budget_type, ann_at_list, kestwick, ben
):
    factories.budget(kestwick, ben, "500", budget_type)
    ann_at_list.open_set_budget(kestwick)
    expect(ann_at_list.dialog.get_by_role("radio", name=budget_type.label)).to_be_focused()
    ann_at_list.page.keyboard.press("Escape")
    expect(ann_at_list.dialog).to_have_count(0)
    expect(ann_at_list.row(kestwick).get_by_role("link", name="Set Budget")).to_be_focused()


def test_after_invalid_input_the_summary_has_the_focus_and_the_values_stay(ann_at_list, kestwick):
    ann_at_list.open_set_budget(kestwick)
    ann_at_list.fill_in_terms("12,34", freezing="Automatic")
    ann_at_list.ok_button.click()
    expect(ann_at_list.alert).to_be_focused()
    expect(ann_at_list.alert).to_have_text("Please correct the errors below.")
    expect(ann_at_list.amount_field).to_have_attribute("aria-invalid", "true")
    expect(ann_at_list.amount_field).to_have_value("12,34")
    expect(ann_at_list.amount_field).to_have_accessible_description(re.compile("Enter an amount such as"))
    expect(ann_at_list.dialog.get_by_role("radio", name="One-time budget")).to_be_checked()
    expect(ann_at_list.dialog.get_by_role("radio", name="Automatic", exact=True)).to_be_checked()
    ann_at_list.expect_accessible()
    assert recorded_amounts() == []


def test_a_budget_over_the_quota_is_refused_with_the_figures(ann_at_list, kestwick):
    ann_at_list.open_set_budget(kestwick)
    ann_at_list.fill_in_terms("1,000,000.01")
    ann_at_list.ok_button.click()
    message = (
        "The one-time budget quota is 1,000,000.00 and 0.00 of it is allocated. "
        "This change would raise that to 1,000,000.01."
    )
    expect(ann_at_list.dialog.get_by_text(message)).to_be_visible()
    expect(ann_at_list.amount_field).to_have_value("1,000,000.01")
    ann_at_list.expect_accessible()
    assert recorded_amounts() == []


def test_a_budget_set_by_another_operator_meanwhile_is_shown_and_not_overwritten(
    ann_at_list, kestwick, ben, browser_errors
):
    browser_errors.allow_status(409)
    ann_at_list.open_set_budget(kestwick)
    ann_at_list.fill_in_terms("500")
    factories.budget(kestwick, ben, "750.25")
    ann_at_list.ok_button.click()
    expect(ann_at_list.alert).to_be_focused()
    expect(ann_at_list.alert).to_contain_text("while you were editing. Your change was not saved.")
    expect(ann_at_list.alert).to_contain_text("One-time budget 750.25")
    expect(ann_at_list.amount_field).to_have_value("500.00")
    ann_at_list.expect_accessible()
    ann_at_list.ok_button.click()
    ann_at_list.expect_message("The one-time budget is set.")
    assert recorded_amounts() == ["750.25", "500.00"]


def test_a_grant_revoked_meanwhile_is_reported_in_the_dialog(ann_at_list, kestwick, acme: Partner, browser_errors):
    browser_errors.allow_status(403)
    ann_at_list.open_set_budget(kestwick)
    ann_at_list.fill_in_terms("500")
    give_grant(acme, monthly_quota=None, one_time_quota=None, operator=None)
    ann_at_list.ok_button.click()
    expect(ann_at_list.alert).to_contain_text("Contact your distributor Dora Distribution")
    ann_at_list.expect_accessible()
    assert recorded_amounts() == []


def test_after_a_wrong_code_its_field_has_the_focus_and_the_right_code_still_confirms(open_browser, carl, borealis):
    user, customer = open_browser(carl), factories.customer(borealis)
    user.page.goto("/customers/")
    user.open_set_budget(customer)
    user.fill_in_terms("500")
    user.ok_button.click()
    right = user.get_code()
    wrong = f"{(int(right) + 1) % 1_000_000:06}"
    user.code_field.fill(wrong)
    user.ok_button.click()
    expect(user.dialog.get_by_text("Incorrect verification code.")).to_be_visible()
    expect(user.code_field).to_be_focused()
    expect(user.code_field).to_have_attribute("aria-invalid", "true")
    user.expect_accessible()
    user.clock.shift(5)
    user.code_field.fill(f" {right[:3]} {right[3:]} ")
    user.ok_button.click()
    user.expect_message("The one-time budget is set.")
    assert recorded_amounts() == ["500.00"]


def test_two_quick_clicks_on_ok_set_the_budget_once(ann_at_list, kestwick):
    ann_at_list.open_set_budget(kestwick)
    ann_at_list.fill_in_terms("500")
    methods = []
    ann_at_list.page.on("request", lambda request: methods.append(request.method))
    ann_at_list.ok_button.dblclick()
    ann_at_list.expect_message("The one-time budget is set.")
    assert methods.count("POST") == 1
    assert recorded_amounts() == ["500.00"]


def test_success_closes_the_dialog_and_reloads_the_list_with_its_counts(ann_at_list, kestwick):
    ann_at_list.page.goto("/customers/?q=kestwick")
    frozen = ann_at_list.page.get_by_role("region", name="Summary").locator("div", has_text="Frozen").locator("dd")
    expect(frozen).to_have_text("1")
    ann_at_list.open_set_budget(kestwick)
    ann_at_list.fill_in_terms("500")
    ann_at_list.ok_button.click()
    expect(ann_at_list.dialog).to_have_count(0)
    expect(frozen).to_have_text("0")
    expect(ann_at_list.row(kestwick)).to_contain_text("500.00")
    expect(ann_at_list.row(kestwick).get_by_role("link", name="Set Budget")).to_be_focused()
    assert factories.stored(kestwick).amount == Decimal("500.00")


def test_after_the_session_ended_signing_in_returns_to_the_same_list(ann_at_list, kestwick):
    ann_at_list.page.goto("/customers/?q=kestwick")
    ann_at_list.page.context.clear_cookies(name="sessionid")
    ann_at_list.row(kestwick).get_by_role("link", name="Set Budget").click()
    expect(ann_at_list.page.get_by_role("heading", name="Sign in to Partner Center")).to_be_visible()
    expect(ann_at_list.dialog).to_have_count(0)
    ann_at_list.sign_in()
    ann_at_list.page.wait_for_url("**/customers/?q=kestwick")
    expect(ann_at_list.rows).to_have_count(1)


def test_ctrl_click_opens_the_form_in_a_new_tab(ann_at_list, kestwick):
    link = ann_at_list.row(kestwick).get_by_role("link", name="Set Budget")
    with ann_at_list.page.context.expect_page() as opened:
        link.click(modifiers=["ControlOrMeta"])
    expect(opened.value.get_by_role("heading", name="Set Budget", level=1)).to_be_visible()
    expect(ann_at_list.dialog).to_have_count(0)


def test_the_heading_of_account_freezing_names_the_chosen_budget_type(ann_at_list, kestwick):
    ann_at_list.open_set_budget(kestwick)
    for budget_type, shown in (("One-time budget", "one-time"), ("Monthly budget", "monthly")):
        ann_at_list.dialog.get_by_role("radio", name=budget_type).check()
        heading = f"Account freezing upon {shown} budget exhaustion"
        expect(ann_at_list.dialog.get_by_role("group", name=heading, exact=True)).to_be_visible()


def test_adjustment_records_are_paged_inside_the_dialog(ann_at_list, kestwick, ben):
    for amount in range(100, 112):
        factories.budget(kestwick, ben, f"{amount}.00")
    ann_at_list.open_set_budget(kestwick)
    ann_at_list.dialog.get_by_role("link", name="Adjustment Records").click()
    expect(ann_at_list.dialog.locator("tbody tr")).to_have_count(10)
    ann_at_list.dialog.get_by_role("link", name="Next page").click()
    expect(ann_at_list.dialog.locator("tbody tr")).to_have_count(2)
    expect(ann_at_list.dialog.get_by_role("heading", name="Adjustment Records")).to_be_visible()
