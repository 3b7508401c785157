"""The page of one customer: its details, what it may do now and why, its budget and expenditure, and the buttons."""

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from customers.models import AccountFreezing, Customer, FreezeKind, RevealRecord
from partnercenter.models import BudgetType, Partner
from tests import factories
from tests.pages import htmx, visible_text

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
    """The text on the page."""
    return visible_text(re.sub(r"<title>.*?</title>", " ", html(client, customer, tab)))


def test_the_account_name_in_the_list_links_to_the_page(client, customer):
    link = '<a href="/customers/detail/?customer=%2Fsubscriptions%2F0a%2Fb%20c">kestwick_<wbr>foods</a>'
    assert link in client.get("/customers/").content.decode()


def test_the_page_shows_who_the_customer_is(client, customer):
    page_text = text(client, customer)
    assert "Account Manager Mia Tags key account trial Association Reseller model since 2026-09-20 12:00" in page_text
    assert "Customer ID /subscriptions/0a/b c" in re.sub(r"([/_]) ", r"\1", page_text)
    assert "Reseller Acme" not in page_text


def test_name_e_mail_and_mobile_are_masked_until_the_eye_is_pressed_and_the_reveal_is_recorded(client, customer):
    in_full = ("Kestwick Foods", "owner@kestwick.example", "13800000021")
    content = html(client, customer)
    assert [each for each in in_full if each in content] == []
    masked = ("K****s", "o****@kestwick.example", "138****21")
    assert [each for each in masked if each in content] == list(masked)
    client.post("/customers/names/", {"shown": "1"})
    content = html(client, customer)
    assert [each for each in in_full if each in content] == list(in_full)
    record = RevealRecord.objects.get()
    assert (record.customers, record.page) == ([ID], PAGE)


def test_the_fragment_of_records_shows_no_name_and_leaves_no_reveal_record(client, customer):
    client.post("/customers/names/", {"shown": "1"})
    content = html(client, customer, headers=htmx("customer-records"))
    assert "Kestwick Foods" not in content
    assert "<h1>" not in content
    assert not RevealRecord.objects.exists()


def test_after_a_change_only_the_current_state_is_replaced(client, customer):
    content = html(client, customer, headers=htmx("customer-now"))
    assert 'id="customer-now"' in content
    assert 'id="customer-records"' not in content
    assert "<h1>" not in content


def test_a_newly_associated_customer_is_frozen_without_a_budget_and_the_page_says_why(client, customer):
    page_text = text(client, customer)
    assert "Not set. Without a budget the customer cannot purchase." in page_text
    assert "Frozen Account frozen since association on 2026-09-20 12:00. No budget is set" in page_text
    assert "yearly/monthly and reserved instances No reason 1 Purchase, change: pay-per-use No reason 1" in page_text
    assert "No expenditure has been reported for these months yet." in page_text
    assert f'href="/customers/freeze-records/{customer.freeze_records.get().pk}/"' in html(client, customer)


def test_a_budget_is_shown_with_its_used_part_the_as_of_time_and_the_policy(client, customer, ann):
    factories.budget(customer, ann, "1000", BudgetType.MONTHLY)
    factories.report((customer, "2026-09", "412.50"), at=factories.moment("2026-09-20 03:00"))
    page_text = text(client, customer)
    assert "412.50 of 1,000.00 USD used 41% Current estimate as of 2026-09-20 11:00, Asia/Shanghai" in page_text
    assert (
        "Budget Type Monthly budget counted since 2026-09 Remaining (USD) 587.50 Account Freezing Automatic"
        in page_text
    )
    assert "Normal The budget suffices: 412.50 of 1,000.00 is used." in page_text
    assert "No reason" not in page_text


def test_a_month_over_budget_is_marked_in_chart_and_table_and_the_current_month_as_so_far(client, customer, ann):
    factories.budget(customer, ann, "100", BudgetType.MONTHLY, AccountFreezing.MANUAL)
    factories.report(
        (customer, "2026-08", "50"), (customer, "2026-09", "112.50"), at=factories.moment("2026-09-20 03:00")
    )
    content, page_text = html(client, customer), text(client, customer)
    assert content.count('class="chart-bar chart-exceeded chart-so-far"') == 1
    assert "2026-09 so far, as of 2026-09-20 11:00 112.50 100.00 Monthly budget 112.50 Exceeded by 12.50" in page_text
    assert "2026-08 50.00 -- -- --" in page_text
    assert "style=" not in content


def test_the_chart_has_no_budget_line_for_a_one_time_budget(client, customer, ann):
    factories.budget(customer, ann, "100")
    factories.report((customer, "2026-09", "12"))
    assert "Monthly budget" not in text(client, customer)


NOTICE = re.compile(r'notice notice-(\w+)">(?:(?!</p>).)*The resources are frozen: (.*?)</p>', re.DOTALL)


