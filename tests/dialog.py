"""Get and send the Set Budget form of one customer, for the tests of its page and of its form."""

from typing import Any

from django.test import Client

from customers.models import Customer

# A form without errors.
GOOD = {"budget_type": "ONE_TIME", "amount": "1,200.50", "account_freezing": "AUTOMATIC"}


def path(customer: Customer) -> str:
    return f"/budgets/set/?customer={customer.customer_id}"


def form(client: Client, customer: Customer) -> Any:
    return client.get(path(customer)).context["form"]


def post(client: Client, customer: Customer, headers: dict[str, str] | None = None, **changes: str | None) -> Any:
    """Send the form of GOOD with these changes; None leaves a field out."""
    data = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    return client.post(path(customer), data, headers=headers or {})


def messages(response: Any) -> list[str]:
    """The messages that the page shows."""
    return [str(message) for message in response.context["messages"]]
