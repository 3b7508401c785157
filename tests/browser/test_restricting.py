"""A distributor restricts a reseller in the administration, the reseller's people see it, and it ends."""

import re

from playwright.sync_api import expect

from customers.models import Customer
from partnercenter.models import Partner, User
from tests import factories
from tests.browser.person import Person
from tests.browser.watch import Watch


def change_status(dora: Person, reseller: Partner, status: str, reason: str) -> None:
    """In the administration, with the keyboard alone from the reseller's page on."""
    page = dora.page
    page.goto("/admin/partnercenter/partner/")
    page.get_by_role("link", name=reseller.account_name, exact=True).click()
    page.get_by_role("link", name="Change status").press("Enter")
    page.get_by_label("Status").select_option(status)
    page.get_by_label("Reason").fill(reason)
    page.get_by_label("Reason").press("Enter")
    page.get_by_role("button", name="Confirm").press("Enter")
    expect(page.get_by_text("The status was changed.")).to_be_visible()


def test_a_reseller_is_restricted_and_let_be_again(
    sit_down, kestwick: Customer, acme: Partner, ann: User, dora: User, watch: Watch
) -> None:
    watch.allow(404)  # the administration has no icon
    factories.budget(kestwick, ann, "100")
    change_status(sit_down(dora), acme, "RESTRICTED", "The invoice of August is unpaid")
    person = sit_down(ann)
    person.page.goto("/customers/")
    told = person.page.get_by_text("Dora Distribution has restricted your account since 2026-09-15 10:0")
    expect(told).to_contain_text("The invoice of August is unpaid")
    expect(person.row(kestwick)).to_contain_text(re.compile("Frozen.*reseller restricted since 2026-09-15"))
    person.meets_no_barrier()
    person.open_set_budget(kestwick)
    expect(person.window.get_by_text("reseller restricted since")).to_be_visible()
    expect(person.window.get_by_role("link", name="Why frozen")).to_have_count(0)
    person.meets_no_barrier()

    change_status(sit_down(dora), acme, "", "Paid")
    person = sit_down(ann)
    person.page.goto("/customers/")
    expect(told).to_have_count(0)
    expect(person.row(kestwick)).to_contain_text("Normal")
