"""The workflow from sign-in to unfreezing works with the keyboard alone, and menus close with Escape."""

import re

from playwright.sync_api import expect

from customers.models import Customer
from tests import factories
from tests.browser.browser_user import BrowserUser
from tests.browser.keyboard import choose_file, choose_from_menu, press, tab_to, type_into


def set_budget(user: BrowserUser, customer: Customer, amount: str, unfreeze: str) -> None:
    """Set a one-time budget with automatic freezing, with the box ticked that unfreezes the account."""
    press(user, user.row(customer).get_by_role("link", name="Set Budget"))
    expect(user.dialog.get_by_role("radio", checked=True).first).to_be_focused()
    type_into(user, user.amount_field, amount)
    tab_to(user, user.dialog.get_by_role("radio", checked=True).last)
    automatic = user.dialog.get_by_role("radio", name="Automatic", exact=True)
    while not automatic.is_checked():
        user.page.keyboard.press("ArrowLeft")
    expect(automatic).to_be_checked()
    box = user.dialog.get_by_role("checkbox", name=unfreeze)
    if not box.is_checked():
        press(user, box, "Space")
    press(user, user.ok_button)
    user.expect_message("The one-time budget is set. The account is unfrozen.")
    expect(user.row(customer).get_by_role("link", name="Set Budget")).to_be_focused()


def import_report(user: BrowserUser, customer: Customer) -> None:
    choose_from_menu(user, "Sales", "Customer Expenditure")
    text = f"customer_id,month,list_price_total\n{customer.customer_id},2026-09,1250.00\n"
    choose_file(user, user.page.get_by_label("Files"), text)
    press(user, user.page.get_by_role("button", name="Import"))
    user.expect_message("The report is imported: 1 total changed. 1 account is frozen.")


def test_budgets_are_set_and_accounts_unfrozen_with_the_keyboard_alone(open_browser, ann, kestwick):
    user = open_browser(ann, "/", signed_in=False)
    type_into(user, user.page.get_by_label("Username"), "ann")
    type_into(user, user.page.get_by_label("Password"), factories.PASSWORD)
    user.page.keyboard.press("Enter")
    choose_from_menu(user, "Sales", "Customer Management")
    type_into(user, user.page.get_by_role("searchbox"), "kestwick")
    expect(user.rows).to_have_count(1)
    set_budget(user, kestwick, "1000", "Unfreeze Account")
    import_report(user, kestwick)
    choose_from_menu(user, "Sales", "Customer Management")
    expect(user.row(kestwick)).to_contain_text(re.compile("Frozen.*budget exhausted"))
    set_budget(user, kestwick, "2000", "Unfreeze Now")


def test_the_first_tab_stop_skips_to_the_content(open_browser, ann):
    user = open_browser(ann, "/customers/")
    user.page.keyboard.press("Tab")
    expect(user.page.get_by_role("link", name="Skip to content")).to_be_focused()
    user.page.keyboard.press("Enter")
    expect(user.page.get_by_role("main")).to_be_focused()


def test_escape_closes_a_menu_and_returns_the_focus_to_it(open_browser, ann):
    user = open_browser(ann, "/customers/")
    sales = user.page.locator("summary", has_text="Sales")
    press(user, sales)
    entry = user.page.get_by_role("link", name="Customer Expenditure")
    tab_to(user, entry)
    user.page.keyboard.press("Escape")
    expect(sales).to_be_focused()
    expect(entry).to_be_hidden()
