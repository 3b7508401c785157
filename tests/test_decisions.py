"""Decisions about exhausted budgets under Manual: which customers need one, snoozing, waking, and their page.

See rules 3.7, 10.3 (docs/rules.md).
"""

import json
import re
from datetime import date, timedelta
from html import unescape
from itertools import chain
from typing import Any

import pytest
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from budgets.actions.billing_month import restore_budgets
from budgets.actions.decisions import snooze_decisions, wake_decisions
from budgets.queries.decisions import DECISION_QUERYSET, Decisions
from customers.models import AccountFreezing, Customer, RevealRecord, Snooze
from partnercenter.actions.partners import give_grant
from partnercenter.lib.errors import InvalidRequest, PermissionRefused
from partnercenter.models import BudgetType, Partner, User
from tests import factories
from tests.factories import queryset_of
from tests.pages import visible_text

pytestmark = pytest.mark.clock("2026-09-15 02:00")

NOW = factories.moment("2026-09-15 02:00")
ROW = re.compile(r'<tr data-customer="([^"]*)">(.*?)</tr>', re.DOTALL)
PATH, SNOOZE, WAKE = "/customers/decisions/", "/customers/decisions/snooze/", "/customers/decisions/wake/"
SNOOZE_KESTWICK = {"customer": "kestwick", "until": "2026-09-20", "reason": "Pays on Friday"}


def rows(client: Client, **query: Any) -> dict[str, str]:
    """The rows of the page in their order: the text of each by customer ID."""
    content = client.get(PATH, query).content.decode()
    return {unescape(customer_id): visible_text(row) for customer_id, row in ROW.findall(content)}


def exhausted_customer(
    partner: Partner, operator: User, customer_id: str, used: str = "120", amount: str = "100", **more: Any
) -> Customer:
    """A customer whose budget under Manual is exhausted, so that it needs a decision."""
    customer = factories.customer(partner, customer_id, **more)
    factories.budget(customer, operator, amount, account_freezing=AccountFreezing.MANUAL)
    factories.report((customer, "2026-09", used))
    return customer


@pytest.fixture
def kestwick(acme: Partner, ann: User) -> Customer:
    return exhausted_customer(acme, ann, "kestwick", name="Kestwick Foods Ltd", account_manager="Mara")


def snooze(customer: Customer, operator: User, until: str = "2026-09-20", reason: str = "Pays on Friday") -> int:
    return snooze_decisions(queryset_of(customer), until=date.fromisoformat(until), reason=reason, operator=operator)


def test_exactly_the_unfrozen_customers_with_an_exhausted_budget_under_manual_are_listed(client, acme, ann, kestwick):
    within, automatic, frozen, by_association = factories.customers(acme, 4)
    factories.customer(acme, association_type=Customer.AssociationType.REFERRAL)
    factories.budget([within, frozen], ann, "100", account_freezing=AccountFreezing.MANUAL)
    factories.budget(automatic, ann, "100")
    factories.budget(by_association, ann, "100", account_freezing=AccountFreezing.MANUAL, unfreeze=False)
    factories.report(
        *[(each, "2026-09", "100") for each in (automatic, frozen, by_association)], (within, "2026-09", "99")
    )
    factories.freeze(frozen, ann)
    assert list(rows(client)) == ["kestwick"]


def test_a_row_says_age_overspend_per_day_and_account_manager(sign_in, ann, kestwick, clock):
    clock.shift(timedelta(hours=27))
    factories.report((kestwick, "2026-09", "150.50"))
    row = rows(sign_in(ann))["kestwick"]
    assert "2026-09-15 10:00 1 day 3 h" in row
    assert "100.00 One-time budget 150.50" in row
    assert "50.50 9.41 Mara" in row


def test_the_daily_expenditure_is_this_months_total_divided_by_its_days_so_far(client, acme, ann):
    customer = factories.customer(acme, "long")
    factories.budget(customer, ann, "100", account_freezing=AccountFreezing.MANUAL)
    factories.report((customer, "2026-08", "900"), (customer, "2026-09", "120"))
    assert " 8.00 --" in rows(client)["long"]


