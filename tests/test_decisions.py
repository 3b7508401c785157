"""Decisions: who used up a budget under Manual and is not frozen; frozen, raised or put off, and never missing."""

import json
import re
from datetime import date, timedelta
from html import unescape
from itertools import chain
from typing import Any

import pytest
from django.db import connection, transaction
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from budgets.actions.account_state import freeze_accounts
from budgets.actions.billing_month import restore_budgets
from budgets.actions.decisions import snooze_decisions, wake_decisions
from budgets.queries.decisions import DECISION_QUERYSET, Decisions
from customers.models import AccountFreezing, Customer, FreezeKind, FreezeOrigin, RevealRecord, Snooze
from partnercenter.actions.authorship import Author
from partnercenter.actions.partners import give_grant
from partnercenter.lib.errors import InvalidRequest, PermissionRefused
from partnercenter.lib.transactions import lock_keys
from partnercenter.models import BudgetType, Channel, Partner, User
from tests import factories

pytestmark = pytest.mark.clock("2026-09-15 02:00")

NOW = factories.moment("2026-09-15 02:00")
ROW = re.compile(r'<tr data-customer="([^"]*)">(.*?)</tr>', re.DOTALL)
PATH, SNOOZE, WAKE = "/customers/decisions/", "/customers/decisions/snooze/", "/customers/decisions/wake/"


def rows(client: Client, **query: Any) -> dict[str, str]:
    """The rows of the page in their order: the text of each by customer ID."""
    content = client.get(PATH, query).content.decode()
    return {unescape(customer_id): text_of(row) for customer_id, row in ROW.findall(content)}


