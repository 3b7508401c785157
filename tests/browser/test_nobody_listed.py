"""An empty list offers nobody to be selected, whichever way it came about; and nothing that is sent selects anybody."""

import re

import pytest
from playwright.sync_api import Page, expect

from customers.models import AccountFreezing, Customer, SavedView
from partnercenter.models import Operation, Partner, User
from tests import factories
from tests.browser.person import Person

ZERO_HITS, UNREADABLE, UPSIDE_DOWN = "?q=zzzz", "?usage_min=5k", "?mtd_min=2&mtd_max=1"
EMPTY_LISTS = [ZERO_HITS, UNREADABLE, UPSIDE_DOWN]


@pytest.fixture
def person(sit_down, ann: User, acme: Partner, kestwick: Customer) -> Person:
    """Ann, who has a view of each empty list."""
    for query in EMPTY_LISTS:
        SavedView.objects.create(operator=ann, name=f"View {query}", query=query.removeprefix("?"))
    return sit_down(ann)


def select_everybody(page: Page) -> None:
    page.goto("/customers/")
    page.get_by_role("button", name="Select all 3 matching").click()
    expect(page.get_by_text("All 3 matching selected")).to_be_visible()


def nobody_can_be_selected(person: Person) -> None:
    """Not one box, no offer of all that match, none selected; and the button for many selects nobody."""
    page = person.page
    expect(page.locator("tr[data-customer]")).to_have_count(0)
    expect(page.get_by_text("0 selected")).to_be_visible()
    expect(page.get_by_role("button", name="Select all")).to_have_count(0)
    expect(page.get_by_role("checkbox", name="Select all on this page")).to_have_count(0)
    person.meets_no_barrier()
    page.locator("#batch-freeze").click()
    expect(page.get_by_text("Select customers first.").first).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)


def tools_come_back(person: Person) -> None:
    """Without the filters everybody can be selected again."""
    page = person.page
    page.get_by_role("link", name="Clear filters").click()
    expect(page.locator("tr[data-customer]")).to_have_count(3)
    page.get_by_role("button", name="Select all 3 matching").click()
    expect(page.get_by_text("All 3 matching selected")).to_be_visible()
    page.locator("#batch-set-budget").click()
    expect(page.get_by_role("dialog").get_by_role("heading", name="Set Budget")).to_be_visible()


def test_a_search_without_a_hit_takes_the_selection_of_all_that_matched_away(person):
    select_everybody(person.page)
    person.page.get_by_role("searchbox").fill("zzzz")
    expect(person.page.get_by_text("No customer matches these filters.")).to_be_visible()
    nobody_can_be_selected(person)
    tools_come_back(person)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"Usage from (%)": "5k"}, "Usage from (%): Enter a whole number."),
        (
            {"Month-to-date expenditure from": "2", "Month-to-date expenditure to": "1"},
            "Month-to-date expenditure to: The end of this range is before its beginning.",
        ),
    ],
)
def test_what_is_typed_into_a_filter_and_cannot_be_read_lists_nobody(typed, said, person):
    page = person.page
    select_everybody(page)
    page.locator("summary", has_text="More filters").click()
    for label, value in typed.items():
        page.get_by_label(label).fill(value)
        page.get_by_label(label).press("Tab")
    expect(page.get_by_role("alert").filter(has_text=said)).to_be_visible()
    wrong = page.get_by_label(list(typed)[-1])
    expect(wrong).to_have_attribute("aria-invalid", "true")
    nobody_can_be_selected(person)
    wrong.fill("")
    wrong.press("Tab")
    expect(page.get_by_role("alert").filter(has_text=said)).to_have_count(0)
    expect(wrong).not_to_have_attribute("aria-invalid", "true")
    page.goto("/customers/")


@pytest.mark.parametrize("query", EMPTY_LISTS)
def test_a_saved_view_of_nobody_keeps_nobody_selected(query, person):
    select_everybody(person.page)
    person.page.locator("summary", has_text="Views").click()
    person.page.get_by_role("link", name=f"View {query}", exact=True).click()
    expect(person.page).to_have_url(re.compile(re.escape(query)))
    nobody_can_be_selected(person)
    tools_come_back(person)


@pytest.mark.parametrize("query", EMPTY_LISTS)
def test_a_bookmark_of_nobody_gets_its_tools_when_the_filters_are_cleared(query, person):
    person.page.goto(f"/customers/{query}")
    nobody_can_be_selected(person)
    tools_come_back(person)


@pytest.mark.parametrize("query", EMPTY_LISTS)
def test_back_to_a_list_of_nobody_selects_nobody(query, person):
    person.page.goto(f"/customers/{query}")
    person.page.get_by_role("link", name="Clear filters").click()
    expect(person.page.locator("tr[data-customer]")).to_have_count(3)
    person.page.get_by_role("button", name="Select all 3 matching").click()
    person.page.go_back()
    expect(person.page).to_have_url(re.compile(re.escape(query)))
    nobody_can_be_selected(person)


@pytest.mark.parametrize("query", EMPTY_LISTS)
def test_whatever_is_sent_for_a_list_of_nobody_is_refused(query, person, watch):
    watch.allow(422)
    page = person.page
    page.goto(f"/customers/{query}")
    # What a person who changes the page by hand sends.
    page.evaluate("document.getElementById('select-all-matching').hidden = false")
    page.get_by_role("button", name="Select all").click()
    page.locator("#batch-freeze").click()
    expect(page.get_by_text(re.compile("No customer matches the filters|cannot be read")).first).to_be_visible()
    assert not Operation.objects.exists()


def test_decisions_of_nobody_offer_nobody_and_get_their_tools_back(person, kestwick, ann):
    factories.budget(kestwick, ann, "100", account_freezing=AccountFreezing.MANUAL)
    factories.report((kestwick, "2026-09", "120"))
    page = person.page
    page.goto("/customers/decisions/?q=zzzz")
    expect(page.get_by_text("No decision matches your search.")).to_be_visible()
    page.locator("#batch-snooze").click()
    expect(page.get_by_text("Select customers first.").first).to_be_visible()
    page.get_by_role("link", name="Clear filters").click()
    page.get_by_role("checkbox", name="Select kestwick_foods").check()
    page.locator("#batch-snooze").click()
    expect(page.get_by_role("dialog").get_by_role("heading", name="Snooze")).to_be_visible()
