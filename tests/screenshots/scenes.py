"""The pictures in their order, each with the user who is signed in. Some show what an earlier one has changed."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from budgets.months import month_name, month_of
from tests.screenshots.console import PLATFORM

Take = Callable[..., None]
Draw = Callable[[Page, Take], None]
PLAIN = "customer_id,month,list_price_total\n{customer},{month},{total}\n"
BUDGETS = "customer_id,budget_type,amount,account_freezing,unfreeze_now\n"


def dialog(page: Page) -> Locator:
    """The dialog, as soon as it is open."""
    found = page.get_by_role("dialog")
    expect(found).to_be_visible()
    return found


def opened(path: str, name: str, *, whole: bool = False) -> Draw:
    """Take a picture of a page as it opens."""

    def draw(page: Page, take: Take) -> None:
        page.goto(path)
        take(name, whole=whole)

    return draw


def sign_in(page: Page, take: Take) -> None:
    take("sign-in")
    page.get_by_label("Username").fill("ann")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign In").click()
    take("sign-in-refused")


# --- The list ---


def filters(page: Page, take: Take) -> None:
    """The further filters, and the active ones above the list."""
    page.goto("/customers/?status=FROZEN&sort=-used")
    page.locator("summary", has_text="More filters").click()
    take("filters")


def row_menu(page: Page, take: Take) -> None:
    """The menu of a row, and the dialogs that freeze an account with its resources and unfreeze one."""
    page.goto("/customers/?status=NORMAL&q=foods")
    row = page.locator("tr[data-customer]").first
    row.locator("summary").click()
    take("row-menu")
    row.get_by_role("link", name="Freeze Account and Resources").click()
    dialog(page)
    take("freeze")
    page.goto("/customers/?status=FROZEN&q=foods")
    row = page.locator("tr[data-customer]").first
    row.locator("summary").click()
    row.get_by_role("link", name="Unfreeze").click()
    dialog(page)
    take("unfreeze")


# --- Set Budget ---


def open_set_budget(page: Page, status: str) -> None:
    """Open the dialog for the first customer with this status."""
    page.goto(f"/customers/?status={status}&budget_type=ONE_TIME&q=energy")
    page.locator("tr[data-customer]").first.get_by_role("link", name="Set Budget").click()
    dialog(page)


def set_budget(page: Page, take: Take) -> None:
    """The dialog for a frozen and for a normal customer, over the quota, and the records afterwards."""
    open_set_budget(page, "FROZEN")
    take("frozen-dialog")
    open_set_budget(page, "NORMAL")
    take("set-budget")
    page.get_by_label("Budget", exact=True).fill("2,000,000,000")
    page.get_by_role("button", name="OK").click()
    expect(page.get_by_text("The one-time budget quota is")).to_be_visible()
    take("over-quota")
    page.get_by_label("Budget", exact=True).fill("25,000.00")
    page.get_by_role("button", name="OK").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    take("set")
    page.locator("tr[data-customer]").first.get_by_role("link", name="Set Budget").click()
    page.get_by_role("link", name="Adjustment Records").click()
    expect(page.get_by_role("heading", name="Adjustment Records")).to_be_visible()
    take("records")


def verification(page: Page, take: Take) -> None:
    open_set_budget(page, "NORMAL")
    page.get_by_label("Budget", exact=True).fill("45,000.00")
    page.get_by_role("button", name="OK").click()
    page.get_by_role("button", name="Get Code").click()
    expect(page.get_by_text("A verification code has been sent")).to_be_visible()
    take("verification")


# --- Many ---


def fill_set_budgets(page: Page, amount: str, query: str = "q=media&sort=-usage") -> None:
    """Open Set Budget for the first six customers and enter an amount."""
    page.goto(f"/customers/?{query}")
    for box in page.locator("[name=customer]").all()[:6]:
        box.check()
    page.get_by_role("button", name="Set Budget", exact=True).click()
    window = dialog(page)
    window.get_by_role("radio", name="One-time budget").check()
    window.get_by_label("Amount", exact=True).last.fill(amount)


def set_budgets(page: Page, take: Take) -> None:
    """The dialog, the review with a group open, a conflict, the batch and the review of its undo."""
    fill_set_budgets(page, "30000")
    take("set-budgets")
    window = dialog(page)
    window.get_by_role("button", name="Review").click()
    window.get_by_role("link", name="All budgets to be set").click()
    expect(window.get_by_role("region", name="All budgets to be set")).to_be_visible()
    take("review")
    change_meanwhile(page)
    window.get_by_role("button", name="OK").click()
    expect(window.get_by_text("changed after your review").first).to_be_visible()
    take("review-stale")
    window.get_by_role("button", name="Apply to the unchanged").click()
    page.get_by_role("link", name="Show batch").click()
    expect(page.get_by_role("heading", name="Budget Batch of")).to_be_visible()
    take("batch", whole=True)
    page.get_by_role("button", name="Review Undo").click()
    page.get_by_role("link", name="All budgets to be set").click()
    take("undo-review", whole=True)


def change_meanwhile(page: Page) -> None:
    """In another window, set another budget for the first customer of the review."""
    other = page.context.new_page()
    other.goto("/customers/?q=media&sort=-usage")
    other.locator("tr[data-customer]").first.get_by_role("link", name="Set Budget").click()
    dialog(other)
    other.get_by_label("Budget", exact=True).fill("123,456.00")
    other.get_by_role("button", name="OK").click()
    expect(other.get_by_role("dialog")).to_have_count(0)
    other.close()


def freezing_many(page: Page, take: Take) -> None:
    """A review that excludes customers who are already frozen, and the batch it becomes."""
    page.goto("/customers/?q=media&sort=-usage")
    for box in page.locator("[name=customer]").all()[:6]:
        box.check()
    page.get_by_role("button", name="Freeze", exact=True).click()
    window = dialog(page)
    window.get_by_label("Reason").fill("Unpaid invoice, second reminder")
    window.get_by_role("button", name="Review").click()
    window.locator(".group-line").first.click()
    expect(window.locator(".group-line[aria-expanded=true]")).to_be_visible()
    take("freeze-review")
    window.get_by_role("button", name="OK").click()
    page.get_by_role("link", name="Show batch").click()
    expect(page.get_by_role("heading", name="Freeze Records")).to_be_visible()
    take("freeze-batch", whole=True)


def importing(page: Page, take: Take) -> None:
    """The page, and a file with errors in two lines."""
    page.goto("/customers/")
    known = page.locator("tr[data-customer]").first.get_attribute("data-customer")
    lines = f"{BUDGETS}{known},MONTHLY,500.00,AUTOMATIC,\nnobody,MONTHLY,5,,\n{known},WEEKLY,5,,\n"
    page.goto("/budgets/import/")
    take("import")
    page.get_by_label("File").set_input_files({"name": "b.csv", "mimeType": "text/csv", "buffer": lines.encode()})
    page.get_by_role("button", name="Review").click()
    expect(page.get_by_role("heading", name="Errors in the File")).to_be_visible()
    take("import-refused", whole=True)


def exporting(page: Page, take: Take) -> None:
    page.goto("/customers/?status=FROZEN")
    with page.expect_download():
        page.get_by_role("link", name="Export", exact=True).click()
    page.goto("/customers/exports/")
    take("export-history")


# --- Expenditure, the customer's page, decisions ---


def expenditure(page: Page, take: Take) -> None:
    """A report with an error, one that freezes an account, and the page with both."""
    page.goto("/customers/?status=NORMAL&budget_type=ONE_TIME&sort=-usage")
    row = page.locator("tr[data-customer]").filter(has_text="Automatic").first
    customer = row.get_attribute("data-customer")
    month = month_name(month_of(timezone.now()))
    page.goto("/customers/expenditure/")
    upload_report(page, PLAIN.format(customer=customer, month=month, total="12,5"))
    expect(page.get_by_text("Nothing was imported")).to_be_visible()
    take("expenditure-refused")
    upload_report(page, PLAIN.format(customer=customer, month=month, total="9876543.21"))
    expect(page.get_by_text("The report is imported")).to_be_visible()
    take("expenditure-report")
    page.goto("/customers/expenditure/")
    take("expenditure")


def upload_report(page: Page, text: str) -> None:
    """Upload a report with this content."""
    file: Any = {"name": "expenditure.csv", "mimeType": "text/csv", "buffer": text.encode()}
    page.get_by_label("Files").set_input_files(file)
    page.get_by_role("button", name="Import").click()


def customer(status: str) -> Draw:
    """The whole page of the first customer with this status, with a note."""

    def draw(page: Page, take: Take) -> None:
        page.goto(f"/customers/?status={status}&budget_type=MONTHLY&sort=-usage")
        page.locator("tr[data-customer] th a").first.click()
        page.get_by_role("link", name="Notes").click()
        page.get_by_label("Note", exact=True).fill("Called: pays on the first, then raise to last month's expenditure.")
        page.get_by_role("button", name="Add Note").click()
        expect(page.locator(".note")).to_be_visible()
        page.get_by_role("button", name="Dismiss").click()
        page.evaluate("scrollTo(0, 0)")
        take(f"customer-{status.lower()}", whole=True)

    return draw


def why_frozen(page: Page, take: Take) -> None:
    """The explanation of the first freeze by a used-up budget, on the screen and on paper."""
    page.goto("/customers/?status=FROZEN&sort=-used")
    page.get_by_role("link", name="budget exhausted").first.click()
    expect(page.get_by_role("heading", name="Why Frozen")).to_be_visible()
    take("why-frozen", whole=True)
    page.emulate_media(media="print")
    take("why-frozen-printed", whole=True)


def decisions(page: Page, take: Take) -> None:
    """The open decisions, the dialog that snoozes one, and the snoozed decisions."""
    page.goto("/customers/decisions/")
    take("decisions")
    page.locator("tr[data-customer]").first.get_by_role("link", name="Snooze").click()
    window = dialog(page)
    take("decisions-snooze")
    # Two days ahead is in the future in every time zone.
    until = timezone.now() + timedelta(days=2)
    window.get_by_label("Decide again on").fill(f"{until:%Y-%m-%d}")
    window.get_by_label("Reason").fill("Pays on Friday")
    window.get_by_role("button", name="OK").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.goto("/customers/decisions/?snoozed=1")
    take("decisions-snoozed")


# --- The distributor, the platform ---


def customers_of_a_reseller(page: Page, take: Take) -> None:
    page.goto("/customers/resellers/")
    take("resellers")
    page.get_by_role("link", name="Acme Reseller", exact=True).click()
    expect(page.locator("tr[data-customer]").first).to_be_visible()
    take("customers-of-a-reseller")


def restricting(page: Page, take: Take) -> None:
    """Restrict a reseller in the administration; a later picture shows that reseller's list."""
    page.goto("/admin/partnercenter/partner/")
    take("admin-partners")
    page.get_by_role("link", name="borealis-reseller").click()
    take("admin-partner", whole=True)
    page.get_by_role("link", name="Change status").click()
    page.get_by_label("Status").select_option("RESTRICTED")
    page.get_by_label("Reason").fill("The invoice of August is unpaid")
    take("admin-status")
    page.get_by_role("button", name="Continue").click()
    take("admin-status-confirm")
    page.get_by_role("button", name="Confirm").click()


