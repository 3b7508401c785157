"""The scenes of the screenshots, in their order: some depend on what an earlier scene has changed."""

from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from budgets.months import month_name, month_of
from tests.browser.files import csv_file
from tests.screenshots.console import PLATFORM

# Saves a screenshot of the page under a name; with full_page=True of more than the window shows.
Screenshot = Callable[..., None]
# Brings a page into one or several states and takes a screenshot of each.
Scene = Callable[[Page, Screenshot], None]


def dialog(page: Page) -> Locator:
    """Wait for the dialog, and return it."""
    opened = page.get_by_role("dialog")
    expect(opened).to_be_visible()
    return opened


def select_first_six(page: Page) -> None:
    """Tick the first six customers of the list."""
    for box in page.locator("[name=customer]").all()[:6]:
        box.check()


def page_at(path: str, name: str, *, full_page: bool = False) -> Scene:
    """A scene of one screenshot: the page as it opens."""

    def scene(page: Page, screenshot: Screenshot) -> None:
        page.goto(path)
        screenshot(name, full_page=full_page)

    return scene


def sign_in(page: Page, screenshot: Screenshot) -> None:
    screenshot("sign-in")
    page.get_by_label("Username").fill("ann")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign In").click()
    screenshot("sign-in-refused")


# --- The list ---


def filters(page: Page, screenshot: Screenshot) -> None:
    """The panel More filters, and the active filters above the list."""
    page.goto("/customers/?status=FROZEN&sort=-used")
    page.locator("summary", has_text="More filters").click()
    screenshot("filters")


def row_menu(page: Page, screenshot: Screenshot) -> None:
    """The menu of a row, and the dialogs that freeze an account with its resources and unfreeze one."""
    page.goto("/customers/?status=NORMAL&q=foods")
    row = page.locator("tr[data-customer]").first
    row.locator("summary").click()
    screenshot("row-menu")
    row.get_by_role("link", name="Freeze Account and Resources").click()
    dialog(page)
    screenshot("freeze")
    page.goto("/customers/?status=FROZEN&q=foods")
    row = page.locator("tr[data-customer]").first
    row.locator("summary").click()
    row.get_by_role("link", name="Unfreeze").click()
    dialog(page)
    screenshot("unfreeze")


# --- Set Budget ---


def open_set_budget(page: Page, status: str) -> None:
    """Open the dialog for the first customer with this status."""
    page.goto(f"/customers/?status={status}&budget_type=ONE_TIME&q=energy")
    page.locator("tr[data-customer]").first.get_by_role("link", name="Set Budget").click()
    dialog(page)


def set_budget(page: Page, screenshot: Screenshot) -> None:
    """The dialog for a frozen and for a normal customer, over the quota, and the records afterwards."""
    open_set_budget(page, "FROZEN")
    screenshot("frozen-dialog")
    open_set_budget(page, "NORMAL")
    screenshot("set-budget")
    page.get_by_label("Budget", exact=True).fill("2,000,000,000")
    page.get_by_role("button", name="OK").click()
    expect(page.get_by_text("The one-time budget quota is")).to_be_visible()
    screenshot("over-quota")
    page.get_by_label("Budget", exact=True).fill("25,000.00")
    page.get_by_role("button", name="OK").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    screenshot("set")
    page.locator("tr[data-customer]").first.get_by_role("link", name="Set Budget").click()
    page.get_by_role("link", name="Adjustment Records").click()
    expect(page.get_by_role("heading", name="Adjustment Records")).to_be_visible()
    screenshot("records")


def verification(page: Page, screenshot: Screenshot) -> None:
    open_set_budget(page, "NORMAL")
    page.get_by_label("Budget", exact=True).fill("45,000.00")
    page.get_by_role("button", name="OK").click()
    page.get_by_role("button", name="Get Code").click()
    expect(page.get_by_text("A verification code has been sent")).to_be_visible()
    screenshot("verification")


# --- Batches, import, export ---


def fill_in_set_budgets(page: Page, amount: str) -> None:
    """Open Set Budget for the first six customers and enter an amount."""
    page.goto("/customers/?q=media&sort=-usage")
    select_first_six(page)
    page.get_by_role("button", name="Set Budget", exact=True).click()
    window = dialog(page)
    window.get_by_role("radio", name="One-time budget").check()
    window.get_by_label("Amount", exact=True).last.fill(amount)


