"""Setting many budgets in one batch: select customers across pages, review, confirm, undo; and long jobs."""

import re
from decimal import Decimal

import pytest
from django.core.management import call_command
from playwright.sync_api import Locator, expect

from budgets.models import Budget
from customers.models import Customer
from partnercenter.actions import jobs
from tests import factories
from tests.browser.browser_user import BrowserUser
from tests.browser.files import csv_file
from tests.browser.keyboard import press, tab_to, type_into


@pytest.fixture
def thirty(acme) -> list[Customer]:
    """Three pages of ten. The last twelve have account names that begin with birch."""
    return [
        *factories.customers(acme, 18),
        *(factories.customer(acme, account_name=f"birch_{n:02}") for n in range(12)),
    ]


def select(user: BrowserUser, *customers: Customer) -> None:
    for customer in customers:
        user.row(customer).get_by_role("checkbox").check()


def open_next_page(user: BrowserUser) -> None:
    former_first = user.rows.first.get_attribute("data-customer")
    user.page.get_by_role("link", name="Next").click()
    expect(user.page.locator(f'tr[data-customer="{former_first}"]')).to_have_count(0)


def expect_selected(user: BrowserUser, text: str) -> None:
    expect(user.page.locator("#selected")).to_have_text(text)


def open_set_budgets(user: BrowserUser) -> None:
    user.page.get_by_role("button", name="Set Budget", exact=True).click()
    expect(user.dialog.get_by_role("heading", name="Set Budget")).to_be_visible()


def review_terms(user: BrowserUser, amount: str) -> None:
    """Fill in Set Budget for several customers and open its review."""
    user.dialog.get_by_role("radio", name="One-time budget").check()
    user.dialog.get_by_label("Amount", exact=True).last.fill(amount)
    user.dialog.get_by_role("radio", name="Automatic", exact=True).check()
    unfreeze = user.dialog.get_by_role("checkbox", name=re.compile("Unfreeze Account"))
    if unfreeze.count():
        unfreeze.check()
    user.dialog.get_by_role("button", name="Review").click()
    expect(user.dialog.get_by_role("heading", name="Set Budget: Review")).to_be_visible()


def group(user: BrowserUser, name: str) -> Locator:
    return user.dialog.get_by_role("link", name=re.compile(f"^{name}"))


def exclude(user: BrowserUser, customer: Customer) -> None:
    user.dialog.get_by_role("button", name=f"Exclude {customer.account_name}", exact=True).click()
    expect(user.dialog.get_by_role("button", name=f"Exclude {customer.account_name}", exact=True)).to_have_count(0)


def stored_amounts(customers: list[Customer]) -> list[Decimal | None]:
    stored = dict(Budget.objects.values_list("customer_id", "amount"))
    return [stored.get(customer.pk) for customer in customers]


@pytest.mark.browser_on_sqlite
@pytest.mark.usefixtures("verification_on")
def test_a_batch_is_selected_across_pages_edited_confirmed_with_a_code_and_undone(open_browser, ann, thirty):
    user = open_browser(ann, "/customers/?size=10")
    chosen = [
        thirty[0],
        thirty[5],
        thirty[10],
        thirty[15],
        thirty[27],
    ]
    select_on_three_pages(user, chosen)
    open_set_budgets(user)
    user.expect_accessible()
    review_terms(user, "100")
    edit_review(user, excluded=[chosen[0], chosen[2]], changed=chosen[3])
    assert not Budget.objects.exists()
    user.code_field.fill(user.get_code())
    user.ok_button.click()
    user.expect_message(re.compile("3 budgets are set. 3 accounts unfrozen."))
    expect_selected(user, "0 selected")
    assert stored_amounts(chosen) == [None, Decimal(100), None, Decimal("250.50"), Decimal(100)]
    undo_batch(user)
    assert stored_amounts(chosen) == [None] * 5


def select_on_three_pages(user: BrowserUser, customers: list[Customer]) -> None:
    """Select two on the first page, two on the next page, and the last one in the results of a search."""
    select(user, *customers[:2])
    open_next_page(user)
    select(user, *customers[2:4])
    open_next_page(user)
    search(user, "birch", count=10)
    select(user, customers[4])
    expect_selected(user, "5 selected")
    user.expect_accessible()


def search(user: BrowserUser, text: str, *, count: int) -> None:
    user.page.get_by_role("searchbox").fill(text)
    user.page.get_by_role("button", name="Search").click()
    expect(user.rows).to_have_count(count)


