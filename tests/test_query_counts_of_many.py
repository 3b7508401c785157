"""Each page and step of a batch makes as many database queries for ten customers as for ten thousand."""

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

# In the middle of a month: the first request of a new month restores budgets, which takes more queries.
pytestmark = pytest.mark.clock("2026-09-20 04:00", tick=True)

FEW, MANY = 10, 10_000
ALL_MATCHING = {"all_matching": "1"}
# These terms exhaust the budgets of some customers and unfreeze all the others.
TERMS = {"budget_type": "MONTHLY", "amount": "90", "account_freezing": "AUTOMATIC", "unfreeze_now": "on"}


@pytest.fixture
def many(db: None) -> User:
    """Administrator of a reseller with ten thousand customers of every kind."""
    fill(MANY)
    return User.objects.get(username="ann")


@pytest.fixture
def few(many: User) -> User:
    """Administrator of a reseller with ten customers: without a budget, with one, exhausted, and frozen."""
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
    """Counts the queries of each step of a person who goes from the list to the undo of a batch."""

    def __init__(self, person: User, client: Client) -> None:
        self.partner, self.client, self.counted = person.partner, client, dict[str, int]()
        client.get("/")

    def take(self, name: str, path: str, status: int, form: dict[str, Any] | None = None) -> Any:
        with CaptureQueriesContext(connection) as captured:
            response = self.client.get(path) if form is None else self.client.post(path, form)
        assert response.status_code == status, response.content.decode()
        self.counted[name] = len(captured)
        return response

    def take_all(self) -> dict[str, int]:
        self.take("list", "/customers/?size=10", 200)
        self.take("list, sorted", "/customers/?size=10&sort=-associated_on", 200)
        self.take("dialog", "/budgets/terms/", 200, ALL_MATCHING)
        review = self.take("set", "/budgets/set/", 302, ALL_MATCHING | TERMS)["Location"]
        self.take("review", f"{review}?group=ALL", 200)
        review = self.take("edit", f"{review}edit/", 302, {f"amount_{self.some_customer_id()}": "91"})["Location"]
        self.take("OK", review, 302, {})
        batch = f"/budgets/batches/{review.split('/')[-2]}/"
        self.take("batches", "/budgets/batches/", 200)
        self.take("batch", batch, 200)
        undo = self.take("undo", f"{batch}undo/", 302, {"unfreeze": "on"})["Location"]
        self.take("review of undo", f"{undo}?group=ALL", 200)
        self.take("OK to undo", undo, 302, {})
        return self.counted

    def some_customer_id(self) -> str:
        return Customer.objects.filter(partner=self.partner)[0].customer_id


def test_every_step_makes_as_many_queries_for_ten_customers_as_for_ten_thousand(
    few: User, many: User, sign_in: Callable[[User], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert customers_of_resellers() == {"small-reseller": FEW, "acme": MANY}
    # First everything within the request, then everything as jobs.
    for threshold in (MANY, 0):
        monkeypatch.setattr(jobs, "WORKER_THRESHOLD", threshold)
        queries_for_few, queries_for_many = [Steps(person, sign_in(person)).take_all() for person in (few, many)]
        assert queries_for_few == queries_for_many
        assert max(queries_for_few.values()) < 80


def customers_of_resellers() -> dict[str, int]:
    return {each.account_name: each.customers.count() for each in Partner.objects.filter(kind=Partner.Kind.RESELLER)}