def set_budgets(page: Page, screenshot: Screenshot) -> None:
    """The dialog, the review with a group open, a conflict, the batch and the review of its undo."""
    fill_in_set_budgets(page, "30000")
    screenshot("set-budgets")
    window = dialog(page)
    window.get_by_role("button", name="Review").click()
    window.get_by_role("link", name="All budgets to be set").click()
    expect(window.get_by_role("region", name="All budgets to be set")).to_be_visible()
    screenshot("review")
    change_first_customer_in_another_window(page)
    window.get_by_role("button", name="OK").click()
    expect(window.get_by_text("changed after your review").first).to_be_visible()
    screenshot("review-stale")
    window.get_by_role("button", name="Apply to the unchanged").click()
    page.get_by_role("link", name="Show batch").click()
    expect(page.get_by_role("heading", name="Budget Batch of")).to_be_visible()
    screenshot("batch", full_page=True)
    page.get_by_role("button", name="Review Undo").click()
    page.get_by_role("link", name="All budgets to be set").click()
    screenshot("undo-review", full_page=True)


def change_first_customer_in_another_window(page: Page) -> None:
    """Set another budget for the first customer of the review, so that the review is outdated."""
    other = page.context.new_page()
    other.goto("/customers/?q=media&sort=-usage")
    other.locator("tr[data-customer]").first.get_by_role("link", name="Set Budget").click()
    dialog(other)
    other.get_by_label("Budget", exact=True).fill("123,456.00")
    other.get_by_role("button", name="OK").click()
    expect(other.get_by_role("dialog")).to_have_count(0)
    other.close()


def freeze_batch(page: Page, screenshot: Screenshot) -> None:
    """A review of a freeze that excludes customers who are already frozen, and the batch after it is confirmed."""
    page.goto("/customers/?q=media&sort=-usage")
    select_first_six(page)
    page.get_by_role("button", name="Freeze", exact=True).click()
    window = dialog(page)
    window.get_by_label("Reason").fill("Unpaid invoice, second reminder")
    window.get_by_role("button", name="Review").click()
    window.locator(".group-line").first.click()
    expect(window.locator(".group-line[aria-expanded=true]")).to_be_visible()
    screenshot("freeze-review")
    window.get_by_role("button", name="OK").click()
    page.get_by_role("link", name="Show batch").click()
    expect(page.get_by_role("heading", name="Freeze Records")).to_be_visible()
    screenshot("freeze-batch", full_page=True)


def import_budgets(page: Page, screenshot: Screenshot) -> None:
    """The page Import Budgets, and the errors in a file with two bad lines."""
    page.goto("/customers/")
    known = page.locator("tr[data-customer]").first.get_attribute("data-customer")
    header = "customer_id,budget_type,amount,account_freezing,unfreeze_now"
    lines = f"{header}\n{known},MONTHLY,500.00,AUTOMATIC,\nnobody,MONTHLY,5,,\n{known},WEEKLY,5,,\n"
    page.goto("/budgets/import/")
    screenshot("import")
    page.get_by_label("File").set_input_files(csv_file(lines, "budgets.csv"))
    page.get_by_role("button", name="Review").click()
    expect(page.get_by_role("heading", name="Errors in the File")).to_be_visible()
    screenshot("import-refused", full_page=True)


def export_list(page: Page, screenshot: Screenshot) -> None:
    page.goto("/customers/?status=FROZEN")
    with page.expect_download():
        page.get_by_role("link", name="Export", exact=True).click()
    page.goto("/customers/exports/")
    screenshot("export-history")


# --- Expenditure, the customer's page, decisions ---


def expenditure(page: Page, screenshot: Screenshot) -> None:
    """A report with an error, a report that freezes an account, and the page that lists both."""
    page.goto("/customers/?status=NORMAL&budget_type=ONE_TIME&sort=-usage")
    row = page.locator("tr[data-customer]").filter(has_text="Automatic").first
    customer = row.get_attribute("data-customer")
    month = month_name(month_of(timezone.now()))
    page.goto("/customers/expenditure/")
    upload_report(page, f"{customer},{month},12,5")
    expect(page.get_by_text("Nothing was imported")).to_be_visible()
    screenshot("expenditure-refused")
    upload_report(page, f"{customer},{month},9876543.21")
    expect(page.get_by_text("The report is imported")).to_be_visible()
    screenshot("expenditure-report")
    page.goto("/customers/expenditure/")
    screenshot("expenditure")


def upload_report(page: Page, line: str) -> None:
    """Upload a report of one line."""
    text = f"customer_id,month,list_price_total\n{line}\n"
    page.get_by_label("Files").set_input_files(csv_file(text, "expenditure.csv"))
    page.get_by_role("button", name="Import").click()


