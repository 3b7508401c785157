"""Takes the pictures of docs/screenshots from the demo data: a database of its own, thrown away afterwards.

`make screenshots` runs it. The console is started as `make run` does it, and used as a person would; each picture is
1280 pixels wide, the narrow ones 360.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from tests.browser.chromium import CHROMIUM, FLAGS

HERE = Path(__file__).resolve().parent.parent
PICTURES = HERE / "docs" / "screenshots"
PASSWORD = "partner-center"
WIDE, SHORT, NARROW = (
    ViewportSize(width=1280, height=840),
    ViewportSize(width=1280, height=720),
    ViewportSize(width=360, height=740),
)
START_SECONDS = 30
PLAIN = "customer_id,month,list_price_total\n{customer},{month},{total}\n"


def main() -> None:
    """Take every picture anew; SystemExit where there is no Chromium."""
    if CHROMIUM is None:
        sys.exit("There is no Chromium on this machine (Debian: apt-get install chromium fonts-noto-cjk).")
    PICTURES.mkdir(parents=True, exist_ok=True)
    with demo_console() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for draw, who, looks in PICTURE_BOOK:
            with person(browser, url, who, **looks) as page:
                draw(page)
        browser.close()


@contextmanager
def demo_console() -> Iterator[str]:
    """The address of a console with demo data, running until the pictures are taken; its mails go nowhere."""
    with TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "DEBUG": "1",
            "EMAIL_URL": "dummy:",
            "DATABASE_URL": f"sqlite:///{folder}/pictures.sqlite3",
        }
        manage = [sys.executable, "manage.py"]
        for command in ("migrate", "seed_demo"):
            subprocess.run([*manage, command], check=True, cwd=HERE, env=environment, stdout=subprocess.DEVNULL)
        address = f"127.0.0.1:{free_port()}"
        serving = [*manage, "runserver", "--noreload", address]
        nowhere = subprocess.DEVNULL
        server = subprocess.Popen(serving, cwd=HERE, env=environment, stdout=nowhere, stderr=nowhere)
        try:
            wait_for(f"http://{address}")
            yield f"http://{address}"
        finally:
            server.terminate()
            server.wait()


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url: str) -> None:
    """Until the console answers; TimeoutError where it never does."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        try:
            with urlopen(f"{url}/healthz"):
                return
        except URLError:
            time.sleep(0.2)
    raise TimeoutError(f"{url} does not answer.")


@contextmanager
def person(browser: Browser, url: str, who: str, **looks: Any) -> Iterator[Page]:
    """A browser of its own, signed in as this person ("": as nobody) and at the list of customers."""
    context = browser.new_context(base_url=url, **{"viewport": WIDE, "color_scheme": "light", **looks})
    page = context.new_page()
    page.goto("/customers/")
    if who:
        page.get_by_label("Username").fill(who)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign In").click()
        expect(page.get_by_role("heading", name="Customer Management")).to_be_visible()
    yield page
    context.close()


def picture(page: Page, name: str) -> None:
    """One picture of what the window shows."""
    page.screenshot(path=PICTURES / f"{name}.png", animations="disabled")


def open_set_budget(page: Page, status: str = "") -> None:
    """The dialog for the first customer with this status."""
    page.goto(f"/customers/?status={status}&budget_type=ONE_TIME&q=energy")
    page.locator("tr[data-customer]").first.get_by_role("link", name="Set Budget").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def sign_in(page: Page) -> None:
    picture(page, "sign-in")


def customer_list(page: Page) -> None:
    picture(page, "customer-list")


def dark_customer_list(page: Page) -> None:
    page.set_viewport_size(SHORT)
    picture(page, "dark-customer-list")


def narrow_customer_list(page: Page) -> None:
    picture(page, "narrow-customer-list")


def frozen_customers(page: Page) -> None:
    page.goto("/customers/?status=FROZEN&sort=-used")
    picture(page, "frozen-customers")


def no_match(page: Page) -> None:
    page.goto("/customers/?q=nobody")
    picture(page, "no-match")


def set_budget(page: Page) -> None:
    open_set_budget(page, "NORMAL")
    picture(page, "set-budget")


