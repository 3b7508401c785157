"""The page of one customer: who it is, what it may do, its budget and what it spent, in every state it can be in."""

import re
from html import unescape
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from budgets.actions.account_state import freeze_accounts
from customers.models import AccountFreezing, Customer, FreezeKind, FreezeOrigin, RevealRecord
from partnercenter.actions.authorship import Author
from partnercenter.lib.transactions import lock_keys
from partnercenter.models import BudgetType, Channel, Partner, User
from tests import factories

pytestmark = pytest.mark.clock("2026-09-20 04:00")

PAGE = "/customers/detail/"
ID = "/subscriptions/0a/b c"


@pytest.fixture
def customer(acme) -> Customer:
    return factories.customer(
        acme,
        ID,
        account_name="kestwick_foods",
        name="Kestwick Foods",
        email="owner@kestwick.example",
        mobile="13800000021",
        account_manager="Mia",
        tags=("key account", "trial"),
    )


def html(client: Client, customer: Customer, tab: str = "", **more: Any) -> str:
    response = client.get(PAGE, {"customer": customer.customer_id, "tab": tab}, **more)
    assert response.status_code == 200
    return response.content.decode()


def text(client: Client, customer: Customer, tab: str = "") -> str:
    """What is read on the page."""
    return " ".join(unescape(re.sub(r"<title>.*?</title>|<[^>]+>", " ", html(client, customer, tab))).split())


def freeze(customer: Customer, operator: User, kind: FreezeKind) -> None:
    with transaction.atomic():
        locked = Customer.objects.filter(pk__in=lock_keys(Customer.objects.filter(pk=customer.pk)))
        author = Author(operator, Channel.CONSOLE, timezone.now())
        freeze_accounts(locked, kind, FreezeOrigin.PARTNER, author=author, reason="Unpaid invoice")


def test_the_list_leads_to_the_page_by_the_account_name(client, customer):
    link = '<a href="/customers/detail/?customer=%2Fsubscriptions%2F0a%2Fb%20c">kestwick_<wbr>foods</a>'
    assert link in client.get("/customers/").content.decode()


def test_it_says_who_the_customer_is(client, customer):
    said = text(client, customer)
    assert "Account Manager Mia Tags key account trial Association Reseller model since 2026-09-20 12:00" in said
    assert "Customer ID /subscriptions/0a/b c" in re.sub(r"([/_]) ", r"\1", said)
    assert "Reseller Acme" not in said


def test_name_e_mail_and_mobile_are_masked_until_the_eye_is_pressed_and_showing_is_recorded(client, customer):
    whole = ("Kestwick Foods", "owner@kestwick.example", "13800000021")
    content = html(client, customer)
    assert [each for each in whole if each in content] == []
    masked = ("K****s", "o****@kestwick.example", "138****21")
    assert [each for each in masked if each in content] == list(masked)
    client.post("/customers/names/", {"shown": "1"})
    content = html(client, customer)
    assert [each for each in whole if each in content] == list(whole)
    record = RevealRecord.objects.get()
    assert (record.customers, record.page) == ([ID], PAGE)


def test_the_records_alone_show_no_name_and_record_none(client, customer):
    client.post("/customers/names/", {"shown": "1"})
    content = html(client, customer, headers={"HX-Request": "true", "HX-Target": "customer-records"})
    assert "Kestwick Foods" not in content
    assert "<h1>" not in content
    assert not RevealRecord.objects.exists()


def test_after_a_change_the_page_gets_what_stands_now_alone(client, customer):
    content = html(client, customer, headers={"HX-Request": "true", "HX-Target": "customer-now"})
    assert 'id="customer-now"' in content
    assert 'id="customer-records"' not in content
    assert "<h1>" not in content


def test_just_associated_it_is_frozen_without_a_budget_and_says_why(client, customer):
    said = text(client, customer)
    assert "Not set. Without a budget the customer cannot purchase." in said
    assert "Frozen Account frozen since association on 2026-09-20 12:00. No budget is set" in said
    assert "yearly/monthly and reserved instances No reason 1 Purchase, change: pay-per-use No reason 1" in said
    assert "No expenditure has been reported for these months yet." in said
    assert f'href="/customers/freeze-records/{customer.freeze_records.get().pk}/"' in html(client, customer)


def test_a_budget_shows_what_is_used_of_it_as_of_when_and_the_policy(client, customer, ann):
    factories.budget(customer, ann, "1000", BudgetType.MONTHLY)
    factories.report((customer, "2026-09", "412.50"), at=factories.moment("2026-09-20 03:00"))
    said = text(client, customer)
    assert "412.50 of 1,000.00 USD used 41% Current estimate as of 2026-09-20 11:00, Asia/Shanghai" in said
    assert "Budget Type Monthly budget counted since 2026-09 Remaining (USD) 587.50 Account Freezing Automatic" in said
    assert "Normal The budget suffices: 412.50 of 1,000.00 is used." in said
    assert "No reason" not in said


def test_a_month_over_budget_is_marked_in_picture_and_table_and_the_current_one_as_so_far(client, customer, ann):
    factories.budget(customer, ann, "100", BudgetType.MONTHLY, AccountFreezing.MANUAL)
    factories.report(
        (customer, "2026-08", "50"), (customer, "2026-09", "112.50"), at=factories.moment("2026-09-20 03:00")
    )
    content, said = html(client, customer), text(client, customer)
    assert content.count('class="chart-bar chart-exceeded chart-so-far"') == 1
    assert "2026-09 so far, as of 2026-09-20 11:00 112.50 100.00 Monthly budget 112.50 Exceeded by 12.50" in said
    assert "2026-08 50.00 -- -- --" in said
    assert "style=" not in content