def customer_page(status: str) -> Scene:
    """A scene of one screenshot: the full page of the first customer with this status, with a note."""

    def scene(page: Page, screenshot: Screenshot) -> None:
        page.goto(f"/customers/?status={status}&budget_type=MONTHLY&sort=-usage")
        page.locator("tr[data-customer] th a").first.click()
        page.get_by_role("link", name="Notes").click()
        page.get_by_label("Note", exact=True).fill("Called: pays on the first, then raise to last month's expenditure.")
        page.get_by_role("button", name="Add Note").click()
        expect(page.locator(".note")).to_be_visible()
        page.get_by_role("button", name="Dismiss").click()
        page.evaluate("scrollTo(0, 0)")
        screenshot(f"customer-{status.lower()}", full_page=True)

    return scene


def why_frozen(page: Page, screenshot: Screenshot) -> None:
    """The explanation of a freeze because a budget is exhausted, on the screen and in print."""
    page.goto("/customers/?status=FROZEN&sort=-used")
    page.get_by_role("link", name="budget exhausted").first.click()
    expect(page.get_by_role("heading", name="Why Frozen")).to_be_visible()
    screenshot("why-frozen", full_page=True)
    page.emulate_media(media="print")
    screenshot("why-frozen-printed", full_page=True)


def decisions(page: Page, screenshot: Screenshot) -> None:
    """The open decisions, the dialog that snoozes one, and the snoozed decisions."""
    page.goto("/customers/decisions/")
    screenshot("decisions")
    page.locator("tr[data-customer]").first.get_by_role("link", name="Snooze").click()
    window = dialog(page)
    screenshot("decisions-snooze")
    # A date two days ahead is in the future in every time zone.
    until = timezone.now() + timedelta(days=2)
    window.get_by_label("Decide again on").fill(f"{until:%Y-%m-%d}")
    window.get_by_label("Reason").fill("Pays on Friday")
    window.get_by_role("button", name="OK").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.goto("/customers/decisions/?snoozed=1")
    screenshot("decisions-snoozed")


# --- The distributor, the platform ---


def customers_of_a_reseller(page: Page, screenshot: Screenshot) -> None:
    page.goto("/customers/resellers/")
    screenshot("resellers")
    page.get_by_role("link", name="Acme Reseller", exact=True).click()
    expect(page.locator("tr[data-customer]").first).to_be_visible()
    screenshot("customers-of-a-reseller")


def restrict_reseller(page: Page, screenshot: Screenshot) -> None:
    """Restrict a reseller in the administration; a later scene shows that reseller's list."""
    page.goto("/admin/partnercenter/partner/")
    screenshot("admin-partners")
    page.get_by_role("link", name="borealis-reseller").click()
    screenshot("admin-partner", full_page=True)
    page.get_by_role("link", name="Change status").click()
    page.get_by_label("Status").select_option("RESTRICTED")
    page.get_by_label("Reason").fill("The invoice of August is unpaid")
    screenshot("admin-status")
    page.get_by_role("button", name="Continue").click()
    screenshot("admin-status-confirm")
    page.get_by_role("button", name="Confirm").click()


# Each scene with the user who is signed in; nobody if the name is empty.
SCENES: list[tuple[Scene, str]] = [
    (sign_in, ""),
    (page_at("/customers/", "customer-list"), "ann"),
    (page_at("/customers/?status=FROZEN&sort=-used", "frozen-customers"), "ann"),
    (page_at("/customers/?q=nobody", "no-match"), "ann"),
    (filters, "ann"),
    (page_at("/customers/", "viewer"), "vera"),
    (row_menu, "ann"),
    (set_budget, "ann"),
    (verification, "carl"),
    (decisions, "ann"),
    (set_budgets, "ann"),
    (freeze_batch, "ann"),
    (page_at("/budgets/batches/", "batches"), "ann"),
    (import_budgets, "ann"),
    (export_list, "ann"),
    (expenditure, "ann"),
    (customer_page("FROZEN"), "ann"),
    (customer_page("NORMAL"), "ann"),
    (why_frozen, "ann"),
    (page_at("/partner-information/", "partner-information"), "ann"),
    (page_at("/budgets/import/", "not-allowed"), "vera"),
    (customers_of_a_reseller, "dora"),
    (page_at("/customers/unassociated/", "unassociated"), PLATFORM),
    (page_at("/admin/customers/customer/add/", "admin-associate", full_page=True), PLATFORM),
    (restrict_reseller, "dora"),
    (page_at("/customers/", "reseller-restricted"), "carl"),
]
