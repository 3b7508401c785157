"""A session that cannot be saved because another connection locks its row is answered like any other lock timeout."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from customers.models import Customer
from partnercenter.models import Partner, User
from tests import factories

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


@contextmanager
def session_locked(key: str) -> Iterator[None]:
    """Lock the session's row on another connection, and let our own give up waiting for it after 50 milliseconds."""
    other = connection.copy()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '50ms'")
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("SELECT 1 FROM django_session WHERE session_key = %s FOR UPDATE", [key])
        yield
    finally:
        other.close()
        connection.close()


@pytest.fixture
def client(ann: User, acme: Partner, sign_in) -> Client:
    """Ann's browser; acme has one customer."""
    factories.customer(acme)
    return sign_in(ann)


def test_a_reveal_while_the_session_is_locked_asks_the_operator_to_try_again(client):
    key = client.cookies[settings.SESSION_COOKIE_NAME].value
    with session_locked(key):
        response = client.post("/customers/names/", {"shown": "1"})
    assert response.status_code == 409
    assert "Try again in a moment" in response.content.decode()
    assert Customer.objects.get().name not in client.get("/customers/").content.decode()
