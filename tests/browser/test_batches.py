"""Setting many budgets at once, as a person does it: ticking across pages, reviewing, confirming, taking it back."""

import re
from decimal import Decimal

import pytest
from django.core import mail
from django.core.management import call_command
from playwright.sync_api import Locator, expect

from budgets.models import Budget
from customers.models import Customer
from partnercenter.actions import jobs
from tests import factories
from tests.browser.person import Person
from tests.browser.test_keyboard import press, tab_to, write

REPORT = "customer_id,month,list_price_total\n"


@pytest.fixture
def thirty(acme) -> list[Customer]:
    """Three pages of ten; the names of the last five begin differently."""
    return [*factories.customers(acme, 25), *(factories.customer(acme, account_name=f"birch_{n:02}") for n in range(5))]


def tick(person: Person, *customers: Customer) -> None:
    for customer in customers:
        person.row(customer).get_by_role("checkbox").check()


def next_page(person: Person) -> None:
    was = person.page.locator("tr[data-customer]").first.get_attribute("data-customer")
    person.page.get_by_role("link", name="Next").click()
    expect(person.page.locator(f'tr[data-customer="{was}"]')).to_have_count(0)


def selected(person: Person, text: str) -> None:
    expect(person.page.locator("#selected")).to_have_text(text)


def open_dialog(person: Person) -> None:
    person.page.get_by_role("button", name="Set Budget", exact=True).click()
    expect(person.window.get_by_role("heading", name="Set Budget")).to_be_visible()


def send_terms(person: Person, amount: str) -> None:
    person.window.get_by_role("radio", name="One-time budget").check()
    person.window.get_by_label("Amount", exact=True).last.fill(amount)
    person.window.get_by_role("radio", name="Automatic", exact=True).check()
    unfreeze = person.window.get_by_role("checkbox", name=re.compile("Unfreeze Account"))
    if unfreeze.count():
        unfreeze.check()
    person.window.get_by_role("button", name="Review").click()
    expect(person.window.get_by_role("heading", name="Set Budget: Review")).to_be_visible()


def group(person: Person, name: str) -> Locator:
    return person.window.get_by_role("link", name=re.compile(f"^{name}"))


def leave_out(person: Person, customer: Customer) -> None:
    person.window.get_by_role("button", name=f"Exclude {customer.account_name}", exact=True).click()
    expect(person.window.get_by_role("button", name=f"Exclude {customer.account_name}", exact=True)).to_have_count(0)


def amounts(customers: list[Customer]) -> list[Decimal | None]:
    stored = dict(Budget.objects.values_list("customer_id", "amount"))
    return [stored.get(customer.pk) for customer in customers]


@pytest.fixture
def with_code(acme) -> None:
    acme.verification_required = True
    acme.save()


def test_across_pages_two_left_out_one_amount_edited_a_code_and_undone(sit_down, ann, thirty, with_code):
    person = sit_down(ann)
    chosen = [thirty[0], thirty[5], thirty[10], thirty[15], thirty[27]]
    tick_on_three_pages(person, chosen)
    open_dialog(person)
    person.meets_no_barrier()
    send_terms(person, "100")
    edit_the_review(person, out=[chosen[0], chosen[2]], other=chosen[3])
    assert not Budget.objects.exists()
    person.code.fill(person.get_code())
    person.ok.click()
    person.sees(re.compile("3 budgets are set. 3 accounts unfrozen."))
    selected(person, "0 selected")
    assert amounts(chosen) == [None, Decimal(100), None, Decimal("250.50"), Decimal(100)]
    undo(person)
    assert amounts(chosen) == [None] * 5


def tick_on_three_pages(person: Person, customers: list[Customer]) -> None:
    """Two on the first page, two on the next, the last among those that a search finds."""
    person.page.goto("/customers/?size=10")
    tick(person, *customers[:2])
    next_page(person)
    tick(person, *customers[2:4])
    next_page(person)
    search(person, "birch", finds=5)
    tick(person, customers[4])
    selected(person, "5 selected")
    person.meets_no_barrier()


def search(person: Person, text: str, *, finds: int) -> None:
    person.page.get_by_role("searchbox").fill(text)
    person.page.get_by_role("button", name="Search").click()
    expect(person.page.locator("tr[data-customer]")).to_have_count(finds)


