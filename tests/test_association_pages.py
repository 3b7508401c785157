"""Pages on which the platform associates and disassociates customers and sees the expenditure of unknown accounts."""

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
UNASSOCIATED = "/customers/unassociated/"
HEADER = "customer_id,account_name,name,partner\n"


@pytest.fixture
def client(platform: User, sign_in) -> Client:
    """The browser of a superuser of the platform."""
    return sign_in(platform)


def associate(client: Client, partner: Partner, **changes: Any) -> Any:
    """Send the form that associates one customer."""
    fields = {
        "customer_id": "4711",
        "account_name": "north_sea",
        "name": "北海 Shipping",
        "association_type": "RESELLER",
        "partner": partner.pk,
    }
    return client.post(ADD, fields | changes)


def upload(client: Client, *lines: str, header: str = HEADER) -> Any:
    content = header + "".join(f"{line}\n" for line in lines)
    return client.post(ADD, {"by_file": "1", "file": SimpleUploadedFile("new.csv", content.encode())})


def disassociate(client: Client, *customers: Customer, path: str = CUSTOMERS, **more: str) -> Any:
    """Choose the action *disassociate* for these customers; it asks for a confirmation unless `confirmed` is sent."""
    keys = [customer.pk for customer in customers]
    return client.post(path, {"action": "disassociate", "_selected_action": keys, **more})


def listed(client: Client, path: str = UNASSOCIATED) -> list[tuple[str, int, Decimal]]:
    """Account, month and total of each row of unassociated expenditure."""
    return [(row.account, row.month, row.total) for row in client.get(path).context["cl"].result_list]


# --- Association ------------------------------------------------------------------------------------------------------


def test_the_form_associates_one_customer(client, acme, platform):
    response = associate(
        client, acme, email="op@north.example", mobile="1380000", account_manager="Mia", tags="vip; emea"
    )
    assert (response.status_code, response["Location"]) == (302, CUSTOMERS)
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
    ("changes", "field", "reason"),
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
def test_invalid_input_is_shown_at_its_field_and_nobody_is_associated(client, acme, changes, field, reason):
    factories.customer(acme, "known")
    response = associate(client, acme, **changes)
    assert response.status_code == 422
    assert reason in str(response.context["one"].errors[field])
    assert Customer.objects.count() == 1


def test_a_distributor_has_no_customers_of_its_own(client, dora_distribution):
    response = associate(client, dora_distribution)
    assert "valid choice" in str(response.context["one"].errors["partner"])


def test_a_customer_associated_by_somebody_else_in_the_meantime_is_reported(client, acme, monkeypatch):
    def associate_after_another(newcomers, **options):
        factories.customer(acme, "4711")
        return associate_customers(newcomers, **options)

    monkeypatch.setattr(admin, "associate_customers", associate_after_another)
    response = associate(client, acme)
    assert response.status_code == 422
    assert "Somebody else has associated one of these customers" in response.content.decode()


def test_a_file_associates_all_its_customers(client, acme, borealis, platform):
    response = upload(client, "1,a,A,acme-reseller", "2,b,B,borealis-reseller")
    assert response.status_code == 302
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
    response = upload(client, *lines)
    assert response.status_code == 422
    page = response.content.decode()
    assert all(reason in page for reason in reasons)
    assert not Customer.objects.exists()


def test_a_missing_file_is_shown_as_an_error_of_its_field_only(client):
    response = client.post(ADD, {"by_file": "1"})
    assert response.status_code == 422
    assert "Choose a file." in response.content.decode()
    assert not response.context["one"].errors


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


def test_disassociating_is_confirmed_on_a_page_that_shows_which_budgets_are_removed(client, acme, ann):
    with_budget, without = factories.customers(acme, 2)
    factories.budget(with_budget, ann, "1200.50")
    confirmation = disassociate(client, with_budget, without)
    assert confirmation.status_code == 200
    page = confirmation.content.decode()
    assert "<td>2</td><td>1</td><td>0.00</td><td>1,200.50</td>" in page
    assert not Customer.objects.exclude(disassociated_on=None).exists()
    done = disassociate(client, with_budget, without, confirmed="1")
    assert done.status_code == 302
    assert "2 customers disassociated." in client.get(CUSTOMERS).content.decode()
    assert not Customer.objects.filter(disassociated_on=None).exists()
    assert Grant.objects.get(partner=acme).one_time_allocated == 0


