"""Staff of the platform associate customers with a partner, and disassociate them, in the administration."""

import re

import pytest
from playwright.sync_api import Page, expect

from customers.models import Customer
from tests import factories
from tests.browser.browser_errors import BrowserErrors
from tests.browser.browser_user import BrowserUser
from tests.browser.keyboard import choose_file, press


@pytest.fixture
def staff(open_browser, platform, browser_errors: BrowserErrors) -> BrowserUser:
    """The platform's staff. The administration has no favicon: the browser's request for it is answered by 404."""
    browser_errors.allow_status(404)
    return open_browser(platform)


def submit_new_customer(page: Page, account: str) -> None:
    expect(page.get_by_label("Customer ID")).to_have_value(account)
    page.get_by_label("Account name").fill("north_sea")
    page.get_by_label("Customer name").fill("北海 Shipping")
    page.get_by_label("Partner").select_option(label="acme-reseller")
    page.get_by_role("button", name="Associate", exact=True).click()


def test_staff_associate_an_unassociated_account_and_disassociate_it(staff, acme):
    factories.report(("/subscriptions/0a", "2026-09", "70"), ("/subscriptions/0b", "2026-09", "5"))
    page = staff.page
    page.goto("/customers/unassociated/")
    page.get_by_role("row", name="/subscriptions/0a").get_by_role("link", name="Associate").click()
    submit_new_customer(page, "/subscriptions/0a")
    expect(page.get_by_text("1 customer associated.")).to_be_visible()
    customer = Customer.objects.get()
    assert customer.expenditures.get().total == 70
    page.get_by_role("row", name="north_sea").get_by_role("checkbox").check()
    page.locator("select[name=action]").select_option(label="Disassociate selected customers")
    page.get_by_role("button", name=re.compile("^(Go|Run)")).click()
    expect(page.get_by_text("These customers will leave their partner.")).to_be_visible()
    page.get_by_role("button", name="Disassociate").click()
    expect(page.get_by_text("1 customer disassociated.")).to_be_visible()
    assert factories.fresh(customer).disassociated_on
    page.goto("/customers/unassociated/")
    expect(page.get_by_role("link", name="Associate", exact=True)).to_have_count(2)


def test_a_file_of_customers_is_uploaded_with_the_keyboard_alone(staff, acme):
    staff.page.goto("/admin/customers/customer/add/")
    text = "customer_id,account_name,name,partner\n1,a,A,acme-reseller\n"
    choose_file(staff, staff.page.locator("[type=file]"), text)
    press(staff, staff.page.get_by_role("button", name="Associate the customers in the file"))
    expect(staff.page.get_by_text("1 customer associated.")).to_be_visible()
    assert Customer.objects.get().partner == acme