def frozen_dialog(name: str) -> Callable[[Page], None]:
    """The dialog for a frozen customer, whose reason it tells."""

    def draw(page: Page) -> None:
        open_set_budget(page, "FROZEN")
        picture(page, name)

    return draw


def over_quota(page: Page) -> None:
    open_set_budget(page, "NORMAL")
    page.get_by_label("Budget", exact=True).fill("2,000,000,000")
    page.get_by_role("button", name="OK").click()
    expect(page.get_by_text("The one-time budget quota is")).to_be_visible()
    picture(page, "over-quota")


def verification(page: Page) -> None:
    open_set_budget(page, "NORMAL")
    page.get_by_label("Budget", exact=True).fill("45,000.00")
    page.get_by_role("button", name="OK").click()
    page.get_by_role("button", name="Get Code").click()
    expect(page.get_by_text("A verification code has been sent")).to_be_visible()
    picture(page, "verification")


def records(page: Page) -> None:
    open_set_budget(page, "NORMAL")
    page.get_by_label("Budget", exact=True).fill("25,000.00")
    page.get_by_role("button", name="OK").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.locator("tr[data-customer]").first.get_by_role("link", name="Set Budget").click()
    page.get_by_role("link", name="Adjustment Records").click()
    expect(page.get_by_role("heading", name="Adjustment Records")).to_be_visible()
    picture(page, "records")


def expenditure(page: Page) -> None:
    """A bad report first, so that the picture shows what is said of it; then a good one that freezes an account."""
    page.goto("/customers/?status=NORMAL&budget_type=ONE_TIME&sort=-usage")
    row = page.locator("tr[data-customer]").filter(has_text="Automatic").first
    customer = row.get_attribute("data-customer")
    month = time.strftime("%Y-%m", time.gmtime(time.time() + 8 * 3600))
    page.goto("/customers/expenditure/")
    take_in(page, PLAIN.format(customer=customer, month=month, total="12,5"))
    expect(page.get_by_text("Nothing was taken in")).to_be_visible()
    picture(page, "expenditure-refused")
    take_in(page, PLAIN.format(customer=customer, month=month, total="19876.54"))
    expect(page.get_by_text("The report is taken in")).to_be_visible()
    picture(page, "expenditure-report")
    page.goto("/customers/expenditure/")
    picture(page, "expenditure")


def take_in(page: Page, text: str) -> None:
    """Upload a report with this text."""
    page.get_by_label("Files").set_input_files(
        {"name": "expenditure.csv", "mimeType": "text/csv", "buffer": text.encode()}
    )
    page.get_by_role("button", name="Take In").click()


def customer(name: str, status: str) -> Callable[[Page], None]:
    """The page of the first customer with this status, all of it, with a note."""

    def draw(page: Page) -> None:
        page.goto(f"/customers/?status={status}&budget_type=MONTHLY&sort=-usage")
        page.locator("tr[data-customer] th a").first.click()
        page.get_by_role("link", name="Notes").click()
        page.get_by_label("Note", exact=True).fill("Called: pays on the first, then raise to last month's expenditure.")
        page.get_by_role("button", name="Add Note").click()
        expect(page.locator(".note")).to_be_visible()
        page.get_by_role("button", name="Dismiss").click()
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=PICTURES / f"{name}.png", animations="disabled", full_page=True)

    return draw


def decisions(name: str) -> Callable[[Page], None]:
    """The open decisions, and one of them about to be snoozed."""

    def draw(page: Page) -> None:
        page.goto("/customers/decisions/")
        picture(page, name)
        page.locator("tr[data-customer]").first.get_by_role("link", name="Snooze").click()
        expect(page.get_by_role("dialog")).to_be_visible()
        picture(page, f"{name}-snooze")

    return draw


def why_frozen(name: str) -> Callable[[Page], None]:
    """The sheet of the first account that a used up budget froze; on paper it is the sheet alone."""

    def draw(page: Page) -> None:
        page.goto("/customers/?status=FROZEN&sort=-used")
        page.get_by_role("link", name="budget exhausted").first.click()
        expect(page.get_by_role("heading", name="Why Frozen")).to_be_visible()
        page.screenshot(path=PICTURES / f"{name}.png", animations="disabled", full_page=True)

    return draw