def text_of(markup: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", markup)).split())


def used_up(
    partner: Partner, operator: User, customer_id: str, used: str = "120", amount: str = "100", **more: Any
) -> Customer:
    """A customer who has used up a budget under Manual."""
    customer = factories.customer(partner, customer_id, **more)
    factories.budget(customer, operator, amount, account_freezing=AccountFreezing.MANUAL)
    factories.report((customer, "2026-09", used))
    return customer


@pytest.fixture
def kestwick(acme: Partner, ann: User) -> Customer:
    return used_up(acme, ann, "kestwick", name="Kestwick Foods Ltd", account_manager="Mara")


def chosen(*customers: Customer) -> Any:
    return Customer.objects.filter(pk__in=[customer.pk for customer in customers])


def put_off(customer: Customer, operator: User, until: str = "2026-09-20", reason: str = "Pays on Friday") -> int:
    return snooze_decisions(chosen(customer), until=date.fromisoformat(until), reason=reason, operator=operator)


def freeze(customer: Customer, operator: User) -> None:
    with transaction.atomic():
        locked = Customer.objects.filter(pk__in=lock_keys(chosen(customer)))
        author = Author(operator, Channel.CONSOLE, timezone.now())
        freeze_accounts(locked, FreezeKind.ACCOUNT, FreezeOrigin.PARTNER, author=author, reason="Unpaid")


def test_used_up_under_manual_and_not_frozen_is_to_be_decided_and_nothing_else(client, acme, ann, kestwick):
    within, automatic, frozen, by_association = factories.customers(acme, 4)
    factories.customer(acme, association_type=Customer.AssociationType.REFERRAL)
    factories.budget([within, frozen], ann, "100", account_freezing=AccountFreezing.MANUAL)
    factories.budget(automatic, ann, "100")
    factories.budget(by_association, ann, "100", account_freezing=AccountFreezing.MANUAL, unfreeze=False)
    factories.report(
        *[(each, "2026-09", "100") for each in (automatic, frozen, by_association)], (within, "2026-09", "99")
    )
    freeze(frozen, ann)
    assert list(rows(client)) == ["kestwick"]


def test_a_row_says_age_overspend_per_day_and_account_manager(sign_in, ann, kestwick, clock):
    clock.shift(timedelta(hours=27))
    factories.report((kestwick, "2026-09", "150.50"))
    said = rows(sign_in(ann))["kestwick"]
    assert "2026-09-15 10:00 1 day 3 h" in said
    assert "100.00 One-time budget 150.50" in said
    assert "50.50 9.41 Mara" in said


def test_what_is_spent_per_day_is_this_months_total_over_its_days_so_far(client, acme, ann):
    customer = factories.customer(acme, "long")
    factories.budget(customer, ann, "100", account_freezing=AccountFreezing.MANUAL)
    factories.report((customer, "2026-08", "900"), (customer, "2026-09", "120"))
    assert " 8.00 --" in rows(client)["long"]


def test_the_longest_used_up_comes_first_and_each_figure_sorts(client, acme, ann, kestwick, clock):
    clock.shift(timedelta(hours=1))
    used_up(acme, ann, "over", "1000", "500")
    clock.shift(timedelta(hours=1))
    fast = used_up(acme, ann, "fast", "2000", "1995")
    assert list(rows(client)) == ["kestwick", "over", "fast"]
    assert list(rows(client, sort="-since")) == ["fast", "over", "kestwick"]
    assert list(rows(client, sort="overspend")) == ["fast", "kestwick", "over"]
    assert list(rows(client, sort="-overspend")) == ["over", "kestwick", "fast"]
    assert list(rows(client, sort="-per_day")) == ["fast", "over", "kestwick"]
    assert list(rows(client, sort="nonsense")) == ["kestwick", "over", "fast"]
    assert factories.stored(fast).exhausted


@pytest.mark.parametrize("sort", ["since", "-since", "overspend", "-overspend", "per_day", "-per_day"])
def test_pages_have_each_once_whichever_way_they_are_turned(client, acme, ann, sort):
    customers = factories.customers(acme, 25)
    factories.budget(customers, ann, "100", account_freezing=AccountFreezing.MANUAL)
    factories.report(*[(each, "2026-09", f"{100 + number % 7}.25") for number, each in enumerate(customers)])
    numbered = [list(rows(client, sort=sort, size=10, page=page)) for page in (1, 2, 3)]
    assert sorted(chain.from_iterable(numbered)) == sorted(each.customer_id for each in customers)
    order = Decisions(ann, QueryDict(f"sort={sort}"), timezone.now()).order()
    marks = {name: order.cursor(DECISION_QUERYSET.get(customer_id=name)) for name in (numbered[0][-1], numbered[2][0])}
    assert list(rows(client, sort=sort, size=10, after=marks[numbered[0][-1]])) == numbered[1]
    assert list(rows(client, sort=sort, size=10, before=marks[numbered[2][0]])) == numbered[1]


@pytest.mark.parametrize("after", ["x", "~1", "1e9~1", "2026-09-99T00:00:00+00:00~1", "~", "12.345~1"])
def test_a_place_that_means_nothing_is_the_first_page(client, kestwick, after):
    assert list(rows(client, after=after)) == ["kestwick"]


def test_they_are_searched_and_narrowed_by_account_manager(client, acme, ann, kestwick):
    used_up(acme, ann, "other", account_name="oakdale", account_manager="Jo")
    assert list(rows(client, q="oakd")) == ["other"]
    assert list(rows(client, q="Kestwick F")) == ["kestwick"]
    assert list(rows(client, manager="Mara")) == ["kestwick"]
    assert list(rows(client, manager="Mara", q="oakd")) == []
    assert "No decision matches" in client.get(PATH, {"manager": "Nobody"}).content.decode()
    assert client.get(PATH, {"manager": "Mara"}).context["open_count"] == 1


def test_one_is_snoozed_with_a_day_and_a_reason_and_shown_as_such(client, kestwick, ann):
    given = {"customer": "kestwick", "until": "2026-09-20", "reason": "Pays on Friday"}
    response = client.post(SNOOZE, given, follow=True)
    assert "1 decision is snoozed until 2026-09-20." in response.content.decode()
    assert rows(client) == {}
    said = rows(client, snoozed="1")["kestwick"]
    assert "2026-09-20 by ann, 2026-09-15 10:00: Pays on Friday" in said
    snooze = Snooze.objects.get()
    # The day begins in the partner's zone.
    assert snooze.until == factories.moment("2026-09-19 16:00")
    assert snooze.exhausted_since == factories.stored(kestwick).exhausted_since


def test_htmx_is_told_to_close_the_dialog_and_to_reload(client, kestwick):
    given = {"customer": "kestwick", "until": "2026-09-20", "reason": "x" * 256}
    response = client.post(SNOOZE, given, headers={"HX-Request": "true"})
    assert response.status_code == 204
    assert {"dialog:close", "customers:changed", "selection:clear"} <= set(json.loads(response["HX-Trigger"]))


def test_many_are_snoozed_at_once_and_who_is_not_to_be_decided_about_is_passed_over(client, acme, ann, kestwick):
    other, within = used_up(acme, ann, "other"), factories.customer(acme, "within")
    given = {"customer": ["kestwick", "other", "within"], "until": "2026-09-20", "reason": "Summer"}
    response = client.post(SNOOZE, given, follow=True)
    assert "2 decisions are snoozed until 2026-09-20." in response.content.decode()
    assert set(Snooze.objects.values_list("customer", flat=True)) == {kestwick.pk, other.pk}
    assert not within.snoozes.exists()


def test_the_form_is_opened_for_one_from_its_row_and_for_many_by_their_ids(client, kestwick):
    asked = {"customer": "kestwick", "dialog": "1"}
    for response in (client.get(SNOOZE, asked), client.post(SNOOZE, asked)):
        assert response.status_code == 200
        assert 'name="customer" value="kestwick"' in response.content.decode()
    assert not Snooze.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"reason": ""},
        {"reason": "   "},
        {"reason": "x" * 257},
        {"until": ""},
        {"until": "tomorrow"},
        {"until": "2026-09-15"},
        {"until": "2026-09-14"},
        {"until": "2027-09-16"},
        {"until": "9999-12-31"},
        {"reason": "a\0b"},
    ],
)
def test_what_is_wrong_is_told_in_the_form_and_nothing_is_snoozed(client, kestwick, wrong):
    given = {"customer": "kestwick", "until": "2026-09-20", "reason": "Pays on Friday"} | wrong
    response = client.post(SNOOZE, given)
    assert response.status_code == 422
    assert 'aria-invalid="true"' in response.content.decode()
    assert not Snooze.objects.exists()


