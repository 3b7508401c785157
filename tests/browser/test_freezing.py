"""Operators freeze and unfreeze one account from its row, and several in a batch that is reviewed and confirmed."""

import re

import pytest
from playwright.sync_api import expect

from customers.models import AgreementRecord, Customer
from tests import factories
from tests.browser.browser_user import BrowserUser
from tests.browser.keyboard import press, tab_to, type_into

HOUR = 3600


@pytest.fixture
def unfrozen(kestwick: Customer, ann) -> Customer:
    """Kestwick, unfrozen by setting a budget."""
    factories.budget(kestwick, ann, "1000")
    return kestwick


def test_an_account_is_frozen_with_resources_and_unfrozen_with_the_keyboard_alone(open_browser, ann, unfrozen):
    user = open_browser(ann, "/customers/")
    menu = user.row(unfrozen).locator("summary")
    press(user, menu)
    user.expect_accessible()
    press(user, user.row(unfrozen).get_by_role("link", name="Freeze Account and Resources"))
    expect(user.dialog.get_by_role("radio", name="Account and resources")).to_be_checked()
    user.expect_accessible()
    type_into(user, user.dialog.get_by_label("Reason"), "Unpaid invoice")
    press(user, user.ok_button)
    expect(user.dialog.get_by_text("Tick the agreement: resources are frozen only with it.")).to_be_visible()
    user.expect_accessible()
    press(user, user.dialog.get_by_role("checkbox", name="I agree"), "Space")
    press(user, user.ok_button)
    user.expect_message("The account and its resources are frozen.")
    expect(menu).to_be_focused()
    expect(user.row(unfrozen)).to_contain_text("data kept until 2026-09-30")
    assert AgreementRecord.objects.count() == 1
    unfreeze_with_keyboard(user, unfrozen)


def unfreeze_with_keyboard(user: BrowserUser, customer: Customer) -> None:
    menu = user.row(customer).locator("summary")
    press(user, menu)
    user.page.keyboard.press("Escape")
    expect(user.row(customer).get_by_role("link", name="Unfreeze")).to_be_hidden()
    expect(menu).to_be_focused()
    press(user, menu)
    press(user, user.row(customer).get_by_role("link", name="Unfreeze"))
    expect(user.dialog.get_by_label("Reason")).to_be_focused()
    expect(user.dialog).to_contain_text("2026-09-30")
    user.expect_accessible()
    type_into(user, user.dialog.get_by_label("Reason"), "Paid")
    tab_to(user, user.ok_button)
    user.page.keyboard.press("Enter")
    user.expect_message("The account is unfrozen.")
    expect(user.row(customer)).to_contain_text("Normal")


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_an_account_is_frozen_and_unfrozen_without_javascript(open_browser, ann, unfrozen):
    user = open_browser(ann)
    for entry, message in (("Freeze Account", "The account is frozen."), ("Unfreeze", "The account is unfrozen.")):
        user.page.goto("/customers/")
        user.row(unfrozen).locator("summary").click()
        user.row(unfrozen).get_by_role("link", name=entry, exact=True).click()
        user.dialog.get_by_label("Reason").fill("Unpaid invoice")
        user.ok_button.click()
        user.expect_message(message)


def test_a_batch_is_reviewed_one_customer_excluded_and_confirmed_with_a_code(open_browser, ann, acme, verification_on):
    unfrozen, frozen = factories.customers(acme, 4), factories.customers(acme, 2)
    factories.budget(unfrozen, ann, "1000")
    user = open_browser(ann, "/customers/")
    for customer in (*unfrozen[:3], frozen[0]):
        user.row(customer).get_by_role("checkbox").check()
    user.page.get_by_role("button", name="Freeze", exact=True).click()
    expect(user.dialog.get_by_role("heading", name="Freeze")).to_be_visible()
    user.expect_accessible()
    user.dialog.get_by_label("Reason").fill("Closed contract")
    user.dialog.get_by_role("button", name="Review").click()
    expect(user.dialog.get_by_role("heading", name="Freeze: Review")).to_be_visible()
    expect_already_frozen_in_review(user, frozen[0])
    user.dialog.get_by_role("link", name=re.compile("^Frozen 3")).click()
    user.dialog.get_by_role("button", name=f"Exclude {unfrozen[0].account_name}").click()
    expect(user.dialog.get_by_role("link", name=re.compile("^Excluded 1"))).to_be_visible()
    user.code_field.fill(user.get_code())
    user.expect_accessible()
    user.ok_button.click()
    user.expect_message(re.compile("2 accounts frozen. 2 customers were excluded."))
    assert [factories.fresh(each).freeze_origin for each in unfrozen] == ["", "PARTNER", "PARTNER", ""]
    expect_batch(user, unfrozen[1:3], frozen[0])


def expect_already_frozen_in_review(user: BrowserUser, customer: Customer) -> None:
    user.dialog.get_by_role("link", name=re.compile("^Already frozen in this way")).click()
    expect(user.dialog.get_by_role("row", name=re.compile(customer.account_name))).to_contain_text(
        re.compile(r"since association on 2026-09-15 \d\d:\d\d.*already frozen in this way", re.DOTALL)
    )
    user.expect_accessible()


def expect_batch(user: BrowserUser, frozen: list[Customer], excluded: Customer) -> None:
    user.page.get_by_role("link", name="Show batch").click()
    expect(user.page.get_by_role("heading", name=re.compile("^Freeze, batch of"))).to_be_visible()
    expect(user.page.locator("tbody th")).to_have_text([each.account_name for each in frozen])
    user.expect_accessible()
    user.page.get_by_role("link", name="2", exact=True).click()
    expect(user.page.get_by_role("row", name=re.compile(excluded.account_name))).to_contain_text(
        "already frozen in this way"
    )
    user.expect_accessible()


def test_the_list_warns_of_data_that_may_be_deleted_within_a_week(open_browser, ann, unfrozen, clock):
    user = open_browser(ann, "/customers/")
    user.row(unfrozen).locator("summary").click()
    user.row(unfrozen).get_by_role("link", name="Freeze Account and Resources").click()
    user.dialog.get_by_label("Reason").fill("Unpaid invoice")
    user.dialog.get_by_role("checkbox", name="I agree").check()
    user.ok_button.click()
    user.expect_message("The account and its resources are frozen.")
    expect(user.page.locator("#ending")).to_be_empty()
    clock.shift(9 * 24 * HOUR)
    later = open_browser(ann, "/customers/")
    later.page.get_by_role("link", name="The data of 1 customer may be deleted within seven days.").click()
    expect(later.rows).to_have_count(1)
    later.expect_accessible()