def test_the_record_of_a_disassociation_is_by_system_and_names_the_person(client, acme, ann, platform):
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100")
    disassociate(client, customer, confirmed="1")
    record = customer.adjustment_records.get(operation="DELETE")
    assert (record.operator_name, record.note) == ("system", "by platform")
    assert LogEntry.objects.get().user == platform


def test_the_action_can_apply_to_all_customers_that_a_search_found(client, acme):
    chosen, other = factories.customer(acme, account_name="north_sea"), factories.customer(acme, account_name="south")
    disassociate(client, chosen, path=f"{CUSTOMERS}?q=north", select_across="1", confirmed="1")
    assert factories.fresh(chosen).disassociated_on
    assert not factories.fresh(other).disassociated_on


def test_disassociating_customers_again_says_that_they_have_left(client, acme):
    customer = factories.customer(acme)
    disassociate(client, customer, confirmed="1")
    assert disassociate(client, customer).status_code == 302
    assert "These customers have already been disassociated." in client.get(CUSTOMERS).content.decode()


# --- Unassociated accounts --------------------------------------------------------------------------------------------


def test_unassociated_accounts_are_listed_by_month_newest_first(client, acme):
    known = factories.customer(acme, "known")
    factories.report(("b", "2026-09", "7"), ("a", "2026-09", "5.50"), ("a", "2026-08", "3"), (known, "2026-09", "1"))
    assert listed(client) == [("a", 202609, Decimal("5.50")), ("b", 202609, 7), ("a", 202608, 3)]
    assert listed(client, "/admin/budgets/unassociatedexpenditure/") == listed(client)
    assert "2026-09" in client.get(UNASSOCIATED).content.decode()


def test_unassociated_accounts_are_found_by_the_beginning_of_their_id(client):
    factories.report(
        ("/subscriptions/a", "2026-09", "1"), ("/subscriptions/b", "2026-09", "1"), ("ocid1", "2026-09", "1")
    )
    assert [row[0] for row in listed(client, f"{UNASSOCIATED}?q=/subscriptions/b")] == ["/subscriptions/b"]
    assert len(listed(client, f"{UNASSOCIATED}?q=/subscriptions/")) == 2


def test_an_unassociated_account_can_be_associated_and_its_expenditure_counts(client, acme, ann):
    account = "/subscriptions/0a b&c"
    factories.report((account, "2026-08", "3"), (account, "2026-09", "70"))
    link = "/admin/customers/customer/add/?customer_id=%2Fsubscriptions%2F0a+b%26c"
    assert f'href="{link}"' in client.get(UNASSOCIATED).content.decode()
    form = client.get(link).context["one"]
    assert form["customer_id"].value() == account
    associate(client, acme, customer_id=account)
    assert not listed(client)
    customer = Customer.objects.get()
    assert {spent.customer for spent in Expenditure.objects.all()} == {customer}
    factories.budget(customer, ann, "100")
    assert factories.stored(customer).used == 70
    assert list(differences()) == []


def test_an_account_whose_customer_left_is_listed_with_its_expenditure_from_that_month_on(client, acme):
    customer = factories.customer(acme, "left")
    factories.report((customer, "2026-08", "3"), (customer, "2026-09", "70"))
    disassociate(client, customer, confirmed="1")
    assert listed(client) == [("left", 202609, Decimal(70))]


def test_only_the_platform_sees_unassociated_accounts(dora, sign_in):
    factories.report(("secret", "2026-09", "1"))
    for path in (UNASSOCIATED, "/admin/budgets/unassociatedexpenditure/"):
        response = sign_in(dora).get(path)
        assert response.status_code == 403
        assert "secret" not in response.content.decode()
