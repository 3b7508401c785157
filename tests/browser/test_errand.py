"""The errand from sign-in to unfrozen, as a person does it: in the dialog, and without JavaScript page by page."""

import re

import pytest
from playwright.sync_api import expect

from budgets.models import AdjustmentRecord
from customers.models import Customer
from partnercenter.models import Partner
from tests import factories
from tests.browser.person import Person

HOUR, NAMES_SHOWN = 3600, 5 * 60
FOCUS = (
    "BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ListCost,SubAccountId\n"
    "USD,2026-09-01 00:00:00,2026-10-01 00:00:00,2026-09-14 00:00:00,2026-09-15 00:00:00,{cost},{customer}\n"
    "USD,2026-09-01 00:00:00,2026-10-01 00:00:00,2026-09-14 00:00:00,2026-09-15 00:00:00,250.5,{customer}\n"
    "USD,2026-09-01 00:00:00,2026-10-01 00:00:00,2026-09-14 00:00:00,2026-09-15 00:00:00,12.00,NULL\n"
)


@pytest.fixture
def code_off(kestwick: Customer, ann):
    return ann, kestwick


@pytest.fixture
def code_on(borealis: Partner, carl):
    factories.customers(borealis, 2)
    return carl, factories.customer(borealis, "618033988751", account_name="kestwick_foods", name="Kestwick Foods Ltd")


@pytest.mark.parametrize("setting", ["code_off", "code_on"])
def test_a_person_sets_a_budget_and_unfreezes_the_account_it_froze(setting, sit_down, request):
    user, customer = request.getfixturevalue(setting)
    run_the_errand(sit_down(user, signed_in=False), customer)


@pytest.mark.browser_context_args(java_script_enabled=False)
@pytest.mark.parametrize("setting", ["code_off", "code_on"])
def test_a_person_without_javascript_does_the_same(setting, sit_down, request):
    user, customer = request.getfixturevalue(setting)
    run_the_errand(sit_down(user, signed_in=False), customer)


def run_the_errand(person: Person, customer: Customer) -> None:
    go_to_customer_management(person)
    find(person, customer)
    look_at_the_name(person, customer)
    set_the_first_budget(person, customer)
    take_in_a_report(person, customer)
    see_why_it_is_frozen(person, customer)
    raise_and_unfreeze(person, customer)
    read_the_records(person, customer)


def go_to_customer_management(person: Person) -> None:
    if person.has_scripts:
        person.page.clock.install()
    person.page.goto("/")
    person.meets_no_barrier()
    person.sign_in()
    expect(person.page.get_by_role("heading", name="Overview")).to_be_visible()
    person.meets_no_barrier()
    person.choose(person.partner.account_name, "Partner Center")
    person.choose("Sales", "Customer Management")
    expect(person.page.get_by_role("heading", name="Customer Management")).to_be_visible()


def find(person: Person, customer: Customer) -> None:
    expect(person.page.locator("tr[data-customer]")).to_have_count(3)
    person.page.get_by_role("searchbox").fill("kestwick")
    person.page.get_by_role("button", name="Search").click()
    expect(person.page.locator("tr[data-customer]")).to_have_count(1)
    expect(person.row(customer)).to_contain_text("K****d")
    assert "Kestwick Foods" not in person.page.content()
    person.meets_no_barrier()


def look_at_the_name(person: Person, customer: Customer) -> None:
    """The eye shows the name, and when its time is over it is hidden."""
    eye = person.page.get_by_role("button", name="Show complete customer names")
    eye.click()
    expect(person.row(customer)).to_contain_text("Kestwick Foods Ltd")
    expect(eye).to_have_attribute("aria-pressed", "true")
    person.meets_no_barrier()
    person.clock.shift(NAMES_SHOWN)
    if person.has_scripts:
        expect(eye).to_be_focused()
        person.page.clock.fast_forward(NAMES_SHOWN * 1000)
    else:
        person.page.reload()
    expect(person.row(customer)).to_contain_text("K****d")
    expect(eye).to_have_attribute("aria-pressed", "false")
    assert "Kestwick Foods" not in person.page.content()


