"""Exports: the list and a batch as CSV, masked, recorded, safe in a spreadsheet, fit to go back in.

See rule 7.1 (docs/rules.md).
"""

import codecs
import csv
import re
from io import BytesIO, StringIO
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import example, given
from hypothesis import strategies as st

from budgets.actions.import_budgets import BudgetImport, review_import
from customers.actions.audit import record_export
from customers.models import AccountFreezing, Customer, ExportRecord
from partnercenter.lib.csv_files import csv_download, escape_formula, unescape_formula
from partnercenter.models import BudgetType
from tests import factories

pytestmark = pytest.mark.clock("2026-09-20 04:00")

EXPORT, HISTORY = "/customers/export/", "/customers/exports/"
STARTS = "=+-@\t\r\n＝＋－＠"


def sent(answer: Any) -> str:
    """The text of a download, which begins with a byte order mark."""
    content = b"".join(answer.streaming_content)
    assert content.startswith(codecs.BOM_UTF8)
    return content.removeprefix(codecs.BOM_UTF8).decode()


def rows(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(sent(answer), newline="")))


def ids(client: Client, query: str = "") -> list[str]:
    return [row["customer_id"] for row in rows(client.get(EXPORT + query))]


TEXTS = st.text(st.sampled_from(f"{STARTS}'a1 \"") | st.characters(codec="utf-8"), max_size=8)


@given(TEXTS)
@example("=cmd")
@example("''=x")
@example("'")
def test_what_goes_out_comes_in_as_it_was_and_never_as_a_formula(text):
    assert unescape_formula(escape_formula(text)) == text
    assert not escape_formula(text).startswith(tuple(STARTS))
    assert text.startswith(tuple(STARTS)) <= escape_formula(text).startswith("'")


@given(st.lists(st.lists(TEXTS, min_size=2, max_size=2), max_size=5))
def test_a_download_reads_back_exactly(written):
    text = sent(csv_download("x.csv", ("a", "b"), written))
    read = [[unescape_formula(cell) for cell in row] for row in csv.reader(StringIO(text, newline=""), strict=True)]
    assert read == [["a", "b"], *written]


def test_the_list_is_exported_with_the_columns_to_import_first(acme, ann, sign_in):
    customer = factories.customer(acme, "one", account_name="one_account", name="Kestwick", tags=("a", "b"))
    factories.budget(customer, ann, "1200.50", BudgetType.MONTHLY)
    factories.report((customer, "2026-09", "600.25"), at=factories.moment("2026-09-20 03:00"))
    answer = sign_in(ann).get(EXPORT)
    assert answer["Content-Disposition"] == 'attachment; filename="customers-2026-09-20.csv"'
    text = sent(answer)
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
    text = sent(client.get(EXPORT))
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
def test_what_the_list_shows_is_exported_in_its_order(acme, borealis, ann, sign_in, query, expected):
    made = [factories.customer(acme, each, account_name=f"account_{each}") for each in ("a", "b", "c")]
    factories.customer(borealis, "theirs")
    factories.budget(made[0], ann, "10")
    factories.budget(made[1], ann, "20")
    assert ids(sign_in(ann), query) == expected


def test_more_than_one_chunk_is_exported_in_order(acme, ann, sign_in, monkeypatch):
    monkeypatch.setattr("customers.listing.export.EXPORT_CHUNK", 2)
    made = factories.customers(acme, 5)
    factories.budget(made[:3], ann, "10")
    assert ids(sign_in(ann), "?sort=amount") == [each.customer_id for each in made]


def test_a_distributor_is_told_whose_customers_they_are(acme, borealis, dora, sign_in):
    factories.customer(acme, "one", account_name="a")
    factories.customer(borealis, "other", account_name="b")
    told = [(row["customer_id"], row["reseller"]) for row in rows(sign_in(dora).get(EXPORT))]
    assert told == [("one", "Acme Reseller"), ("other", "Borealis Reseller")]


def test_an_export_goes_back_in_and_changes_nothing(acme, ann, sign_in):
    named = [
        factories.customer(acme, "=1", name="=cmd", account_name="-1"),
        factories.customer(acme, "'=2", name="'=x", account_name='a "b",\u3000c'),
        factories.customer(acme, "-1", name="-1", account_name="＝x"),
    ]
    factories.customer(acme, "referral", association_type=Customer.AssociationType.REFERRAL)
    factories.customer(acme, "bare")
    factories.budget(named[0], ann, "12.34", BudgetType.MONTHLY, unfreeze=False)
    factories.budget(named[1], ann, "5", account_freezing=AccountFreezing.AUTOMATIC_WITH_RESOURCES)
    factories.budget(named[2], ann, "60")
    factories.report((named[2], "2026-09", "70"))
    exported = b"".join(sign_in(ann).get(EXPORT).streaming_content)
    assert b"\n'=1," in exported
    assert b"\n''=2," in exported
    told = review_import("customers.csv", BytesIO(exported), operator=ann)
    assert told == BudgetImport(None, 5, 0, 0, [])