def test_the_budget_exhausted_first_is_listed_first_and_each_figure_can_be_sorted_by(
    client, acme, ann, kestwick, clock
):
    clock.shift(timedelta(hours=1))
    exhausted_customer(acme, ann, "over", "1000", "500")
    clock.shift(timedelta(hours=1))
    fast = exhausted_customer(acme, ann, "fast", "2000", "1995")
    assert list(rows(client)) == ["kestwick", "over", "fast"]
    assert list(rows(client, sort="-since")) == ["fast", "over", "kestwick"]
    assert list(rows(client, sort="overspend")) == ["fast", "kestwick", "over"]
    assert list(rows(client, sort="-overspend")) == ["over", "kestwick", "fast"]
    assert list(rows(client, sort="-per_day")) == ["fast", "over", "kestwick"]
    assert list(rows(client, sort="nonsense")) == ["kestwick", "over", "fast"]
    assert factories.stored(fast).exhausted


@pytest.mark.parametrize("sort", ["since", "-since", "overspend", "-overspend", "per_day", "-per_day"])
def test_every_decision_is_on_exactly_one_page_however_pages_are_turned(client, acme, ann, sort):
    customers = factories.customers(acme, 25)
    factories.budget(customers, ann, "100", account_freezing=AccountFreezing.MANUAL)
    factories.report(*[(each, "2026-09", f"{100 + number % 7}.25") for number, each in enumerate(customers)])
    pages = [list(rows(client, sort=sort, size=10, page=page)) for page in (1, 2, 3)]
    assert sorted(chain.from_iterable(pages)) == sorted(each.customer_id for each in customers)
    order = Decisions(ann, QueryDict(f"sort={sort}"), timezone.now()).order()
    end_of_first, start_of_third = [
        order.cursor(DECISION_QUERYSET.get(customer_id=customer_id)) for customer_id in (pages[0][-1], pages[2][0])
    ]
    assert list(rows(client, sort=sort, size=10, after=end_of_first)) == pages[1]
    assert list(rows(client, sort=sort, size=10, before=start_of_third)) == pages[1]


@pytest.mark.parametrize("after", ["x", "~1", "1e9~1", "2026-09-99T00:00:00+00:00~1", "~", "12.345~1"])
def test_an_invalid_cursor_shows_the_first_page(client, kestwick, after):
    assert list(rows(client, after=after)) == ["kestwick"]


def test_decisions_are_searched_and_filtered_by_account_manager(client, acme, ann, kestwick):
    exhausted_customer(acme, ann, "other", account_name="oakdale", account_manager="Jo")
    assert list(rows(client, q="oakd")) == ["other"]
    assert list(rows(client, q="Kestwick F")) == ["kestwick"]
    assert list(rows(client, manager="Mara")) == ["kestwick"]
    assert list(rows(client, manager="Mara", q="oakd")) == []
    assert "No decision matches" in client.get(PATH, {"manager": "Nobody"}).content.decode()
    assert client.get(PATH, {"manager": "Mara"}).context["open_count"] == 1


def test_a_decision_is_snoozed_until_a_day_with_a_reason_and_listed_as_snoozed(client, kestwick, ann):
    response = client.post(SNOOZE, SNOOZE_KESTWICK, follow=True)
    assert "1 decision is snoozed until 2026-09-20." in response.content.decode()
    assert rows(client) == {}
    row = rows(client, snoozed="1")["kestwick"]
    assert "2026-09-20 by ann, 2026-09-15 10:00: Pays on Friday" in row
    snoozed = Snooze.objects.get()
    # The day begins in the partner's time zone.
    assert snoozed.until == factories.moment("2026-09-19 16:00")
    assert snoozed.exhausted_since == factories.stored(kestwick).exhausted_since


def test_snoozing_with_htmx_closes_the_dialog_and_reloads_the_list(client, kestwick):
    response = client.post(SNOOZE, SNOOZE_KESTWICK | {"reason": "x" * 256}, headers={"HX-Request": "true"})
    assert response.status_code == 204
    assert {"dialog:close", "customers:changed", "selection:clear"} <= set(json.loads(response["HX-Trigger"]))


