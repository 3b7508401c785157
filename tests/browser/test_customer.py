"""The page of one customer: what is asked on the telephone, from the list to a note; by mouse, by keys, no scripts."""

import re

import pytest
from playwright.sync_api import expect

from budgets.models import AdjustmentRecord
from customers.models import AccountFreezing, CustomerNote
from partnercenter.models import BudgetType
from tests import factories
from tests.browser.person import Person
from tests.browser.test_keyboard import press, tab_to, write


@pytest.fixture
def used_up(kestwick, ann):
    """Kestwick has used up a monthly budget under Manual; last month it spent half of it."""
    factories.budget(kestwick, ann, "1000", BudgetType.MONTHLY, AccountFreezing.MANUAL)
    factories.report((kestwick, "2026-08", "500"), (kestwick, "2026-09", "1250.50"))
    return kestwick


def card(person: Person, title: str):
    return person.page.get_by_role("region", name=title, exact=True)


def open_page(person: Person, customer) -> None:
    person.page.goto("/customers/")
    person.row(customer).get_by_role("link", name=customer.account_name, exact=True).click()
    expect(person.page.get_by_role("heading", level=1)).to_have_text(customer.account_name)


def test_who_calls_is_looked_up_raised_and_noted(sit_down, ann, used_up):
    person = sit_down(ann)
    open_page(person, used_up)
    page = person.page
    may = card(person, "What the Customer May Do Now")
    expect(may).to_contain_text("The budget is used up: 1,250.50 of 1,000.00.")
    expect(card(person, "Customer")).to_contain_text("K****d")
    person.meets_no_barrier()

    page.get_by_role("button", name="Show complete customer names").click()
    expect(card(person, "Customer")).to_contain_text("Kestwick Foods Ltd")

    page.get_by_text("Show as a table").click()
    months = page.get_by_role("region", name="Expenditure by month")
    expect(months.get_by_role("row").last).to_contain_text("Exceeded by 250.50")
    person.meets_no_barrier()

    page.get_by_role("link", name="Set Budget").click()
    person.amount.fill("2000")
    person.ok.click()
    person.sees("The monthly budget is set.")
    expect(may).to_contain_text("The budget suffices: 1,250.50 of 2,000.00 is used.")
    records = page.get_by_role("region", name="Adjustment records", exact=True).get_by_role("row")
    expect(records).to_have_count(3)
    expect(page.get_by_role("link", name="Set Budget")).to_be_focused()

    page.get_by_role("link", name="Notes").click()
    page.get_by_role("textbox", name="Note").fill("Called: raised to 2,000 until October.")
    page.get_by_role("button", name="Add Note").click()
    person.sees("The note was added.")
    expect(page.locator(".note")).to_have_text("Called: raised to 2,000 until October.")
    expect(page.get_by_role("textbox", name="Note")).to_have_value("")
    person.meets_no_barrier()
    page.reload()
    expect(page.locator(".note")).to_have_count(1)


def test_records_are_filtered_and_paged_in_place_and_back_leads_back(sit_down, ann, ben, used_up):
    for amount in range(1, 12):
        factories.budget(used_up, ben, str(amount), BudgetType.MONTHLY, AccountFreezing.MANUAL)
    person = sit_down(ann)
    open_page(person, used_up)
    page = person.page
    records = page.get_by_role("region", name="Adjustment records", exact=True).locator("tbody tr")
    expect(records).to_have_count(10)
    page.get_by_role("link", name="Next page").click()
    expect(records).to_have_count(2)
    page.get_by_label("Operator").select_option("ann")
    page.get_by_role("button", name="Filter").click()
    expect(records).to_have_count(1)
    expect(page).to_have_url(re.compile("operator=ann"))
    person.meets_no_barrier()
    page.get_by_role("link", name="Freeze Records").click()
    frozen = page.get_by_role("region", name="Freeze records", exact=True)
    expect(frozen.get_by_role("row")).to_have_count(3)
    person.meets_no_barrier()
    page.go_back()
    expect(records).to_have_count(1)
    page.get_by_role("link", name="Freeze Records").click()
    frozen.get_by_role("link", name=re.compile("Why frozen")).first.click()
    expect(page.get_by_role("heading", name="Why Frozen")).to_be_visible()


