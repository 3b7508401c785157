"""Decisions are snoozed, woken and made in the list of decisions; the page Why Frozen is opened and printed."""

import re

import pytest
from playwright.sync_api import expect

from customers.models import AccountFreezing, Customer, Snooze
from partnercenter.models import Partner, User
from tests import factories
from tests.browser.browser_user import BrowserUser


@pytest.fixture
def decisions(kestwick: Customer, acme: Partner, ann: User) -> list[Customer]:
    """Kestwick and two more customers who need a decision: each exhausted a budget under Manual."""
    customers = [kestwick, *factories.customers(acme, 2)]
    factories.budget(customers, ann, "100", account_freezing=AccountFreezing.MANUAL)
    factories.report(*[(each, "2026-09", "150") for each in customers])
    return customers


def submit_snooze(user: BrowserUser, day: str, reason: str) -> None:
    user.dialog.get_by_label("Decide again on").fill(day)
    user.dialog.get_by_label("Reason").fill(reason)
    user.ok_button.click()


@pytest.mark.parametrize(
    "_javascript",
    [
        pytest.param(True, id="with JavaScript"),
        pytest.param(False, marks=pytest.mark.browser_context_args(java_script_enabled=False), id="without JavaScript"),
    ],
)
def test_decisions_are_snoozed_together_then_one_is_woken_and_its_budget_raised(
    _javascript, open_browser, ann, decisions, kestwick, browser_errors
):
    browser_errors.allow_cancelled_requests()
    user = open_browser(ann, "/customers/")
    page = user.page
    user.choose_from_menu("Sales", "Decisions")
    expect(user.rows).to_have_count(3)
    user.expect_accessible()
    for row in (0, 1, 2):
        user.rows.nth(row).get_by_role("checkbox").check()
    page.get_by_role("main").get_by_role("button", name="Snooze", exact=True).click()
    expect(user.dialog.get_by_role("heading", name="Snooze")).to_be_visible()
    user.expect_accessible()
    submit_snooze(user, "2026-09-20", "Pays on Friday")
    user.expect_message("3 decisions are snoozed until 2026-09-20.")
    expect(page.get_by_text("There is nothing to decide.")).to_be_visible()
    page.get_by_role("link", name=re.compile("^Snoozed")).click()
    expect(user.rows).to_have_count(3)
    expect(user.row(kestwick)).to_contain_text("Pays on Friday")
    user.expect_accessible()
    user.row(kestwick).get_by_role("button", name="Wake").click()
    user.expect_message("1 decision is open again.")
    page.goto("/customers/decisions/")
    expect(user.rows).to_have_count(1)
    user.open_set_budget(kestwick)
    user.amount_field.fill("500")
    user.ok_button.click()
    user.expect_message("The one-time budget is set.")
    page.goto("/customers/decisions/")
    expect(page.get_by_text("There is nothing to decide.")).to_be_visible()


def test_a_decision_is_snoozed_with_the_keyboard_and_escape_returns_the_focus(open_browser, ann, decisions, kestwick):
    user = open_browser(ann, "/customers/decisions/")
    page = user.page
    user.row(kestwick).get_by_role("link", name="Snooze").press("Enter")
    day = user.dialog.get_by_label("Decide again on")
    expect(day).to_be_focused()
    page.keyboard.press("Escape")
    expect(user.row(kestwick).get_by_role("link", name="Snooze")).to_be_focused()
    page.keyboard.press("Enter")
    expect(day).to_be_focused()
    day.fill("2026-09-20")
    user.dialog.get_by_label("Reason").fill("Pays on Friday")
    page.keyboard.press("Enter")
    user.expect_message("1 decision is snoozed until 2026-09-20.")
    expect(user.rows).to_have_count(2)
    assert Snooze.objects.get().customer == kestwick


def test_decisions_are_searched_and_sorted_without_a_reload(open_browser, ann, decisions, kestwick):
    user = open_browser(ann, "/customers/decisions/")
    page = user.page
    page.get_by_role("link", name=re.compile("^Overspend")).click()
    expect(page.get_by_role("columnheader", name="Overspend")).to_have_attribute("aria-sort", "ascending")
    page.get_by_label("Customer name, account name or customer ID").fill("kestwick")
    expect(user.rows).to_have_count(1)
    expect(page).to_have_url(re.compile("q=kestwick"))
    expect(page.get_by_role("columnheader", name="Overspend")).to_have_attribute("aria-sort", "ascending")


def test_why_frozen_opens_from_the_list_and_prints_without_navigation(open_browser, ann, kestwick, acme):
    factories.budget(kestwick, ann, "100")
    factories.report((kestwick, "2026-09", "150"), operator=ann, only=acme)
    user = open_browser(ann, "/customers/")
    page = user.page
    user.row(kestwick).get_by_role("link", name=re.compile("budget exhausted")).click()
    expect(page.get_by_role("heading", name="The account was frozen")).to_be_visible()
    user.expect_accessible()
    page.emulate_media(media="print")
    for not_printed in (
        page.get_by_role("banner"),
        page.locator(".page-head"),
        page.locator("[data-print]"),
        page.locator(".eye-form"),
    ):
        expect(not_printed).to_be_hidden()
    expect(page.get_by_text("Report: plain.csv")).to_be_visible()
    expect(page.get_by_text("K****d")).to_be_visible()
    page.emulate_media(media="screen")
    page.evaluate("() => { window.print = () => { document.title = 'printed'; }; }")
    page.get_by_role("button", name="Print").press("Enter")
    expect(page).to_have_title("printed")