@pytest.mark.parametrize("until", ["2026-09-16", "2027-09-15"])
def test_from_tomorrow_to_a_year_from_now(client, kestwick, until):
    given = {"customer": "kestwick", "until": until, "reason": "Pays on Friday"}
    assert client.post(SNOOZE, given).status_code == 302
    assert list(rows(client, snoozed="1")) == ["kestwick"]


def test_tomorrow_is_that_of_the_partners_zone(kestwick, ann, acme, clock):
    clock.move_to(factories.moment("2026-09-15 17:00"))
    with pytest.raises(InvalidRequest, match="from tomorrow"):
        put_off(kestwick, ann, "2026-09-16")
    Partner.objects.filter(pk=acme.pk).update(time_zone="America/New_York")
    ann = User.objects.get(pk=ann.pk)
    assert put_off(kestwick, ann, "2026-09-16") == 1
    assert Snooze.objects.get().until == factories.moment("2026-09-16 04:00")


def test_a_snooze_comes_back_by_itself_at_the_first_moment_of_its_day(sign_in, ann, kestwick, clock):
    put_off(kestwick, ann)
    clock.move_to(factories.moment("2026-09-19 15:59"))
    assert list(rows(sign_in(ann))) == []
    clock.move_to(factories.moment("2026-09-19 16:00"))
    assert list(rows(sign_in(ann))) == ["kestwick"]


def test_another_using_up_is_another_decision(client, kestwick, ann, clock):
    put_off(kestwick, ann)
    clock.shift(timedelta(hours=1))
    factories.budget(kestwick, ann, "130", account_freezing=AccountFreezing.MANUAL)
    assert rows(client) == rows(client, snoozed="1") == {}
    clock.shift(timedelta(hours=1))
    factories.report((kestwick, "2026-09", "140"))
    assert list(rows(client)) == ["kestwick"]
    assert rows(client, snoozed="1") == {}


def test_spending_more_while_it_is_snoozed_changes_nothing(client, kestwick, ann, clock):
    put_off(kestwick, ann)
    clock.shift(timedelta(hours=1))
    factories.report((kestwick, "2026-09", "500"))
    assert list(rows(client, snoozed="1")) == ["kestwick"]


def test_the_month_that_restores_ends_a_snooze_and_used_up_again_it_is_open(acme, ann, sign_in, clock):
    customer = factories.customer(acme, "monthly")
    factories.budget(customer, ann, "100", BudgetType.MONTHLY, AccountFreezing.MANUAL)
    factories.report((customer, "2026-09", "150"))
    put_off(customer, ann, "2026-12-24")
    clock.move_to(factories.moment("2026-10-02 00:00"))
    restore_budgets()
    assert rows(sign_in(ann)) == rows(sign_in(ann), snoozed="1") == {}
    factories.report((customer, "2026-10", "150"))
    assert list(rows(sign_in(ann))) == ["monthly"]


