"""The review in the dialog: a bad amount keeps its place, and the message of a batch leads to the batch."""

import re

import pytest
from django.core import mail
from playwright.sync_api import expect

from customers.models import Customer
from partnercenter.models import User
from tests import factories
from tests.browser.person import Person


@pytest.fixture
def person(sit_down, ann: User, kestwick: Customer) -> Person:
    """Ann, with the review of three customers before her."""
    person = sit_down(ann)
    page = person.page
    page.goto("/customers/")
    page.get_by_role("checkbox", name="Select all on this page").check()
    page.get_by_role("button", name="Set Budget").click()
    person.window.get_by_role("radio", name="One-time budget").check()
    person.window.get_by_label("Amount", exact=True).last.fill("100")
    person.window.get_by_role("button", name="Review").click()
    person.window.get_by_role("link", name="All budgets to be set").click()
    expect(person.window.get_by_role("region", name="All budgets to be set")).to_be_visible()
    return person


def test_a_bad_amount_comes_back_in_its_row_with_the_focus_there(person, watch, kestwick):
    watch.allow(422)
    amount = person.window.get_by_label(f"Budget of {kestwick.account_name}")
    amount.fill("12,34")
    amount.press("Enter")
    expect(amount).to_have_attribute("aria-invalid", "true")
    expect(amount).to_be_focused()
    expect(amount).to_have_value("12,34")
    expect(amount).to_have_accessible_description(re.compile("Enter an amount such as"))
    person.meets_no_barrier()
    amount.fill("12.34")
    amount.press("Enter")
    expect(amount).not_to_have_attribute("aria-invalid", "true")
    expect(amount).to_have_value("12.34")


def test_the_message_of_a_batch_leads_to_the_batch(person):
    person.ok.click()
    person.sees("3 budgets are set.")
    person.meets_no_barrier()
    person.page.get_by_role("link", name="Show batch").click()
    expect(person.page.get_by_role("heading", name="Budget Batch of")).to_be_visible()
    person.meets_no_barrier()


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_without_javascript_the_message_leads_there_too(sit_down, ann, kestwick, watch):
    watch.allow(422)
    person = sit_down(ann)
    page = person.page
    page.goto("/customers/")
    for box in page.get_by_role("checkbox", name="Select").all():
        box.check()
    page.get_by_role("button", name="Set Budget").click()
    page.get_by_role("radio", name="One-time budget").check()
    page.get_by_label("Amount", exact=True).last.fill("100")
    page.get_by_role("button", name="Review").click()
    page.get_by_role("link", name="All budgets to be set").click()
    amount = page.get_by_label(f"Budget of {kestwick.account_name}")
    amount.fill("none")
    amount.press("Enter")
    expect(amount).to_have_value("none")
    amount.fill("12.34")
    amount.press("Enter")
    expect(amount).to_have_value("12.34")
    person.ok.click()
    person.sees("3 budgets are set.")
    page.get_by_role("link", name="Show batch").click()
    expect(page.get_by_role("heading", name="Budget Batch of")).to_be_visible()


def test_enter_in_the_field_of_the_code_confirms_and_leaves_nobody_out(sit_down, carl, borealis):
    """Also in an undo, whose rows have no other button than that which leaves out."""
    customers = factories.customers(borealis, 2)
    batch = factories.budget(customers, carl, "100").batch
    person = sit_down(carl)
    page = person.page
    page.goto(f"/budgets/batches/{batch}/")
    page.get_by_role("button", name="Review Undo").click()
    page.get_by_role("link", name="All budgets to be set").click()
    expect(page.get_by_role("button", name="Exclude").first).to_be_visible()
    page.get_by_role("button", name="Get Code").click()
    expect(page.get_by_text("A verification code has been sent to you by e-mail.")).to_be_visible()
    [code] = re.findall(r"^\s*(\d{6})$", str(mail.outbox[-1].body), re.MULTILINE)
    page.get_by_label("Verification Code", exact=True).fill(code)
    page.get_by_label("Verification Code", exact=True).press("Enter")
    person.sees("2 budgets were restored to their previous values.")
