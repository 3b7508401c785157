"""The page and the mail that ask to confirm one customer's budget say what is replaced and what happens to the account.

See rules 6.3, 10.6 (docs/rules.md).
"""

from typing import Any

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from customers.models import AccountFreezing, Customer
from partnercenter.models import BudgetType
from tests import factories
from tests.pages import set_budget_path

HEADER = "customer_id,budget_type,amount,account_freezing,unfreeze_now\n"


pytestmark = pytest.mark.clock("2026-11-20 04:00")


@pytest.fixture
def client(carl, sign_in) -> Client:
    return sign_in(carl)


@pytest.fixture
def customer(borealis, carl, clock) -> Customer:
    """Frozen since association, with a one-time budget since September; 200 was used then and 30 in November."""
    clock.move_to("2026-09-20T04:00:00Z")
    customer = factories.customer(borealis)
    factories.budget(customer, carl, "500", account_freezing=AccountFreezing.MANUAL, unfreeze=False)
    clock.move_to("2026-11-20T04:00:00Z")
    factories.report((customer, "2026-09", "200"), (customer, "2026-11", "30"))
    return customer


def facts_to_confirm(client: Client, customer: Customer, **terms: str) -> dict[str, list[str]]:
    """What the page lists for confirmation, by label; the mail has to say the same."""
    path = client.post(set_budget_path(customer), terms)["Location"]
    listed: Any = client.get(path).context["facts"]
    client.post(f"{path}code/")
    body = str(mail.outbox[-1].body)
    facts: dict[str, list[str]] = {}
    for label, value in listed:
        assert value in body
        facts.setdefault(label, []).append(value)
    return facts


def test_a_change_of_type_names_the_replaced_budget_and_the_months_that_no_longer_count(client, customer):
    facts = facts_to_confirm(client, customer, budget_type="MONTHLY", amount="100", account_freezing="MANUAL")
    assert facts["Budget until now"] == ["One-time budget, USD 500.00, Manual"]
    assert facts["Change of type"] == ["2026-09 to 2026-10 no longer count."]
    assert facts["Effect"][0] == "The account stays frozen."
    assert facts["Effect"][-1] == "Unfreezing is not ticked."


def test_a_budget_that_is_exhausted_immediately_says_so_under_any_policy(client, customer):
    facts = facts_to_confirm(
        client, customer, budget_type="ONE_TIME", amount="150", account_freezing="MANUAL", unfreeze_now="on"
    )
    assert facts["Effect"] == ["The budget is used up immediately: 230.00 of 150.00.", "The account is unfrozen."]
    assert "Change of type" not in facts


def test_a_first_budget_replaces_none(client, borealis):
    facts = facts_to_confirm(
        client,
        factories.customer(borealis),
        budget_type="MONTHLY",
        amount="100",
        account_freezing="AUTOMATIC",
        unfreeze_now="on",
    )
    assert facts["Budget until now"] == ["--"]
    assert facts["Effect"] == ["The account is unfrozen."]


def test_a_file_with_one_line_lists_the_same_facts_without_a_code(ann, acme, sign_in):
    client, customer = sign_in(ann), factories.customer(acme)
    factories.budget(customer, ann, "500", BudgetType.MONTHLY, unfreeze=False)
    line = f"{customer.customer_id},ONE_TIME,80,MANUAL,\n"
    response = client.post("/budgets/import/", {"file": SimpleUploadedFile("one.csv", (HEADER + line).encode())})
    page = client.get(response["Location"])
    facts = page.context["facts"]
    assert ("Budget until now", "Monthly budget, USD 500.00, Automatic") in facts
    assert [value for label, value in facts if label == "Effect"][::2] == [
        "The account stays frozen.",
        "The file does not ask to unfreeze it.",
    ]
    assert "<h1>Set Budget: Confirmation" in page.content.decode()
