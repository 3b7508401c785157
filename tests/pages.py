"""Reading the console's answers in tests: rows of a customer list, the text of some HTML, lines of a CSV file."""

import codecs
import csv
import re
from html import unescape
from io import StringIO
from typing import Any

from django.test import Client

ROW = re.compile(r'<tr data-customer="([^"]*)">(.*?)</tr>', re.DOTALL)

# What Set Budget sends for a one-time budget that freezes nothing by itself.
MANUAL_BUDGET = {"budget_type": "ONE_TIME", "amount": "100", "account_freezing": "MANUAL"}


def htmx(target: str) -> dict[str, str]:
    """The headers of an HTMX request that replaces the element with this ID."""
    return {"HX-Request": "true", "HX-Target": target}


def visible_text(markup: str) -> str:
    """The text of some HTML, in one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", markup)).split())


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


def downloaded_text(response: Any) -> str:
    """The text of a downloaded CSV file, which must begin with a byte order mark."""
    content = b"".join(response.streaming_content)
    assert content.startswith(codecs.BOM_UTF8)
    return content.removeprefix(codecs.BOM_UTF8).decode()


def csv_rows(response: Any) -> list[dict[str, str]]:
    """The rows of a downloaded CSV file, by column."""
    return list(csv.DictReader(StringIO(downloaded_text(response), newline="")))
