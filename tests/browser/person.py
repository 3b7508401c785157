"""What a person does in the console: reads, clicks, types. Nothing here knows of addresses beyond the first."""

import re

import time_machine
from django.core import mail
from playwright.sync_api import Locator, Page, expect

from customers.models import Customer
from partnercenter.models import Partner, User
from tests import factories
from tests.browser.watch import found_by_axe


class Person:
    """Somebody at a browser, who waits until what is expected can be seen."""

    def __init__(self, user: User, page: Page, clock: time_machine.Traveller, *, scripts: bool = True) -> None:
        self.user, self.page, self.clock, self.has_scripts = user, page, clock, scripts

    @property
    def partner(self) -> Partner:
        """The company they work for."""
        assert self.user.partner is not None
        return self.user.partner

    @property
    def window(self) -> Locator:
        """Where the forms of the list open: the dialog, or without JavaScript the page."""
        return self.page.get_by_role("dialog" if self.has_scripts else "main")

    def sign_in(self) -> None:
        """Fill in the sign-in form that is shown."""
        self.page.get_by_label("Username").fill(self.user.username)
        self.page.get_by_label("Password").fill(factories.PASSWORD)
        self.page.get_by_role("button", name="Sign In").click()

    def choose(self, menu: str, entry: str) -> None:
        """Open a menu of the top bar and follow an entry."""
        bar = self.page.get_by_role("banner")
        bar.locator("summary", has_text=menu).click()
        bar.get_by_role("link", name=entry, exact=True).click()

    def row(self, customer: Customer) -> Locator:
        """The customer's line of the list."""
        return self.page.locator(f'tr[data-customer="{customer.customer_id}"]')

    def open_set_budget(self, customer: Customer) -> None:
        """From the list to the form."""
        self.row(customer).get_by_role("link", name="Set Budget").click()
        expect(self.window.get_by_role("heading", name="Set Budget")).to_be_visible()

    def fill_in(self, amount: str, budget_type: str = "One-time budget", freezing: str = "Automatic") -> None:
        """The terms, as far as they differ from what the form offers."""
        self.window.get_by_role("radio", name=budget_type).check()
        self.amount.fill(amount)
        self.window.get_by_role("radio", name=freezing, exact=True).check()

    @property
    def amount(self) -> Locator:
        return self.window.get_by_label("Budget", exact=True)

    @property
    def code(self) -> Locator:
        return self.window.get_by_label("Verification Code", exact=True)

    @property
    def ok(self) -> Locator:
        return self.window.get_by_role("button", name="OK")

    @property
    def alert(self) -> Locator:
        """What is said first of a form that was refused."""
        return self.window.get_by_role("alert").filter(has_text=re.compile(r"\w"))

    def get_code(self) -> str:
        """Press Get Code and read the code in the mail that comes."""
        self.window.get_by_role("button", name="Get Code").click()
        expect(self.window.get_by_text("A verification code has been sent to you by e-mail.")).to_be_visible()
        body = str(mail.outbox[-1].body)
        return re.findall(r"^\s*(\d{6})$", body, re.MULTILINE)[0]

    def sees(self, text: str | re.Pattern[str]) -> None:
        """A message, in the page or as a toast."""
        expect(self.page.get_by_role("status").get_by_text(text).first).to_be_visible()

    def meets_no_barrier(self) -> None:
        """Axe finds nothing in what is shown now, light and dark; it is a script itself and needs them to run."""
        if self.has_scripts:
            # What has been scrolled half under the bar is nobody's target.
            self.page.evaluate("scrollTo(0, 0)")
            found = found_by_axe(self.page)
            assert not found, "\n".join(found)
