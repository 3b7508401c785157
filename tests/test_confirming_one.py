"""What is said before OK of one customer's budget, on the page and in the mail with the code.

See rule 6.3 (docs/rules.md).
"""

from typing import Any

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from customers.models import AccountFreezing, Customer
from partnercenter.models import BudgetType
from tests import factories

SET = "/budgets/set/"
HEAD = "customer_id,budget_type,amount,account_freezing,unfreeze_now\n"


@pytest.fixture(autouse=True)
def november(time_machine):
    time_machine.move_to("2026-11-20T04:00:00Z", tick=False)
    return time_machine


@pytest.fixture
def client(carl, sign_in) -> Client:
    return sign_in(carl)


@pytest.fixture
def customer(borealis, carl, november) -> Customer:
    """Frozen since it was associated; one-time since September, of which 200 were used then and 30 now."""
    november.move_to("2026-09-20T04:00:00Z", tick=False)
    found = factories.customer(borealis)
    factories.budget(found, carl, "500", account_freezing=AccountFreezing.MANUAL, unfreeze=False)
    november.move_to("2026-11-20T04:00:00Z", tick=False)
    factories.report((found, "2026-09", "200"), (found, "2026-11", "30"))
    return found


def facts(client: Client, customer: Customer, **terms: str) -> dict[str, list[str]]:
    """What the page lists, as long as the mail says the same."""
    path = client.post(f"{SET}?customer={customer.customer_id}", terms)["Location"]
    found: Any = client.get(path).context["facts"]
    client.post(f"{path}code/")
    body = str(mail.outbox[-1].body)
    told: dict[str, list[str]] = {}
    for label, value in found:
        assert value in body
        told.setdefault(label, []).append(value)
    return told


def test_a_change_of_type_names_what_it_replaces_and_forgets(client, customer):
    told = facts(client, customer, budget_type="MONTHLY", amount="100", account_freezing="MANUAL")
    assert told["Budget until now"] == ["One-time budget, USD 500.00, Manual"]
    assert told["Change of type"] == ["2026-09 to 2026-10 no longer count."]
    assert told["Effect"][0] == "The account stays frozen."
    assert told["Effect"][-1] == "Unfreezing is not ticked."


def test_used_up_at_once_is_said_under_any_policy(client, customer):
    told = facts(client, customer, budget_type="ONE_TIME", amount="150", account_freezing="MANUAL", unfreeze_now="on")
    assert told["Effect"] == ["The budget is used up immediately: 230.00 of 150.00.", "The account is unfrozen."]
    assert "Change of type" not in told


def test_a_first_budget_replaces_none(client, borealis):
    told = facts(
        client,
        factories.customer(borealis),
        budget_type="MONTHLY",
        amount="100",
        account_freezing="AUTOMATIC",
        unfreeze_now="on",
    )
    assert told["Budget until now"] == ["--"]
    assert told["Effect"] == ["The account is unfrozen."]


def test_a_file_of_one_line_is_confirmed_by_the_same_facts_without_a_code(ann, acme, sign_in):
    client, customer = sign_in(ann), factories.customer(acme)
    factories.budget(customer, ann, "500", BudgetType.MONTHLY, unfreeze=False)
    line = f"{customer.customer_id},ONE_TIME,80,MANUAL,\n"
    answer = client.post("/budgets/import/", {"file": SimpleUploadedFile("one.csv", (HEAD + line).encode())})
    page = client.get(answer["Location"])
    told = page.context["facts"]
    assert ("Budget until now", "Monthly budget, USD 500.00, Automatic") in told
    assert [value for label, value in told if label == "Effect"][::2] == [
        "The account stays frozen.",
        "The file does not ask to unfreeze it.",
    ]
    assert "<h1>Set Budget: Confirmation" in page.content.decode()
