"""For all tests of concurrent actions: a clock in September 2026, and a check of all stored data after each test."""

from collections.abc import Iterator

import pytest
import time_machine

from customers.models import Customer
from partnercenter.models import Partner, User
from tests import factories
from tests.clock import Clock
from tests.concurrency.threads import fast_flush
from tests.invariants import check_invariants


@pytest.fixture(scope="module", autouse=True)
def flush() -> Iterator[None]:
    with fast_flush():
        yield


@pytest.fixture(autouse=True)
def clock(database_clock: None) -> Iterator[Clock]:
    """The clock, which starts in the middle of a billing month and runs on; a test may move it."""
    with time_machine.travel(factories.moment("2026-09-15 10:00")) as traveller:
        yield Clock(traveller)


@pytest.fixture(autouse=True)
def invariants_hold(clock: Clock, transactional_db: None) -> Iterator[None]:
    """After every test, each stored figure equals what it is derived from, and each change has its record."""
    yield
    check_invariants()


@pytest.fixture
def four(acme: Partner, ann: User) -> list[Customer]:
    """Four customers of acme with a budget of 50 each, their accounts not frozen."""
    customers = factories.customers(acme, 4)
    factories.budget(customers, ann, "50")
    return customers