def test_the_page_needs_no_mouse(sit_down, ann, used_up, watch):
    watch.allow(422)
    person = sit_down(ann)
    person.page.goto("/customers/")
    press(person, person.row(used_up).get_by_role("link", name=used_up.account_name, exact=True))
    page = person.page
    expect(page.get_by_role("heading", level=1)).to_have_text(used_up.account_name)
    press(person, page.get_by_role("link", name="Set Budget"))
    write(person, person.amount, "3000")
    press(person, person.ok)
    person.sees("The monthly budget is set.")
    expect(page.get_by_role("link", name="Set Budget")).to_be_focused()
    press(person, page.get_by_text("Show as a table"))
    expect(page.get_by_role("region", name="Expenditure by month")).to_be_visible()
    press(person, page.get_by_role("link", name="Notes"))
    tab_to(person, page.get_by_role("textbox", name="Note"))
    page.keyboard.type("Raised.")
    press(person, page.get_by_role("button", name="Add Note"))
    person.sees("The note was added.")
    expect(page.get_by_role("button", name="Add Note")).to_be_focused()
    write(person, page.get_by_role("textbox", name="Note"), " ")
    press(person, page.get_by_role("button", name="Add Note"))
    expect(page.get_by_text("This field is required.")).to_be_visible()
    expect(page.get_by_role("textbox", name="Note")).to_be_focused()


def test_names_hide_themselves_and_a_note_that_is_being_written_stays(sit_down, ann, used_up):
    person = sit_down(ann)
    page = person.page
    page.clock.install()
    page.goto(f"/customers/detail/?customer={used_up.customer_id}&tab=notes")
    page.get_by_role("button", name="Show complete customer names").click()
    expect(card(person, "Customer")).to_contain_text("Kestwick Foods Ltd")
    page.get_by_role("textbox", name="Note").fill("Half a")
    person.clock.shift(301)
    page.clock.fast_forward(301_000)
    expect(card(person, "Customer")).to_contain_text("K****d")
    expect(page.get_by_role("textbox", name="Note")).to_have_value("Half a")


def test_an_account_is_frozen_and_unfrozen_from_its_page(sit_down, ann, used_up):
    person = sit_down(ann)
    open_page(person, used_up)
    page = person.page
    may = card(person, "What the Customer May Do Now")
    page.get_by_role("link", name="Freeze Account", exact=True).click()
    person.window.get_by_label("Reason").fill("Unpaid invoice")
    person.ok.click()
    expect(may).to_contain_text("by ann: Unpaid invoice")
    expect(page.get_by_role("main")).to_be_focused()
    page.get_by_role("link", name="Freeze Records").click()
    newest = page.get_by_role("region", name="Freeze records", exact=True).locator("tbody tr").first
    expect(newest).to_contain_text("Unpaid invoice")
    page.get_by_role("link", name="Unfreeze", exact=True).click()
    person.window.get_by_label("Reason").fill("Paid")
    person.ok.click()
    expect(may).not_to_contain_text("Unpaid invoice")
    expect(newest).to_contain_text("Paid")
    person.meets_no_barrier()


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_the_page_works_without_javascript(sit_down, ann, used_up):
    person = sit_down(ann)
    open_page(person, used_up)
    page = person.page
    page.get_by_role("button", name="Show complete customer names").click()
    expect(card(person, "Customer")).to_contain_text("Kestwick Foods Ltd")
    page.get_by_role("link", name="Notes").click()
    page.get_by_role("textbox", name="Note").fill("Called.")
    page.get_by_role("button", name="Add Note").click()
    expect(page.locator(".note")).to_have_text("Called.")
    page.get_by_role("link", name="Adjustment Records").click()
    page.get_by_label("Operator").select_option("ann")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("region", name="Adjustment records", exact=True).locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Set Budget").click()
    person.amount.fill("2000")
    person.ok.click()
    person.sees("The monthly budget is set.")
    assert (AdjustmentRecord.objects.count(), CustomerNote.objects.count()) == (2, 1)