def set_the_first_budget(person: Person, customer: Customer) -> None:
    person.open_set_budget(customer)
    expect(person.window.get_by_role("checkbox", name="Unfreeze Account")).to_be_checked()
    person.fill_in("1,000")
    person.meets_no_barrier()
    person.ok.click()
    confirm(person)
    person.sees("The one-time budget is set. The account is unfrozen.")
    expect(person.row(customer)).to_contain_text(re.compile(r"Normal.*One-time budget\s+1,000\.00", re.DOTALL))
    person.meets_no_barrier()


def confirm(person: Person) -> None:
    """Get Code and OK, where the partner's switch is on."""
    if not person.partner.verification_required:
        return
    expect(person.window.get_by_role("heading", name="Set Budget: Verification")).to_be_visible()
    person.meets_no_barrier()
    code = person.get_code()
    if person.has_scripts:
        expect(person.code).to_be_focused()
        expect(person.window.get_by_role("button", name=re.compile(r"Get Code \(\d+\)"))).to_be_disabled()
        person.page.clock.fast_forward(60_000)
        expect(person.window.get_by_role("button", name="Get Code", exact=True)).to_be_enabled()
    person.meets_no_barrier()
    person.code.fill(code)
    person.ok.click()


def take_in_a_report(person: Person, customer: Customer) -> None:
    person.clock.shift(HOUR)
    person.choose("Sales", "Customer Expenditure")
    expect(person.page.get_by_role("heading", name="Customer Expenditure")).to_be_visible()
    person.meets_no_barrier()
    text = FOCUS.format(cost="9.995E2", customer=customer.customer_id)
    person.page.get_by_label("Files").set_input_files(
        {"name": "focus.csv", "mimeType": "text/csv", "buffer": text.encode()}
    )
    person.page.get_by_role("button", name="Import").click()
    person.sees("The report is imported: 1 total changed. 1 account is frozen.")
    frozen = person.page.get_by_role("region", name="Frozen accounts")
    expect(frozen).to_contain_text(re.compile(r"kestwick_foods.*K\*{4}d.*1,000\.00\s+1,250\.00", re.DOTALL))
    person.meets_no_barrier()


def see_why_it_is_frozen(person: Person, customer: Customer) -> None:
    person.choose("Sales", "Customer Management")
    expect(person.row(customer)).to_contain_text(
        re.compile(r"Frozen\s*since 2026-09-15 11:\d\d, budget exhausted \(1,250\.00 of 1,000\.00 used\)")
    )
    person.meets_no_barrier()


def raise_and_unfreeze(person: Person, customer: Customer) -> None:
    person.open_set_budget(customer)
    expect(person.window).to_contain_text(re.compile(r"1,250\.00\s+125%, used up; counted since 2026-09"))
    person.amount.fill("2,000.00")
    person.window.get_by_role("checkbox", name="Unfreeze Now").check()
    person.meets_no_barrier()
    person.ok.click()
    confirm(person)
    person.sees("The one-time budget is set. The account is unfrozen.")
    expect(person.row(customer)).to_contain_text(re.compile(r"Normal.*2,000\.00.*62%", re.DOTALL))


def read_the_records(person: Person, customer: Customer) -> None:
    person.open_set_budget(customer)
    person.window.get_by_role("link", name="Adjustment Records").click()
    lines = person.window.locator("tbody tr").filter(has_text=person.user.username)
    expect(lines).to_have_count(AdjustmentRecord.objects.filter(customer=customer).count())
    expect(lines).to_contain_text(
        [re.compile(r"1,000\.00\s+2,000\.00\s+1,250\.00"), re.compile(r"--\s+1,000\.00\s+0\.00")]
    )
    person.meets_no_barrier()
    person.window.get_by_role("link", name="Back to Set Budget").click()
    expect(person.amount).to_have_value("2,000.00")
