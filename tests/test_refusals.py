"""A refusal that no view expects is still a page that says why, with its status, and never an error of the server."""

import pytest

from customers.views import customer_list
from partnercenter.lib.errors import LockTimeout, PermissionRefused

SAYS = "A report is being taken in."


@pytest.fixture
def refuse(monkeypatch):
    """The first page of a new month has to restore it, and finds that it may not."""

    def refuse_with(refusal):
        def current_month():
            raise refusal

        monkeypatch.setattr(customer_list, "current_month", current_month)

    return refuse_with


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
