"""`BrowserUser`: a person at the browser, with the parts of pages and the steps that many browser tests share."""

import re

import time_machine
from django.core import mail
from playwright.sync_api import Locator, Page, expect

from customers.models import Customer
from partnercenter.models import Partner, User
from tests import factories
from tests.browser.accessibility import axe_violations


class BrowserUser:
    """A person at the browser. Steps wait until their result can be seen."""

    def __init__(self, account: User, page: Page, clock: time_machine.Traveller, *, has_javascript: bool) -> None:
        self.account, self.page, self.clock, self.has_javascript = account, page, clock, has_javascript

    @property
    def partner(self) -> Partner:
        """The partner this person works for."""
        assert self.account.partner is not None
        return self.account.partner

    # --- Parts of pages ---

    @property
    def rows(self) -> Locator:
        """The rows of the list of customers, or of decisions."""
        return self.page.locator("tr[data-customer]")

    def row(self, customer: Customer) -> Locator:
        """The row of this customer in the list."""
        return self.page.locator(f'tr[data-customer="{customer.customer_id}"]')

    @property
    def dialog(self) -> Locator:
        """The open dialog. Without JavaScript its content is a page of its own: then the main part of that page."""
        return self.page.get_by_role("dialog" if self.has_javascript else "main")

    @property
    def amount_field(self) -> Locator:
        return self.dialog.get_by_label("Budget", exact=True)

    @property
    def code_field(self) -> Locator:
        return self.dialog.get_by_label("Verification Code", exact=True)

    @property
    def ok_button(self) -> Locator:
        return self.dialog.get_by_role("button", name="OK")

    @property
    def alert(self) -> Locator:
        """The summary above a form that was refused."""
        return self.dialog.get_by_role("alert").filter(has_text=re.compile(r"\w"))

    # --- Steps ---

    def sign_in(self) -> None:
        """Fill in the sign-in form that is open, and send it."""
        self.page.get_by_label("Username").fill(self.account.username)
        self.page.get_by_label("Password").fill(factories.PASSWORD)
        self.page.get_by_role("button", name="Sign In").click()

    def choose_from_menu(self, menu: str, entry: str) -> None:
        """Open a menu of the top bar and follow an entry."""
        bar = self.page.get_by_role("banner")
        bar.locator("summary", has_text=menu).click()
        bar.get_by_role("link", name=entry, exact=True).click()

    def open_set_budget(self, customer: Customer) -> None:
        """Open Set Budget from the customer's row."""
        self.row(customer).get_by_role("link", name="Set Budget").click()
        expect(self.dialog.get_by_role("heading", name="Set Budget")).to_be_visible()

    def fill_in_terms(self, amount: str, budget_type: str = "One-time budget", freezing: str = "Automatic") -> None:
        """Fill in the form of Set Budget for one customer."""
        self.dialog.get_by_role("radio", name=budget_type).check()
        self.amount_field.fill(amount)
        self.dialog.get_by_role("radio", name=freezing, exact=True).check()

    def get_code(self, within: Page | Locator | None = None) -> str:
        """Press Get Code, in the dialog unless told otherwise, and return the code from the mail."""
        place = within or self.dialog
        place.get_by_role("button", name="Get Code").click()
        expect(place.get_by_text("A verification code has been sent to you by e-mail.")).to_be_visible()
        [code] = re.findall(r"^\s*(\d{6})$", str(mail.outbox[-1].body), re.MULTILINE)
        return code

    # --- Expectations ---

    def expect_message(self, text: str | re.Pattern[str]) -> None:
        """Expect a message that the page announces: in the page, or as a toast."""
        expect(self.page.get_by_role("status").get_by_text(text).first).to_be_visible()

    def expect_accessible(self) -> None:
        """Expect that axe finds no violation in the page as it is shown now. Needs JavaScript; skipped without it."""
        if self.has_javascript:
            # What is scrolled halfway under the sticky bar would count as a target that is too small.
            self.page.evaluate("scrollTo(0, 0)")
            violations = axe_violations(self.page)
            assert not violations, "\n".join(violations)
