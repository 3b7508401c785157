"""What every test of concurrent actions needs: the clock in September 2026, and figures that add up in the end."""

from collections.abc import Iterator

import pytest
import time_machine

from customers.models import Customer
from partnercenter.models import Partner, User
from tests import factories
from tests.concurrency.threads import emptied_quickly
from tests.invariants import must_add_up


@pytest.fixture(scope="module", autouse=True)
def flush() -> Iterator[None]:
    with emptied_quickly():
        yield


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    """The middle of a billing month. The clock runs on, and a test may move it."""
    with time_machine.travel(factories.moment("2026-09-15 10:00")) as traveller:
        yield traveller


@pytest.fixture(autouse=True)
def everything_adds_up(clock: time_machine.Traveller, transactional_db: None) -> Iterator[None]:
    """After every test each stored figure equals what it is derived from, and each state has its record."""
    yield
    must_add_up()


@pytest.fixture
def four(acme: Partner, ann: User) -> list[Customer]:
    """Customers with a budget of 50 each, their accounts not frozen."""
    customers = factories.customers(acme, 4)
    factories.budget(customers, ann, "50")
    return customers
