"""Tests of one module share their partners, users and customers, which are made once, before its first test.

What a test writes is undone after it, and the shared rows after the last test of the module.
"""

from collections.abc import Iterator

import pytest
from django.db import transaction
from pytest_django import DjangoDbBlocker

from partnercenter.models import Partner, User
from tests import factories


@pytest.fixture(scope="module")
def shared_rows(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The transaction of the shared rows."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture(autouse=True)
def own_changes(dora: User, ann: User, carl: User, ungranted: Partner, db: None) -> None:
    """Let each test write within a savepoint of its own. The cast is made before it, so that it outlives the test."""


@pytest.fixture(scope="module")
def dora_distribution(shared_rows: None) -> Partner:
    return factories.distributor()


@pytest.fixture(scope="module")
def dora(dora_distribution: Partner) -> User:
    return factories.user("dora", dora_distribution, User.Role.ADMINISTRATOR, is_staff=True)


@pytest.fixture(scope="module")
def acme(dora_distribution: Partner) -> Partner:
    return factories.reseller(dora_distribution, "acme-reseller")


@pytest.fixture(scope="module")
def ann(acme: Partner) -> User:
    return factories.user("ann", acme, User.Role.ADMINISTRATOR)


@pytest.fixture(scope="module")
def borealis(dora_distribution: Partner) -> Partner:
    return factories.reseller(dora_distribution, "borealis-reseller", verification_required=True)


@pytest.fixture(scope="module")
def carl(borealis: Partner) -> User:
    return factories.user("carl", borealis, User.Role.ADMINISTRATOR)


@pytest.fixture(scope="module")
def ungranted(dora_distribution: Partner) -> Partner:
    return factories.reseller(dora_distribution, "plain-reseller", quota=None)
