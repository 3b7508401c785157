"""An error that no view handles is still a page with its reason and status, and never a server error."""

import pytest

from budgets import middleware
from customers.views import customer_list
from partnercenter.lib.errors import LockTimeout, PermissionRefused

MESSAGE = "A report is being imported."


@pytest.fixture
def fail_with(monkeypatch):
    """Makes a function raise this error; by default one that the customer list calls."""

    def patch(error, module=customer_list, function="CustomerList"):
        def fail(*_args):
            raise error

        monkeypatch.setattr(module, function, fail)

    return patch


def test_a_lock_timeout_at_the_month_restore_is_reported_with_409(ann, sign_in, fail_with):
    fail_with(LockTimeout(MESSAGE), middleware, "current_month_state")
    page = sign_in(ann).get("/customers/")
    assert page.status_code == 409
    assert MESSAGE in page.content.decode()


def test_a_lock_timeout_during_an_import_is_reported_with_409(ann, sign_in, fail_with):
    fail_with(LockTimeout(MESSAGE))
    page = sign_in(ann).get("/customers/")
    assert page.status_code == 409
    assert MESSAGE in page.content.decode()


def test_with_htmx_only_the_reason_is_sent_without_a_page(ann, sign_in, fail_with):
    fail_with(LockTimeout(MESSAGE))
    fragment = sign_in(ann).get("/customers/", headers={"HX-Request": "true", "HX-Target": "customer-list"})
    assert fragment.status_code == 409
    assert MESSAGE in fragment.content.decode()
    assert "<html" not in fragment.content.decode()


def test_a_missing_permission_is_a_403_with_its_reason(ann, sign_in, fail_with):
    fail_with(PermissionRefused("Ask your administrator."))
    page = sign_in(ann).get("/customers/")
    assert page.status_code == 403
    assert "Ask your administrator." in page.content.decode()