def test_what_a_spreadsheet_made_of_an_export_sets_what_was_changed_in_it(acme, ann, sign_in):
    factories.customer(acme, "=1", name="=cmd")
    factories.customer(acme, "other")
    text = sent(sign_in(ann).get(EXPORT)).replace("'=1,,,,0", "'=1,ONE_TIME,7,,0")
    told = review_import("customers.csv", BytesIO(text.encode()), operator=ann)
    assert told.operation is not None
    assert told.operation.reviewed.get().customer.customer_id == "=1"


@pytest.mark.parametrize("path", [EXPORT, HISTORY])
@pytest.mark.parametrize("who", ["ben", "vera"])
def test_only_administrators_export(path, who, sign_in, request):
    assert sign_in(request.getfixturevalue(who)).get(path).status_code == 403
    assert not ExportRecord.objects.exists()


def test_the_list_offers_export_with_its_present_filters_to_administrators(acme, ann, ben, sign_in):
    factories.customer(acme)
    page = sign_in(ann).get("/customers/?status=FROZEN&sort=name&page=1").content.decode()
    assert 'href="/customers/export/?status=FROZEN&amp;sort=name"' in page
    assert "/customers/export/" not in sign_in(ben).get("/customers/").content.decode()


def test_every_export_is_in_the_history_before_a_byte_is_sent(acme, ann, carl, sign_in):
    factories.customers(acme, 2)
    client = sign_in(ann)
    client.get(f"{EXPORT}?status=FROZEN")
    record = ExportRecord.objects.get()
    assert (record.operator, record.partner, record.query, record.rows) == (ann, acme, "status=FROZEN", 2)
    assert "status: FROZEN" in client.get(HISTORY).content.decode()
    assert "Nothing has been exported yet." in sign_in(carl).get(HISTORY).content.decode()


def batch_of(customers: list[Customer], client: Client) -> str:
    terms = {"budget_type": "ONE_TIME", "amount": "100", "account_freezing": "AUTOMATIC"}
    ids = [customer.customer_id for customer in customers]
    path = client.post("/budgets/set/", {"customer": ids, **terms})["Location"]
    client.post(path)
    return f"/budgets/batches/{path.split('/')[-2]}/"


def test_a_long_history_has_pages_to_go_to(acme, ann, sign_in):
    for _each in range(20 * 11 + 1):
        record_export(ExportRecord.What.LIST, query="", rows=1, operator=ann, partner=acme)
    foot = sign_in(ann).get(HISTORY, {"page": 2}).content.decode().partition('<nav class="pagination"')[2]
    assert "Total: 221" in foot
    assert re.findall(r'id="page-([a-z0-9-]+)" href="([^"]*)"', foot) == [
        ("previous", "?page=1"),
        *((f"number-{page}", f"?page={page}") for page in (1, 2, 3, 4, 12)),
        ("next", "?page=3"),
    ]
    assert foot.count('class="ellipsis"') == 1
    assert 'aria-current="page" aria-label="Page 2">2<' in foot


def test_a_batch_is_exported_with_before_and_after(acme, ann, sign_in):
    customers = [
        factories.customer(acme, "one", name="Kestwick", account_name="=one"),
        factories.customer(acme, "other"),
    ]
    factories.budget(customers[0], ann, "50", BudgetType.MONTHLY)
    client = sign_in(ann)
    batch = batch_of(customers, client)
    assert f"{batch}export/" in client.get(batch).content.decode()
    one, other = rows(client.get(f"{batch}export/"))
    assert (one["customer_id"], one["account_name"], one["customer_name"]) == ("one", "'=one", "K****k")
    assert (one["budget_type_before"], one["amount_before"], one["amount_after"]) == ("MONTHLY", "50.00", "100.00")
    assert (other["amount_before"], other["amount_after"], other["channel"]) == ("", "100.00", "CONSOLE")
    assert ExportRecord.objects.get().rows == 2
    assert batch in client.get(HISTORY).content.decode()


@pytest.mark.parametrize(("who", "status"), [("carl", 404), ("vera", 403), ("ben", 403)])
def test_a_batch_is_exported_by_administrators_of_its_company(acme, ann, who, status, sign_in, request):
    batch = batch_of(factories.customers(acme, 2), sign_in(ann))
    person = sign_in(request.getfixturevalue(who))
    assert person.get(f"{batch}export/").status_code == status
    assert not ExportRecord.objects.exists()


def asked(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        sent(client.get(path))
    return len(captured)


def test_the_number_of_queries_does_not_grow_with_the_rows(acme, ann, sign_in):
    client = sign_in(ann)
    few, many = factories.customers(acme, 3), factories.customers(acme, 300)
    client.get("/customers/")
    batches = [batch_of(few, client), batch_of(many, client)]
    assert asked(client, f"{batches[0]}export/") == asked(client, f"{batches[1]}export/")
    assert asked(client, f"{EXPORT}?q={few[0].account_name}") == asked(client, f"{EXPORT}?q=account")