def edit_review(user: BrowserUser, *, excluded: list[Customer], changed: Customer) -> None:
    """Exclude some of the five customers, and give another one a budget of 250.50."""
    group(user, "All budgets to be set").click()
    expect(user.dialog.get_by_role("button", name=re.compile("^Exclude "))).to_have_count(5)
    user.expect_accessible()
    for customer in excluded:
        exclude(user, customer)
    row = user.dialog.get_by_role("row", name=re.compile(changed.account_name))
    row.get_by_role("textbox").fill("250.50")
    row.get_by_role("button", name="Change").click()
    expect(user.dialog.get_by_role("region", name="Totals")).to_contain_text("450.50")
    expect(user.dialog.get_by_text("The budgets of 3 customers will be set.")).to_be_visible()


def undo_batch(user: BrowserUser) -> None:
    """Undo the newest batch, from the list of batches."""
    user.choose_from_menu("Sales", "Budget Batches")
    expect(user.page.get_by_role("heading", name="Budget Batches", level=1)).to_be_visible()
    user.expect_accessible()
    user.page.locator("tbody th a").first.click()
    expect(user.page.get_by_role("heading", name=re.compile("^Budget Batch of"))).to_be_visible()
    user.expect_accessible()
    user.page.get_by_role("button", name="Review Undo").click()
    expect(user.page.get_by_role("heading", name="Undo Batch: Review")).to_be_visible()
    user.expect_accessible()
    # A new code can be requested only a minute after the last one.
    user.clock.shift(90)
    user.page.reload()
    code = user.get_code(within=user.page)
    user.page.get_by_label("Verification Code", exact=True).fill(code)
    user.page.get_by_role("button", name="OK").click()
    user.expect_message(re.compile("3 budgets were restored to their previous values."))


def test_ok_adds_typed_amounts_to_the_review_before_anything_is_set(open_browser, ann, thirty):
    user = open_browser(ann, "/customers/?size=10")
    select(user, *thirty[:3])
    open_set_budgets(user)
    review_terms(user, "100")
    group(user, "All budgets to be set").click()
    for customer, amount in ((thirty[0], "999"), (thirty[2], "7.50")):
        user.dialog.get_by_role("textbox", name=f"Budget of {customer.account_name}").fill(amount)
    user.ok_button.click()
    expect(user.dialog.get_by_text("The amounts you typed are now in the review")).to_be_visible()
    expect(user.dialog.get_by_role("region", name="Totals")).to_contain_text("1,106.50")
    assert not Budget.objects.exists()
    user.ok_button.click()
    user.expect_message(re.compile("3 budgets are set."))
    assert stored_amounts(thirty[:3]) == [Decimal(999), Decimal(100), Decimal("7.50")]


def test_a_batch_is_set_for_all_customers_that_match_a_search(open_browser, ann, thirty):
    user = open_browser(ann, "/customers/?size=10")
    search(user, "birch", count=10)
    user.page.get_by_role("button", name="Select all 12 matching").click()
    expect_selected(user, "All 12 matching selected")
    user.expect_accessible()
    open_set_budgets(user)
    review_terms(user, "70")
    user.ok_button.click()
    user.expect_message(re.compile("12 budgets are set."))
    assert stored_amounts(thirty) == [None] * 18 + [Decimal(70)] * 12


def test_select_all_matching_is_not_offered_if_one_page_holds_all_customers(open_browser, ann, acme):
    factories.customers(acme, 11)
    user = open_browser(ann, "/customers/?size=10")
    select_all = user.page.get_by_role("button", name="Select all 11 matching")
    expect(select_all).to_be_visible()
    user.page.goto("/customers/?size=20")
    expect(user.rows).to_have_count(11)
    expect(select_all).to_be_hidden()
    user.page.get_by_role("checkbox", name="Select all on this page").check()
    expect_selected(user, "11 selected")


def test_select_all_matching_shows_the_exact_count_and_ends_when_a_customer_is_unticked(open_browser, ann, acme):
    customers = factories.customers(acme, 1_003)
    user = open_browser(ann, "/customers/?size=10")
    user.page.get_by_role("button", name="Select all 1,000+ matching").click()
    expect_selected(user, "All 1,003 matching selected")
    open_next_page(user)
    expect_selected(user, "All 1,003 matching selected")
    user.row(customers[10]).get_by_role("checkbox").uncheck()
    expect_selected(user, "9 selected")
    user.expect_message("Now only the customers ticked on this page are selected.")


