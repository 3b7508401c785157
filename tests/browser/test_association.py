"""The distributor goes through its resellers; the platform's staff let customers come and go in the administration."""

import re

import pytest
from playwright.sync_api import Page, expect

from customers.models import Customer
from partnercenter.models import Partner
from tests import factories
from tests.browser.person import Person
from tests.browser.test_keyboard import choose, choose_file, press, write
from tests.browser.test_pages import NARROW, WIDTHS
from tests.browser.watch import Watch

RESELLERS = "/customers/resellers/"


@pytest.fixture
def free(ungranted: Partner) -> Customer:
    """A customer of a reseller without a grant."""
    return factories.customer(ungranted, "4711", account_name="free_goods")


@pytest.fixture
def staff(sit_down, platform, watch: Watch) -> Person:
    """The platform's staff, in an administration that has no icon for the browser to show."""
    watch.allow(404)
    return sit_down(platform)


def go_through_the_resellers(person: Person, free: Customer) -> None:
    """To the reseller without a grant, where a budget is set; then to one with a grant, where it is looked at."""
    page = person.page
    page.get_by_label("Authorize Permissions", exact=True).select_option(label="Not granted")
    page.get_by_role("button", name="Search").click()
    table = page.get_by_role("region", name="Reseller list")
    expect(table.locator("tbody tr")).to_have_count(1)
    person.meets_no_barrier()
    table.get_by_role("link", name="Plain Reseller", exact=True).click()
    expect(page.locator("tr[data-customer]")).to_have_count(1)
    person.open_set_budget(free)
    person.fill_in("500")
    person.ok.click()
    person.sees(re.compile("The one-time budget is set"))
    page.goto(RESELLERS)
    expect(table.get_by_role("row", name="Plain Reseller")).to_contain_text("500.00")
    table.get_by_role("link", name="Acme Reseller", exact=True).click()
    expect(page.locator("tr[data-customer]")).to_have_count(3)
    expect(page.get_by_role("link", name=re.compile("^Set Budget"))).to_have_count(0)


def test_the_distributor_acts_where_no_grant_is_given_and_looks_where_one_is(sit_down, dora, kestwick, free):
    person = sit_down(dora)
    person.page.goto("/")
    person.choose("Sales", "Resellers' Customers")
    person.meets_no_barrier()
    go_through_the_resellers(person, free)


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_without_javascript_it_does_the_same(sit_down, dora, kestwick, free):
    person = sit_down(dora)
    person.page.goto(RESELLERS)
    go_through_the_resellers(person, free)


def test_the_resellers_are_searched_and_sorted_by_the_keyboard_alone(sit_down, dora, kestwick, free, borealis):
    person = sit_down(dora)
    person.page.goto("/")
    choose(person, "Sales", "Resellers' Customers")
    first = person.page.locator("tbody th").first
    expect(first).to_contain_text("Acme Reseller")
    press(person, person.page.get_by_role("link", name="Reseller", exact=True))
    expect(first).to_contain_text("Plain Reseller")
    write(person, person.page.get_by_role("searchbox"), "acme")
    person.page.keyboard.press("Enter")
    expect(person.page.locator("tbody tr")).to_have_count(1)
    press(person, person.page.get_by_role("link", name="Acme Reseller", exact=True))
    expect(person.page.get_by_role("heading", name="Customer Management", level=1)).to_be_visible()
    expect(person.row(kestwick)).to_be_visible()
    expect(person.row(free)).to_have_count(0)


@pytest.mark.browser_context_args(viewport=NARROW)
def test_the_resellers_fit_into_320_pixels(sit_down, dora, kestwick):
    person = sit_down(dora)
    for address in (RESELLERS, f"{RESELLERS}?q=nobody", "/customers/?reseller=acme-reseller"):
        person.page.goto(address)
        assert person.page.evaluate(WIDTHS) == [NARROW["width"], NARROW["width"]]
        person.meets_no_barrier()


def fill_in_the_customer(page: Page, account: str) -> None:
    expect(page.get_by_label("Customer ID")).to_have_value(account)
    page.get_by_label("Account name").fill("north_sea")
    page.get_by_label("Customer name").fill("北海 Shipping")
    page.get_by_label("Partner").select_option(label="acme-reseller")
    page.get_by_role("button", name="Associate", exact=True).click()


def test_the_platform_associates_an_account_nobody_knew_and_disassociates_it(staff, acme):
    factories.report(("/subscriptions/0a", "2026-09", "70"), ("/subscriptions/0b", "2026-09", "5"))
    page = staff.page
    page.goto("/customers/unassociated/")
    page.get_by_role("row", name="/subscriptions/0a").get_by_role("link", name="Associate").click()
    fill_in_the_customer(page, "/subscriptions/0a")
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


def test_a_file_is_sent_by_the_keyboard_alone(staff, acme):
    staff.page.goto("/admin/customers/customer/add/")
    text = "customer_id,account_name,name,partner\n1,a,A,acme-reseller\n"
    choose_file(staff, staff.page.locator("[type=file]"), text)
    press(staff, staff.page.get_by_role("button", name="Associate the customers in the file"))
    expect(staff.page.get_by_text("1 customer associated.")).to_be_visible()
    assert Customer.objects.get().partner == acme