def test_frozen_or_raised_or_made_automatic_it_is_no_decision_any_more(client, acme, ann, kestwick):
    raised, automatic = used_up(acme, ann, "raised"), used_up(acme, ann, "automatic")
    freeze(kestwick, ann)
    factories.budget(raised, ann, "200")
    factories.budget(automatic, ann, "100")
    assert rows(client) == {}
    assert "There is nothing to decide." in client.get(PATH).content.decode()


def test_snoozed_again_the_newest_counts_even_if_it_is_shorter(client, sign_in, kestwick, ann, clock):
    put_off(kestwick, ann, "2026-12-24", "Long")
    put_off(kestwick, ann, "2026-09-16", "Short")
    assert ": Short" in rows(client, snoozed="1")["kestwick"]
    clock.shift(timedelta(hours=14))
    assert list(rows(sign_in(ann))) == ["kestwick"]


def test_woken_it_is_open_again_and_waking_twice_changes_nothing(client, kestwick, ann):
    put_off(kestwick, ann)
    response = client.post(WAKE, {"customer": "kestwick"}, follow=True)
    assert "1 decision is open again." in response.content.decode()
    assert list(rows(client)) == ["kestwick"]
    assert "nothing left to decide" in client.post(WAKE, {"customer": "kestwick"}, follow=True).content.decode()
    assert list(Snooze.objects.order_by("pk").values_list("until", flat=True)) == [
        factories.moment("2026-09-19 16:00"),
        NOW,
    ]


def test_who_was_decided_about_meanwhile_cannot_be_snoozed(client, kestwick, ann):
    factories.budget(kestwick, ann, "500")
    given = {"customer": "kestwick", "until": "2026-09-20", "reason": "Pays on Friday"}
    assert "nothing left to decide" in client.post(SNOOZE, given, follow=True).content.decode()
    assert not Snooze.objects.exists()


@pytest.mark.parametrize("path", [SNOOZE, WAKE])
@pytest.mark.parametrize(("who", "status"), [("carl", 404), ("vera", 403), ("dora", 403), ("ann", 302)])
def test_not_yours_then_not_allowed(path, who, status, kestwick, sign_in, request):
    given = {"customer": "kestwick", "until": "2026-09-20", "reason": "Pays on Friday"}
    assert sign_in(request.getfixturevalue(who)).post(path, given).status_code == status
    assert Snooze.objects.count() == (status == 302 and path == SNOOZE)


def test_one_of_anothers_makes_all_of_them_a_404_and_none_is_told(client, kestwick, borealis, carl):
    used_up(borealis, carl, "theirs")
    given = {"customer": ["kestwick", "theirs"], "until": "2026-09-20", "reason": "Pays on Friday"}
    assert client.post(SNOOZE, given).status_code == 404
    assert client.post(SNOOZE, {"customer": "a\0b"}).status_code == 404
    assert client.post(SNOOZE, {"until": "2026-09-20", "reason": "x"}).status_code == 422
    assert client.post(SNOOZE, {"customer": [str(n) for n in range(5001)]}).status_code == 422
    assert client.post(SNOOZE, {"all_matching": "1", "until": "2026-09-20", "reason": "x"}).status_code == 422
    assert not Snooze.objects.exists()


def test_a_grant_revoked_meanwhile_holds_at_once(kestwick, ann, acme, dora):
    give_grant(acme, monthly_quota=None, one_time_quota=None, operator=dora)
    with pytest.raises(PermissionRefused, match="Contact your distributor"):
        put_off(kestwick, ann)
    with pytest.raises(PermissionRefused):
        wake_decisions(chosen(kestwick), operator=ann)
    assert put_off(kestwick, dora) == 1


def test_the_distributor_sees_its_resellers_decisions_and_acts_where_no_grant_is(
    kestwick, ann, una, ungranted, dora, sign_in
):
    theirs = factories.customer(ungranted, "theirs")
    factories.budget(theirs, dora, "100", account_freezing=AccountFreezing.MANUAL)
    factories.report((theirs, "2026-09", "150"))
    shown = rows(sign_in(dora))
    assert "Plain Reseller" in shown["theirs"]
    assert "Snooze theirs" not in shown["kestwick"]
    assert "holds the permission to set budgets for this customer." in shown["kestwick"]
    assert put_off(theirs, dora) == 1
    assert "by dora" in rows(sign_in(una), snoozed="1")["theirs"]
    assert 'name="customer"' not in sign_in(una).get(PATH).content.decode()