def test_many_decisions_are_snoozed_together_and_customers_without_one_are_skipped(client, acme, ann, kestwick):
    other, within = exhausted_customer(acme, ann, "other"), factories.customer(acme, "within")
    fields = SNOOZE_KESTWICK | {"customer": ["kestwick", "other", "within"]}
    response = client.post(SNOOZE, fields, follow=True)
    assert "2 decisions are snoozed until 2026-09-20." in response.content.decode()
    assert set(Snooze.objects.values_list("customer", flat=True)) == {kestwick.pk, other.pk}
    assert not within.snoozes.exists()


def test_the_form_opens_for_one_customer_by_get_and_for_many_by_post(client, kestwick):
    fields = {"customer": "kestwick", "dialog": "1"}
    for response in (client.get(SNOOZE, fields), client.post(SNOOZE, fields)):
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
def test_invalid_input_is_reported_in_the_form_and_nothing_is_snoozed(client, kestwick, wrong):
    response = client.post(SNOOZE, SNOOZE_KESTWICK | wrong)
    assert response.status_code == 422
    assert 'aria-invalid="true"' in response.content.decode()
    assert not Snooze.objects.exists()


@pytest.mark.parametrize("until", ["2026-09-16", "2027-09-15"])
def test_a_decision_can_be_snoozed_from_tomorrow_until_a_year_from_now(client, kestwick, until):
    assert client.post(SNOOZE, SNOOZE_KESTWICK | {"until": until}).status_code == 302
    assert list(rows(client, snoozed="1")) == ["kestwick"]


def test_tomorrow_is_counted_in_the_partners_time_zone(kestwick, ann, acme, clock):
    clock.move_to(factories.moment("2026-09-15 17:00"))
    with pytest.raises(InvalidRequest, match="from tomorrow"):
        snooze(kestwick, ann, "2026-09-16")
    Partner.objects.filter(pk=acme.pk).update(time_zone="America/New_York")
    ann = User.objects.get(pk=ann.pk)
    assert snooze(kestwick, ann, "2026-09-16") == 1
    assert Snooze.objects.get().until == factories.moment("2026-09-16 04:00")


def test_a_snooze_ends_by_itself_at_the_first_moment_of_its_day(sign_in, ann, kestwick, clock):
    snooze(kestwick, ann)
    clock.move_to(factories.moment("2026-09-19 15:59"))
    assert list(rows(sign_in(ann))) == []
    clock.move_to(factories.moment("2026-09-19 16:00"))
    assert list(rows(sign_in(ann))) == ["kestwick"]


def test_a_budget_exhausted_again_is_another_decision(client, kestwick, ann, clock):
    snooze(kestwick, ann)
    clock.shift(timedelta(hours=1))
    factories.budget(kestwick, ann, "130", account_freezing=AccountFreezing.MANUAL)
    assert rows(client) == rows(client, snoozed="1") == {}
    clock.shift(timedelta(hours=1))
    factories.report((kestwick, "2026-09", "140"))
    assert list(rows(client)) == ["kestwick"]
    assert rows(client, snoozed="1") == {}


def test_more_expenditure_does_not_end_a_snooze(client, kestwick, ann, clock):
    snooze(kestwick, ann)
    clock.shift(timedelta(hours=1))
    factories.report((kestwick, "2026-09", "500"))
    assert list(rows(client, snoozed="1")) == ["kestwick"]


def test_a_month_restore_ends_a_snooze_and_a_budget_exhausted_again_is_open(acme, ann, sign_in, clock):
    customer = factories.customer(acme, "monthly")
    factories.budget(customer, ann, "100", BudgetType.MONTHLY, AccountFreezing.MANUAL)
    factories.report((customer, "2026-09", "150"))
    snooze(customer, ann, "2026-12-24")
    clock.move_to(factories.moment("2026-10-02 00:00"))
    restore_budgets()
    assert rows(sign_in(ann)) == rows(sign_in(ann), snoozed="1") == {}
    factories.report((customer, "2026-10", "150"))
    assert list(rows(sign_in(ann))) == ["monthly"]


