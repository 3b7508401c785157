"""What several tests do with the console's pages: send a review, edit it, open its groups, undo a batch."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.test import Client

from budgets.models import Budget
from customers.models import Customer

# What the browser sends along when a form is opened or sent in the dialog.
IN_DIALOG = {"HX-Request": "true", "HX-Target": "dialog-body"}
ONE_TIME = {"budget_type": "ONE_TIME", "amount": "100", "account_freezing": "AUTOMATIC"}


def customer_ids(customers: Iterable[Customer]) -> list[str]:
    return [customer.customer_id for customer in customers]


def start_review(client: Client, customers: Iterable[Customer], **terms: str) -> str:
    """Send Set Budget for these customers, with `ONE_TIME` unless there are other terms; the path of the review."""
    response = client.post("/budgets/set/", {"customer": customer_ids(customers), **(terms or ONE_TIME)})
    assert response.status_code == 302, response.content.decode()
    return response["Location"]


def edit(client: Client, path: str, **changes: Any) -> str:
    """Edit a review; the path of the new one."""
    response = client.post(f"{path}edit/", changes)
    assert response.status_code == 302, response.content.decode()
    return response["Location"]


def batch_of(path: str) -> str:
    """The path of the batch that a review becomes."""
    return f"/budgets/batches/{path.split('/')[-2]}/"


def start_undo(client: Client, path: str, **ticked: str) -> str:
    """Ask to undo the batch of a confirmed review; the path of the review of the undo."""
    response = client.post(f"{batch_of(path)}undo/", ticked)
    assert response.status_code == 302, response.content.decode()
    return response["Location"]


def group_counts(client: Client, path: str) -> dict[str, int]:
    """How many customers are in each group of a review, empty groups left out."""
    return {group["key"]: group["count"] for group in client.get(path).context["review"].groups if group["count"]}


def group_rows(client: Client, path: str, group: str) -> dict[str, Any]:
    """The rows of one group of a review, by customer ID."""
    opened: Any = client.get(f"{path}?group={group}").context["review"].open
    return {row["customer_id"]: row for row in opened["rows"]}


def amounts(customers: Iterable[Customer]) -> list[Decimal | None]:
    """The amount of each customer's budget; None without a budget."""
    stored: dict[Any, Decimal] = dict(Budget.objects.values_list("customer", "amount"))
    return [stored.get(customer.pk) for customer in customers]
