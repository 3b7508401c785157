"""Exports of the customer list and of batches as CSV files: masked names, export records, safe cells, and re-import.

See rule 7.1 (docs/rules.md).
"""

import csv
import re
from io import BytesIO, StringIO

import pytest
from django.test import Client
from hypothesis import example, given
from hypothesis import strategies as st

from budgets.actions.import_budgets import BudgetImport, review_import
from customers.actions.audit import record_export
from customers.models import AccountFreezing, Customer, ExportRecord
from partnercenter.lib.csv_files import csv_download, escape_formula, unescape_formula
from partnercenter.models import BudgetType
from tests import factories
from tests.pages import csv_rows, downloaded_text
from tests.sql import count_queries

pytestmark = pytest.mark.clock("2026-09-20 04:00")

EXPORT, HISTORY = "/customers/export/", "/customers/exports/"
FORMULA_STARTS = "=+-@\t\r\n＝＋－＠"


def exported_ids(client: Client, query: str = "") -> list[str]:
    """The customer IDs in an export of the list, in the order of its rows."""
    return [row["customer_id"] for row in csv_rows(client.get(EXPORT + query))]


TEXTS = st.text(st.sampled_from(f"{FORMULA_STARTS}'a1 \"") | st.characters(codec="utf-8"), max_size=8)


@given(TEXTS)
@example("=cmd")
@example("''=x")
@example("'")
def test_an_escaped_cell_is_never_a_formula_and_can_be_unescaped(text):
    assert unescape_formula(escape_formula(text)) == text
    assert not escape_formula(text).startswith(tuple(FORMULA_STARTS))
    assert text.startswith(tuple(FORMULA_STARTS)) <= escape_formula(text).startswith("'")


@given(st.lists(st.lists(TEXTS, min_size=2, max_size=2), max_size=5))
def test_a_download_reads_back_exactly(cells):
    text = downloaded_text(csv_download("x.csv", ("a", "b"), cells))
    read = [[unescape_formula(cell) for cell in row] for row in csv.reader(StringIO(text, newline=""), strict=True)]
    assert read == [["a", "b"], *cells]


def test_the_list_is_exported_with_the_columns_of_an_import_first(acme, ann, sign_in):
    customer = factories.customer(acme, "one", account_name="one_account", name="Kestwick", tags=("a", "b"))
    factories.budget(customer, ann, "1200.50", BudgetType.MONTHLY)
    factories.report((customer, "2026-09", "600.25"), at=factories.moment("2026-09-20 03:00"))
    response = sign_in(ann).get(EXPORT)
    assert response["Content-Disposition"] == 'attachment; filename="customers-2026-09-20.csv"'
    text = downloaded_text(response)
    assert text.startswith("customer_id,budget_type,amount,account_freezing,unfreeze_now,account_name,")
    assert list(csv.reader(StringIO(text)))[1] == [
        *("one", "MONTHLY", "1200.50", "AUTOMATIC", "0", "one_account", "K****k", "Normal", "", "600.25", "50"),
        *("2026-09-20 11:00+08:00", "RESELLER", "2026-09-20 12:00+08:00", "", "a;b"),
    ]


def test_names_stay_masked_even_when_the_eye_is_open(acme, ann, sign_in):
    factories.customer(acme, name="Kestwick Foods")
    client = sign_in(ann)
    client.post("/customers/names/", {"shown": "1"})
    assert "Kestwick Foods" in client.get("/customers/").content.decode()
    text = downloaded_text(client.get(EXPORT))
    assert "K****s" in text
    assert "Kestwick Foods" not in text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["a", "b", "c"]),
        ("?sort=-account_name", ["c", "b", "a"]),
        ("?sort=-amount", ["b", "a", "c"]),
        ("?budget_type=NONE", ["c"]),
        ("?q=account_b&page=7&size=10", ["b"]),
    ],
)
def test_an_export_holds_what_the_list_shows_in_the_same_order(acme, borealis, ann, sign_in, query, expected):
    customers = [factories.customer(acme, each, account_name=f"account_{each}") for each in ("a", "b", "c")]
    factories.customer(borealis, "theirs")
    factories.budget(customers[0], ann, "10")
    factories.budget(customers[1], ann, "20")
    assert exported_ids(sign_in(ann), query) == expected


def test_an_export_of_several_chunks_keeps_the_order(acme, ann, sign_in, monkeypatch):
    monkeypatch.setattr("customers.listing.export.EXPORT_CHUNK", 2)
    customers = factories.customers(acme, 5)
    factories.budget(customers[:3], ann, "10")
    assert exported_ids(sign_in(ann), "?sort=amount") == [each.customer_id for each in customers]


def test_an_export_by_a_distributor_names_the_reseller_of_each_customer(acme, borealis, dora, sign_in):
    factories.customer(acme, "one", account_name="a")
    factories.customer(borealis, "other", account_name="b")
    resellers = [(row["customer_id"], row["reseller"]) for row in csv_rows(sign_in(dora).get(EXPORT))]
    assert resellers == [("one", "Acme Reseller"), ("other", "Borealis Reseller")]


