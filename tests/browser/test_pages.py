"""Every page is accessible by the checks of axe, in light and dark, and fits into a window of 320 pixels."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page

from budgets.actions.decisions import snooze_decisions
from budgets.actions.reviews import review_budgets
from budgets.actions.terms import BudgetTerms
from budgets.models import ExpenditureReport
from customers.actions.audit import record_export
from customers.models import AccountFreezing, Customer, ExportRecord
from partnercenter.models import BudgetType, Operation, Partner, User
from tests import factories
from tests.browser.accessibility import axe_violations
from tests.browser.browser_errors import BrowserErrors
from tests.browser.browser_user import BrowserUser
from tests.browser.files import csv_file
from tests.browser.layout import NARROW, page_widths

SIGNED_OUT_PATHS = ["/sign-in/", "/password/reset/", "/password/reset/sent/", "/password/reset/complete/"]
SIGNED_IN_PATHS = [
    "/",
    "/password/",
    "/partner-information/",
    "/customers/",
    "/customers/?q=nobody",
    "/customers/expenditure/",
    "/budgets/import/",
]


def review_of_budget(customer: Customer, operator: User) -> Operation:
    customers = Customer.objects.filter(pk=customer.pk)
    terms = BudgetTerms(BudgetType.MONTHLY, factories.MILLION / 2, None)
    return review_budgets(customers, terms, operator=operator, unfreeze=False)


@pytest.fixture
def paths(kestwick: Customer, ann: User, acme: Partner, browser_errors: BrowserErrors) -> list[str]:
    """The paths of every page that Ann may open, in all its states: a report has frozen an account of her customers."""
    browser_errors.allow_status(404)
    factories.budget(kestwick, ann, "1000000")
    factories.report((kestwick, "2026-09", "1234567.89"), operator=ann, only=acme)
    query = f"?customer={kestwick.customer_id}"
    report, operation = ExpenditureReport.objects.get(), review_of_budget(kestwick, ann)
    record_export(ExportRecord.What.LIST, query="status=FROZEN", rows=1, operator=ann, partner=acme)
    frozen = kestwick.freeze_records.order_by("-pk")[0]
    undecided, snoozed = factories.customers(acme, 2)
    factories.budget([undecided, snoozed], ann, "100", BudgetType.MONTHLY, account_freezing=AccountFreezing.MANUAL)
    factories.report((undecided, "2026-09", "150"), (snoozed, "2026-09", "150"))
    until = timezone.localdate() + timedelta(days=7)
    chosen = Customer.objects.filter(pk=snoozed.pk)
    snooze_decisions(chosen, until=until, reason="Pays on Friday", operator=ann)
    Partner.objects.filter(pk=acme.pk).update(verification_required=True)
    return [
        *SIGNED_IN_PATHS,
        f"/customers/expenditure/{report.pk}/",
        "/customers/exports/",
        f"/customers/freeze-records/{frozen.pk}/",
        "/customers/decisions/",
        "/customers/decisions/?snoozed=1",
        "/customers/decisions/?q=nobody",
        f"/customers/decisions/snooze/?customer={undecided.customer_id}",
        f"/budgets/set/{query}",
        f"/budgets/records/{query}",
        f"/customers/detail/{query}",
        f"/customers/detail/{query}&tab=freezes",
        f"/customers/detail/{query}&tab=notes",
        f"/operations/{operation.pk}/",
        "/nowhere/",
    ]


def visit(page: Page, paths: list[str]) -> Iterator[str]:
    for path in paths:
        page.goto(path)
        yield path


def visit_every_page(user: BrowserUser, paths: list[str]) -> Iterator[str]:
    yield from visit(user.page, SIGNED_OUT_PATHS)
    user.page.goto("/sign-in/")
    user.sign_in()
    yield from visit(user.page, paths)


def test_axe_finds_no_violation_on_any_page(open_browser, ann, paths):
    user = open_browser(ann, signed_in=False)
    assert {path: found for path in visit_every_page(user, paths) if (found := axe_violations(user.page))} == {}


@pytest.mark.browser_context_args(viewport=NARROW)
def test_no_page_is_wider_than_320_pixels(open_browser, ann, paths):
    user = open_browser(ann, signed_in=False)
    widths = {path: page_widths(user.page) for path in visit_every_page(user, paths)}
    assert {path: width for path, width in widths.items() if width[0] > width[1]} == {}
    assert len(widths) == len(SIGNED_OUT_PATHS) + len(paths)


@pytest.mark.browser_context_args(viewport=NARROW)
def test_the_dialog_and_the_menus_fit_into_320_pixels(open_browser, ann, kestwick):
    user = open_browser(ann, "/customers/")
    for menu in ("Sales", "acme-reseller"):
        user.page.locator("summary", has_text=menu).click()
        panel = user.page.locator("details[open] .menu-panel").bounding_box()
        assert panel is not None
        assert panel["x"] >= 0
        assert panel["x"] + panel["width"] <= NARROW["width"]
        user.page.keyboard.press("Escape")
    user.open_set_budget(kestwick)
    assert user.dialog.evaluate("element => element.scrollWidth <= element.clientWidth")
    assert user.page.evaluate("() => document.documentElement.scrollWidth") == NARROW["width"]
    user.expect_accessible()


def test_pages_that_refuse_an_action_are_accessible(open_browser, vera, kestwick, acme, browser_errors):
    browser_errors.allow_status(403)
    user = open_browser(vera)
    for path in (f"/budgets/set/?customer={kestwick.customer_id}", "/customers/expenditure/"):
        user.page.goto(path)
        assert user.page.get_by_role("heading", name="You may not do this").is_visible()
        user.expect_accessible()


def test_errors_in_an_imported_file_are_listed_accessibly_and_their_lines_excluded(open_browser, ann, kestwick):
    user = open_browser(ann, "/customers/")
    user.page.get_by_role("link", name="Import", exact=True).click()
    lines = f"customer_id,budget_type,amount\n{kestwick.customer_id},MONTHLY,7\nnobody,MONTHLY,7\n,MONTHLY,7\n"
    user.page.locator("[type=file]").set_input_files(csv_file(lines, "budgets.csv"))
    user.page.get_by_role("button", name="Review").click()
    assert user.page.get_by_role("region", name="Errors in the file").get_by_role("listitem").all_inner_texts() == [
        "budgets.csv, line 3: 'nobody' is not the ID of one of your customers",
        "budgets.csv, line 4: customer_id is missing",
    ]
    user.expect_accessible()
    user.page.set_viewport_size(NARROW)
    assert page_widths(user.page) == (320, 320)
    user.page.get_by_role("link", name="Exclude these lines and review the others").click()
    user.page.get_by_role("button", name="OK").click()
    user.page.wait_for_url("**/customers/")
    assert factories.stored(kestwick).amount == 7
