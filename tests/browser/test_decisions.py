"""Decisions and the sheet that says why, at the browser: put off, woken, raised; printed without the console."""

import re

import pytest
from playwright.sync_api import Page, expect

from customers.models import AccountFreezing, Customer, Snooze
from partnercenter.models import Partner, User
from tests import factories
from tests.browser.person import Person


@pytest.fixture
def undecided(kestwick: Customer, acme: Partner, ann: User) -> list[Customer]:
    """Kestwick and two more, each of which has used up a budget under Manual."""
    customers = [kestwick, *factories.customers(acme, 2)]
    factories.budget(customers, ann, "100", account_freezing=AccountFreezing.MANUAL)
    factories.report(*[(each, "2026-09", "150") for each in customers])
    return customers


def rows(page: Page):
    return page.locator("tr[data-customer]")


def snooze_in(person: Person, day: str, reason: str) -> None:
    person.window.get_by_label("Decide again on").fill(day)
    person.window.get_by_label("Reason").fill(reason)
    person.ok.click()


@pytest.mark.parametrize(
    "_scripts",
    [
        pytest.param(True, id="with JavaScript"),
        pytest.param(False, marks=pytest.mark.browser_context_args(java_script_enabled=False), id="without"),
    ],
)
def test_decisions_are_put_off_together_woken_and_raised(_scripts, sit_down, ann, undecided, kestwick, watch):
    watch.allow_replaced()
    person = sit_down(ann)
    page = person.page
    page.goto("/customers/")
    person.choose("Sales", "Decisions")
    expect(rows(page)).to_have_count(3)
    person.meets_no_barrier()
    for row in (0, 1, 2):
        rows(page).nth(row).get_by_role("checkbox").check()
    page.get_by_role("main").get_by_role("button", name="Snooze", exact=True).click()
    expect(person.window.get_by_role("heading", name="Snooze")).to_be_visible()
    person.meets_no_barrier()
    snooze_in(person, "2026-09-20", "Pays on Friday")
    person.sees("3 decisions are snoozed until 2026-09-20.")
    expect(page.get_by_text("There is nothing to decide.")).to_be_visible()
    page.get_by_role("link", name=re.compile("^Snoozed")).click()
    expect(rows(page)).to_have_count(3)
    expect(person.row(kestwick)).to_contain_text("Pays on Friday")
    person.meets_no_barrier()
    person.row(kestwick).get_by_role("button", name="Wake").click()
    person.sees("1 decision is open again.")
    page.goto("/customers/decisions/")
    expect(rows(page)).to_have_count(1)
    person.open_set_budget(kestwick)
    person.amount.fill("500")
    person.ok.click()
    person.sees("The one-time budget is set.")
    page.goto("/customers/decisions/")
    expect(page.get_by_text("There is nothing to decide.")).to_be_visible()


def test_by_the_keyboard_alone_a_decision_is_put_off_and_the_focus_comes_back(sit_down, ann, undecided, kestwick):
    person = sit_down(ann)
    page = person.page
    page.goto("/customers/decisions/")
    person.row(kestwick).get_by_role("link", name="Snooze").press("Enter")
    day = person.window.get_by_label("Decide again on")
    expect(day).to_be_focused()
    page.keyboard.press("Escape")
    expect(person.row(kestwick).get_by_role("link", name="Snooze")).to_be_focused()
    page.keyboard.press("Enter")
    expect(day).to_be_focused()
    day.fill("2026-09-20")
    person.window.get_by_label("Reason").fill("Pays on Friday")
    page.keyboard.press("Enter")
    person.sees("1 decision is snoozed until 2026-09-20.")
    expect(rows(page)).to_have_count(2)
    assert Snooze.objects.get().customer == kestwick


def test_they_are_searched_and_sorted_in_place(sit_down, ann, undecided, kestwick):
    person = sit_down(ann)
    page = person.page
    page.goto("/customers/decisions/")
    page.get_by_role("link", name=re.compile("^Overspend")).click()
    expect(page.get_by_role("columnheader", name="Overspend")).to_have_attribute("aria-sort", "ascending")
    page.get_by_label("Customer name, account name or customer ID").fill("kestwick")
    expect(rows(page)).to_have_count(1)
    expect(page).to_have_url(re.compile("q=kestwick"))
    expect(page.get_by_role("columnheader", name="Overspend")).to_have_attribute("aria-sort", "ascending")


def test_the_sheet_is_reached_from_the_list_and_the_console_is_not_printed_with_it(sit_down, ann, kestwick, acme):
    factories.budget(kestwick, ann, "100")
    factories.report((kestwick, "2026-09", "150"), operator=ann, only=acme)
    person = sit_down(ann)
    page = person.page
    page.goto("/customers/")
    person.row(kestwick).get_by_role("link", name=re.compile("budget exhausted")).click()
    expect(page.get_by_role("heading", name="The account was frozen")).to_be_visible()
    person.meets_no_barrier()
    page.emulate_media(media="print")
    for console in (
        page.get_by_role("banner"),
        page.locator(".page-head"),
        page.locator("[data-print]"),
        page.locator(".eye-form"),
    ):
        expect(console).to_be_hidden()
    expect(page.get_by_text("Report: plain.csv")).to_be_visible()
    expect(page.get_by_text("K****d")).to_be_visible()
    page.emulate_media(media="screen")
    page.evaluate("() => { window.print = () => { document.title = 'printed'; }; }")
    page.get_by_role("button", name="Print").press("Enter")
    expect(page).to_have_title("printed")
