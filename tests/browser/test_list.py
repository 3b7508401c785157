"""The list of customers: searching, sorting, paging, going back; and nothing unmasked left behind."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from customers.models import Customer
from partnercenter.models import Partner
from tests import factories
from tests.browser.person import Person


@pytest.fixture
def person(sit_down, ann, kestwick: Customer) -> Person:
    """Ann, looking at the list."""
    person = sit_down(ann)
    person.page.goto("/customers/")
    return person


@pytest.fixture
def sixty(acme: Partner) -> list[Customer]:
    """Customers for a second page, before ann looks."""
    return factories.customers(acme, 60)


def rows(page: Page) -> Locator:
    return page.locator("tr[data-customer]")


def test_typing_searches_and_the_focus_and_history_stay(person, watch):
    watch.allow_replaced()
    before = person.page.evaluate("history.length")
    person.page.get_by_role("searchbox").press_sequentially("kestw", delay=20)
    expect(rows(person.page)).to_have_count(1)
    expect(person.page.get_by_role("searchbox")).to_be_focused()
    expect(person.page).to_have_url(re.compile(r"/customers/\?q=kestw$"))
    assert person.page.evaluate("history.length") == before


def test_filters_narrow_the_list_and_its_counts_together(person, kestwick, ann):
    factories.budget(kestwick, ann, "100")
    person.page.get_by_label("Status", exact=True).select_option(label="Frozen")
    expect(rows(person.page)).to_have_count(2)
    person.page.get_by_label("Status", exact=True).select_option(label="All statuses")
    expect(rows(person.page)).to_have_count(3)
    person.page.get_by_label("Budget type", exact=True).select_option(label="One-time budget")
    expect(rows(person.page)).to_have_count(1)
    customers = person.page.get_by_role("region", name="Summary").locator("dd")
    expect(customers).to_contain_text(["1", "0", "0"])


def test_where_nothing_matches_the_filters_can_be_cleared(person):
    person.page.get_by_role("searchbox").fill("nobody of this name")
    expect(person.page.get_by_text("No customer matches these filters.")).to_be_visible()
    person.meets_no_barrier()
    person.page.get_by_role("link", name="Clear filters").click()
    expect(rows(person.page)).to_have_count(3)


def test_a_head_sorts_up_then_down_and_keeps_the_search(sixty, person):
    person.page.get_by_role("searchbox").fill("account")
    expect(person.page.get_by_text("Total: 62")).to_be_visible()
    head = person.page.get_by_role("columnheader", name="Associated On")
    for order in ("ascending", "descending"):
        head.get_by_role("link").click()
        expect(head).to_have_attribute("aria-sort", order)
        expect(head.get_by_role("link")).to_be_focused()
    expect(person.page).to_have_url(re.compile(r"q=account.*sort=-associated_on"))


def test_back_returns_to_the_page_before_and_the_dialog_still_opens(sixty, person, kestwick):
    first = rows(person.page).first.get_attribute("data-customer")
    person.page.get_by_role("link", name="Next page").click()
    expect(rows(person.page)).to_have_count(13)
    person.open_set_budget(kestwick)
    person.page.keyboard.press("Escape")
    person.page.go_back()
    expect(rows(person.page)).to_have_count(50)
    expect(rows(person.page).first).to_have_attribute("data-customer", first or "")
    rows(person.page).first.get_by_role("link", name="Set Budget").click()
    expect(person.window.get_by_role("heading", name="Set Budget")).to_be_visible()


def test_nothing_unmasked_is_left_after_signing_out(person, kestwick):
    person.page.get_by_role("button", name="Show complete customer names").click()
    expect(person.row(kestwick)).to_contain_text("Kestwick Foods Ltd")
    person.page.get_by_role("columnheader", name="Associated On").get_by_role("link").click()
    person.page.wait_for_url("**sort=associated_on")
    assert "Kestwick" not in person.page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}])")
    person.page.locator("summary", has_text="acme-reseller").click()
    person.page.get_by_role("button", name="Sign Out").click()
    for _page in range(2):
        expect(person.page.get_by_role("heading", name="Sign in to Partner Center")).to_be_visible()
        assert "Kestwick" not in person.page.content()
        person.page.go_back()


def test_the_eye_of_the_dialog_shows_one_name_and_the_list_behind_follows_its_time(person, kestwick):
    person.page.clock.install()
    person.page.reload()
    person.open_set_budget(kestwick)
    eye = person.window.get_by_role("button", name="Show complete customer names")
    eye.click()
    expect(person.window.get_by_text("Kestwick Foods Ltd")).to_be_visible()
    expect(eye).to_be_focused()
    person.amount.fill("123")
    person.clock.shift(301)
    person.page.clock.fast_forward(301_000)
    expect(person.window.get_by_text("Kestwick Foods Ltd")).to_have_count(0)
    expect(person.amount).to_have_value("123")


def test_a_viewer_is_told_why_no_budget_can_be_set(sit_down, vera, kestwick):
    viewer = sit_down(vera)
    viewer.page.goto("/customers/")
    expect(viewer.page.get_by_text("You are a viewer and cannot act on customers").first).to_be_visible()
    expect(viewer.row(kestwick).get_by_role("link", name="Set Budget")).to_have_count(0)
    viewer.row(kestwick).get_by_role("link", name="Adjustment Records").click()
    expect(viewer.window.get_by_text("No budget has ever been set for this customer.")).to_be_visible()
    viewer.meets_no_barrier()
