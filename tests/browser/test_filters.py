"""Active filters and saved views at the browser: taken away, cleared, kept; the place and the selection stay."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from customers.models import Customer, SavedView
from partnercenter.models import Partner, User
from tests import factories
from tests.browser.person import Person


@pytest.fixture
def person(sit_down, ann: User, acme: Partner, kestwick: Customer) -> Person:
    """Ann, looking at the list of three, one of which has used 80 % of its budget."""
    factories.budget(kestwick, ann, "100")
    factories.report((kestwick, "2026-09", "80"))
    SavedView.objects.create(operator=ann, name="Near the limit", query="usage_min=75&sort=-usage")
    person = sit_down(ann)
    person.page.goto("/customers/")
    return person


def rows(page: Page) -> Locator:
    return page.locator("tr[data-customer]")


def chip(page: Page, said: str) -> Locator:
    return page.get_by_role("link", name=f"Remove filter {said}")


def test_a_filter_is_taken_away_and_the_form_and_the_focus_follow(person, kestwick, watch):
    watch.allow_replaced()
    page = person.page
    page.locator("summary", has_text="More filters").click()
    page.get_by_label("Usage from (%)").fill("75")
    page.get_by_label("Usage from (%)").press("Tab")
    expect(chip(page, "Usage: from 75%")).to_be_visible()
    page.get_by_role("searchbox").fill("kestwick")
    expect(chip(page, "Search: kestwick")).to_be_visible()
    person.meets_no_barrier()
    chip(page, "Search: kestwick").press("Enter")
    expect(chip(page, "Usage: from 75%")).to_be_focused()
    expect(page.get_by_role("searchbox")).to_have_value("")
    expect(page).to_have_url(re.compile(r"/customers/\?usage_min=75$"))
    chip(page, "Usage: from 75%").press("Enter")
    expect(page.get_by_role("searchbox")).to_be_focused()
    expect(rows(page)).to_have_count(3)
    expect(page.get_by_label("Usage from (%)")).to_have_value("")


def test_a_range_of_usage_is_one_click_and_goes_with_what_was_typed(person, kestwick, watch):
    watch.allow_replaced()
    page = person.page
    page.get_by_role("searchbox").fill("kestwick")
    expect(chip(page, "Search: kestwick")).to_be_visible()
    page.locator("summary", has_text="More filters").click()
    page.get_by_role("link", name="75% or more").click()
    expect(chip(page, "Usage: from 75%")).to_be_visible()
    expect(rows(page)).to_have_count(1)
    expect(page.get_by_label("Usage from (%)")).to_have_value("75")
    page.get_by_role("link", name="90% or more").click()
    expect(page.get_by_text("No customer matches these filters.")).to_be_visible()
    expect(page.get_by_role("link", name="90% or more")).to_be_focused()
    person.meets_no_barrier()
    page.get_by_role("link", name="Clear filters").click()
    expect(rows(page)).to_have_count(3)
    expect(page.get_by_role("searchbox")).to_have_value("")


def test_a_view_changes_the_list_and_keeps_what_is_ticked(person, kestwick):
    page = person.page
    rows(page).first.get_by_role("checkbox").check()
    page.locator("summary", has_text="Views").click()
    person.meets_no_barrier()
    page.get_by_role("link", name="Near the limit", exact=True).click()
    expect(chip(page, "Usage: from 75%")).to_be_visible()
    expect(page.get_by_role("link", name="Near the limit", exact=True)).to_be_hidden()
    expect(page.locator("summary", has_text="Views")).to_be_focused()
    expect(page.get_by_text("1 selected")).to_be_visible()
    expect(page.get_by_role("columnheader", name="Usage")).to_have_attribute("aria-sort", "descending")


def test_what_is_filtered_is_saved_under_a_name_replaced_and_deleted(person, watch):
    watch.allow(409)
    page = person.page
    page.get_by_label("Status", exact=True).select_option(label="Frozen")
    expect(chip(page, "Status: Frozen")).to_be_visible()
    page.locator("summary", has_text="Views").click()
    page.get_by_label("Save this view").fill("Near the limit")
    page.keyboard.press("Enter")
    expect(page.get_by_text("You already have a view named Near the limit")).to_be_visible()
    person.meets_no_barrier()
    page.get_by_role("button", name="Replace").click()
    person.sees("The view Near the limit is saved.")
    expect(chip(page, "Status: Frozen")).to_be_visible()
    page.locator("summary", has_text="Views").click()
    page.get_by_role("button", name="Delete view Near the limit").click()
    person.sees("The view Near the limit is deleted.")
    expect(chip(page, "Status: Frozen")).to_be_visible()


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_without_javascript_filters_are_taken_away_and_views_opened(person):
    page = person.page
    page.locator("summary", has_text="Views").click()
    page.get_by_role("link", name="Your views").click()
    person.meets_no_barrier()
    page.get_by_role("link", name="Near the limit", exact=True).click()
    expect(rows(page)).to_have_count(1)
    chip(page, "Usage: from 75%").click()
    expect(rows(page)).to_have_count(3)


@pytest.mark.parametrize("scripts", [True, False])
def test_the_panel_of_filters_is_opened_filled_in_and_applied(scripts, request, kestwick, watch):
    watch.allow_replaced()
    request.applymarker(pytest.mark.browser_context_args(java_script_enabled=scripts))
    person = request.getfixturevalue("person")
    page = person.page
    page.locator("summary", has_text="More filters").click()
    person.meets_no_barrier()
    page.get_by_label("Usage from (%)").fill("75")
    page.get_by_label("Usage to (%)").fill("80")
    page.get_by_label("Automatically frozen").select_option(label="No")
    page.get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile(r"usage_min=75&.*usage_max=80"))
    expect(rows(page)).to_have_count(1)
    expect(page.get_by_label("Usage to (%)")).to_have_value("80")
    expect(page.get_by_label("Usage to (%)")).to_be_visible()
    person.meets_no_barrier()


@pytest.mark.parametrize("width", [720, 320])
def test_chips_and_views_fit_a_narrow_window(person, width):
    page = person.page
    page.set_viewport_size({"width": width, "height": 800})
    long = "a_rather_long_search_of_an_operator_who_pasted_something_else_altogether"
    page.goto(f"/customers/?q={long}&usage_min=75&usage_max=90&mtd_min=1&mtd_max=10000000&status=FROZEN&manager=Li+Lei")
    page.locator("summary", has_text="Views").click()
    wide, seen = page.evaluate("() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert wide <= seen
    panel = page.locator(".views .menu-panel").bounding_box()
    assert panel
    assert 0 <= panel["x"] <= width - panel["width"]
    person.meets_no_barrier()
