"""The whole workflow: sign in, set a budget, import a report that freezes the account, raise the budget, unfreeze."""

import re

import pytest
from playwright.sync_api import expect

from budgets.models import AdjustmentRecord
from customers.models import Customer
from partnercenter.models import Partner, User
from tests import factories
from tests.browser.browser_user import BrowserUser
from tests.browser.files import csv_file

HOUR, REVEAL_SECONDS = 3600, 5 * 60
FOCUS_REPORT = (
    "BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ListCost,SubAccountId\n"
    "USD,2026-09-01 00:00:00,2026-10-01 00:00:00,2026-09-14 00:00:00,2026-09-15 00:00:00,{cost},{customer}\n"
    "USD,2026-09-01 00:00:00,2026-10-01 00:00:00,2026-09-14 00:00:00,2026-09-15 00:00:00,250.5,{customer}\n"
    "USD,2026-09-01 00:00:00,2026-10-01 00:00:00,2026-09-14 00:00:00,2026-09-15 00:00:00,12.00,NULL\n"
)


@pytest.fixture
def without_code(kestwick: Customer, ann: User) -> tuple[User, Customer]:
    """An operator and a customer of a partner that requires no verification code."""
    return ann, kestwick


@pytest.fixture
def with_code(borealis: Partner, carl: User) -> tuple[User, Customer]:
    """An operator and a customer of a partner that requires a verification code."""
    factories.customers(borealis, 2)
    return carl, factories.customer(borealis, "618033988751", account_name="kestwick_foods", name="Kestwick Foods Ltd")


@pytest.mark.parametrize("partner", ["without_code", "with_code"])
def test_an_operator_sets_a_budget_and_unfreezes_an_account_that_exhausted_it(partner, open_browser, request):
    operator, customer = request.getfixturevalue(partner)
    run_workflow(open_browser(operator, signed_in=False), customer)


@pytest.mark.browser_context_args(java_script_enabled=False)
@pytest.mark.parametrize("partner", ["without_code", "with_code"])
def test_an_operator_does_the_same_without_javascript(partner, open_browser, request):
    operator, customer = request.getfixturevalue(partner)
    run_workflow(open_browser(operator, signed_in=False), customer)


def run_workflow(user: BrowserUser, customer: Customer) -> None:
    go_to_customer_management(user)
    search_customer(user, customer)
    reveal_name(user, customer)
    set_first_budget(user, customer)
    import_report(user, customer)
    expect_frozen(user, customer)
    raise_budget_and_unfreeze(user, customer)
    expect_records(user, customer)


def go_to_customer_management(user: BrowserUser) -> None:
    if user.has_javascript:
        user.page.clock.install()
    user.page.goto("/")
    user.expect_accessible()
    user.sign_in()
    expect(user.page.get_by_role("heading", name="Overview")).to_be_visible()
    user.expect_accessible()
    user.choose_from_menu(user.partner.account_name, "Partner Center")
    user.choose_from_menu("Sales", "Customer Management")
    expect(user.page.get_by_role("heading", name="Customer Management")).to_be_visible()


def search_customer(user: BrowserUser, customer: Customer) -> None:
    expect(user.rows).to_have_count(3)
    user.page.get_by_role("searchbox").fill("kestwick")
    user.page.get_by_role("button", name="Search").click()
    expect(user.rows).to_have_count(1)
    expect(user.row(customer)).to_contain_text("K****d")
    assert "Kestwick Foods" not in user.page.content()
    user.expect_accessible()


def reveal_name(user: BrowserUser, customer: Customer) -> None:
    """Press the eye button to reveal the name, and wait until it is masked again."""
    eye = user.page.get_by_role("button", name="Show complete customer names")
    eye.click()
    expect(user.row(customer)).to_contain_text("Kestwick Foods Ltd")
    expect(eye).to_have_attribute("aria-pressed", "true")
    user.expect_accessible()
    user.clock.shift(REVEAL_SECONDS)
    if user.has_javascript:
        expect(eye).to_be_focused()
        user.page.clock.fast_forward(REVEAL_SECONDS * 1000)
    else:
        user.page.reload()
    expect(user.row(customer)).to_contain_text("K****d")
    expect(eye).to_have_attribute("aria-pressed", "false")
    assert "Kestwick Foods" not in user.page.content()


