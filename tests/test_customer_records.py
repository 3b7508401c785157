"""Below a customer: its adjustment and freeze records, filtered, paged, as files; and what operators note about it."""

import csv
import re
from datetime import timedelta
from html import unescape
from io import StringIO
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from budgets.actions.account_state import freeze_accounts, unfreeze_accounts
from customers.actions.notes import add_note
from customers.models import Customer, CustomerNote, ExportRecord, FreezeKind, FreezeOrigin
from partnercenter.actions.authorship import Author
from partnercenter.lib.errors import InvalidRequest
from partnercenter.lib.transactions import lock_keys
from partnercenter.models import Channel, Partner, User
from tests import factories
from tests.concurrency.threads import fast_flush, pause_before, race
from tests.test_exports import sent

pytestmark = pytest.mark.clock("2026-09-10 04:00")

PAGE, EXPORT = "/customers/detail/", "/customers/detail/records/export/"
ID = "/subscriptions/0a"
RECORDS = {"HX-Request": "true", "HX-Target": "customer-records"}
ROW = re.compile(r'<tr>\s*(<th scope="row" class="time">.*?)</tr>', re.DOTALL)
NOTED = re.compile(r'<p class="note">(.*?)</p>', re.DOTALL)


@pytest.fixture
def customer(acme: Partner) -> Customer:
    """Frozen since association on 10 September."""
    return factories.customer(acme, ID, account_name="kestwick_foods", name="Kestwick Foods")


def by_hand(customer: Customer, operator: User, reason: str, *, frozen: bool = True) -> None:
    with transaction.atomic():
        locked = Customer.objects.filter(pk__in=lock_keys(Customer.objects.filter(pk=customer.pk)))
        author = Author(operator, Channel.CONSOLE, timezone.now())
        if frozen:
            freeze_accounts(locked, FreezeKind.ACCOUNT, FreezeOrigin.PARTNER, author=author, reason=reason)
        else:
            unfreeze_accounts(locked, author=author, reason=reason)


@pytest.fixture
def history(customer, ann, ben, clock) -> None:
    """Budgets by ann on the 10th and the 12th, by ben on the 20th, which unfreezes; frozen by ben on the 25th."""
    factories.budget(customer, ann, "100", unfreeze=False)
    clock.move_to("2026-09-12T04:00:00Z")
    factories.budget(customer, ann, "200", unfreeze=False, channel=Channel.IMPORT)
    clock.move_to("2026-09-20T04:00:00Z")
    factories.budget(customer, ben, "300")
    clock.move_to("2026-09-25T04:00:00Z")
    by_hand(customer, ben, "Unpaid invoice")


def fragment(client: Client, tab: str, **asked: Any) -> str:
    response = client.get(PAGE, {"customer": ID, "tab": tab, **asked}, headers=RECORDS)
    assert response.status_code == 200
    return response.content.decode()


def rows(content: str) -> list[str]:
    return [" ".join(unescape(re.sub(r"<[^>]+>", " ", row)).split()) for row in ROW.findall(content)]


def days(client: Client, tab: str, **asked: Any) -> list[int]:
    """The days of September of which records are shown."""
    return [int(row[8:10]) for row in rows(fragment(client, tab, **asked))]


@pytest.mark.parametrize("tab", ["", "adjustments", "nonsense"])
def test_adjustment_records_come_first_newest_first(history, tab, client):
    assert days(client, tab) == [20, 12, 10]


def test_freeze_records_tell_what_changed_why_and_by_whom_and_lead_to_their_sheets(history, client, customer):
    content = fragment(client, "freezes")
    assert rows(content)[0].startswith(
        "2026-09-25 12:00 ben Freeze Not frozen Account partner Unpaid invoice -- -- Console Why frozen"
    )
    assert rows(content)[1].startswith("2026-09-20 12:00 ben Unfreeze Account association Not frozen --")
    for record in customer.freeze_records.all():
        assert f'href="/customers/freeze-records/{record.pk}/"' in content


