"""The errand by the keyboard alone: no mouse, no focus set by the test."""

import re

from playwright.sync_api import Locator, expect

from tests.browser.person import Person

FAR_ENOUGH = 60
REPORT = "customer_id,month,list_price_total\n{customer},2026-09,1250.00\n"


def tab_to(person: Person, control: Locator, key: str = "Tab") -> None:
    """Press Tab until the control has the focus."""
    expect(control).to_be_visible()
    for _press in range(FAR_ENOUGH):
        if control.evaluate("element => element === document.activeElement"):
            return
        person.page.keyboard.press(key)
    raise AssertionError(f"not reached by {FAR_ENOUGH} presses of {key}: {control}")


def press(person: Person, control: Locator, key: str = "Enter") -> None:
    tab_to(person, control)
    person.page.keyboard.press(key)


def write(person: Person, control: Locator, text: str) -> None:
    tab_to(person, control)
    person.page.keyboard.press("ControlOrMeta+A")
    person.page.keyboard.type(text)


def choose_file(person: Person, control: Locator, text: str) -> None:
    with person.page.expect_file_chooser() as chooser:
        # Inside: a look at the focus waits until the page was told to leave its dialogs to us, a key does not.
        tab_to(person, control)
        person.page.keyboard.press("Space")
    chooser.value.set_files({"name": "plain.csv", "mimeType": "text/csv", "buffer": text.encode()})


def choose(person: Person, menu: str, entry: str) -> None:
    bar = person.page.get_by_role("banner")
    press(person, bar.locator("summary", has_text=menu))
    press(person, bar.get_by_role("link", name=entry, exact=True))
    expect(person.page.get_by_role("heading", name=entry, level=1)).to_be_visible()


def set_budget(person: Person, customer, amount: str, unfreeze: str) -> None:
    press(person, person.row(customer).get_by_role("link", name="Set Budget"))
    expect(person.window.get_by_role("radio", checked=True).first).to_be_focused()
    write(person, person.amount, amount)
    tab_to(person, person.window.get_by_role("radio", checked=True).last)
    automatic = person.window.get_by_role("radio", name="Automatic", exact=True)
    while not automatic.is_checked():
        person.page.keyboard.press("ArrowLeft")
    expect(automatic).to_be_checked()
    box = person.window.get_by_role("checkbox", name=unfreeze)
    if not box.is_checked():
        press(person, box, "Space")
    press(person, person.ok)
    person.sees("The one-time budget is set. The account is unfrozen.")
    expect(person.row(customer).get_by_role("link", name="Set Budget")).to_be_focused()


def take_in(person: Person, customer) -> None:
    choose(person, "Sales", "Customer Expenditure")
    text = REPORT.format(customer=customer.customer_id)
    choose_file(person, person.page.get_by_label("Files"), text)
    press(person, person.page.get_by_role("button", name="Import"))
    person.sees("The report is imported: 1 total changed. 1 account is frozen.")


def test_the_errand_needs_no_mouse(sit_down, ann, kestwick):
    person = sit_down(ann, signed_in=False)
    person.page.goto("/")
    write(person, person.page.get_by_label("Username"), "ann")
    write(person, person.page.get_by_label("Password"), "partner-center")
    person.page.keyboard.press("Enter")
    choose(person, "Sales", "Customer Management")
    write(person, person.page.get_by_role("searchbox"), "kestwick")
    expect(person.page.locator("tr[data-customer]")).to_have_count(1)
    set_budget(person, kestwick, "1000", "Unfreeze Account")
    take_in(person, kestwick)
    choose(person, "Sales", "Customer Management")
    expect(person.row(kestwick)).to_contain_text(re.compile("Frozen.*budget exhausted"))
    set_budget(person, kestwick, "2000", "Unfreeze Now")


def test_the_first_tab_leads_past_the_menus(sit_down, ann):
    person = sit_down(ann)
    person.page.goto("/customers/")
    person.page.keyboard.press("Tab")
    expect(person.page.get_by_role("link", name="Skip to content")).to_be_focused()
    person.page.keyboard.press("Enter")
    expect(person.page.get_by_role("main")).to_be_focused()


def test_escape_closes_a_menu_and_returns_to_it(sit_down, ann):
    person = sit_down(ann)
    person.page.goto("/customers/")
    sales = person.page.locator("summary", has_text="Sales")
    press(person, sales)
    entry = person.page.get_by_role("link", name="Customer Expenditure")
    tab_to(person, entry)
    person.page.keyboard.press("Escape")
    expect(sales).to_be_focused()
    expect(entry).to_be_hidden()
