"""What several tests do with the console's pages: set budgets, confirm and edit reviews, undo batches, read text."""

import codecs
import csv
import re
from collections.abc import Iterable
from decimal import Decimal
from html import unescape
from io import StringIO
from typing import Any

from django.core import mail
from django.test import Client

from budgets.models import Budget
from customers.models import Customer

# What the browser sends along when a form is opened or sent in the dialog.
IN_DIALOG = {"HX-Request": "true", "HX-Target": "dialog-body"}
ONE_TIME = {"budget_type": "ONE_TIME", "amount": "100", "account_freezing": "AUTOMATIC"}
MANUAL_BUDGET = {**ONE_TIME, "account_freezing": "MANUAL"}


def htmx(target: str) -> dict[str, str]:
    """The headers of an HTMX request that replaces the element with this ID."""
    return {"HX-Request": "true", "HX-Target": target}


def visible_text(markup: str) -> str:
    """Markup as a person reads it: without tags, on one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", markup)).split())


def messages(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


# --- Set Budget for one customer --------------------------------------------------------------------------------------


VALID_TERMS = {"budget_type": "ONE_TIME", "amount": "1,200.50", "account_freezing": "AUTOMATIC"}


def set_budget_path(customer: Customer) -> str:
    return f"/budgets/set/?customer={customer.customer_id}"


def set_budget_form(client: Client, customer: Customer) -> Any:
    return client.get(set_budget_path(customer)).context["form"]


def set_budget(client: Client, customer: Customer, headers: dict[str, str] | None = None, **changes: str | None) -> Any:
    """Send the form with `VALID_TERMS` and these changes; None: without that field."""
    fields = {name: value for name, value in {**VALID_TERMS, **changes}.items() if value is not None}
    return client.post(set_budget_path(customer), fields, headers=headers or {})


# --- Reviews and batches ----------------------------------------------------------------------------------------------


def customer_ids(customers: Iterable[Customer]) -> list[str]:
    return [customer.customer_id for customer in customers]


def start_review(client: Client, customers: Iterable[Customer], **terms: str) -> str:
    """Send Set Budget for these customers, with `ONE_TIME` unless there are other terms; the path of the review."""
    response = client.post("/budgets/set/", {"customer": customer_ids(customers), **(terms or ONE_TIME)})
    assert response.status_code == 302, response.content.decode()
    return response["Location"]


def edit(client: Client, path: str, **changes: Any) -> str:
    """Edit a review; the path of the new one."""
    response = client.post(f"{path}edit/", changes)
    assert response.status_code == 302, response.content.decode()
    return response["Location"]


def batch_of(path: str) -> str:
    """The path of the batch that a review becomes."""
    return f"/budgets/batches/{path.split('/')[-2]}/"


def start_undo(client: Client, path: str, **ticked: str) -> str:
    """Ask to undo the batch of a confirmed review; the path of the review of the undo."""
    response = client.post(f"{batch_of(path)}undo/", ticked)
    assert response.status_code == 302, response.content.decode()
    return response["Location"]


def group_counts(client: Client, path: str) -> dict[str, int]:
    """How many customers are in each group of a review, empty groups left out."""
    return {group["key"]: group["count"] for group in client.get(path).context["review"].groups if group["count"]}


def group_rows(client: Client, path: str, group: str) -> dict[str, Any]:
    """The rows of one group of a review, by customer ID."""
    opened: Any = client.get(f"{path}?group={group}").context["review"].open
    return {row["customer_id"]: row for row in opened["rows"]}


def amounts(customers: Iterable[Customer]) -> list[Decimal | None]:
    """The amount of each customer's budget; None without a budget."""
    stored: dict[Any, Decimal] = dict(Budget.objects.values_list("customer", "amount"))
    return [stored.get(customer.pk) for customer in customers]


# --- Verification codes -----------------------------------------------------------------------------------------------


def get_code(client: Client, path: str) -> str:
    """Press Get Code on the page of an operation and read the code in the mail."""
    response = client.post(f"{path}code/", follow=True)
    assert response.redirect_chain == [(path, 302)]
    assert "A verification code has been sent to you by e-mail." in response.content.decode()
    found = re.search(r"^ +([0-9]{6})$", str(mail.outbox[-1].body), re.MULTILINE)
    assert found
    return found[1]


def confirm(client: Client, path: str, code: str, headers: dict[str, str] | None = None) -> Any:
    """Enter a code on the page of an operation and press OK."""
    return client.post(path, {"verification_code": code}, headers=headers or {})


# --- Lists of customers -----------------------------------------------------------------------------------------------


ROW = re.compile(r'<tr data-customer="([^"]*)">(.*?)</tr>', re.DOTALL)


def row_ids(response: Any) -> list[str]:
    """The customer IDs in the rows of a list of customers, in their order."""
    assert response.status_code == 200
    return [unescape(customer_id) for customer_id, _row in ROW.findall(response.content.decode())]


def row_texts(response: Any) -> dict[str, str]:
    """The text of each row of a list of customers by customer ID, in the order of the rows."""
    return {unescape(customer_id): visible_text(row) for customer_id, row in ROW.findall(response.content.decode())}


def get_page(client: Client, query: str) -> tuple[list[str], Any]:
    """The customer IDs on a page of the customer list, and the page itself."""
    response = client.get(f"/customers/{query}")
    return row_ids(response), response.context["page"]


def follow_links(client: Client, query: str, link: str) -> list[list[str]]:
    """The customer IDs page by page, following the links `next` or `previous` to the last of them."""
    pages = []
    while query:
        ids, page = get_page(client, query)
        pages.append(ids)
        query = getattr(page, link)
        assert len(pages) < 50, "the links lead round in circles"
    return pages


# --- Exports ----------------------------------------------------------------------------------------------------------


def downloaded_text(response: Any) -> str:
    """The text of a downloaded CSV file, which must begin with a byte order mark."""
    content = b"".join(response.streaming_content)
    assert content.startswith(codecs.BOM_UTF8)
    return content.removeprefix(codecs.BOM_UTF8).decode()


def csv_rows(response: Any) -> list[dict[str, str]]:
    """The rows of a downloaded CSV file, by column."""
    return list(csv.DictReader(StringIO(downloaded_text(response), newline="")))
