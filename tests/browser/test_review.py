"""The review of a batch in the browser: correct amounts in their rows, confirm with a code, open the batch."""

import re

import pytest
from playwright.sync_api import expect

from tests import factories
from tests.browser.browser_user import BrowserUser


@pytest.fixture
def ann_at_review(ann_at_list: BrowserUser) -> BrowserUser:
    """Ann, with the review of budgets for three customers open."""
    user, page = ann_at_list, ann_at_list.page
    page.get_by_role("checkbox", name="Select all on this page").check()
    page.get_by_role("button", name="Set Budget").click()
    user.dialog.get_by_role("radio", name="One-time budget").check()
    user.dialog.get_by_label("Amount", exact=True).last.fill("100")
    user.dialog.get_by_role("button", name="Review").click()
    user.dialog.get_by_role("link", name="All budgets to be set").click()
    expect(user.dialog.get_by_role("region", name="All budgets to be set")).to_be_visible()
    return user


def test_an_invalid_amount_is_shown_in_its_row_and_gets_the_focus(ann_at_review, browser_errors, kestwick):
    browser_errors.allow_status(422)
    amount = ann_at_review.dialog.get_by_label(f"Budget of {kestwick.account_name}")
    amount.fill("12,34")
    amount.press("Enter")
    expect(amount).to_have_attribute("aria-invalid", "true")
    expect(amount).to_be_focused()
    expect(amount).to_have_value("12,34")
    expect(amount).to_have_accessible_description(re.compile("Enter an amount such as"))
    ann_at_review.expect_accessible()
    amount.fill("12.34")
    amount.press("Enter")
    expect(amount).not_to_have_attribute("aria-invalid", "true")
    expect(amount).to_have_value("12.34")


def test_the_message_after_a_batch_links_to_the_batch(ann_at_review):
    ann_at_review.ok_button.click()
    ann_at_review.expect_message("3 budgets are set.")
    ann_at_review.expect_accessible()
    ann_at_review.page.get_by_role("link", name="Show batch").click()
    expect(ann_at_review.page.get_by_role("heading", name="Budget Batch of")).to_be_visible()
    ann_at_review.expect_accessible()


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_amounts_are_corrected_and_the_batch_opened_without_javascript(open_browser, ann, kestwick, browser_errors):
    browser_errors.allow_status(422)
    user = open_browser(ann, "/customers/")
    page = user.page
    for box in page.get_by_role("checkbox", name="Select").all():
        box.check()
    page.get_by_role("button", name="Set Budget").click()
    page.get_by_role("radio", name="One-time budget").check()
    page.get_by_label("Amount", exact=True).last.fill("100")
    page.get_by_role("button", name="Review").click()
    page.get_by_role("link", name="All budgets to be set").click()
    amount = page.get_by_label(f"Budget of {kestwick.account_name}")
    amount.fill("none")
    amount.press("Enter")
    expect(amount).to_have_value("none")
    amount.fill("12.34")
    amount.press("Enter")
    expect(amount).to_have_value("12.34")
    user.ok_button.click()
    user.expect_message("3 budgets are set.")
    page.get_by_role("link", name="Show batch").click()
    expect(page.get_by_role("heading", name="Budget Batch of")).to_be_visible()


def test_enter_in_the_code_field_confirms_and_excludes_nobody(open_browser, carl, borealis):
    """In the review of an undo the Exclude buttons of the rows come before OK; Enter must not press one of them."""
    customers = factories.customers(borealis, 2)
    batch = factories.budget(customers, carl, "100").batch
    user = open_browser(carl, f"/budgets/batches/{batch}/")
    page = user.page
    page.get_by_role("button", name="Review Undo").click()
    page.get_by_role("link", name="All budgets to be set").click()
    expect(page.get_by_role("button", name="Exclude").first).to_be_visible()
    code = user.get_code(within=page)
    page.get_by_label("Verification Code", exact=True).fill(code)
    page.get_by_label("Verification Code", exact=True).press("Enter")
    user.expect_message("2 budgets were restored to their previous values.")