@pytest.mark.parametrize(
    ("asked", "shown"),
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
def test_adjustment_records_are_filtered_by_time_operation_operator_and_channel(history, asked, shown, client):
    assert days(client, "adjustments", **asked) == shown


@pytest.mark.parametrize(
    ("asked", "shown"),
    [({"operation": "UNFREEZE"}, [20]), ({"operator": "system"}, [10]), ({"since": "2026-09-25"}, [25])],
)
def test_freeze_records_are_filtered_likewise(history, asked, shown, client):
    assert days(client, "freezes", **asked) == shown


def test_days_are_those_of_the_partners_zone(acme, customer, ann, clock, sign_in):
    # Half past midnight on the 13th where the partner is.
    clock.move_to("2026-09-12T16:30:00Z")
    factories.budget(customer, ann, "100")
    client = sign_in(ann)
    assert days(client, "adjustments", since="2026-09-13", until="2026-09-13") == [13]
    Partner.objects.filter(pk=acme.pk).update(time_zone="Europe/Berlin")
    assert days(client, "adjustments", since="2026-09-13") == []
    assert days(client, "adjustments", until="2026-09-12") == [12]


def test_only_operators_of_these_records_are_offered(history, client):
    operators = re.search(r'<select name="operator".*?</select>', fragment(client, "freezes"), re.DOTALL)
    assert operators is not None
    assert re.findall(r'value="(\w+)"', operators[0]) == ["ben", "system"]


def test_nothing_found_says_so_and_keeps_the_way_back(history, client):
    content = fragment(client, "adjustments", operation="REMOVED")
    assert "No record matches these filters." in content
    assert "Clear Filters" in content


def test_many_records_come_page_by_page_with_their_filters(client, customer, ann):
    for amount in range(1, 13):
        factories.budget(customer, ann, str(amount))
    content = fragment(client, "adjustments", operator="ann", page="2")
    assert [row.split()[8] for row in rows(content)] == ["1.00", "--"]
    assert f"?customer={ID.replace('/', '%2F')}&amp;tab=adjustments&amp;operator=ann&amp;page=1" in content


def test_no_record_of_another_customer_is_among_them(client, customer, acme, ann):
    factories.budget(factories.customer(acme), ann, "100")
    assert days(client, "adjustments") == []
    assert len(days(client, "freezes")) == 1


def export(client: Client, **asked: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(sent(client.get(EXPORT, {"customer": ID, **asked})), newline="")))


def test_the_records_are_exported_as_they_are_filtered_masked_and_recorded(history, client, ann, acme):
    client.post("/customers/names/", {"shown": "1"})
    exported = export(client, tab="adjustments", operator="ann")
    assert [row["amount_after"] for row in exported] == ["200.00", "100.00"]
    assert {row["customer_name"] for row in exported} == {"K****s"}
    record = ExportRecord.objects.get()
    assert (record.what, record.rows, record.operator, record.partner) == ("ADJUSTMENT", 2, ann, acme)
    history_page = client.get("/customers/exports/").content.decode()
    assert "customer: /subscriptions/0a, tab: adjustments, operator: ann" in history_page


def test_freeze_records_are_exported_with_all_they_hold(history, client, customer, ann):
    factories.report((customer, "2026-09", "412.50"), at=factories.moment("2026-09-25 03:00"))
    by_hand(customer, ann, "=Paid", frozen=False)
    factories.budget(customer, ann, "400")
    newest, unfrozen, by_ben = export(client, tab="freezes")[:3]
    assert {newest["customer_name"], unfrozen["customer_name"]} == {"K****s"}
    assert (newest["budget_type"], newest["amount"], newest["used"]) == ("ONE_TIME", "400.00", "412.50")
    assert (unfrozen["reason"], unfrozen["kind_before"], unfrozen["kind_after"]) == ("'=Paid", "ACCOUNT", "")
    assert (by_ben["time"], by_ben["operator"]) == ("2026-09-25 12:00:00+08:00", "ben")
    assert by_ben["reason"] == "Unpaid invoice"


def test_without_a_name_of_a_tab_adjustment_records_are_exported_and_notes_never(history, client):
    assert len(export(client)) == 3
    for tab in ("notes", "nonsense"):
        assert client.get(EXPORT, {"customer": ID, "tab": tab}).status_code == 404


@pytest.mark.parametrize(("who", "status"), [("ben", 403), ("vera", 403), ("carl", 404), ("dora", 200)])
def test_only_administrators_export(history, who, status, sign_in, request):
    client = sign_in(request.getfixturevalue(who))
    assert client.get(EXPORT, {"customer": ID}).status_code == status
    assert ("/records/export/" in client.get(PAGE, {"customer": ID}).content.decode()) is (status == 200)
    assert ExportRecord.objects.exists() is (status == 200)


def note(client: Client, words: str, **more: Any) -> Any:
    return client.post(f"{PAGE}?customer={ID}&tab=notes", {"text": words}, **more)


def noted(client: Client, page: int = 1) -> list[str]:
    return [unescape(each) for each in NOTED.findall(fragment(client, "notes", page=page))]


def test_a_note_is_kept_with_who_and_when_newest_first(client, customer, ann, clock):
    assert note(client, " Called.\r\nPays <soon> ").url == f"{PAGE}?customer={ID}&tab=notes#customer-records"
    clock.shift(timedelta(hours=1))
    note(client, "Paid.")
    content = fragment(client, "notes")
    assert noted(client) == ["Paid.", "Called.\nPays <soon>"]
    assert "<soon>" not in content
    assert "2026-09-10 13:00, ann" in content
    stored = CustomerNote.objects.latest("pk")
    assert (stored.customer, stored.operator, stored.operator_name) == (customer, ann, "ann")


