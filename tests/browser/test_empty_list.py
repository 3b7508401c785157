"""A list without customers offers no selection, however the user came to it, and requests for a batch are refused."""

import re

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from customers.models import AccountFreezing, Customer, SavedView
from partnercenter.models import Operation, Partner, User
from tests import factories
from tests.browser.browser_user import BrowserUser

EMPTY_LISTS = {
    "no match": "?q=zzzz&size=10",
    "not a number": "?usage_min=5k&size=10",
    "reversed range": "?mtd_min=2&mtd_max=1&size=10",
}
for_each_empty_list = pytest.mark.parametrize("query", EMPTY_LISTS.values(), ids=EMPTY_LISTS)


@pytest.fixture
def user(open_browser, ann: User, acme: Partner, kestwick: Customer) -> BrowserUser:
    """Ann, who has eleven customers, more than a page of ten, and a saved view for each empty list."""
    factories.customers(acme, 8)
    for query in EMPTY_LISTS.values():
        SavedView.objects.create(operator=ann, name=f"View {query}", query=query.removeprefix("?"))
    return open_browser(ann)


def select_all(page: Page) -> None:
    page.goto("/customers/?size=10")
    page.get_by_role("button", name="Select all 11 matching").click()
    expect(page.get_by_text("All 11 matching selected")).to_be_visible()


def expect_no_selection(user: BrowserUser) -> None:
    """Expect no checkbox, no Select all, none selected, and that the batch buttons ask to select customers first."""
    page = user.page
    expect(user.rows).to_have_count(0)
    expect(page.get_by_text("0 selected")).to_be_visible()
    expect(page.get_by_role("button", name="Select all")).to_have_count(0)
    expect(page.get_by_role("checkbox", name="Select all on this page")).to_have_count(0)
    user.expect_accessible()
    page.locator("#batch-freeze").click()
    expect(page.get_by_text("Select customers first.").first).to_be_visible()
    expect(user.dialog).to_have_count(0)


def clear_filters_and_select_all(user: BrowserUser) -> None:
    """Clear the filters, and expect that all customers can be selected and given to a batch again."""
    page = user.page
    page.get_by_role("link", name="Clear filters").click()
    expect(user.rows).to_have_count(10)
    page.get_by_role("button", name="Select all 11 matching").click()
    expect(page.get_by_text("All 11 matching selected")).to_be_visible()
    page.locator("#batch-set-budget").click()
    expect(user.dialog.get_by_role("heading", name="Set Budget")).to_be_visible()


def test_a_search_without_matches_ends_the_selection_of_all_matching(user):
    select_all(user.page)
    user.page.get_by_role("searchbox").fill("zzzz")
    expect(user.page.get_by_text("No customer matches these filters.")).to_be_visible()
    expect_no_selection(user)
    clear_filters_and_select_all(user)


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        ({"Usage from (%)": "5k"}, "Usage from (%): Enter a whole number."),
        (
            {"Month-to-date expenditure from": "2", "Month-to-date expenditure to": "1"},
            "Month-to-date expenditure to: The end of this range is before its beginning.",
        ),
    ],
    ids=["not a number", "reversed range"],
)
def test_an_invalid_filter_value_empties_the_list(typed, error, user, browser_errors):
    # The second value of a range is typed before the list for the first one has arrived.
    browser_errors.allow_cancelled_requests()
    page = user.page
    select_all(page)
    page.locator("summary", has_text="More filters").click()
    for label, value in typed.items():
        page.get_by_label(label).fill(value)
        page.get_by_label(label).press("Tab")
    expect(page.get_by_role("alert").filter(has_text=error)).to_be_visible()
    field = page.get_by_label(list(typed)[-1])
    expect(field).to_have_attribute("aria-invalid", "true")
    expect_no_selection(user)
    field.fill("")
    field.press("Tab")
    expect(page.get_by_role("alert").filter(has_text=error)).to_have_count(0)
    expect(field).not_to_have_attribute("aria-invalid", "true")
    page.goto("/customers/")


