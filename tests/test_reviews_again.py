"""A review that is no longer as it was: what is told of it, what reviewing again keeps, and what is left as it is."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from budgets.models import Budget
from customers.models import Customer
from tests import make

ONE_TIME = {"budget_type": "ONE_TIME", "amount": "100", "account_freezing": "AUTOMATIC"}


@pytest.fixture(autouse=True)
def september(time_machine):
    time_machine.move_to("2026-09-20T04:00:00Z", tick=False)


@pytest.fixture
def client(ann, sign_in) -> Client:
    return sign_in(ann)


@pytest.fixture
def three(acme) -> list[Customer]:
    return make.customers(acme, 3)


def review(client: Client, customers: list[Customer], **terms: str) -> str:
    ids = [each.customer_id for each in customers]
    return client.post("/budgets/set/", {"customer": ids, **(terms or ONE_TIME)})["Location"]


def undo(client: Client, path: str) -> str:
    return client.post(f"/budgets/batches/{path.split('/')[-2]}/undo/")["Location"]


def edit(client: Client, path: str, **changes: Any) -> str:
    return client.post(f"{path}edit/", changes)["Location"]


def again(client: Client, path: str) -> str:
    """OK is refused, and the same is reviewed again."""
    assert client.post(path).status_code == 409
    return edit(client, path, again="1")


def groups(client: Client, path: str) -> dict[str, int]:
    return {group["key"]: group["count"] for group in client.get(path).context["review"].groups if group["count"]}


def amounts(customers: list[Customer]) -> list[Decimal | None]:
    stored: dict[Any, Decimal] = dict(Budget.objects.values_list("customer", "amount"))
    return [stored.get(customer.pk) for customer in customers]


def test_an_undo_reviewed_again_keeps_out_whom_the_operator_left_out(client, three, ben):
    path = review(client, three)
    client.post(path)
    back = edit(client, undo(client, path), leave_out=three[0].customer_id)
    make.budget(three[1], ben, "7")
    back = again(client, back)
    assert groups(client, back)["LEFT_OUT"] == 1
    client.post(back)
    assert amounts(three) == [Decimal(100), Decimal(7), None]
