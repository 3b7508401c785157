"""Freezing and unfreezing by hand, as a person does it: one by the keyboard alone, many by a review with a code."""

import re

import pytest
from playwright.sync_api import expect

from customers.models import AgreementRecord, Customer
from tests import factories
from tests.browser.person import Person
from tests.browser.test_keyboard import press, tab_to, write

HOUR = 3600


@pytest.fixture
def free(kestwick: Customer, ann) -> Customer:
    factories.budget(kestwick, ann, "1000")
    return kestwick


def test_one_is_frozen_with_its_resources_and_unfrozen_by_the_keyboard_alone(sit_down, ann, free):
    person = sit_down(ann)
    person.page.goto("/customers/")
    more = person.row(free).locator("summary")
    press(person, more)
    person.meets_no_barrier()
    press(person, person.row(free).get_by_role("link", name="Freeze Account and Resources"))
    expect(person.window.get_by_role("radio", name="Account and resources")).to_be_checked()
    person.meets_no_barrier()
    write(person, person.window.get_by_label("Reason"), "Unpaid invoice")
    press(person, person.ok)
    expect(person.window.get_by_text("Tick the agreement: resources are frozen only with it.")).to_be_visible()
    person.meets_no_barrier()
    press(person, person.window.get_by_role("checkbox", name="I agree"), "Space")
    press(person, person.ok)
    person.sees("The account and its resources are frozen.")
    expect(more).to_be_focused()
    expect(person.row(free)).to_contain_text("data kept until 2026-09-30")
    assert AgreementRecord.objects.count() == 1
    unfreeze(person, free)


def unfreeze(person: Person, customer: Customer) -> None:
    more = person.row(customer).locator("summary")
    press(person, more)
    person.page.keyboard.press("Escape")
    expect(person.row(customer).get_by_role("link", name="Unfreeze")).to_be_hidden()
    expect(more).to_be_focused()
    press(person, more)
    press(person, person.row(customer).get_by_role("link", name="Unfreeze"))
    expect(person.window.get_by_label("Reason")).to_be_focused()
    expect(person.window).to_contain_text("2026-09-30")
    person.meets_no_barrier()
    write(person, person.window.get_by_label("Reason"), "Paid")
    tab_to(person, person.ok)
    person.page.keyboard.press("Enter")
    person.sees("The account is unfrozen.")
    expect(person.row(customer)).to_contain_text("Normal")


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_without_javascript_one_is_frozen_and_unfrozen(sit_down, ann, free):
    person = sit_down(ann)
    for entry, said in (("Freeze Account", "The account is frozen."), ("Unfreeze", "The account is unfrozen.")):
        person.page.goto("/customers/")
        person.row(free).locator("summary").click()
        person.row(free).get_by_role("link", name=entry, exact=True).click()
        person.window.get_by_label("Reason").fill("Unpaid invoice")
        person.ok.click()
        person.sees(said)


def test_many_are_reviewed_one_is_left_out_and_a_code_confirms(sit_down, ann, acme):
    acme.verification_required = True
    acme.save()
    free, frozen = factories.customers(acme, 4), factories.customers(acme, 2)
    factories.budget(free, ann, "1000")
    person = sit_down(ann)
    person.page.goto("/customers/")
    for customer in (*free[:3], frozen[0]):
        person.row(customer).get_by_role("checkbox").check()
    person.page.get_by_role("button", name="Freeze", exact=True).click()
    expect(person.window.get_by_role("heading", name="Freeze")).to_be_visible()
    person.meets_no_barrier()
    person.window.get_by_label("Reason").fill("Closed contract")
    person.window.get_by_role("button", name="Review").click()
    expect(person.window.get_by_role("heading", name="Freeze: Review")).to_be_visible()
    look_at_who_stays(person, frozen[0])
    person.window.get_by_role("link", name=re.compile("^Frozen 3")).click()
    person.window.get_by_role("button", name=f"Exclude {free[0].account_name}").click()
    expect(person.window.get_by_role("link", name=re.compile("^Excluded 1"))).to_be_visible()
    person.code.fill(person.get_code())
    person.meets_no_barrier()
    person.ok.click()
    person.sees(re.compile("2 accounts frozen. 2 customers were excluded."))
    assert [factories.fresh(each).freeze_origin for each in free] == ["", "PARTNER", "PARTNER", ""]
    look_at_the_batch(person, free[1:3], frozen[0])


def look_at_who_stays(person: Person, customer: Customer) -> None:
    person.window.get_by_role("link", name=re.compile("^Already frozen in this way")).click()
    expect(person.window.get_by_role("row", name=re.compile(customer.account_name))).to_contain_text(
        re.compile(r"since association on 2026-09-15 \d\d:\d\d.*already frozen in this way", re.DOTALL)
    )
    person.meets_no_barrier()


def look_at_the_batch(person: Person, frozen: list[Customer], left_out: Customer) -> None:
    person.page.get_by_role("link", name="Show batch").click()
    expect(person.page.get_by_role("heading", name=re.compile("^Freeze, batch of"))).to_be_visible()
    expect(person.page.locator("tbody th")).to_have_text([each.account_name for each in frozen])
    person.meets_no_barrier()
    person.page.get_by_role("link", name="2", exact=True).click()
    expect(person.page.get_by_role("row", name=re.compile(left_out.account_name))).to_contain_text(
        "already frozen in this way"
    )
    person.meets_no_barrier()


def test_the_list_warns_of_data_that_may_be_deleted_soon(sit_down, ann, free, clock):
    person = sit_down(ann)
    person.page.goto("/customers/")
    person.row(free).locator("summary").click()
    person.row(free).get_by_role("link", name="Freeze Account and Resources").click()
    person.window.get_by_label("Reason").fill("Unpaid invoice")
    person.window.get_by_role("checkbox", name="I agree").check()
    person.ok.click()
    person.sees("The account and its resources are frozen.")
    expect(person.page.locator("#ending")).to_be_empty()
    clock.shift(9 * 24 * HOUR)
    later = sit_down(ann)
    later.page.goto("/customers/")
    later.page.get_by_role("link", name="Customers whose data may be deleted within seven days: 1").click()
    expect(later.page.locator("tr[data-customer]")).to_have_count(1)
    later.meets_no_barrier()
