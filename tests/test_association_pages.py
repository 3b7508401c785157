"""The platform's staff associate and disassociate customers in the administration, and see whom nobody knows."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from budgets.actions.association import associate_customers
from budgets.models import Expenditure
from budgets.queries.integrity import differences
from customers import admin
from customers.models import Customer, FreezeKind, FreezeOrigin
from partnercenter.models import Grant, Partner, User
from tests import factories

pytestmark = pytest.mark.clock("2026-09-20 04:00")

CUSTOMERS = "/admin/customers/customer/"
ADD = f"{CUSTOMERS}add/"
UNKNOWN = "/customers/unassociated/"
HEADER = "customer_id,account_name,name,partner\n"


@pytest.fixture
def client(platform: User, sign_in) -> Client:
    return sign_in(platform)


def associate(client: Client, partner: Partner, **given: Any) -> Any:
    one = {"customer_id": "4711", "account_name": "north_sea", "name": "北海 Shipping", "association_type": "RESELLER"}
    return client.post(ADD, one | {"partner": partner.pk} | given)


def send(client: Client, *lines: str, header: str = HEADER) -> Any:
    text = header + "".join(f"{line}\n" for line in lines)
    return client.post(ADD, {"by_file": "1", "file": SimpleUploadedFile("new.csv", text.encode())})


def disassociate(client: Client, *customers: Customer, path: str = CUSTOMERS, **more: str) -> Any:
    keys = [customer.pk for customer in customers]
    return client.post(path, {"action": "disassociate", "_selected_action": keys, **more})


def listed(client: Client, path: str = UNKNOWN) -> list[tuple[str, int, Decimal]]:
    return [(row.account, row.month, row.total) for row in client.get(path).context["cl"].result_list]


# --- Association ------------------------------------------------------------------------------------------------------


def test_one_customer_is_associated_by_the_form(client, acme, platform):
    answer = associate(
        client, acme, email="op@north.example", mobile="1380000", account_manager="Mia", tags="vip; emea"
    )
    assert (answer.status_code, answer["Location"]) == (302, CUSTOMERS)
    customer = Customer.objects.get()
    assert (customer.customer_id, customer.name, customer.partner) == ("4711", "北海 Shipping", acme)
    assert (customer.tags, customer.account_manager) == (";vip;emea;", "Mia")
    assert (customer.freeze_kind, customer.freeze_origin) == (FreezeKind.ACCOUNT, FreezeOrigin.ASSOCIATION)
    record = customer.freeze_records.get()
    assert (record.operator, record.operator_name, record.channel) == (platform, "platform", "CONSOLE")


def test_a_referral_customer_is_associated_without_a_freeze(client, acme):
    associate(client, acme, association_type="REFERRAL")
    assert not Customer.objects.get().is_frozen
    assert list(differences()) == []


@pytest.mark.parametrize(
    ("given", "field", "reason"),
    [
        ({"customer_id": "known"}, "customer_id", "known is associated already"),
        ({"customer_id": ""}, "customer_id", "required"),
        ({"customer_id": "x" * 129}, "customer_id", "at most 128"),
        ({"customer_id": "a\u200bb"}, "__all__", "cannot be printed"),
        ({"name": "a\u2028b"}, "__all__", "control characters"),
        ({"association_type": "FRIEND"}, "association_type", "valid choice"),
        ({"email": "nobody"}, "email", "valid email"),
        ({"tags": "x" * 1024}, "__all__", "too many tags"),
    ],
)
def test_what_is_wrong_is_told_at_its_field_and_nobody_is_associated(client, acme, given, field, reason):
    factories.customer(acme, "known")
    answer = associate(client, acme, **given)
    assert answer.status_code == 422
    assert reason in str(answer.context["one"].errors[field])
    assert Customer.objects.count() == 1


def test_a_distributor_has_no_customers_of_its_own(client, dora_distribution):
    answer = associate(client, dora_distribution)
    assert "valid choice" in str(answer.context["one"].errors["partner"])


def test_somebody_who_was_faster_is_told_of(client, acme, monkeypatch):
    def first_the_other(newcomers, **how):
        factories.customer(acme, "4711")
        return associate_customers(newcomers, **how)

    monkeypatch.setattr(admin, "associate_customers", first_the_other)
    answer = associate(client, acme)
    assert answer.status_code == 422
    assert "Somebody else has associated one of these customers" in answer.content.decode()


def test_the_customers_of_a_file_are_associated(client, acme, borealis, platform):
    answer = send(client, "1,a,A,acme-reseller", "2,b,B,borealis-reseller")
    assert answer.status_code == 302
    assert list(Customer.objects.values_list("customer_id", "partner").order_by("pk")) == [
        ("1", acme.pk),
        ("2", borealis.pk),
    ]
    assert Customer.objects.get(customer_id="1").freeze_records.get().operator == platform


@pytest.mark.parametrize(
    ("lines", "reasons"),
    [
        (
            ["1,a,A,acme-reseller", ",b,B,nobody"],
            ["new.csv, line 3: customer_id is missing", "Correct the errors in the file"],
        ),
        (["1,a,A,acme-reseller", "1,a,A,acme-reseller"], ["line 3: 1 occurs twice"]),
        ([], ["The file contains no customers."]),
    ],
)
def test_a_bad_file_is_refused_as_a_whole(client, acme, lines, reasons):
    answer = send(client, *lines)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert all(reason in page for reason in reasons)
    assert not Customer.objects.exists()


def test_no_file_at_all_is_told_at_its_field_alone(client):
    answer = client.post(ADD, {"by_file": "1"})
    assert answer.status_code == 422
    assert "Choose a file." in answer.content.decode()
    assert not answer.context["one"].errors


@pytest.mark.parametrize("who", ["ann", "vera", "dora"])
@pytest.mark.parametrize("path", [ADD, CUSTOMERS])
def test_only_the_platform_associates_and_disassociates(who, path, acme, sign_in, request):
    customer = factories.customer(acme)
    client = sign_in(request.getfixturevalue(who))
    associate(client, acme)
    disassociate(client, customer, path=path, confirmed="1")
    assert client.get(path, follow=True).status_code == 403
    assert [each.disassociated_on for each in Customer.objects.all()] == [None]


# --- Disassociation ---------------------------------------------------------------------------------------------------


def test_disassociating_is_confirmed_on_a_page_that_says_what_goes(client, acme, ann):
    with_budget, without = factories.customers(acme, 2)
    factories.budget(with_budget, ann, "1200.50")
    asked = disassociate(client, with_budget, without)
    assert asked.status_code == 200
    page = asked.content.decode()
    assert "<td>2</td><td>1</td><td>0.00</td><td>1,200.50</td>" in page
    assert not Customer.objects.exclude(disassociated_on=None).exists()
    done = disassociate(client, with_budget, without, confirmed="1")
    assert done.status_code == 302
    assert "2 customers disassociated." in client.get(CUSTOMERS).content.decode()
    assert not Customer.objects.filter(disassociated_on=None).exists()
    assert Grant.objects.get(partner=acme).one_time_allocated == 0


def test_the_record_is_by_system_and_says_for_whom(client, acme, ann, platform):
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100")
    disassociate(client, customer, confirmed="1")
    record = customer.adjustment_records.get(operation="DELETE")
    assert (record.operator_name, record.note) == ("system", "by platform")
    assert LogEntry.objects.get().user == platform


def test_all_that_the_list_was_narrowed_to_are_meant(client, acme):
    chosen, other = factories.customer(acme, account_name="north_sea"), factories.customer(acme, account_name="south")
    disassociate(client, chosen, path=f"{CUSTOMERS}?q=north", select_across="1", confirmed="1")
    assert factories.fresh(chosen).disassociated_on
    assert not factories.fresh(other).disassociated_on


def test_who_left_already_is_not_asked_about(client, acme):
    customer = factories.customer(acme)
    disassociate(client, customer, confirmed="1")
    assert disassociate(client, customer).status_code == 302
    assert "These customers have already been disassociated." in client.get(CUSTOMERS).content.decode()


# --- Accounts that nobody knows ---------------------------------------------------------------------------------------


def test_accounts_nobody_knows_are_listed_by_month_newest_first(client, acme):
    known = factories.customer(acme, "known")
    factories.report(("b", "2026-09", "7"), ("a", "2026-09", "5.50"), ("a", "2026-08", "3"), (known, "2026-09", "1"))
    assert listed(client) == [("a", 202609, Decimal("5.50")), ("b", 202609, 7), ("a", 202608, 3)]
    assert listed(client, "/admin/budgets/unassociatedexpenditure/") == listed(client)
    assert "2026-09" in client.get(UNKNOWN).content.decode()


def test_they_are_found_by_how_the_id_begins(client):
    factories.report(
        ("/subscriptions/a", "2026-09", "1"), ("/subscriptions/b", "2026-09", "1"), ("ocid1", "2026-09", "1")
    )
    assert [row[0] for row in listed(client, f"{UNKNOWN}?q=/subscriptions/b")] == ["/subscriptions/b"]
    assert len(listed(client, f"{UNKNOWN}?q=/subscriptions/")) == 2


def test_from_there_one_is_associated_and_what_it_spent_counts(client, acme, ann):
    account = "/subscriptions/0a b&c"
    factories.report((account, "2026-08", "3"), (account, "2026-09", "70"))
    link = "/admin/customers/customer/add/?customer_id=%2Fsubscriptions%2F0a+b%26c"
    assert f'href="{link}"' in client.get(UNKNOWN).content.decode()
    form = client.get(link).context["one"]
    assert form["customer_id"].value() == account
    associate(client, acme, customer_id=account)
    assert not listed(client)
    customer = Customer.objects.get()
    assert {spent.customer for spent in Expenditure.objects.all()} == {customer}
    factories.budget(customer, ann, "100")
    assert factories.stored(customer).used == 70
    assert list(differences()) == []


def test_an_account_whose_customer_left_is_listed_with_what_it_spends_from_then_on(client, acme):
    customer = factories.customer(acme, "left")
    factories.report((customer, "2026-08", "3"), (customer, "2026-09", "70"))
    disassociate(client, customer, confirmed="1")
    assert listed(client) == [("left", 202609, Decimal(70))]


def test_nobody_but_the_platform_sees_them_not_even_a_distributor(dora, sign_in):
    factories.report(("secret", "2026-09", "1"))
    for path in (UNKNOWN, "/admin/budgets/unassociatedexpenditure/"):
        answer = sign_in(dora).get(path)
        assert answer.status_code == 403
        assert "secret" not in answer.content.decode()