def edit_the_review(person: Person, *, out: list[Customer], other: Customer) -> None:
    group(person, "All budgets to be set").click()
    expect(person.window.get_by_role("button", name=re.compile("^Exclude "))).to_have_count(5)
    person.meets_no_barrier()
    for customer in out:
        leave_out(person, customer)
    row = person.window.get_by_role("row", name=re.compile(other.account_name))
    row.get_by_role("textbox").fill("250.50")
    row.get_by_role("button", name="Change").click()
    expect(person.window.get_by_role("region", name="Totals")).to_contain_text("450.50")
    expect(person.window.get_by_text("The budgets of 3 customers will be set.")).to_be_visible()


def undo(person: Person) -> None:
    person.choose("Sales", "Budget Batches")
    expect(person.page.get_by_role("heading", name="Budget Batches", level=1)).to_be_visible()
    person.meets_no_barrier()
    person.page.locator("tbody th a").first.click()
    expect(person.page.get_by_role("heading", name=re.compile("^Budget Batch of"))).to_be_visible()
    person.meets_no_barrier()
    person.page.get_by_role("button", name="Review Undo").click()
    expect(person.page.get_by_role("heading", name="Undo Batch: Review")).to_be_visible()
    person.meets_no_barrier()
    # The next code may be sent a minute after the former.
    person.clock.shift(90)
    person.page.reload()
    person.page.get_by_role("button", name="Get Code").click()
    expect(person.page.get_by_text("A verification code has been sent to you by e-mail.")).to_be_visible()
    code = re.findall(r"^\s*(\d{6})$", str(mail.outbox[-1].body), re.MULTILINE)[0]
    person.page.get_by_label("Verification Code", exact=True).fill(code)
    person.page.get_by_role("button", name="OK").click()
    person.sees(re.compile("3 budgets were restored to their previous values."))


def test_an_amount_that_was_typed_and_not_taken_over_is_before_anything_is_set(sit_down, ann, thirty):
    person = sit_down(ann)
    person.page.goto("/customers/?size=10")
    tick(person, *thirty[:3])
    open_dialog(person)
    send_terms(person, "100")
    group(person, "All budgets to be set").click()
    for customer, amount in ((thirty[0], "999"), (thirty[2], "7.50")):
        person.window.get_by_role("textbox", name=f"Budget of {customer.account_name}").fill(amount)
    person.ok.click()
    expect(person.window.get_by_text("The amounts you typed are now in the review")).to_be_visible()
    expect(person.window.get_by_role("region", name="Totals")).to_contain_text("1,106.50")
    assert not Budget.objects.exists()
    person.ok.click()
    person.sees(re.compile("3 budgets are set."))
    assert amounts(thirty[:3]) == [Decimal(999), Decimal(100), Decimal("7.50")]


def test_all_that_match_a_filter(sit_down, ann, thirty):
    person = sit_down(ann)
    person.page.goto("/customers/?size=10")
    search(person, "birch", finds=5)
    person.page.get_by_role("button", name="Select all 5 matching").click()
    selected(person, "All 5 matching selected")
    person.meets_no_barrier()
    open_dialog(person)
    send_terms(person, "70")
    person.ok.click()
    person.sees(re.compile("5 budgets are set."))
    assert amounts(thirty) == [None] * 25 + [Decimal(70)] * 5


def test_all_that_match_are_counted_when_asked_for_and_no_more_once_one_is_unticked(sit_down, ann, acme):
    customers = factories.customers(acme, 1_003)
    person = sit_down(ann)
    person.page.goto("/customers/?size=10")
    person.page.get_by_role("button", name="Select all 1,000+ matching").click()
    selected(person, "All 1,003 matching selected")
    next_page(person)
    selected(person, "All 1,003 matching selected")
    person.row(customers[10]).get_by_role("checkbox").uncheck()
    selected(person, "9 selected")
    person.sees("Now only the customers ticked on this page are selected.")