def test_a_note_by_htmx_is_answered_with_the_notes_and_an_empty_form(client, customer):
    answer = note(client, "Called.", headers=RECORDS)
    content = answer.content.decode()
    assert answer.status_code == 200
    assert "The note was added." in answer["HX-Trigger"]
    assert NOTED.findall(content) == ["Called."]
    assert re.search(r"<textarea[^>]*>\s*</textarea>", content)


@pytest.mark.parametrize("words", ["", "  \r\n ", "x" * 2001, "a\0b"])
@pytest.mark.parametrize("headers", [{}, RECORDS], ids=["page", "fragment"])
def test_a_note_without_words_or_too_long_is_refused_with_what_was_typed(words, headers, client, customer):
    answer = note(client, words, headers=headers)
    assert answer.status_code == 422
    assert 'class="errorlist"' in answer.content.decode()
    assert ("<h1>" in answer.content.decode()) is not bool(headers)
    assert words[:2000] in answer.content.decode()
    assert not CustomerNote.objects.exists()


def test_the_longest_note_may_have_line_ends_which_are_one_character_each(client, customer):
    assert note(client, "a\r\n" * 999 + "ab").status_code == 302
    assert len(CustomerNote.objects.get().text) == 2000


def test_a_note_sent_twice_stands_once_and_may_be_written_again_later(client, customer, clock):
    note(client, "Called.")
    note(client, "Called.")
    assert CustomerNote.objects.count() == 1
    clock.shift(timedelta(minutes=1))
    note(client, "Called.")
    assert CustomerNote.objects.count() == 2


def test_the_same_words_of_somebody_else_are_another_note(customer, ann, ben):
    add_note(customer, "Called.", operator=ann)
    add_note(customer, "Called.", operator=ben)
    assert CustomerNote.objects.count() == 2


@pytest.mark.parametrize("words", ["", " ", "x" * 2001])
def test_the_action_itself_refuses_what_is_no_note(words, customer, ann):
    with pytest.raises(InvalidRequest, match="1 to 2,000 characters"):
        add_note(customer, words, operator=ann)


def test_notes_are_read_by_the_own_company_alone(customer, ann, dora, vera, sign_in, client):
    note(client, "Called.")
    note(sign_in(dora), "Ask Acme.")
    assert noted(sign_in(vera)) == noted(client) == ["Called."]
    assert noted(sign_in(dora)) == ["Ask Acme."]


@pytest.mark.parametrize(("who", "status"), [("vera", 403), ("carl", 404), ("una", 404), ("ben", 302), ("dora", 302)])
def test_a_viewer_reads_notes_and_writes_none_and_a_stranger_finds_nothing(who, status, customer, sign_in, request):
    client = sign_in(request.getfixturevalue(who))
    assert note(client, "Called.").status_code == status
    assert CustomerNote.objects.exists() is (status == 302)
    if status != 404:
        assert ("<textarea" in fragment(client, "notes")) is (status == 302)


def test_many_notes_come_page_by_page(client, customer, ann):
    for number in range(12):
        add_note(customer, f"Note {number}", operator=ann)
    assert noted(client)[0] == "Note 11"
    assert noted(client, page=2) == ["Note 1", "Note 0"]


def test_a_half_written_note_is_not_taken_away_when_something_changes(client, customer):
    assert "customers:changed" not in fragment(client, "notes")
    assert "customers:changed" in fragment(client, "adjustments")


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_note_pressed_twice_at_once_stands_once(customer, ann, monkeypatch):
    pause = pause_before(monkeypatch, "customers.actions.notes.CustomerNote.objects.create")
    with fast_flush():
        race(*[lambda: add_note(customer, "Called.", operator=ann)] * 2, pause=pause)
    assert CustomerNote.objects.count() == 1


def test_a_file_goes_by_the_days_of_the_partner_as_its_page_does(sign_in, customer, ann, clock):
    """Seven in the morning in Shanghai is the evening before elsewhere."""
    clock.move_to("2026-09-11T23:00:00Z", tick=False)
    by_hand(customer, ann, "Early", frozen=False)
    client = sign_in(ann)
    for query, number in (("since=2026-09-12", 1), ("until=2026-09-11", 1), ("since=2026-09-11&until=2026-09-11", 0)):
        path = f"?customer=%2Fsubscriptions%2F0a&tab=freezes&{query}"
        page = client.get(f"{PAGE}{path}")
        file = sent(client.get(f"{EXPORT}{path}"))
        assert (page.context["page"].paginator.count, len(file.splitlines()) - 1) == (number, number), query