def test_frozen_resources_show_the_retention_deadline_and_warn_a_week_and_a_day_before(customer, ann, sign_in, clock):
    factories.freeze(customer, ann, FreezeKind.ACCOUNT_AND_RESOURCE)
    assert "Data may be deleted after 2026-10-05 12:00." in text(sign_in(ann), customer)
    notices = {}
    for day in ("2026-09-28 03:59", "2026-09-28 04:00", "2026-10-04 04:00", "2026-10-05 04:00"):
        clock.move_to(factories.moment(day))
        notice = NOTICE.search(html(sign_in(ann), customer))
        notices[day[5:]] = notice.groups() if notice else None
    assert notices == {
        "09-28 03:59": None,
        "09-28 04:00": ("warning", "data kept until 2026-10-05."),
        "10-04 04:00": ("error", "data kept until 2026-10-05."),
        "10-05 04:00": ("error", "data may be deleted since 2026-10-05."),
    }


BUTTON = re.compile(r'<a class="button[^"]*" id="([\w-]+)" href="([^"]+)"')


def offered_buttons(client: Client, customer: Customer) -> dict[str, str]:
    """The buttons for operations on the page: the address of each by its ID."""
    return {name: unescape(path) for name, path in BUTTON.findall(html(client, customer))}


def test_the_page_offers_the_operations_that_apply_to_the_account(client, customer, ann):
    query = "?customer=%2Fsubscriptions%2F0a%2Fb%20c"
    set_budget = {"set-budget": f"/budgets/set/{query}"}
    freeze = {"freeze": f"/customers/freeze/{query}&kind=ACCOUNT"}
    freeze_resources = {"freeze-resources": f"/customers/freeze/{query}&kind=ACCOUNT_AND_RESOURCE"}
    unfreeze = {"unfreeze": f"/customers/unfreeze/{query}"}
    assert offered_buttons(client, customer) == set_budget | freeze_resources | unfreeze
    factories.budget(customer, ann, "100")
    assert offered_buttons(client, customer) == set_budget | freeze | freeze_resources
    factories.freeze(customer, ann, FreezeKind.ACCOUNT_AND_RESOURCE)
    assert offered_buttons(client, customer) == set_budget | unfreeze


def test_people_of_a_frozen_reseller_are_offered_no_unfreezing(client, customer, acme):
    Partner.objects.filter(pk=acme.pk).update(
        status=Partner.Status.FROZEN, status_since=timezone.now(), status_reason="Unpaid"
    )
    assert "unfreeze" not in offered_buttons(client, customer)
    assert "you cannot unfreeze customers" in html(client, customer)


def test_a_referral_customer_has_no_budget_and_no_warnings(client, acme):
    customer = factories.customer(acme, association_type=Customer.AssociationType.REFERRAL)
    page_text = text(client, customer)
    assert "Budget A customer of the referral model has no budget." in page_text
    assert "The account has never been frozen." in text(client, customer, "freezes")
    assert "notice-warning" not in html(client, customer)
    assert "No reason" not in page_text


def test_a_customer_of_a_restricted_reseller_is_shown_as_frozen_for_that_reason(client, customer, ann, acme):
    factories.budget(customer, ann, "100")
    Partner.objects.filter(pk=acme.pk).update(
        status=Partner.Status.RESTRICTED, status_since=timezone.now(), status_reason="Unpaid"
    )
    page_text = text(client, customer)
    assert "Account frozen: reseller restricted since 2026-09-20 12:00." in page_text


@pytest.mark.parametrize(
    ("who", "why"),
    [
        ("vera", "You are a viewer"),
        ("dora", "acme-reseller holds the permission"),
    ],
)
def test_people_who_may_only_look_are_told_why_and_offered_no_operation(who, why, customer, sign_in, request):
    client = sign_in(request.getfixturevalue(who))
    assert why in text(client, customer)
    assert offered_buttons(client, customer) == {}


def test_a_reseller_without_a_grant_is_told_to_contact_its_distributor(una, ungranted, sign_in):
    assert "Contact your distributor Dora Distribution" in text(sign_in(una), factories.customer(ungranted))


def test_a_distributor_sees_the_reseller_and_may_act_where_no_grant_is_given(dora, ungranted, sign_in):
    customer = factories.customer(ungranted)
    page_text = text(sign_in(dora), customer)
    assert "Reseller Plain Reseller" in page_text
    assert {"set-budget", "unfreeze"} <= offered_buttons(sign_in(dora), customer).keys()


def test_a_customer_who_left_has_no_page(client, customer):
    Customer.objects.update(disassociated_on=timezone.now())
    assert client.get(PAGE, {"customer": ID}).status_code == 404


def test_an_address_without_a_customer_is_not_found(client):
    assert client.get(PAGE).status_code == 404