def test_a_decision_is_settled_by_freezing_raising_the_budget_or_automatic_freezing(client, acme, ann, kestwick):
    raised, automatic = exhausted_customer(acme, ann, "raised"), exhausted_customer(acme, ann, "automatic")
    factories.freeze(kestwick, ann)
    factories.budget(raised, ann, "200")
    factories.budget(automatic, ann, "100")
    assert rows(client) == {}
    assert "There is nothing to decide." in client.get(PATH).content.decode()


def test_of_two_snoozes_the_newer_counts_even_if_it_is_shorter(client, sign_in, kestwick, ann, clock):
    snooze(kestwick, ann, "2026-12-24", "Long")
    snooze(kestwick, ann, "2026-09-16", "Short")
    assert ": Short" in rows(client, snoozed="1")["kestwick"]
    clock.shift(timedelta(hours=14))
    assert list(rows(sign_in(ann))) == ["kestwick"]


def test_waking_opens_a_decision_again_and_waking_twice_changes_nothing(client, kestwick, ann):
    snooze(kestwick, ann)
    response = client.post(WAKE, {"customer": "kestwick"}, follow=True)
    assert "1 decision is open again." in response.content.decode()
    assert list(rows(client)) == ["kestwick"]
    assert "nothing left to decide" in client.post(WAKE, {"customer": "kestwick"}, follow=True).content.decode()
    assert list(Snooze.objects.order_by("pk").values_list("until", flat=True)) == [
        factories.moment("2026-09-19 16:00"),
        NOW,
    ]


def test_a_decision_settled_in_the_meantime_cannot_be_snoozed(client, kestwick, ann):
    factories.budget(kestwick, ann, "500")
    assert "nothing left to decide" in client.post(SNOOZE, SNOOZE_KESTWICK, follow=True).content.decode()
    assert not Snooze.objects.exists()


@pytest.mark.parametrize("path", [SNOOZE, WAKE])
@pytest.mark.parametrize(("who", "status"), [("carl", 404), ("vera", 403), ("dora", 403), ("ann", 302)])
def test_a_strangers_customer_is_404_and_missing_permission_403(path, who, status, kestwick, sign_in, request):
    assert sign_in(request.getfixturevalue(who)).post(path, SNOOZE_KESTWICK).status_code == status
    assert Snooze.objects.count() == (status == 302 and path == SNOOZE)


def test_another_partners_customer_or_an_unknown_id_makes_the_whole_request_a_404(client, kestwick, borealis, carl):
    exhausted_customer(borealis, carl, "theirs")
    assert client.post(SNOOZE, SNOOZE_KESTWICK | {"customer": ["kestwick", "theirs"]}).status_code == 404
    assert client.post(SNOOZE, {"customer": "a\0b"}).status_code == 404
    assert client.post(SNOOZE, {"until": "2026-09-20", "reason": "x"}).status_code == 422
    assert client.post(SNOOZE, {"customer": [str(n) for n in range(5001)]}).status_code == 422
    assert client.post(SNOOZE, {"all_matching": "1", "until": "2026-09-20", "reason": "x"}).status_code == 422
    assert not Snooze.objects.exists()


def test_a_revoked_grant_takes_effect_immediately(kestwick, ann, acme, dora):
    give_grant(acme, monthly_quota=None, one_time_quota=None, operator=dora)
    with pytest.raises(PermissionRefused, match="Contact your distributor"):
        snooze(kestwick, ann)
    with pytest.raises(PermissionRefused):
        wake_decisions(queryset_of(kestwick), operator=ann)
    assert snooze(kestwick, dora) == 1


def test_the_distributor_sees_its_resellers_decisions_and_acts_where_no_grant_is_given(
    kestwick, ann, una, ungranted, dora, sign_in
):
    theirs = factories.customer(ungranted, "theirs")
    factories.budget(theirs, dora, "100", account_freezing=AccountFreezing.MANUAL)
    factories.report((theirs, "2026-09", "150"))
    shown = rows(sign_in(dora))
    assert "Plain Reseller" in shown["theirs"]
    assert "Snooze theirs" not in shown["kestwick"]
    assert "holds the permission to set budgets for this customer." in shown["kestwick"]
    assert snooze(theirs, dora) == 1
    assert "by dora" in rows(sign_in(una), snoozed="1")["theirs"]
    assert 'name="customer"' not in sign_in(una).get(PATH).content.decode()