def test_a_one_time_budget_beside_it_is_drawn_without_a_line(client, customer, ann):
    factories.budget(customer, ann, "100")
    factories.report((customer, "2026-09", "12"))
    assert "Monthly budget" not in text(client, customer)


NOTICE = re.compile(r'notice notice-(\w+)">(?:(?!</p>).)*The resources are frozen: (.*?)</p>', re.DOTALL)


def test_frozen_resources_say_until_when_data_is_kept_and_warn_a_week_and_a_day_before(customer, ann, sign_in, clock):
    freeze(customer, ann, FreezeKind.ACCOUNT_AND_RESOURCE)
    assert "Data may be deleted after 2026-10-05 12:00." in text(sign_in(ann), customer)
    seen = {}
    for day in ("2026-09-28 03:59", "2026-09-28 04:00", "2026-10-04 04:00", "2026-10-05 04:00"):
        clock.move_to(factories.moment(day))
        notice = NOTICE.search(html(sign_in(ann), customer))
        seen[day[5:]] = notice.groups() if notice else None
    assert seen == {
        "09-28 03:59": None,
        "09-28 04:00": ("warning", "data kept until 2026-10-05."),
        "10-04 04:00": ("error", "data kept until 2026-10-05."),
        "10-05 04:00": ("error", "data may be deleted since 2026-10-05."),
    }


BUTTON = re.compile(r'<a class="button[^"]*" id="([\w-]+)" href="([^"]+)"')


def offered(client: Client, customer: Customer) -> dict[str, str]:
    """The operations that are offered, each with where it leads."""
    return {name: unescape(path) for name, path in BUTTON.findall(html(client, customer))}


def test_what_applies_to_its_account_is_offered(client, customer, ann):
    about = "?customer=%2Fsubscriptions%2F0a%2Fb%20c"
    resources = f"/customers/freeze/{about}&kind=ACCOUNT_AND_RESOURCE"
    budget, unfreeze = f"/budgets/set/{about}", f"/customers/unfreeze/{about}"
    assert offered(client, customer) == {"set-budget": budget, "freeze-resources": resources, "unfreeze": unfreeze}
    factories.budget(customer, ann, "100")
    freezing = {"freeze": f"/customers/freeze/{about}&kind=ACCOUNT", "freeze-resources": resources}
    assert offered(client, customer) == {"set-budget": budget} | freezing
    freeze(customer, ann, FreezeKind.ACCOUNT_AND_RESOURCE)
    assert offered(client, customer) == {"set-budget": budget, "unfreeze": unfreeze}


def test_people_of_a_frozen_reseller_find_no_unfreezing(client, customer, acme):
    Partner.objects.filter(pk=acme.pk).update(
        status=Partner.Status.FROZEN, status_since=timezone.now(), status_reason="Unpaid"
    )
    assert "unfreeze" not in offered(client, customer)
    assert "you cannot unfreeze customers" in html(client, customer)


def test_a_referral_customer_has_no_budget_may_do_everything_and_nothing_warns(client, acme):
    customer = factories.customer(acme, association_type=Customer.AssociationType.REFERRAL)
    said = text(client, customer)
    assert "Budget A customer of the referral model has no budget." in said
    assert "The account has never been frozen." in text(client, customer, "freezes")
    assert "notice-warning" not in html(client, customer)
    assert "No reason" not in said


def test_below_a_restricted_reseller_the_customer_is_frozen_and_the_page_says_by_whom(client, customer, ann, acme):
    factories.budget(customer, ann, "100")
    Partner.objects.filter(pk=acme.pk).update(
        status=Partner.Status.RESTRICTED, status_since=timezone.now(), status_reason="Unpaid"
    )
    said = text(client, customer)
    assert "Account frozen: reseller restricted since 2026-09-20 12:00." in said


@pytest.mark.parametrize(
    ("who", "why"),
    [
        ("vera", "You are a viewer"),
        ("dora", "acme-reseller holds the permission"),
    ],
)
def test_who_may_only_look_is_told_why_and_finds_no_way_to_act(who, why, customer, sign_in, request):
    client = sign_in(request.getfixturevalue(who))
    assert why in text(client, customer)
    assert offered(client, customer) == {}


def test_a_reseller_without_a_grant_is_told_whom_to_ask(una, ungranted, sign_in):
    assert "Contact your distributor Dora Distribution" in text(sign_in(una), factories.customer(ungranted))


def test_the_distributor_sees_whose_customer_it_is_and_acts_where_no_grant_is_given(dora, ungranted, sign_in):
    customer = factories.customer(ungranted)
    said = text(sign_in(dora), customer)
    assert "Reseller Plain Reseller" in said
    assert {"set-budget", "unfreeze"} <= offered(sign_in(dora), customer).keys()


def test_who_left_has_no_page(client, customer):
    Customer.objects.update(disassociated_on=timezone.now())
    assert client.get(PAGE, {"customer": ID}).status_code == 404


def test_without_a_customer_there_is_no_page(client):
    assert client.get(PAGE).status_code == 404
