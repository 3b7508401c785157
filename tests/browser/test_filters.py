"""Filters and saved views in the browser: applying, removing, saving; the focus and the selection are kept."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from customers.models import Customer, SavedView
from partnercenter.models import User
from tests import factories
from tests.browser.layout import page_widths


@pytest.fixture(autouse=True)
def usage_and_view(ann: User, kestwick: Customer) -> None:
    """One of three customers used 80 percent of its budget, and Ann has a saved view that lists it."""
    factories.budget(kestwick, ann, "100")
    factories.report((kestwick, "2026-09", "80"))
    SavedView.objects.create(operator=ann, name="Near the limit", query="usage_min=75&sort=-usage")


def active_filter(page: Page, text: str) -> Locator:
    return page.get_by_role("link", name=f"Remove filter {text}")


def test_removing_a_filter_updates_its_field_and_moves_the_focus(ann_at_list, kestwick, browser_errors):
    browser_errors.allow_cancelled_requests()
    page = ann_at_list.page
    page.locator("summary", has_text="More filters").click()
    page.get_by_label("Usage from (%)").fill("75")
    page.get_by_label("Usage from (%)").press("Tab")
    expect(active_filter(page, "Usage: from 75%")).to_be_visible()
    page.get_by_role("searchbox").fill("kestwick")
    expect(active_filter(page, "Search: kestwick")).to_be_visible()
    ann_at_list.expect_accessible()
    active_filter(page, "Search: kestwick").press("Enter")
    expect(active_filter(page, "Usage: from 75%")).to_be_focused()
    expect(page.get_by_role("searchbox")).to_have_value("")
    expect(page).to_have_url(re.compile(r"/customers/\?usage_min=75$"))
    active_filter(page, "Usage: from 75%").press("Enter")
    expect(page.get_by_role("searchbox")).to_be_focused()
    expect(ann_at_list.rows).to_have_count(3)
    expect(page.get_by_label("Usage from (%)")).to_have_value("")


def test_a_usage_range_is_set_with_one_click_and_keeps_the_search(ann_at_list, kestwick, browser_errors):
    browser_errors.allow_cancelled_requests()
    page = ann_at_list.page
    page.get_by_role("searchbox").fill("kestwick")
    expect(active_filter(page, "Search: kestwick")).to_be_visible()
    page.locator("summary", has_text="More filters").click()
    page.get_by_role("link", name="75% or more").click()
    expect(active_filter(page, "Usage: from 75%")).to_be_visible()
    expect(ann_at_list.rows).to_have_count(1)
    expect(page.get_by_label("Usage from (%)")).to_have_value("75")
    page.get_by_role("link", name="90% or more").click()
    expect(page.get_by_text("No customer matches these filters.")).to_be_visible()
    expect(page.get_by_role("link", name="90% or more")).to_be_focused()
    ann_at_list.expect_accessible()
    page.get_by_role("link", name="Clear filters").click()
    expect(ann_at_list.rows).to_have_count(3)
    expect(page.get_by_role("searchbox")).to_have_value("")


def test_a_saved_view_changes_the_list_and_keeps_the_selection(ann_at_list, kestwick):
    page = ann_at_list.page
    ann_at_list.rows.first.get_by_role("checkbox").check()
    page.locator("summary", has_text="Views").click()
    ann_at_list.expect_accessible()
    page.get_by_role("link", name="Near the limit", exact=True).click()
    expect(active_filter(page, "Usage: from 75%")).to_be_visible()
    expect(page.get_by_role("link", name="Near the limit", exact=True)).to_be_hidden()
    expect(page.locator("summary", has_text="Views")).to_be_focused()
    expect(page.get_by_text("1 selected")).to_be_visible()
    expect(page.get_by_role("columnheader", name="Usage")).to_have_attribute("aria-sort", "descending")


def test_a_view_is_saved_replaced_and_deleted(ann_at_list, browser_errors):
    browser_errors.allow_status(409)
    page = ann_at_list.page
    page.get_by_label("Status", exact=True).select_option(label="Frozen")
    expect(active_filter(page, "Status: Frozen")).to_be_visible()
    page.locator("summary", has_text="Views").click()
    page.get_by_label("Save this view").fill("Near the limit")
    page.keyboard.press("Enter")
    expect(page.get_by_text("You already have a view named Near the limit")).to_be_visible()
    ann_at_list.expect_accessible()
    page.get_by_role("button", name="Replace").click()
    ann_at_list.expect_message("The view Near the limit is saved.")
    expect(active_filter(page, "Status: Frozen")).to_be_visible()
    page.locator("summary", has_text="Views").click()
    page.get_by_role("button", name="Delete view Near the limit").click()
    ann_at_list.expect_message("The view Near the limit is deleted.")
    expect(active_filter(page, "Status: Frozen")).to_be_visible()


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_views_are_opened_and_filters_removed_without_javascript(ann_at_list):
    page = ann_at_list.page
    page.locator("summary", has_text="Views").click()
    page.get_by_role("link", name="Your views").click()
    ann_at_list.expect_accessible()
    page.get_by_role("link", name="Near the limit", exact=True).click()
    expect(ann_at_list.rows).to_have_count(1)
    active_filter(page, "Usage: from 75%").click()
    expect(ann_at_list.rows).to_have_count(3)


@pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_the_filter_panel_is_opened_filled_in_and_applied(javascript, request, kestwick, browser_errors):
    browser_errors.allow_cancelled_requests()
    request.applymarker(pytest.mark.browser_context_args(java_script_enabled=javascript))
    ann_at_list = request.getfixturevalue("ann_at_list")
    page = ann_at_list.page
    page.locator("summary", has_text="More filters").click()
    ann_at_list.expect_accessible()
    page.get_by_label("Usage from (%)").fill("75")
    page.get_by_label("Usage to (%)").fill("80")
    page.get_by_label("Automatically frozen").select_option(label="No")
    page.get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile(r"usage_min=75&.*usage_max=80"))
    expect(ann_at_list.rows).to_have_count(1)
    expect(page.get_by_label("Usage to (%)")).to_have_value("80")
    expect(page.get_by_label("Usage to (%)")).to_be_visible()
    ann_at_list.expect_accessible()


@pytest.mark.parametrize("width", [720, 320])
def test_active_filters_and_views_fit_into_a_narrow_window(ann_at_list, width):
    page = ann_at_list.page
    page.set_viewport_size({"width": width, "height": 800})
    long_search = "a_rather_long_search_of_an_operator_who_pasted_something_else_altogether"
    page.goto(
        f"/customers/?q={long_search}&usage_min=75&usage_max=90&mtd_min=1&mtd_max=10000000&status=FROZEN&manager=Li+Lei"
    )
    page.locator("summary", has_text="Views").click()
    content, window = page_widths(page)
    assert content <= window
    panel = page.locator(".views .menu-panel").bounding_box()
    assert panel
    assert 0 <= panel["x"] <= width - panel["width"]
    ann_at_list.expect_accessible()
