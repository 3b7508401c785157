"""Steps with the keyboard alone: no mouse, and no focus that the test sets itself."""

from playwright.sync_api import Locator, expect

from tests.browser.browser_user import BrowserUser
from tests.browser.files import csv_file

MOST_PRESSES = 80


def tab_to(user: BrowserUser, control: Locator, key: str = "Tab") -> None:
    """Press Tab until the control has the focus."""
    expect(control).to_be_visible()
    for _press in range(MOST_PRESSES):
        if control.evaluate("element => element === document.activeElement"):
            return
        user.page.keyboard.press(key)
    raise AssertionError(f"not reached by {MOST_PRESSES} presses of {key}: {control}")


def press(user: BrowserUser, control: Locator, key: str = "Enter") -> None:
    """Tab to the control and press a key."""
    tab_to(user, control)
    user.page.keyboard.press(key)


def type_into(user: BrowserUser, control: Locator, text: str) -> None:
    """Tab to the field and replace its content."""
    tab_to(user, control)
    user.page.keyboard.press("ControlOrMeta+A")
    user.page.keyboard.type(text)


def choose_file(user: BrowserUser, control: Locator, text: str) -> None:
    """Tab to the file input, open its file dialog and choose a CSV file with this content."""
    with user.page.expect_file_chooser() as chooser:
        # Tabbing belongs inside: its first look at the focus waits until Playwright intercepts file dialogs.
        # A key press alone would not wait, and the real file dialog could open.
        tab_to(user, control)
        user.page.keyboard.press("Space")
    chooser.value.set_files(csv_file(text, "plain.csv"))


def choose_from_menu(user: BrowserUser, menu: str, entry: str) -> None:
    """Open a menu of the top bar and follow an entry."""
    bar = user.page.get_by_role("banner")
    press(user, bar.locator("summary", has_text=menu))
    press(user, bar.get_by_role("link", name=entry, exact=True))
    expect(user.page.get_by_role("heading", name=entry, level=1)).to_be_visible()
