"""The page of one customer: budget, expenditure, records, freezing and notes, with mouse, keyboard, no JavaScript."""

import re

import pytest
from playwright.sync_api import Locator, expect

from budgets.models import AdjustmentRecord
from customers.models import AccountFreezing, Customer, CustomerNote
from partnercenter.models import BudgetType, User
from tests import factories
from tests.browser.browser_user import BrowserUser
from tests.browser.keyboard import press, tab_to, type_into


@pytest.fixture
def exhausted(kestwick: Customer, ann: User) -> Customer:
    """Kestwick, which exhausted its monthly budget under Manual; last month it spent half of that amount."""
    factories.budget(kestwick, ann, "1000", BudgetType.MONTHLY, AccountFreezing.MANUAL)
    factories.report((kestwick, "2026-08", "500"), (kestwick, "2026-09", "1250.50"))
    return kestwick


def card(user: BrowserUser, title: str) -> Locator:
    return user.page.get_by_role("region", name=title, exact=True)


def open_customer_page(user: BrowserUser, customer: Customer) -> None:
    user.page.goto("/customers/")
    user.row(customer).get_by_role("link", name=customer.account_name, exact=True).click()
    expect(user.page.get_by_role("heading", level=1)).to_have_text(customer.account_name)


def test_an_operator_looks_up_a_customer_raises_its_budget_and_adds_a_note(open_browser, ann, exhausted):
    user = open_browser(ann)
    open_customer_page(user, exhausted)
    page = user.page
    standing = card(user, "What the Customer May Do Now")
    expect(standing).to_contain_text("The budget is used up: 1,250.50 of 1,000.00.")
    expect(card(user, "Customer")).to_contain_text("K****d")
    user.expect_accessible()

    page.get_by_role("button", name="Show complete customer names").click()
    expect(card(user, "Customer")).to_contain_text("Kestwick Foods Ltd")

    page.get_by_text("Show as a table").click()
    months = page.get_by_role("region", name="Expenditure by month")
    expect(months.get_by_role("row").last).to_contain_text("Exceeded by 250.50")
    user.expect_accessible()

    page.get_by_role("link", name="Set Budget").click()
    user.amount_field.fill("2000")
    user.ok_button.click()
    user.expect_message("The monthly budget is set.")
    expect(standing).to_contain_text("The budget suffices: 1,250.50 of 2,000.00 is used.")
    records = page.get_by_role("region", name="Adjustment records", exact=True).get_by_role("row")
    expect(records).to_have_count(3)
    expect(page.get_by_role("link", name="Set Budget")).to_be_focused()

    page.get_by_role("link", name="Notes").click()
    page.get_by_role("textbox", name="Note").fill("Called: raised to 2,000 until October.")
    page.get_by_role("button", name="Add Note").click()
    user.expect_message("The note was added.")
    expect(page.locator(".note")).to_have_text("Called: raised to 2,000 until October.")
    expect(page.get_by_role("textbox", name="Note")).to_have_value("")
    user.expect_accessible()
    page.reload()
    expect(page.locator(".note")).to_have_count(1)


def test_records_are_filtered_and_paged_without_a_reload_and_the_back_button_works(open_browser, ann, ben, exhausted):
    for amount in range(1, 12):
        factories.budget(exhausted, ben, str(amount), BudgetType.MONTHLY, AccountFreezing.MANUAL)
    user = open_browser(ann)
    open_customer_page(user, exhausted)
    page = user.page
    records = page.get_by_role("region", name="Adjustment records", exact=True).locator("tbody tr")
    expect(records).to_have_count(10)
    page.get_by_role("link", name="Next page").click()
    expect(records).to_have_count(2)
    page.get_by_label("Operator").select_option("ann")
    page.get_by_role("button", name="Filter").click()
    expect(records).to_have_count(1)
    expect(page).to_have_url(re.compile("operator=ann"))
    user.expect_accessible()
    page.get_by_role("link", name="Freeze Records").click()
    freeze_records = page.get_by_role("region", name="Freeze records", exact=True)
    expect(freeze_records.get_by_role("row")).to_have_count(3)
    user.expect_accessible()
    page.go_back()
    expect(records).to_have_count(1)
    page.get_by_role("link", name="Freeze Records").click()
    freeze_records.get_by_role("link", name=re.compile("Why frozen")).first.click()
    expect(page.get_by_role("heading", name="Why Frozen")).to_be_visible()


