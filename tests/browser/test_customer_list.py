"""The customer list in the browser: search, filters, sorting, paging, the back button, and revealed names."""

import re

import pytest
from playwright.sync_api import expect

from customers.models import Customer
from partnercenter.models import Partner
from tests import factories


@pytest.fixture
def sixty(acme: Partner) -> list[Customer]:
    """Sixty customers: with the three of `ann_at_list` they fill two pages."""
    return factories.customers(acme, 60)


@pytest.mark.browser_on_sqlite
def test_typing_searches_without_moving_the_focus_or_adding_history(ann_at_list, browser_errors):
    browser_errors.allow_cancelled_requests()
    before = ann_at_list.page.evaluate("history.length")
    ann_at_list.page.get_by_role("searchbox").press_sequentially("kestw", delay=20)
    expect(ann_at_list.rows).to_have_count(1)
    expect(ann_at_list.page.get_by_role("searchbox")).to_be_focused()
    expect(ann_at_list.page).to_have_url(re.compile(r"/customers/\?q=kestw$"))
    assert ann_at_list.page.evaluate("history.length") == before


def test_filters_narrow_the_list_and_its_counts_together(ann_at_list, kestwick, ann):
    factories.budget(kestwick, ann, "100")
    ann_at_list.page.get_by_label("Status", exact=True).select_option(label="Frozen")
    expect(ann_at_list.rows).to_have_count(2)
    ann_at_list.page.get_by_label("Status", exact=True).select_option(label="All statuses")
    expect(ann_at_list.rows).to_have_count(3)
    ann_at_list.page.get_by_label("Budget type", exact=True).select_option(label="One-time budget")
    expect(ann_at_list.rows).to_have_count(1)
    counts = ann_at_list.page.get_by_role("region", name="Summary").locator("dd")
    expect(counts).to_contain_text(["1", "0", "0"])


def test_filters_that_match_no_customer_can_be_cleared(ann_at_list):
    ann_at_list.page.get_by_role("searchbox").fill("nobody of this name")
    expect(ann_at_list.page.get_by_text("No customer matches these filters.")).to_be_visible()
    ann_at_list.expect_accessible()
    ann_at_list.page.get_by_role("link", name="Clear filters").click()
    expect(ann_at_list.rows).to_have_count(3)


def test_a_column_header_sorts_in_both_directions_and_keeps_the_search(sixty, ann_at_list):
    ann_at_list.page.get_by_role("searchbox").fill("account")
    expect(ann_at_list.page.get_by_text("Total: 62")).to_be_visible()
    header = ann_at_list.page.get_by_role("columnheader", name="Associated On")
    for order in ("ascending", "descending"):
        header.get_by_role("link").click()
        expect(header).to_have_attribute("aria-sort", order)
        expect(header.get_by_role("link")).to_be_focused()
    expect(ann_at_list.page).to_have_url(re.compile(r"q=account.*sort=-associated_on"))


@pytest.mark.browser_on_sqlite
def test_the_back_button_returns_to_the_previous_page_where_dialogs_still_open(sixty, ann_at_list, kestwick):
    first = ann_at_list.rows.first.get_attribute("data-customer")
    ann_at_list.page.get_by_role("link", name="Next page").click()
    expect(ann_at_list.rows).to_have_count(13)
    ann_at_list.open_set_budget(kestwick)
    ann_at_list.page.keyboard.press("Escape")
    ann_at_list.page.go_back()
    expect(ann_at_list.rows).to_have_count(50)
    expect(ann_at_list.rows.first).to_have_attribute("data-customer", first or "")
    ann_at_list.rows.first.get_by_role("link", name="Set Budget").click()
    expect(ann_at_list.dialog.get_by_role("heading", name="Set Budget")).to_be_visible()


@pytest.mark.browser_on_sqlite
def test_no_revealed_name_is_left_in_the_browser_after_signing_out(ann_at_list, kestwick):
    ann_at_list.page.get_by_role("button", name="Show complete customer names").click()
    expect(ann_at_list.row(kestwick)).to_contain_text("Kestwick Foods Ltd")
    ann_at_list.page.get_by_role("columnheader", name="Associated On").get_by_role("link").click()
    ann_at_list.page.wait_for_url("**sort=associated_on")
    assert "Kestwick" not in ann_at_list.page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}])")
    ann_at_list.page.locator("summary", has_text="acme-reseller").click()
    ann_at_list.page.get_by_role("button", name="Sign Out").click()
    for _page in range(2):
        expect(ann_at_list.page.get_by_role("heading", name="Sign in to Partner Center")).to_be_visible()
        assert "Kestwick" not in ann_at_list.page.content()
        ann_at_list.page.go_back()


def test_a_name_revealed_in_the_dialog_is_masked_again_and_typed_input_stays(ann_at_list, kestwick):
    ann_at_list.page.clock.install()
    ann_at_list.page.reload()
    ann_at_list.open_set_budget(kestwick)
    eye = ann_at_list.dialog.get_by_role("button", name="Show complete customer names")
    eye.click()
    expect(ann_at_list.dialog.get_by_text("Kestwick Foods Ltd")).to_be_visible()
    expect(eye).to_be_focused()
    ann_at_list.amount_field.fill("123")
    ann_at_list.clock.shift(301)
    ann_at_list.page.clock.fast_forward(301_000)
    expect(ann_at_list.dialog.get_by_text("Kestwick Foods Ltd")).to_have_count(0)
    expect(ann_at_list.amount_field).to_have_value("123")


def test_a_viewer_is_told_why_no_budget_can_be_set(open_browser, vera, kestwick):
    viewer = open_browser(vera, "/customers/")
    expect(viewer.page.get_by_text("You are a viewer and cannot act on customers").first).to_be_visible()
    expect(viewer.row(kestwick).get_by_role("link", name="Set Budget")).to_have_count(0)
    viewer.row(kestwick).get_by_role("link", name="Adjustment Records").click()
    expect(viewer.dialog.get_by_text("No budget has ever been set for this customer.")).to_be_visible()
    viewer.expect_accessible()