def test_a_viewer_looks_only(kestwick, vera, sign_in):
    content = sign_in(vera).get(PATH).content.decode()
    assert "kestwick" in content
    assert 'href="/customers/decisions/snooze/' not in content
    assert "You are a viewer" in content


def test_names_are_masked_until_the_eye_is_pressed_and_showing_them_is_recorded(client, kestwick):
    assert "K****d" in rows(client)["kestwick"]
    client.post("/customers/names/", {"shown": "1"})
    assert "Kestwick Foods Ltd" in rows(client)["kestwick"]
    shown = RevealRecord.objects.get()
    assert (shown.customers, shown.page) == (["kestwick"], PATH)


def test_counts_stop_where_they_would_cost(client, acme, ann, monkeypatch):
    monkeypatch.setattr("budgets.queries.decisions.COUNT_CAP", 3)
    customers = factories.customers(acme, 5)
    factories.budget(customers, ann, "1", account_freezing=AccountFreezing.MANUAL)
    factories.report(*[(each, "2026-09", "2") for each in customers])
    assert client.get(PATH).context["open_count"] == 4


@pytest.mark.parametrize("query", ["", "?snoozed=1", "?sort=-per_day&q=account", "?manager=Mara"])
def test_the_number_of_queries_is_the_same_for_three_and_for_forty(client, acme, ann, query):
    counted = []
    for number in (3, 37):
        customers = factories.customers(acme, number, account_manager="Mara")
        factories.budget(customers, ann, "1", account_freezing=AccountFreezing.MANUAL)
        factories.report(*[(each, "2026-09", "2") for each in customers])
        some = customers[: number // 2]
        snooze_decisions(chosen(*some), until=date(2026, 9, 20), reason="x", operator=ann)
        with CaptureQueriesContext(connection) as captured:
            assert rows(client, **dict(part.split("=") for part in query[1:].split("&") if part))
        counted.append(len(captured))
    assert counted == [7 + (query == "?snoozed=1")] * 2


@pytest.mark.parametrize("action", ["snooze", "wake"])
def test_the_number_of_statements_is_the_same_for_one_and_for_thirty(acme, ann, action):
    counted = []
    for number in (1, 30):
        customers = factories.customers(acme, number)
        factories.budget(customers, ann, "1", account_freezing=AccountFreezing.MANUAL)
        factories.report(*[(each, "2026-09", "2") for each in customers])
        some = chosen(*customers)
        with CaptureQueriesContext(connection) as captured:
            assert snooze_decisions(some, until=date(2026, 9, 20), reason="x", operator=ann) == number
        if action == "wake":
            with CaptureQueriesContext(connection) as captured:
                assert wake_decisions(some, operator=ann) == number
        counted.append(len(captured))
    assert counted[0] == counted[1]


def test_a_row_leads_to_the_customer_to_its_budget_and_to_freezing_it(client, kestwick):
    content = client.get(PATH).content.decode()
    for path in ("/customers/detail/", "/budgets/set/", "/customers/freeze/", SNOOZE):
        assert f'href="{path}?customer=kestwick"' in content
    response = client.post("/customers/freeze/", {"customer": "kestwick", "kind": "ACCOUNT", "reason": "Unpaid"})
    assert response.status_code == 302
    assert rows(client) == {}


def test_the_customers_page_says_until_when_its_decision_is_put_off(client, kestwick, ann):
    page = "/customers/detail/?customer=kestwick"
    assert "snoozed until" not in client.get(page).content.decode()
    put_off(kestwick, ann, "2026-09-20", "Pays on Friday")
    said = client.get(page).content.decode()
    assert "snoozed until 2026-09-20" in said
    assert "Pays on Friday" in said


def test_used_up_again_by_the_restore_itself_is_another_decision(acme, ann, sign_in, clock):
    """What was stated of the new month beforehand uses the budget up as it restores: since then."""
    customer = factories.customer(acme, "monthly")
    factories.budget(customer, ann, "100", BudgetType.MONTHLY, AccountFreezing.MANUAL)
    factories.report((customer, "2026-09", "150"), (customer, "2026-10", "160"))
    put_off(customer, ann, "2026-12-24")
    clock.move_to(factories.moment("2026-10-02 00:00"))
    restore_budgets()
    assert list(rows(sign_in(ann))) == ["monthly"]
    assert factories.stored(customer).exhausted_since == factories.moment("2026-10-02 00:00")
