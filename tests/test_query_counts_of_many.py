"""Each page and step of a batch asks the database as often for ten customers as for ten thousand."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from budgets.actions.billing_month import current_month
from budgets.months import month_name
from customers.models import AccountFreezing, Customer
from partnercenter.actions import jobs
from partnercenter.models import BudgetType, Partner, User
from tests import factories
from tests.benchmarks.customers import fill

# Not while a month turns: the first to ask in the new one restores budgets, which takes more queries.
pytestmark = pytest.mark.clock("2026-09-20 04:00", tick=True)

FEW, MANY = 10, 10_000
EVERYBODY = {"all_matching": "1"}
# Some are used up by it, all that are not are unfrozen.
TERMS = {"budget_type": "MONTHLY", "amount": "90", "account_freezing": "AUTOMATIC", "unfreeze_now": "on"}


@pytest.fixture
def many(db: None) -> User:
    """Administrator of a reseller with ten thousand customers of every kind."""
    fill(MANY)
    return User.objects.get(username="ann")


@pytest.fixture
def few(many: User) -> User:
    """Administrator of a reseller with ten: without a budget, with one, used up, and frozen."""
    assert many.partner is not None
    assert many.partner.distributor is not None
    small = factories.reseller(many.partner.distributor, "small-reseller")
    sam = factories.user("sam", small, User.Role.ADMINISTRATOR)
    customers = factories.customers(small, FEW)
    factories.budget(customers[:4], sam, "200", BudgetType.MONTHLY, AccountFreezing.MANUAL)
    factories.budget(customers[4:8], sam, "200", BudgetType.ONE_TIME)
    month = month_name(current_month())
    factories.report(*[(customer, month, "120") for customer in customers[::3]])
    factories.report(*[(customer, month, "250") for customer in customers[1::3]])
    return sam


class Steps:
    """A person's way through the pages, from the list to the undo of a batch; each step with its number of queries."""

    def __init__(self, person: User, client: Client) -> None:
        self.partner, self.client, self.counted = person.partner, client, dict[str, int]()
        client.get("/")

    def take(self, name: str, path: str, status: int, form: dict[str, Any] | None = None) -> Any:
        with CaptureQueriesContext(connection) as captured:
            answer = self.client.get(path) if form is None else self.client.post(path, form)
        assert answer.status_code == status, answer.content.decode()
        self.counted[name] = len(captured)
        return answer

    def take_all(self) -> dict[str, int]:
        self.take("list", "/customers/?size=10", 200)
        self.take("list, sorted", "/customers/?size=10&sort=-associated_on", 200)
        self.take("dialog", "/budgets/terms/", 200, EVERYBODY)
        review = self.take("set", "/budgets/set/", 302, EVERYBODY | TERMS)["Location"]
        self.take("review", f"{review}?group=ALL", 200)
        review = self.take("edit", f"{review}edit/", 302, {f"amount_{self.anybody()}": "91"})["Location"]
        self.take("OK", review, 302, {})
        batch = f"/budgets/batches/{review.split('/')[-2]}/"
        self.take("batches", "/budgets/batches/", 200)
        self.take("batch", batch, 200)
        undo = self.take("undo", f"{batch}undo/", 302, {"unfreeze": "on"})["Location"]
        self.take("review of undo", f"{undo}?group=ALL", 200)
        self.take("OK to undo", undo, 302, {})
        return self.counted

    def anybody(self) -> str:
        return Customer.objects.filter(partner=self.partner)[0].customer_id


def test_every_step_takes_as_many_queries_for_ten_customers_as_for_ten_thousand(
    few: User, many: User, sign_in: Callable[[User], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert numbers() == {"small-reseller": FEW, "acme": MANY}
    # All of it in the request; then, as it is beyond a few thousand, as jobs.
    for in_the_request in (MANY, 0):
        monkeypatch.setattr(jobs, "WORKER_THRESHOLD", in_the_request)
        one, other = [Steps(person, sign_in(person)).take_all() for person in (few, many)]
        assert one == other
        assert max(one.values()) < 80


def numbers() -> dict[str, int]:
    return {each.account_name: each.customers.count() for each in Partner.objects.filter(kind=Partner.Kind.RESELLER)}