def set_first_budget(user: BrowserUser, customer: Customer) -> None:
    user.open_set_budget(customer)
    expect(user.dialog.get_by_role("checkbox", name="Unfreeze Account")).to_be_checked()
    user.fill_in_terms("1,000")
    user.expect_accessible()
    user.ok_button.click()
    confirm_with_code(user)
    user.expect_message("The one-time budget is set. The account is unfrozen.")
    expect(user.row(customer)).to_contain_text(re.compile(r"Normal.*One-time budget\s+1,000\.00", re.DOTALL))
    user.expect_accessible()


def confirm_with_code(user: BrowserUser) -> None:
    """Enter the mailed code and press OK, if the partner requires a code."""
    if not user.partner.verification_required:
        return
    expect(user.dialog.get_by_role("heading", name="Set Budget: Verification")).to_be_visible()
    user.expect_accessible()
    code = user.get_code()
    if user.has_javascript:
        expect(user.code_field).to_be_focused()
        expect(user.dialog.get_by_role("button", name=re.compile(r"Get Code \(\d+\)"))).to_be_disabled()
        user.page.clock.fast_forward(60_000)
        expect(user.dialog.get_by_role("button", name="Get Code", exact=True)).to_be_enabled()
    user.expect_accessible()
    user.code_field.fill(code)
    user.ok_button.click()


def import_report(user: BrowserUser, customer: Customer) -> None:
    user.clock.shift(HOUR)
    user.choose_from_menu("Sales", "Customer Expenditure")
    expect(user.page.get_by_role("heading", name="Customer Expenditure")).to_be_visible()
    user.expect_accessible()
    text = FOCUS_REPORT.format(cost="9.995E2", customer=customer.customer_id)
    user.page.get_by_label("Files").set_input_files(csv_file(text, "focus.csv"))
    user.page.get_by_role("button", name="Import").click()
    user.expect_message("The report is imported: 1 total changed. 1 account is frozen.")
    frozen = user.page.get_by_role("region", name="Frozen accounts")
    expect(frozen).to_contain_text(re.compile(r"kestwick_foods.*K\*{4}d.*1,000\.00\s+1,250\.00", re.DOTALL))
    user.expect_accessible()


def expect_frozen(user: BrowserUser, customer: Customer) -> None:
    user.choose_from_menu("Sales", "Customer Management")
    expect(user.row(customer)).to_contain_text(
        re.compile(r"Frozen\s*since 2026-09-15 11:\d\d, budget exhausted \(1,250\.00 of 1,000\.00 used\)")
    )
    user.expect_accessible()


def raise_budget_and_unfreeze(user: BrowserUser, customer: Customer) -> None:
    user.open_set_budget(customer)
    expect(user.dialog).to_contain_text(re.compile(r"1,250\.00\s+125%, used up; counted since 2026-09"))
    user.amount_field.fill("2,000.00")
    user.dialog.get_by_role("checkbox", name="Unfreeze Now").check()
    user.expect_accessible()
    user.ok_button.click()
    confirm_with_code(user)
    user.expect_message("The one-time budget is set. The account is unfrozen.")
    expect(user.row(customer)).to_contain_text(re.compile(r"Normal.*2,000\.00.*62%", re.DOTALL))


def expect_records(user: BrowserUser, customer: Customer) -> None:
    user.open_set_budget(customer)
    user.dialog.get_by_role("link", name="Adjustment Records").click()
    lines = user.dialog.locator("tbody tr").filter(has_text=user.account.username)
    expect(lines).to_have_count(AdjustmentRecord.objects.filter(customer=customer).count())
    expect(lines).to_contain_text(
        [re.compile(r"1,000\.00\s+2,000\.00\s+1,250\.00"), re.compile(r"--\s+1,000\.00\s+0\.00")]
    )
    user.expect_accessible()
    user.dialog.get_by_role("link", name="Back to Set Budget").click()
    expect(user.amount_field).to_have_value("2,000.00")