def test_a_half_typed_date_empties_the_list(user):
    page = user.page
    select_all(page)
    page.locator("summary", has_text="More filters").click()
    page.get_by_label("Runs out from").press_sequentially("02")
    page.get_by_role("searchbox").fill("account")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("alert").filter(has_text="Runs out from: Enter a valid date.")).to_be_visible()
    expect(page.get_by_label("Runs out from")).to_have_attribute("aria-invalid", "true")
    expect_no_selection(user)


def test_when_the_last_match_is_gone_all_matching_ends(user, acme):
    page = user.page
    select_all(page)
    Customer.objects.filter(partner=acme).update(disassociated_on=timezone.now())
    page.evaluate("document.body.dispatchEvent(new CustomEvent('customers:changed', { bubbles: true }))")
    expect(user.rows).to_have_count(0)
    expect_no_selection(user)


def test_ticked_customers_stay_selected_while_a_search_finds_nobody_and_the_page_says_so(user):
    page = user.page
    page.goto("/customers/?size=10")
    user.rows.first.get_by_role("checkbox").check()
    page.get_by_role("searchbox").fill("zzzz")
    expect(page.get_by_text("1 selected, none of them in this list")).to_be_visible()
    page.get_by_role("link", name="Clear filters").click()
    expect(user.rows.first.get_by_role("checkbox")).to_be_checked()


@for_each_empty_list
def test_a_saved_view_without_matches_ends_the_selection_of_all_matching(query, user):
    select_all(user.page)
    user.page.locator("summary", has_text="Views").click()
    user.page.get_by_role("link", name=f"View {query}", exact=True).click()
    expect(user.page).to_have_url(re.compile(re.escape(query)))
    expect_no_selection(user)
    clear_filters_and_select_all(user)


@for_each_empty_list
def test_an_empty_list_from_a_bookmark_allows_selection_once_filters_are_cleared(query, user):
    user.page.goto(f"/customers/{query}")
    expect_no_selection(user)
    clear_filters_and_select_all(user)


@for_each_empty_list
def test_the_back_button_to_an_empty_list_ends_the_selection_of_all_matching(query, user):
    user.page.goto(f"/customers/{query}")
    user.page.get_by_role("link", name="Clear filters").click()
    expect(user.rows).to_have_count(10)
    user.page.get_by_role("button", name="Select all 11 matching").click()
    user.page.go_back()
    expect(user.page).to_have_url(re.compile(re.escape(query)))
    expect_no_selection(user)


@for_each_empty_list
def test_a_batch_for_all_matching_is_refused_if_the_list_is_empty(query, user, browser_errors):
    browser_errors.allow_status(422)
    page = user.page
    page.goto(f"/customers/{query}")
    # Somebody who edits the page can press a hidden button.
    page.evaluate("document.getElementById('select-all-matching').hidden = false")
    page.get_by_role("button", name="Select all").click()
    page.locator("#batch-freeze").click()
    expect(page.get_by_text(re.compile("No customer matches the filters|cannot be read")).first).to_be_visible()
    assert not Operation.objects.exists()


def test_an_empty_list_of_decisions_allows_selection_once_filters_are_cleared(user, kestwick, ann):
    factories.budget(kestwick, ann, "100", account_freezing=AccountFreezing.MANUAL)
    factories.report((kestwick, "2026-09", "120"))
    page = user.page
    page.goto("/customers/decisions/?q=zzzz")
    expect(page.get_by_text("No decision matches your search.")).to_be_visible()
    page.locator("#batch-snooze").click()
    expect(page.get_by_text("Select customers first.").first).to_be_visible()
    page.get_by_role("link", name="Clear filters").click()
    page.get_by_role("checkbox", name="Select kestwick_foods").check()
    page.locator("#batch-snooze").click()
    expect(user.dialog.get_by_role("heading", name="Snooze")).to_be_visible()