def test_a_review_that_went_stale_is_applied_to_the_unchanged(sit_down, ann, thirty, watch):
    watch.allow(409)
    person = sit_down(ann)
    person.page.goto("/customers/?size=10")
    tick(person, *thirty[:3])
    open_dialog(person)
    send_terms(person, "100")
    factories.budget(thirty[1], ann, "7")
    person.ok.click()
    expect(person.alert).to_contain_text("1 customer was changed after your review. Nothing was applied.")
    differs = person.window.get_by_role("region", name="What changed").get_by_role("row", name=thirty[1].account_name)
    expect(differs).to_contain_text("Budget: none before, One-time budget 7.00 (Automatic) now.")
    person.meets_no_barrier()
    assert amounts(thirty[:3]) == [None, Decimal(7), None]
    person.window.get_by_role("button", name="Apply to the unchanged 2").click()
    person.sees(re.compile("2 budgets are set."))
    assert amounts(thirty[:3]) == [Decimal(100), Decimal(7), Decimal(100)]


def test_by_the_keyboard_alone(sit_down, ann, thirty):
    person = sit_down(ann)
    person.page.goto("/customers/?size=10")
    for customer in thirty[:2]:
        press(person, person.row(customer).get_by_role("checkbox"), "Space")
    selected(person, "2 selected")
    tab_to(person, person.page.get_by_role("button", name="Set Budget", exact=True), "Shift+Tab")
    person.page.keyboard.press("Enter")
    expect(person.window.get_by_role("heading", name="Set Budget")).to_be_visible()
    press(person, person.window.get_by_role("radio", name="Leave unchanged").first, "ArrowDown")
    write(person, person.window.get_by_label("Amount", exact=True).last, "55")
    press(person, person.window.get_by_role("button", name="Review"))
    expect(person.window.get_by_role("heading", name="Set Budget: Review")).to_be_visible()
    press(person, group(person, "All budgets to be set"))
    press(person, person.window.get_by_role("button", name=f"Exclude {thirty[0].account_name}", exact=True))
    expect(person.window.get_by_text("The budget of 1 customer will be set.")).to_be_visible()
    press(person, person.ok)
    person.sees(re.compile("1 budget is set"))
    assert amounts(thirty[:2]) == [None, Decimal(55)]


@pytest.fixture
def worker(settings, tmp_path):
    """What takes long is left to a worker; called, it works off what waits."""
    settings.TASKS_BACKEND = "database"
    settings.TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
    settings.MEDIA_ROOT = tmp_path
    return lambda: call_command("db_worker", batch=True, reload=False, startup_delay=False, interval=0, verbosity=0)


def test_a_long_import_shows_how_far_it_is_and_what_came_of_it(sit_down, ann, thirty, worker):
    factories.budget(thirty[0], ann, "100")
    person = sit_down(ann)
    person.page.goto("/customers/expenditure/")
    content = REPORT + f"{thirty[0].customer_id},2026-09,120.00\n"
    person.page.get_by_label("Files").set_input_files(
        {"name": "r.csv", "mimeType": "text/csv", "buffer": content.encode()}
    )
    person.page.get_by_role("button", name="Import").click()
    expect(person.page.get_by_role("progressbar")).to_be_visible()
    expect(person.page.get_by_role("status").get_by_text("Waiting")).to_be_visible()
    person.meets_no_barrier()
    # It may be left and found again.
    person.choose("Sales", "Customer Expenditure")
    person.page.get_by_role("region", name="Recent Uploads").get_by_role("link").click()
    job = ann.jobs.get()
    ann.jobs.update(state="READING", read=job.size // 2)
    expect(person.page.get_by_role("progressbar")).to_have_attribute("value", str(job.size // 2))
    person.meets_no_barrier()
    worker()
    expect(person.page.get_by_text("The report is imported: 1 total changed. 1 account is frozen.")).to_be_visible()
    person.meets_no_barrier()
    person.page.get_by_role("link", name="Show Result").click()
    expect(person.page.get_by_text(thirty[0].account_name)).to_be_visible()


def test_work_whose_worker_died_is_started_again(sit_down, ann, thirty, worker, monkeypatch, clock):
    person = sit_down(ann)
    person.page.goto("/customers/?size=10")
    tick(person, *thirty[:2])
    open_dialog(person)
    send_terms(person, "100")
    monkeypatch.setattr(jobs, "WORKER_THRESHOLD", 1)
    person.ok.click()
    expect(person.page.get_by_role("heading", name="Set Budget", level=1)).to_be_visible()
    clock.shift(120)
    person.page.reload()
    person.meets_no_barrier()
    person.page.get_by_role("button", name="Start Again").click()
    worker()
    expect(person.page.get_by_text("2 budgets are set.")).to_be_visible()
    assert amounts(thirty[:2]) == [Decimal(100)] * 2
