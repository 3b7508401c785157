"""A distributor restricts a reseller and lifts that again; the reseller's people see it in their list."""

import re

from playwright.sync_api import expect

from customers.models import Customer
from partnercenter.models import Partner, User
from tests import factories
from tests.browser.browser_errors import BrowserErrors
from tests.browser.browser_user import BrowserUser


def change_status(user: BrowserUser, reseller: Partner, status: str, reason: str) -> None:
    """Change the reseller's status in the administration; on its page with the keyboard alone."""
    page = user.page
    page.goto("/admin/partnercenter/partner/")
    page.get_by_role("link", name=reseller.account_name, exact=True).click()
    page.get_by_role("link", name="Change status").press("Enter")
    page.get_by_label("Status").select_option(status)
    page.get_by_label("Reason").fill(reason)
    page.get_by_label("Reason").press("Enter")
    page.get_by_role("button", name="Confirm").press("Enter")
    expect(page.get_by_text("The status was changed.")).to_be_visible()


def test_a_reseller_sees_that_it_is_restricted_until_the_restriction_is_lifted(
    open_browser, kestwick: Customer, acme: Partner, ann: User, dora: User, browser_errors: BrowserErrors
) -> None:
    browser_errors.allow_status(404)  # The administration has no favicon.
    factories.budget(kestwick, ann, "100")
    change_status(open_browser(dora), acme, "RESTRICTED", "The invoice of August is unpaid")
    user = open_browser(ann, "/customers/")
    notice = user.page.get_by_text("Dora Distribution has restricted your account since 2026-09-15 10:0")
    expect(notice).to_contain_text("The invoice of August is unpaid")
    expect(user.row(kestwick)).to_contain_text(re.compile("Frozen.*reseller restricted since 2026-09-15"))
    user.expect_accessible()
    user.open_set_budget(kestwick)
    expect(user.dialog.get_by_text("reseller restricted since")).to_be_visible()
    expect(user.dialog.get_by_role("link", name="Why frozen")).to_have_count(0)
    user.expect_accessible()

    change_status(open_browser(dora), acme, "", "Paid")
    user = open_browser(ann, "/customers/")
    expect(notice).to_have_count(0)
    expect(user.row(kestwick)).to_contain_text("Normal")