def test_after_a_conflict_the_review_is_applied_to_the_unchanged_customers(open_browser, ann, thirty, browser_errors):
    browser_errors.allow_status(409)
    user = open_browser(ann, "/customers/?size=10")
    select(user, *thirty[:3])
    open_set_budgets(user)
    review_terms(user, "100")
    factories.budget(thirty[1], ann, "7")
    user.ok_button.click()
    expect(user.alert).to_contain_text("1 customer was changed after your review. Nothing was applied.")
    conflict = user.dialog.get_by_role("region", name="What changed").get_by_role("row", name=thirty[1].account_name)
    expect(conflict).to_contain_text("Budget: none before, One-time budget 7.00 (Automatic) now.")
    user.expect_accessible()
    assert stored_amounts(thirty[:3]) == [None, Decimal(7), None]
    user.dialog.get_by_role("button", name="Apply to the unchanged 2").click()
    user.expect_message(re.compile("2 budgets are set."))
    assert stored_amounts(thirty[:3]) == [Decimal(100), Decimal(7), Decimal(100)]


def test_a_batch_is_set_with_the_keyboard_alone(open_browser, ann, thirty):
    user = open_browser(ann, "/customers/?size=10")
    for customer in thirty[:2]:
        press(user, user.row(customer).get_by_role("checkbox"), "Space")
    expect_selected(user, "2 selected")
    tab_to(user, user.page.get_by_role("button", name="Set Budget", exact=True), "Shift+Tab")
    user.page.keyboard.press("Enter")
    expect(user.dialog.get_by_role("heading", name="Set Budget")).to_be_visible()
    press(user, user.dialog.get_by_role("radio", name="Leave unchanged").first, "ArrowDown")
    type_into(user, user.dialog.get_by_label("Amount", exact=True).last, "55")
    press(user, user.dialog.get_by_role("button", name="Review"))
    expect(user.dialog.get_by_role("heading", name="Set Budget: Review")).to_be_visible()
    press(user, group(user, "All budgets to be set"))
    press(user, user.dialog.get_by_role("button", name=f"Exclude {thirty[0].account_name}", exact=True))
    expect(user.dialog.get_by_text("The budget of 1 customer will be set.")).to_be_visible()
    press(user, user.ok_button)
    user.expect_message(re.compile("1 budget is set"))
    assert stored_amounts(thirty[:2]) == [None, Decimal(55)]


@pytest.fixture
def run_worker(settings, tmp_path):
    """Leave long jobs to a worker; the function runs it until no job is waiting."""
    settings.TASKS_BACKEND = "database"
    settings.TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
    settings.MEDIA_ROOT = tmp_path
    return lambda: call_command("worker", batch=True)


def test_a_long_import_shows_its_progress_and_its_result(open_browser, ann, thirty, run_worker):
    factories.budget(thirty[0], ann, "100")
    user = open_browser(ann, "/customers/expenditure/")
    report = f"customer_id,month,list_price_total\n{thirty[0].customer_id},2026-09,120.00\n"
    user.page.get_by_label("Files").set_input_files(csv_file(report))
    user.page.get_by_role("button", name="Import").click()
    expect(user.page.get_by_role("progressbar")).to_be_visible()
    expect(user.page.get_by_role("status").get_by_text("Waiting")).to_be_visible()
    user.expect_accessible()
    # The operator may leave the page of the job and come back to it.
    user.choose_from_menu("Sales", "Customer Expenditure")
    user.page.get_by_role("region", name="Recent Uploads").get_by_role("link").click()
    job = ann.jobs.get()
    ann.jobs.update(state="READING", read=job.size // 2)
    expect(user.page.get_by_role("progressbar")).to_have_attribute("value", str(job.size // 2))
    user.expect_accessible()
    # A job that is being read belongs to a worker; this one is to be taken by the next.
    ann.jobs.update(state="WAITING", read=0)
    run_worker()
    expect(user.page.get_by_text("The report is imported: 1 total changed. 1 account is frozen.")).to_be_visible()
    user.expect_accessible()
    user.page.get_by_role("link", name="Show Result").click()
    expect(user.page.get_by_text(thirty[0].account_name)).to_be_visible()


def test_a_job_whose_worker_died_is_started_again(open_browser, ann, thirty, run_worker, monkeypatch, clock):
    user = open_browser(ann, "/customers/?size=10")
    select(user, *thirty[:2])
    open_set_budgets(user)
    review_terms(user, "100")
    monkeypatch.setattr(jobs, "WORKER_THRESHOLD", 1)
    user.ok_button.click()
    expect(user.page.get_by_role("heading", name="Set Budget", level=1)).to_be_visible()
    clock.shift(120)
    user.page.reload()
    user.expect_accessible()
    user.page.get_by_role("button", name="Start Again").click()
    run_worker()
    expect(user.page.get_by_text("2 budgets are set.")).to_be_visible()
    assert stored_amounts(thirty[:2]) == [Decimal(100)] * 2