def test_the_page_works_with_the_keyboard_alone(open_browser, ann, exhausted, browser_errors):
    browser_errors.allow_status(422)
    user = open_browser(ann, "/customers/")
    press(user, user.row(exhausted).get_by_role("link", name=exhausted.account_name, exact=True))
    page = user.page
    expect(page.get_by_role("heading", level=1)).to_have_text(exhausted.account_name)
    press(user, page.get_by_role("link", name="Set Budget"))
    type_into(user, user.amount_field, "3000")
    press(user, user.ok_button)
    user.expect_message("The monthly budget is set.")
    expect(page.get_by_role("link", name="Set Budget")).to_be_focused()
    press(user, page.get_by_text("Show as a table"))
    expect(page.get_by_role("region", name="Expenditure by month")).to_be_visible()
    press(user, page.get_by_role("link", name="Notes"))
    tab_to(user, page.get_by_role("textbox", name="Note"))
    page.keyboard.type("Raised.")
    press(user, page.get_by_role("button", name="Add Note"))
    user.expect_message("The note was added.")
    expect(page.get_by_role("button", name="Add Note")).to_be_focused()
    type_into(user, page.get_by_role("textbox", name="Note"), " ")
    press(user, page.get_by_role("button", name="Add Note"))
    expect(page.get_by_text("This field is required.")).to_be_visible()
    expect(page.get_by_role("textbox", name="Note")).to_be_focused()


def test_masking_a_revealed_name_again_keeps_an_unfinished_note(open_browser, ann, exhausted):
    user = open_browser(ann)
    page = user.page
    page.clock.install()
    page.goto(f"/customers/detail/?customer={exhausted.customer_id}&tab=notes")
    page.get_by_role("button", name="Show complete customer names").click()
    expect(card(user, "Customer")).to_contain_text("Kestwick Foods Ltd")
    page.get_by_role("textbox", name="Note").fill("Half a")
    user.clock.shift(301)
    page.clock.fast_forward(301_000)
    expect(card(user, "Customer")).to_contain_text("K****d")
    expect(page.get_by_role("textbox", name="Note")).to_have_value("Half a")


def test_an_account_is_frozen_and_unfrozen_from_its_page(open_browser, ann, exhausted):
    user = open_browser(ann)
    open_customer_page(user, exhausted)
    page = user.page
    standing = card(user, "What the Customer May Do Now")
    page.get_by_role("link", name="Freeze Account", exact=True).click()
    user.dialog.get_by_label("Reason").fill("Unpaid invoice")
    user.ok_button.click()
    expect(standing).to_contain_text("by ann: Unpaid invoice")
    expect(page.get_by_role("main")).to_be_focused()
    page.get_by_role("link", name="Freeze Records").click()
    newest = page.get_by_role("region", name="Freeze records", exact=True).locator("tbody tr").first
    expect(newest).to_contain_text("Unpaid invoice")
    page.get_by_role("link", name="Unfreeze", exact=True).click()
    user.dialog.get_by_label("Reason").fill("Paid")
    user.ok_button.click()
    expect(standing).not_to_contain_text("Unpaid invoice")
    expect(newest).to_contain_text("Paid")
    user.expect_accessible()


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_the_page_works_without_javascript(open_browser, ann, exhausted):
    user = open_browser(ann)
    open_customer_page(user, exhausted)
    page = user.page
    page.get_by_role("button", name="Show complete customer names").click()
    expect(card(user, "Customer")).to_contain_text("Kestwick Foods Ltd")
    page.get_by_role("link", name="Notes").click()
    page.get_by_role("textbox", name="Note").fill("Called.")
    page.get_by_role("button", name="Add Note").click()
    expect(page.locator(".note")).to_have_text("Called.")
    page.get_by_role("link", name="Adjustment Records").click()
    page.get_by_label("Operator").select_option("ann")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("region", name="Adjustment records", exact=True).locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Set Budget").click()
    user.amount_field.fill("2000")
    user.ok_button.click()
    user.expect_message("The monthly budget is set.")
    assert (AdjustmentRecord.objects.count(), CustomerNote.objects.count()) == (2, 1)
