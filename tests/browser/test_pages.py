"""Every page as a page: nothing found by axe in either scheme, and no wider than a window of 320 pixels."""

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
from tests.browser.person import Person
from tests.browser.watch import Watch, found_by_axe

NARROW = {"width": 320, "height": 640}
WIDTHS = "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
FOR_ANYBODY = ["/sign-in/", "/password/reset/", "/password/reset/sent/", "/password/reset/complete/"]
SIGNED_IN = [
    "/",
    "/password/",
    "/partner-information/",
    "/customers/",
    "/customers/?q=nobody",
    "/customers/expenditure/",
    "/budgets/import/",
]


def reviewed(customer: Customer, operator: User) -> Operation:
    customers = Customer.objects.filter(pk=customer.pk)
    terms = BudgetTerms(BudgetType.MONTHLY, factories.MILLION / 2, None)
    return review_budgets(customers, terms, operator=operator, unfreeze=False)


@pytest.fixture
def pages(kestwick: Customer, ann: User, acme: Partner, watch: Watch) -> list[str]:
    """Addresses of every page and of its states, for ann, whose customer's account a report froze."""
    watch.allow(404)
    factories.budget(kestwick, ann, "1000000")
    factories.report((kestwick, "2026-09", "1234567.89"), operator=ann, only=acme)
    about = f"?customer={kestwick.customer_id}"
    report, operation = ExpenditureReport.objects.get(), reviewed(kestwick, ann)
    record_export(ExportRecord.What.LIST, query="status=FROZEN", rows=1, operator=ann, partner=acme)
    frozen = kestwick.freeze_records.order_by("-pk")[0]
    open_one, put_off = factories.customers(acme, 2)
    factories.budget([open_one, put_off], ann, "100", BudgetType.MONTHLY, account_freezing=AccountFreezing.MANUAL)
    factories.report((open_one, "2026-09", "150"), (put_off, "2026-09", "150"))
    until = timezone.localdate() + timedelta(days=7)
    chosen = Customer.objects.filter(pk=put_off.pk)
    snooze_decisions(chosen, until=until, reason="Pays on Friday", operator=ann)
    Partner.objects.filter(pk=acme.pk).update(verification_required=True)
    return [
        *SIGNED_IN,
        f"/customers/expenditure/{report.pk}/",
        "/customers/exports/",
        f"/customers/freeze-records/{frozen.pk}/",
        "/customers/decisions/",
        "/customers/decisions/?snoozed=1",
        "/customers/decisions/?q=nobody",
        f"/customers/decisions/snooze/?customer={open_one.customer_id}",
        f"/budgets/set/{about}",
        f"/budgets/records/{about}",
        f"/customers/detail/{about}",
        f"/customers/detail/{about}&tab=freezes",
        f"/customers/detail/{about}&tab=notes",
        f"/operations/{operation.pk}/",
        "/nowhere/",
    ]


@pytest.fixture
def person(sit_down, ann) -> Person:
    return sit_down(ann, signed_in=False)


def visit(page: Page, addresses: list[str]) -> Iterator[str]:
    for address in addresses:
        page.goto(address)
        yield address


def every_page(person: Person, pages: list[str]) -> Iterator[str]:
    yield from visit(person.page, FOR_ANYBODY)
    person.page.goto("/sign-in/")
    person.sign_in()
    yield from visit(person.page, pages)


def test_axe_finds_nothing_on_any_page(person, pages):
    assert {address: found for address in every_page(person, pages) if (found := found_by_axe(person.page))} == {}


@pytest.mark.browser_context_args(viewport=NARROW)
def test_no_page_is_wider_than_320_pixels(person, pages):
    widths = {address: person.page.evaluate(WIDTHS) for address in every_page(person, pages)}
    assert {address: width for address, width in widths.items() if width[0] > width[1]} == {}
    assert len(widths) == len(FOR_ANYBODY) + len(pages)


@pytest.mark.browser_context_args(viewport=NARROW)
def test_dialog_and_menus_fit_into_320_pixels(sit_down, ann, kestwick):
    person = sit_down(ann)
    person.page.goto("/customers/")
    for menu in ("Sales", "acme-reseller"):
        person.page.locator("summary", has_text=menu).click()
        panel = person.page.locator("details[open] .menu-panel").bounding_box()
        assert panel is not None
        assert panel["x"] >= 0
        assert panel["x"] + panel["width"] <= NARROW["width"]
        person.page.keyboard.press("Escape")
    person.open_set_budget(kestwick)
    dialog = person.page.get_by_role("dialog")
    assert dialog.evaluate("element => element.scrollWidth <= element.clientWidth")
    assert person.page.evaluate("() => document.documentElement.scrollWidth") == NARROW["width"]
    person.meets_no_barrier()


def test_what_does_not_work_out_has_no_barrier_either(sit_down, vera, kestwick, acme, watch):
    watch.allow(403)
    person = sit_down(vera)
    for address in (f"/budgets/set/?customer={kestwick.customer_id}", "/customers/expenditure/"):
        person.page.goto(address)
        assert person.page.get_by_role("heading", name="You may not do this").is_visible()
        person.meets_no_barrier()


def test_bad_lines_of_a_file_are_told_without_a_barrier_and_left_out(sit_down, ann, kestwick):
    person = sit_down(ann)
    person.page.goto("/customers/")
    person.page.get_by_role("link", name="Import", exact=True).click()
    lines = f"customer_id,budget_type,amount\n{kestwick.customer_id},MONTHLY,7\nnobody,MONTHLY,7\n,MONTHLY,7\n"
    person.page.locator("[type=file]").set_input_files(
        [{"name": "budgets.csv", "mimeType": "text/csv", "buffer": lines.encode()}]
    )
    person.page.get_by_role("button", name="Review").click()
    assert person.page.get_by_role("region", name="Errors in the file").get_by_role("listitem").all_inner_texts() == [
        "budgets.csv, line 3: 'nobody' is not the ID of one of your customers",
        "budgets.csv, line 4: customer_id is missing",
    ]
    person.meets_no_barrier()
    person.page.set_viewport_size(NARROW)
    assert person.page.evaluate(WIDTHS) == [NARROW["width"], NARROW["width"]]
    person.page.get_by_role("link", name="Exclude these lines and review the others").click()
    person.page.get_by_role("button", name="OK").click()
    person.page.wait_for_url("**/customers/")
    assert factories.stored(kestwick).amount == 7