def test_a_viewer_can_only_look(kestwick, vera, sign_in):
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


def test_counts_stop_at_a_limit(client, acme, ann, monkeypatch):
    monkeypatch.setattr("budgets.queries.decisions.COUNT_CAP", 3)
    customers = factories.customers(acme, 5)
    factories.budget(customers, ann, "1", account_freezing=AccountFreezing.MANUAL)
    factories.report(*[(each, "2026-09", "2") for each in customers])
    assert client.get(PATH).context["open_count"] == 4


@pytest.mark.parametrize("query", ["", "?snoozed=1", "?sort=-per_day&q=account", "?manager=Mara"])
def test_the_number_of_queries_of_the_page_does_not_grow_with_its_rows(client, acme, ann, query):
    counted = []
    for number in (3, 37):
        customers = factories.customers(acme, number, account_manager="Mara")
        factories.budget(customers, ann, "1", account_freezing=AccountFreezing.MANUAL)
        factories.report(*[(each, "2026-09", "2") for each in customers])
        snooze_decisions(queryset_of(customers[: number // 2]), until=date(2026, 9, 20), reason="x", operator=ann)
        with CaptureQueriesContext(connection) as captured:
            assert rows(client, **dict(part.split("=") for part in query[1:].split("&") if part))
        counted.append(len(captured))
    assert counted == [7 + (query == "?snoozed=1")] * 2


@pytest.mark.parametrize("action", ["snooze", "wake"])
def test_the_number_of_statements_does_not_grow_with_the_customers(acme, ann, action):
    counted = []
    for number in (1, 30):
        customers = factories.customers(acme, number)
        factories.budget(customers, ann, "1", account_freezing=AccountFreezing.MANUAL)
        factories.report(*[(each, "2026-09", "2") for each in customers])
        decisions = queryset_of(customers)
        with CaptureQueriesContext(connection) as captured:
            assert snooze_decisions(decisions, until=date(2026, 9, 20), reason="x", operator=ann) == number
        if action == "wake":
            with CaptureQueriesContext(connection) as captured:
                assert wake_decisions(decisions, operator=ann) == number
        counted.append(len(captured))
    assert counted[0] == counted[1]


def test_a_row_links_to_the_customer_set_budget_freezing_and_snoozing(client, kestwick):
    content = client.get(PATH).content.decode()
    for path in ("/customers/detail/", "/budgets/set/", "/customers/freeze/", SNOOZE):
        assert f'href="{path}?customer=kestwick"' in content
    response = client.post("/customers/freeze/", {"customer": "kestwick", "kind": "ACCOUNT", "reason": "Unpaid"})
    assert response.status_code == 302
    assert rows(client) == {}


def test_the_customers_page_says_until_when_its_decision_is_snoozed(client, kestwick, ann):
    page = "/customers/detail/?customer=kestwick"
    assert "snoozed until" not in client.get(page).content.decode()
    snooze(kestwick, ann, "2026-09-20", "Pays on Friday")
    content = client.get(page).content.decode()
    assert "snoozed until 2026-09-20" in content
    assert "Pays on Friday" in content


def test_a_budget_exhausted_by_the_restore_itself_is_another_decision(acme, ann, sign_in, clock):
    """Expenditure that was reported for the new month in advance exhausts the budget at the moment of the restore."""
    customer = factories.customer(acme, "monthly")
    factories.budget(customer, ann, "100", BudgetType.MONTHLY, AccountFreezing.MANUAL)
    factories.report((customer, "2026-09", "150"), (customer, "2026-10", "160"))
    snooze(customer, ann, "2026-12-24")
    clock.move_to(factories.moment("2026-10-02 00:00"))
    restore_budgets()
    assert list(rows(sign_in(ann))) == ["monthly"]
    assert factories.stored(customer).exhausted_since == factories.moment("2026-10-02 00:00")
