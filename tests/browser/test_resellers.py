"""The page of resellers: a distributor finds a reseller, opens its customers, and acts only if there is no grant."""

import re

import pytest
from playwright.sync_api import expect

from customers.models import Customer
from partnercenter.models import Partner
from tests import factories
from tests.browser.browser_user import BrowserUser
from tests.browser.keyboard import choose_from_menu, press, type_into
from tests.browser.layout import NARROW, page_widths

RESELLERS = "/customers/resellers/"


@pytest.fixture
def ungranted_customer(ungranted: Partner) -> Customer:
    """The only customer of a reseller without a grant."""
    return factories.customer(ungranted, "4711", account_name="free_goods")


def set_budget_only_without_a_grant(user: BrowserUser, ungranted_customer: Customer) -> None:
    """Set a budget for a customer whose reseller has no grant; see that it is not offered where there is a grant."""
    page = user.page
    page.get_by_label("Authorize Permissions", exact=True).select_option(label="Not granted")
    page.get_by_role("button", name="Search").click()
    table = page.get_by_role("region", name="Reseller list")
    expect(table.locator("tbody tr")).to_have_count(1)
    user.expect_accessible()
    table.get_by_role("link", name="Plain Reseller", exact=True).click()
    expect(user.rows).to_have_count(1)
    user.open_set_budget(ungranted_customer)
    user.fill_in_terms("500")
    user.ok_button.click()
    user.expect_message(re.compile("The one-time budget is set"))
    page.goto(RESELLERS)
    expect(table.get_by_role("row", name="Plain Reseller")).to_contain_text("500.00")
    table.get_by_role("link", name="Acme Reseller", exact=True).click()
    expect(user.rows).to_have_count(3)
    expect(page.get_by_role("link", name=re.compile("^Set Budget"))).to_have_count(0)


def test_a_distributor_sets_budgets_only_for_resellers_without_a_grant(
    open_browser, dora, kestwick, ungranted_customer
):
    user = open_browser(dora, "/")
    user.choose_from_menu("Sales", "Resellers' Customers")
    user.expect_accessible()
    set_budget_only_without_a_grant(user, ungranted_customer)


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_a_distributor_does_the_same_without_javascript(open_browser, dora, kestwick, ungranted_customer):
    set_budget_only_without_a_grant(open_browser(dora, RESELLERS), ungranted_customer)


def test_resellers_are_searched_and_sorted_with_the_keyboard_alone(
    open_browser, dora, kestwick, ungranted_customer, borealis
):
    user = open_browser(dora, "/")
    choose_from_menu(user, "Sales", "Resellers' Customers")
    first = user.page.locator("tbody th").first
    expect(first).to_contain_text("Acme Reseller")
    press(user, user.page.get_by_role("link", name="Reseller", exact=True))
    expect(first).to_contain_text("Plain Reseller")
    type_into(user, user.page.get_by_role("searchbox"), "acme")
    user.page.keyboard.press("Enter")
    expect(user.page.locator("tbody tr")).to_have_count(1)
    press(user, user.page.get_by_role("link", name="Acme Reseller", exact=True))
    expect(user.page.get_by_role("heading", name="Customer Management", level=1)).to_be_visible()
    expect(user.row(kestwick)).to_be_visible()
    expect(user.row(ungranted_customer)).to_have_count(0)


@pytest.mark.browser_context_args(viewport=NARROW)
def test_the_pages_of_resellers_fit_into_320_pixels(open_browser, dora, kestwick):
    user = open_browser(dora)
    for path in (RESELLERS, f"{RESELLERS}?q=nobody", "/customers/?reseller=acme-reseller"):
        user.page.goto(path)
        assert page_widths(user.page) == (320, 320)
        user.expect_accessible()