def partner_information(page: Page) -> None:
    page.goto("/partner-information/")
    picture(page, "partner-information")


def resellers(name: str) -> Callable[[Page], None]:
    """What a distributor granted its resellers, and what is left of it."""

    def draw(page: Page) -> None:
        page.goto("/customers/resellers/")
        picture(page, name)

    return draw


def customers_of_a_reseller(page: Page) -> None:
    page.goto("/customers/resellers/")
    page.get_by_role("link", name="Acme Reseller", exact=True).click()
    expect(page.locator("tr[data-customer]").first).to_be_visible()
    picture(page, "customers-of-a-reseller")


def freezing(prefix: str) -> Callable[[Page], None]:
    """The menu of a row, and the dialog of freezing an account with its resources."""

    def draw(page: Page) -> None:
        page.goto("/customers/?status=NORMAL&q=foods")
        row = page.locator("tr[data-customer]").first
        row.locator("summary").click()
        picture(page, f"{prefix}row-menu")
        row.get_by_role("link", name="Freeze Account and Resources").click()
        expect(page.get_by_role("dialog")).to_be_visible()
        picture(page, f"{prefix}freeze")

    return draw


def freezing_many(page: Page) -> None:
    """A review that leaves out who is frozen already, and the batch it becomes."""
    page.goto("/customers/?q=media&sort=-usage")
    for box in page.locator("[name=customer]").all()[:6]:
        box.check()
    page.get_by_role("button", name="Freeze", exact=True).click()
    page.get_by_role("dialog").get_by_label("Reason").fill("Unpaid invoice, second reminder")
    page.get_by_role("dialog").get_by_role("button", name="Review").click()
    page.locator(".group-line").first.click()
    expect(page.locator(".group-line[aria-expanded=true]")).to_be_visible()
    picture(page, "freeze-review")
    page.get_by_role("dialog").get_by_role("button", name="OK").click()
    page.get_by_role("link", name="Show batch").click()
    expect(page.get_by_role("heading", name="Freeze Records")).to_be_visible()
    picture(page, "freeze-batch")


DARK, SMALL = {"color_scheme": "dark"}, {"viewport": NARROW}
PICTURE_BOOK: list[tuple[Callable[[Page], None], str, dict[str, Any]]] = [
    (sign_in, "", {}),
    (customer_list, "ann", {}),
    (dark_customer_list, "ann", DARK),
    (narrow_customer_list, "ann", SMALL),
    (frozen_customers, "ann", {}),
    (no_match, "ann", {}),
    (set_budget, "ann", {}),
    (frozen_dialog("dark-frozen-dialog"), "ann", DARK),
    (frozen_dialog("narrow-frozen-dialog"), "ann", SMALL),
    (over_quota, "ann", {}),
    (verification, "carl", {}),
    (records, "ann", {}),
    (expenditure, "ann", {}),
    (customer("customer", "FROZEN"), "ann", {}),
    (customer("dark-customer", "NORMAL"), "ann", DARK),
    (customer("narrow-customer", "EXHAUSTED"), "ann", SMALL),
    (decisions("decisions"), "ann", {}),
    (decisions("dark-decisions"), "ann", DARK),
    (decisions("narrow-decisions"), "ann", SMALL),
    (why_frozen("why-frozen"), "ann", {}),
    (why_frozen("dark-why-frozen"), "ann", DARK),
    (why_frozen("narrow-why-frozen"), "ann", SMALL),
    (freezing(""), "ann", {}),
    (freezing("dark-"), "ann", DARK),
    (freezing("narrow-"), "ann", SMALL),
    (freezing_many, "ann", {}),
    (partner_information, "ann", {}),
    (resellers("resellers"), "dora", {}),
    (resellers("dark-resellers"), "dora", DARK),
    (resellers("narrow-resellers"), "dora", SMALL),
    (customers_of_a_reseller, "dora", {}),
]

if __name__ == "__main__":
    main()
