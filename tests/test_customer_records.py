"""Records and notes on a customer's page: filtering, pagination and export of records, adding and reading notes."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client

from customers.actions.notes import add_note
from customers.models import Customer, CustomerNote, ExportRecord
from partnercenter.lib.errors import InvalidRequest
from partnercenter.models import Channel, Partner
from tests import factories
from tests.concurrency.threads import fast_flush, pause_before, race
from tests.pages import csv_rows, downloaded_text, htmx, visible_text

pytestmark = pytest.mark.clock("2026-09-10 04:00")

PAGE, EXPORT = "/customers/detail/", "/customers/detail/records/export/"
ID = "/subscriptions/0a"
HTMX = htmx("customer-records")
ROW = re.compile(r'<tr>\s*(<th scope="row" class="time">.*?)</tr>', re.DOTALL)
NOTE = re.compile(r'<p class="note">(.*?)</p>', re.DOTALL)


@pytest.fixture
def customer(acme: Partner) -> Customer:
    """Frozen since association on 10 September."""
    return factories.customer(acme, ID, account_name="kestwick_foods", name="Kestwick Foods")


@pytest.fixture
def history(customer, ann, ben, clock) -> None:
    """Ann sets budgets on the 10th and 12th, ben one on the 20th that unfreezes; ben freezes by hand on the 25th."""
    factories.budget(customer, ann, "100", unfreeze=False)
    clock.move_to("2026-09-12T04:00:00Z")
    factories.budget(customer, ann, "200", unfreeze=False, channel=Channel.IMPORT)
    clock.move_to("2026-09-20T04:00:00Z")
    factories.budget(customer, ben, "300")
    clock.move_to("2026-09-25T04:00:00Z")
    factories.freeze(customer, ben)


def fragment(client: Client, tab: str, **query: Any) -> str:
    """The HTML of a tab, as HTMX requests it."""
    response = client.get(PAGE, {"customer": ID, "tab": tab, **query}, headers=HTMX)
    assert response.status_code == 200
    return response.content.decode()


def rows(content: str) -> list[str]:
    """The text of each record."""
    return [visible_text(row) for row in ROW.findall(content)]


def days(client: Client, tab: str, **query: Any) -> list[int]:
    """The day of the month of each record shown."""
    return [int(row[8:10]) for row in rows(fragment(client, tab, **query))]


@pytest.mark.parametrize("tab", ["", "adjustments", "nonsense"])
def test_the_tab_of_adjustment_records_comes_first_with_the_newest_record_on_top(history, tab, client):
    assert days(client, tab) == [20, 12, 10]


def test_freeze_records_show_what_changed_why_and_by_whom_and_link_to_their_explanation(history, client, customer):
    content = fragment(client, "freezes")
    assert rows(content)[0].startswith(
        "2026-09-25 12:00 ben Freeze Not frozen Account partner Unpaid invoice -- -- Console Why frozen"
    )
    assert rows(content)[1].startswith("2026-09-20 12:00 ben Unfreeze Account association Not frozen --")
    for record in customer.freeze_records.all():
        assert f'href="/customers/freeze-records/{record.pk}/"' in content


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"since": "2026-09-12"}, [20, 12]),
        ({"until": "2026-09-12"}, [12, 10]),
        ({"since": "2026-09-11", "until": "2026-09-19"}, [12]),
        ({"operator": "ben"}, [20]),
        ({"operation": "SETTING"}, [20, 12, 10]),
        ({"operation": "REMOVED"}, []),
        ({"channel": "IMPORT"}, [12]),
        ({"channel": "CONSOLE", "operator": "ann"}, [10]),
        ({"since": "2026-09-12", "until": "2026-09-11"}, []),
        *[({name: "unreadable"}, []) for name in ("since", "until", "operator", "operation", "channel")],
    ],
)
def test_adjustment_records_are_filtered_by_time_operation_operator_and_channel(history, query, expected, client):
    assert days(client, "adjustments", **query) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [({"operation": "UNFREEZE"}, [20]), ({"operator": "system"}, [10]), ({"since": "2026-09-25"}, [25])],
)
def test_freeze_records_are_filtered_by_time_operation_and_operator(history, query, expected, client):
    assert days(client, "freezes", **query) == expected


def test_days_are_those_of_the_partners_time_zone(acme, customer, ann, clock, sign_in):
    # Half past midnight on the 13th in the partner's time zone.
    clock.move_to("2026-09-12T16:30:00Z")
    factories.budget(customer, ann, "100")
    client = sign_in(ann)
    assert days(client, "adjustments", since="2026-09-13", until="2026-09-13") == [13]
    Partner.objects.filter(pk=acme.pk).update(time_zone="Europe/Berlin")
    assert days(client, "adjustments", since="2026-09-13") == []
    assert days(client, "adjustments", until="2026-09-12") == [12]


def test_the_filter_offers_only_operators_of_these_records(history, client):
    operators = re.search(r'<select name="operator".*?</select>', fragment(client, "freezes"), re.DOTALL)
    assert operators is not None
    assert re.findall(r'value="(\w+)"', operators[0]) == ["ben", "system"]


def test_a_filter_without_a_match_says_so_and_can_be_cleared(history, client):
    content = fragment(client, "adjustments", operation="REMOVED")
    assert "No record matches these filters." in content
    assert "Clear Filters" in content


def test_records_are_paginated_and_the_links_keep_the_filters(client, customer, ann):
    for amount in range(1, 13):
        factories.budget(customer, ann, str(amount))
    content = fragment(client, "adjustments", operator="ann", page="2")
    assert [row.split()[8] for row in rows(content)] == ["1.00", "--"]
    assert f"?customer={ID.replace('/', '%2F')}&amp;tab=adjustments&amp;operator=ann&amp;page=1" in content


def test_records_of_other_customers_are_not_shown(client, customer, acme, ann):
    factories.budget(factories.customer(acme), ann, "100")
    assert days(client, "adjustments") == []
    assert len(days(client, "freezes")) == 1


def export(client: Client, **query: Any) -> list[dict[str, str]]:
    return csv_rows(client.get(EXPORT, {"customer": ID, **query}))


def test_an_export_holds_the_filtered_records_with_masked_names_and_is_recorded(history, client, ann, acme):
    client.post("/customers/names/", {"shown": "1"})
    exported = export(client, tab="adjustments", operator="ann")
    assert [row["amount_after"] for row in exported] == ["200.00", "100.00"]
    assert {row["customer_name"] for row in exported} == {"K****s"}
    record = ExportRecord.objects.get()
    assert (record.what, record.rows, record.operator, record.partner) == ("ADJUSTMENT", 2, ann, acme)
    history_page = client.get("/customers/exports/").content.decode()
    assert "customer: /subscriptions/0a, tab: adjustments, operator: ann" in history_page


def test_an_export_of_freeze_records_holds_all_their_fields(history, client, customer, ann):
    factories.report((customer, "2026-09", "412.50"), at=factories.moment("2026-09-25 03:00"))
    factories.unfreeze(customer, ann, reason="=Paid")
    factories.budget(customer, ann, "400")
    newest, unfrozen, by_ben = export(client, tab="freezes")[:3]
    assert {newest["customer_name"], unfrozen["customer_name"]} == {"K****s"}
    assert (newest["budget_type"], newest["amount"], newest["used"]) == ("ONE_TIME", "400.00", "412.50")
    assert (unfrozen["reason"], unfrozen["kind_before"], unfrozen["kind_after"]) == ("'=Paid", "ACCOUNT", "")
    assert (by_ben["time"], by_ben["operator"]) == ("2026-09-25 12:00:00+08:00", "ben")
    assert by_ben["reason"] == "Unpaid invoice"


def test_an_export_without_a_tab_holds_adjustment_records_and_notes_cannot_be_exported(history, client):
    assert len(export(client)) == 3
    for tab in ("notes", "nonsense"):
        assert client.get(EXPORT, {"customer": ID, "tab": tab}).status_code == 404


@pytest.mark.parametrize(("who", "status"), [("ben", 403), ("vera", 403), ("carl", 404), ("dora", 200)])
def test_only_administrators_export(history, who, status, sign_in, request):
    client = sign_in(request.getfixturevalue(who))
    assert client.get(EXPORT, {"customer": ID}).status_code == status
    assert ("/records/export/" in client.get(PAGE, {"customer": ID}).content.decode()) is (status == 200)
    assert ExportRecord.objects.exists() is (status == 200)


def send_note(client: Client, text: str, **more: Any) -> Any:
    return client.post(f"{PAGE}?customer={ID}&tab=notes", {"text": text}, **more)


def notes(client: Client, page: int = 1) -> list[str]:
    """The notes shown on this page of the tab."""
    return [unescape(each) for each in NOTE.findall(fragment(client, "notes", page=page))]


def test_a_note_is_shown_with_its_author_and_time_the_newest_first(client, customer, ann, clock):
    assert send_note(client, " Called.\r\nPays <soon> ").url == f"{PAGE}?customer={ID}&tab=notes#customer-records"
    clock.shift(timedelta(hours=1))
    send_note(client, "Paid.")
    content = fragment(client, "notes")
    assert notes(client) == ["Paid.", "Called.\nPays <soon>"]
    assert "<soon>" not in content
    assert "2026-09-10 13:00, ann" in content
    stored = CustomerNote.objects.latest("pk")
    assert (stored.customer, stored.operator, stored.operator_name) == (customer, ann, "ann")


def test_a_note_sent_by_htmx_is_answered_with_the_notes_and_an_empty_form(client, customer):
    response = send_note(client, "Called.", headers=HTMX)
    content = response.content.decode()
    assert response.status_code == 200
    assert "The note was added." in response["HX-Trigger"]
    assert NOTE.findall(content) == ["Called."]
    assert re.search(r"<textarea[^>]*>\s*</textarea>", content)


@pytest.mark.parametrize("text", ["", "  \r\n ", "x" * 2001, "a\0b"])
@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "fragment"])
def test_an_empty_or_too_long_note_is_refused_and_its_text_is_kept_in_the_form(text, headers, client, customer):
    response = send_note(client, text, headers=headers)
    assert response.status_code == 422
    assert 'class="errorlist"' in response.content.decode()
    assert ("<h1>" in response.content.decode()) is not bool(headers)
    assert text[:2000] in response.content.decode()
    assert not CustomerNote.objects.exists()


def test_each_line_ending_counts_as_one_character_of_a_note(client, customer):
    assert send_note(client, "a\r\n" * 999 + "ab").status_code == 302
    assert len(CustomerNote.objects.get().text) == 2000


def test_a_note_sent_twice_is_stored_once_and_may_be_repeated_later(client, customer, clock):
    send_note(client, "Called.")
    send_note(client, "Called.")
    assert CustomerNote.objects.count() == 1
    clock.shift(timedelta(minutes=1))
    send_note(client, "Called.")
    assert CustomerNote.objects.count() == 2


def test_the_same_text_by_another_operator_is_another_note(customer, ann, ben):
    add_note(customer, "Called.", operator=ann)
    add_note(customer, "Called.", operator=ben)
    assert CustomerNote.objects.count() == 2


@pytest.mark.parametrize("text", ["", " ", "x" * 2001])
def test_the_action_refuses_an_empty_or_too_long_note(text, customer, ann):
    with pytest.raises(InvalidRequest, match="1 to 2,000 characters"):
        add_note(customer, text, operator=ann)


def test_notes_are_read_only_by_people_of_the_same_company(customer, ann, dora, vera, sign_in, client):
    send_note(client, "Called.")
    send_note(sign_in(dora), "Ask Acme.")
    assert notes(sign_in(vera)) == notes(client) == ["Called."]
    assert notes(sign_in(dora)) == ["Ask Acme."]


@pytest.mark.parametrize(("who", "status"), [("vera", 403), ("carl", 404), ("una", 404), ("ben", 302), ("dora", 302)])
def test_a_viewer_reads_notes_but_adds_none_and_another_reseller_gets_404(who, status, customer, sign_in, request):
    client = sign_in(request.getfixturevalue(who))
    assert send_note(client, "Called.").status_code == status
    assert CustomerNote.objects.exists() is (status == 302)
    if status != 404:
        assert ("<textarea" in fragment(client, "notes")) is (status == 302)


def test_notes_are_paginated(client, customer, ann):
    for number in range(12):
        add_note(customer, f"Note {number}", operator=ann)
    assert notes(client)[0] == "Note 11"
    assert notes(client, page=2) == ["Note 1", "Note 0"]


def test_a_change_of_the_customer_does_not_replace_the_tab_of_notes_with_its_form(client, customer):
    assert "customers:changed" not in fragment(client, "notes")
    assert "customers:changed" in fragment(client, "adjustments")


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_note_sent_twice_at_the_same_time_is_stored_once(customer, ann, monkeypatch):
    pause = pause_before(monkeypatch, "customers.actions.notes.CustomerNote.objects.create")
    with fast_flush():
        race(*[lambda: add_note(customer, "Called.", operator=ann)] * 2, pause=pause)
    assert CustomerNote.objects.count() == 1


def test_an_export_filters_by_days_of_the_partners_time_zone_as_the_page_does(sign_in, customer, ann, clock):
    """The record is written at seven in the morning in Shanghai, when it is still the day before in UTC."""
    clock.move_to("2026-09-11T23:00:00Z", tick=False)
    factories.unfreeze(customer, ann)
    client = sign_in(ann)
    for query, number in (("since=2026-09-12", 1), ("until=2026-09-11", 1), ("since=2026-09-11&until=2026-09-11", 0)):
        path = f"?customer=%2Fsubscriptions%2F0a&tab=freezes&{query}"
        page = client.get(f"{PAGE}{path}")
        file = downloaded_text(client.get(f"{EXPORT}{path}"))
        assert (page.context["page"].paginator.count, len(file.splitlines()) - 1) == (number, number), query
