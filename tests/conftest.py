"""The cast (a distributor, its resellers and their people), and fixtures for the database, the clock and browsers."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client, TransactionTestCase
from django.utils import timezone

from budgets.actions import billing_month
from customers.models import Customer
from partnercenter.lib import append_only
from partnercenter.models import Partner, User
from tests import factories
from tests.clock import Clock

pytest_plugins = ["tests.browser.chromium"]

# Playwright keeps an event loop running, and Django refuses to use the database in one.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@pytest.fixture(scope="session", autouse=True)
def flush_lifts_append_only() -> Iterator[None]:
    """Let the flush after a transactional test empty the append-only tables, which nothing else may do."""
    case: Any = TransactionTestCase
    flush = case._fixture_teardown

    def teardown(self: Any) -> None:
        append_only.remove_triggers()
        try:
            flush(self)
        finally:
            append_only.install_triggers()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", teardown)
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Close connections left by a browser's last request, because they keep the database from being dropped."""
    yield
    with django_db_blocker.unblock():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )


@pytest.fixture(autouse=True)
def database_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database's clock agrees with the console's, however far a test moves that."""
    monkeypatch.setattr(billing_month, "database_now", timezone.now)


@pytest.fixture(autouse=True)
def clock(request: pytest.FixtureRequest, database_clock: None) -> Iterator[Clock | None]:
    """The clock, set by `@pytest.mark.clock("2026-09-20 04:00")` (UTC). It stands still, except with `tick=True`."""
    if marker := request.node.get_closest_marker("clock"):
        with time_machine.travel(factories.moment(*marker.args), tick=marker.kwargs.get("tick", False)) as traveller:
            yield Clock(traveller)
    else:
        yield None


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("postgres") and connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL: SQLite has no row locks and lets only one transaction write at a time")


@pytest.fixture
def dora_distribution(db: None) -> Partner:
    """A distributor."""
    return factories.distributor()


@pytest.fixture
def dora(dora_distribution: Partner) -> User:
    """Administrator of the distributor, who may use the administration."""
    return factories.user("dora", dora_distribution, User.Role.ADMINISTRATOR, is_staff=True)


@pytest.fixture
def acme(dora_distribution: Partner) -> Partner:
    """A reseller with a grant: a quota of a million of each type. No verification code is required."""
    return factories.reseller(dora_distribution, "acme-reseller")


@pytest.fixture
def ann(acme: Partner) -> User:
    """Administrator of acme."""
    return factories.user("ann", acme, User.Role.ADMINISTRATOR)


@pytest.fixture
def ben(acme: Partner) -> User:
    """Operator of acme."""
    return factories.user("ben", acme, User.Role.OPERATOR)


@pytest.fixture
def vera(acme: Partner) -> User:
    """Viewer of acme."""
    return factories.user("vera", acme, User.Role.VIEWER)


@pytest.fixture
def borealis(dora_distribution: Partner) -> Partner:
    """Another reseller of the same distributor, with the same grant. A verification code is required."""
    return factories.reseller(dora_distribution, "borealis-reseller", verification_required=True)


@pytest.fixture
def carl(borealis: Partner) -> User:
    """Administrator of borealis, who may not see acme's customers."""
    return factories.user("carl", borealis, User.Role.ADMINISTRATOR)


@pytest.fixture
def ungranted(dora_distribution: Partner) -> Partner:
    """A reseller without a grant."""
    return factories.reseller(dora_distribution, "plain-reseller", quota=None)


@pytest.fixture
def una(ungranted: Partner) -> User:
    """Administrator of the reseller without a grant."""
    return factories.user("una", ungranted, User.Role.ADMINISTRATOR)


@pytest.fixture
def sol_solutions(db: None) -> Partner:
    """A solution provider."""
    return Partner.objects.create(
        kind=Partner.Kind.SOLUTION_PROVIDER, account_name="sol-solutions", company="Sol Solutions"
    )


@pytest.fixture
def sol(sol_solutions: Partner) -> User:
    """Administrator of a solution provider, which needs no grant and has no quota."""
    return factories.user("sol", sol_solutions, User.Role.ADMINISTRATOR)


@pytest.fixture
def platform(db: None) -> User:
    """A superuser of the platform, without a partner."""
    return factories.user("platform", None, is_superuser=True, is_staff=True)


@pytest.fixture
def sign_in() -> Callable[[User | None], Client]:
    """Call it to get a browser of its own, signed in as this person, or not signed in (None)."""

    def client_of(person: User | None) -> Client:
        client = Client()
        if person is not None:
            client.force_login(person, "partnercenter.permissions.GrantBackend")
        return client

    return client_of


@pytest.fixture
def client(ann: User, sign_in: Callable[[User | None], Client]) -> Client:
    """Ann's browser. A file with tests about another person defines its own `client`."""
    return sign_in(ann)


@pytest.fixture
def three(acme: Partner) -> list[Customer]:
    """Three customers of acme as association leaves them: frozen, without a budget."""
    return factories.customers(acme, 3)


@pytest.fixture
def referral(acme: Partner) -> Customer:
    """A customer of acme's under the referral model, which has no budget and no freezing."""
    return factories.customer(acme, "referral", association_type=Customer.AssociationType.REFERRAL)