BOOK: list[tuple[Draw, str]] = [
    (sign_in, ""),
    (opened("/customers/", "customer-list"), "ann"),
    (opened("/customers/?status=FROZEN&sort=-used", "frozen-customers"), "ann"),
    (opened("/customers/?q=nobody", "no-match"), "ann"),
    (filters, "ann"),
    (opened("/customers/", "viewer"), "vera"),
    (row_menu, "ann"),
    (set_budget, "ann"),
    (verification, "carl"),
    (decisions, "ann"),
    (set_budgets, "ann"),
    (freezing_many, "ann"),
    (opened("/budgets/batches/", "batches"), "ann"),
    (importing, "ann"),
    (exporting, "ann"),
    (expenditure, "ann"),
    (customer("FROZEN"), "ann"),
    (customer("NORMAL"), "ann"),
    (why_frozen, "ann"),
    (opened("/partner-information/", "partner-information"), "ann"),
    (opened("/budgets/import/", "not-allowed"), "vera"),
    (customers_of_a_reseller, "dora"),
    (opened("/customers/unassociated/", "unassociated"), PLATFORM),
    (opened("/admin/customers/customer/add/", "admin-associate", whole=True), PLATFORM),
    (restricting, "dora"),
    (opened("/customers/", "reseller-restricted"), "carl"),
]