def test_importing_an_unchanged_export_changes_nothing(acme, ann, sign_in):
    customers = [
        factories.customer(acme, "=1", name="=cmd", account_name="-1"),
        factories.customer(acme, "'=2", name="'=x", account_name='a "b",\u3000c'),
        factories.customer(acme, "-1", name="-1", account_name="＝x"),
    ]
    factories.customer(acme, "referral", association_type=Customer.AssociationType.REFERRAL)
    factories.customer(acme, "bare")
    factories.budget(customers[0], ann, "12.34", BudgetType.MONTHLY, unfreeze=False)
    factories.budget(customers[1], ann, "5", account_freezing=AccountFreezing.AUTOMATIC_WITH_RESOURCES)
    factories.budget(customers[2], ann, "60")
    factories.report((customers[2], "2026-09", "70"))
    exported = b"".join(sign_in(ann).get(EXPORT).streaming_content)
    assert b"\n'=1," in exported
    assert b"\n''=2," in exported
    imported = review_import("customers.csv", BytesIO(exported), operator=ann)
    assert imported == BudgetImport(None, 5, 0, 0, [])


def test_importing_an_export_edited_in_a_spreadsheet_sets_the_changed_budgets(acme, ann, sign_in):
    factories.customer(acme, "=1", name="=cmd")
    factories.customer(acme, "other")
    text = downloaded_text(sign_in(ann).get(EXPORT)).replace("'=1,,,,0", "'=1,ONE_TIME,7,,0")
    imported = review_import("customers.csv", BytesIO(text.encode()), operator=ann)
    assert imported.operation is not None
    assert imported.operation.reviewed.get().customer.customer_id == "=1"


@pytest.mark.parametrize("path", [EXPORT, HISTORY])
@pytest.mark.parametrize("who", ["ben", "vera"])
def test_only_administrators_export(path, who, sign_in, request):
    assert sign_in(request.getfixturevalue(who)).get(path).status_code == 403
    assert not ExportRecord.objects.exists()


def test_the_list_offers_administrators_an_export_with_the_current_filters(acme, ann, ben, sign_in):
    factories.customer(acme)
    page = sign_in(ann).get("/customers/?status=FROZEN&sort=name&page=1").content.decode()
    assert 'href="/customers/export/?status=FROZEN&amp;sort=name"' in page
    assert "/customers/export/" not in sign_in(ben).get("/customers/").content.decode()


def test_every_export_is_recorded_before_the_file_is_sent(acme, ann, carl, sign_in):
    factories.customers(acme, 2)
    client = sign_in(ann)
    client.get(f"{EXPORT}?status=FROZEN")
    record = ExportRecord.objects.get()
    assert (record.operator, record.partner, record.query, record.rows) == (ann, acme, "status=FROZEN", 2)
    assert "status: FROZEN" in client.get(HISTORY).content.decode()
    assert "Nothing has been exported yet." in sign_in(carl).get(HISTORY).content.decode()


def set_budgets(customers: list[Customer], client: Client) -> str:
    """Set a budget for these customers; the address of the batch."""
    terms = {"budget_type": "ONE_TIME", "amount": "100", "account_freezing": "AUTOMATIC"}
    ids = [customer.customer_id for customer in customers]
    path = client.post("/budgets/set/", {"customer": ids, **terms})["Location"]
    client.post(path)
    return f"/budgets/batches/{path.split('/')[-2]}/"


def test_a_long_history_of_exports_is_paginated(acme, ann, sign_in):
    for _each in range(20 * 11 + 1):
        record_export(ExportRecord.What.LIST, query="", rows=1, operator=ann, partner=acme)
    footer = sign_in(ann).get(HISTORY, {"page": 2}).content.decode().partition('<nav class="pagination"')[2]
    assert "Total: 221" in footer
    assert re.findall(r'id="page-([a-z0-9-]+)" href="([^"]*)"', footer) == [
        ("previous", "?page=1"),
        *((f"number-{page}", f"?page={page}") for page in (1, 2, 3, 4, 12)),
        ("next", "?page=3"),
    ]
    assert footer.count('class="ellipsis"') == 1
    assert 'aria-current="page" aria-label="Page 2">2<' in footer


def test_a_batch_is_exported_with_terms_before_and_after(acme, ann, sign_in):
    customers = [
        factories.customer(acme, "one", name="Kestwick", account_name="=one"),
        factories.customer(acme, "other"),
    ]
    factories.budget(customers[0], ann, "50", BudgetType.MONTHLY)
    client = sign_in(ann)
    batch = set_budgets(customers, client)
    assert f"{batch}export/" in client.get(batch).content.decode()
    one, other = csv_rows(client.get(f"{batch}export/"))
    assert (one["customer_id"], one["account_name"], one["customer_name"]) == ("one", "'=one", "K****k")
    assert (one["budget_type_before"], one["amount_before"], one["amount_after"]) == ("MONTHLY", "50.00", "100.00")
    assert (other["amount_before"], other["amount_after"], other["channel"]) == ("", "100.00", "CONSOLE")
    assert ExportRecord.objects.get().rows == 2
    assert batch in client.get(HISTORY).content.decode()


@pytest.mark.parametrize(("who", "status"), [("carl", 404), ("vera", 403), ("ben", 403)])
def test_a_batch_is_exported_by_administrators_of_its_company(acme, ann, who, status, sign_in, request):
    batch = set_budgets(factories.customers(acme, 2), sign_in(ann))
    person = sign_in(request.getfixturevalue(who))
    assert person.get(f"{batch}export/").status_code == status
    assert not ExportRecord.objects.exists()


def test_the_number_of_queries_does_not_grow_with_the_rows(acme, ann, sign_in):
    client = sign_in(ann)
    few, many = factories.customers(acme, 3), factories.customers(acme, 300)
    client.get("/customers/")
    batches = [set_budgets(few, client), set_budgets(many, client)]

    def queries(path: str) -> int:
        return count_queries(lambda: downloaded_text(client.get(path)))

    assert queries(f"{batches[0]}export/") == queries(f"{batches[1]}export/")
    assert queries(f"{EXPORT}?q={few[0].account_name}") == queries(f"{EXPORT}?q=account")
