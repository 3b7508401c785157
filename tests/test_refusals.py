"""A refusal that no view expects is still a page that says why, with its status, and never an error of the server."""

import pytest

from budgets import middleware
from customers.views import customer_list
from partnercenter.lib.errors import LockTimeout, PermissionRefused

SAYS = "A report is being imported."


@pytest.fixture
def refuse(monkeypatch):
    """Something that the list asks for is refused."""

    def refuse_with(refusal, where=customer_list, what="CustomerList"):
        def refused(*_args):
            raise refusal

        monkeypatch.setattr(where, what, refused)

    return refuse_with


def test_whoever_cannot_restore_the_new_month_is_told_so(ann, sign_in, refuse):
    refuse(LockTimeout(SAYS), middleware, "current_month")
    page = sign_in(ann).get("/customers/")
    assert page.status_code == 409
    assert SAYS in page.content.decode()


def test_whoever_waited_too_long_for_a_report_is_told_so(ann, sign_in, refuse):
    refuse(LockTimeout(SAYS))
    page = sign_in(ann).get("/customers/")
    assert page.status_code == 409
    assert SAYS in page.content.decode()


def test_under_htmx_the_reason_comes_without_a_page_around_it(ann, sign_in, refuse):
    refuse(LockTimeout(SAYS))
    part = sign_in(ann).get("/customers/", headers={"HX-Request": "true", "HX-Target": "customer-list"})
    assert part.status_code == 409
    assert SAYS in part.content.decode()
    assert "<html" not in part.content.decode()


def test_what_may_not_be_done_is_a_403_with_its_reason(ann, sign_in, refuse):
    refuse(PermissionRefused("Ask your administrator."))
    page = sign_in(ann).get("/customers/")
    assert page.status_code == 403
    assert "Ask your administrator." in page.content.decode()
