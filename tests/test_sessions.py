"""A session that cannot be saved, since somebody else holds the database, is told like every other wait."""

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
def held(key: str) -> Iterator[None]:
    """Another connection keeps the session's row, and ours waits for it no longer than a moment."""
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
    factories.customer(acme)
    return sign_in(ann)


def test_whoever_presses_while_the_session_is_held_is_told_to_try_again(client):
    key = client.cookies[settings.SESSION_COOKIE_NAME].value
    with held(key):
        answer = client.post("/customers/names/", {"shown": "1"})
    assert answer.status_code == 409
    assert "Try again in a moment" in answer.content.decode()
    assert Customer.objects.get().name not in client.get("/customers/").content.decode()
