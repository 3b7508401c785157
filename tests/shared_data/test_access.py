"""Who may open which address of the console, and with which status others are refused; see section 5 (docs/rules.md).

The table lists each address once for each method that it answers; a test fails for an address that is missing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import pytest
from django.test import Client
from django.urls import URLPattern, get_resolver
from django.utils import timezone

from budgets.actions.reviews import review_budgets
from budgets.actions.terms import BudgetTerms
from budgets.models import AdjustmentRecord
from customers.models import Customer
from partnercenter.actions.partners import give_grant
from partnercenter.models import BudgetType, Job, Partner, User
from tests import factories
from tests.pages import MANUAL_BUDGET

FREEZE = {"kind": "ACCOUNT", "reason": "Unpaid invoice"}
SignIn = Callable[[User | None], Client]


class Page(NamedTuple):
    """An address, a method, and the expected status for each person.

    `stranger` administers another reseller and asks for acme's; `ungranted` administers a reseller without a grant and
    asks for its own; `viewer` belongs to acme; `platform` has no partner. `wrong_status` is the expected status for
    somebody who may open the address but uses `wrong_method`.
    """

    name: str
    method: str
    path: str
    anonymous: int
    stranger: int
    ungranted: int
    viewer: int
    platform: int
    wrong_method: str = "DELETE"
    wrong_status: int = 405
    data: dict[str, str] | None = None


PAGES = [
    Page("home", "get", "/", 302, 200, 200, 200, 200, "POST"),
    Page("healthz", "get", "/healthz", 200, 200, 200, 200, 200, "POST"),
    Page("sign_in", "get", "/sign-in/", 200, 200, 200, 200, 200),
    Page("sign_in", "post", "/sign-in/", 200, 200, 200, 200, 200),
    Page("sign_out", "post", "/sign-out/", 302, 302, 302, 302, 302, "GET"),
    Page("password_change", "get", "/password/", 302, 200, 200, 200, 200),
    Page("password_change", "post", "/password/", 302, 200, 200, 200, 200),
    Page("password_change_done", "get", "/password/changed/", 302, 200, 200, 200, 200, "POST"),
    Page("password_reset", "get", "/password/reset/", 200, 200, 200, 200, 200),
    Page("password_reset", "post", "/password/reset/", 200, 200, 200, 200, 200),
    Page("password_reset_done", "get", "/password/reset/sent/", 200, 200, 200, 200, 200, "POST"),
    # An expired link gets the same answer whatever the method.
    Page("password_reset_confirm", "get", "/password/reset/MQ/none/", 200, 200, 200, 200, 200, wrong_status=200),
    Page("password_reset_complete", "get", "/password/reset/complete/", 200, 200, 200, 200, 200, "POST"),
    Page("partner_information", "get", "/partner-information/", 302, 200, 200, 200, 403),
    Page("partner_information", "post", "/partner-information/", 302, 302, 302, 403, 403),
    Page("operation", "get", "/operations/{operation}/", 302, 404, 404, 404, 403),
    Page("operation", "post", "/operations/{operation}/", 302, 404, 404, 404, 403),
    Page("operation_code", "post", "/operations/{operation}/code/", 302, 404, 404, 404, 403, "GET"),
    Page("job", "get", "/jobs/{job}/", 302, 404, 404, 404, 403, "POST"),
    Page("job_again", "post", "/jobs/{job}/again/", 302, 404, 404, 404, 403, "GET"),
    Page("batches", "get", "/budgets/batches/", 302, 200, 200, 200, 403, "POST"),
    Page("batch", "get", "/budgets/batches/{operation}/", 302, 404, 404, 404, 403, "POST"),
    Page("undo_batch", "post", "/budgets/batches/{operation}/undo/", 302, 404, 404, 404, 403, "GET"),
    Page("export_batch", "get", "/budgets/batches/{operation}/export/", 302, 404, 404, 404, 403, "HEAD"),
    Page("operation_edit", "post", "/operations/{operation}/edit/", 302, 404, 404, 404, 403, "GET"),
    Page("import_budgets", "get", "/budgets/import/", 302, 200, 403, 403, 403),
    Page("import_budgets", "post", "/budgets/import/", 302, 422, 403, 403, 403),
    Page("budget_terms", "post", "/budgets/terms/?{customer}", 302, 422, 403, 403, 403, "GET"),
    Page("freeze", "get", "/customers/freeze/?{customer}", 302, 404, 403, 403, 403),
    Page("freeze", "post", "/customers/freeze/?{customer}", 302, 404, 403, 403, 403, data=FREEZE),
    Page("unfreeze", "get", "/customers/unfreeze/?{customer}", 302, 404, 403, 403, 403),
    Page("unfreeze", "post", "/customers/unfreeze/?{customer}", 302, 404, 403, 403, 403, data=FREEZE),
    Page("customers", "get", "/customers/", 302, 200, 200, 200, 403, "POST"),
    Page("export_customers", "get", "/customers/export/", 302, 200, 200, 403, 403, "HEAD"),
    Page("exports", "get", "/customers/exports/", 302, 200, 200, 403, 403, "POST"),
    Page("customer_count", "get", "/customers/count/", 302, 200, 200, 200, 403, "POST"),
    Page("customer_names", "post", "/customers/names/", 302, 302, 302, 302, 403, "GET", data={"shown": "1"}),
    Page("resellers", "get", "/customers/resellers/", 302, 403, 403, 403, 403, "POST"),
    Page("saved_views", "get", "/customers/saved-views/", 302, 200, 200, 200, 403, "POST"),
    Page("save_view", "post", "/customers/views/", 302, 302, 302, 302, 403, "GET", data={"name": "all"}),
    Page("delete_view", "post", "/customers/views/delete/", 302, 404, 404, 404, 403, "GET", data={"view": "1"}),
    Page("decisions", "get", "/customers/decisions/", 302, 200, 200, 200, 403, "POST"),
    Page("snooze", "get", "/customers/decisions/snooze/?{customer}", 302, 404, 403, 403, 403),
    Page("snooze", "post", "/customers/decisions/snooze/", 302, 422, 403, 403, 403),
    Page("wake", "post", "/customers/decisions/wake/", 302, 422, 403, 403, 403, "GET"),
    Page("customer", "get", "/customers/detail/?{customer}", 302, 404, 200, 200, 403),
    Page("customer", "post", "/customers/detail/?{customer}", 302, 404, 302, 403, 403, data={"text": "x"}),
    Page("export_records", "get", "/customers/detail/records/export/?{customer}", 302, 404, 200, 403, 403, "HEAD"),
    Page("freeze_record", "get", "/customers/freeze-records/{freeze}/", 302, 404, 200, 200, 403, "POST"),
    Page("set_budget", "get", "/budgets/set/?{customer}", 302, 404, 403, 403, 403),
    Page("set_budget", "post", "/budgets/set/?{customer}", 302, 404, 403, 403, 403, data=MANUAL_BUDGET),
    Page("adjustment_records", "get", "/budgets/records/?{customer}", 302, 404, 200, 200, 403, "POST"),
    Page("expenditure", "get", "/customers/expenditure/", 302, 200, 200, 403, 403),
    Page("expenditure", "post", "/customers/expenditure/", 302, 422, 422, 403, 403),
    Page("expenditure_report", "get", "/customers/expenditure/{report}/", 302, 404, 404, 403, 403),
    Page("expenditure_report", "post", "/customers/expenditure/{report}/", 302, 404, 404, 403, 403),
    Page("unassociated", "get", "/customers/unassociated/", 302, 403, 403, 403, 200, "POST"),
    Page("admin/login/", "get", "/admin/login/", 302, 403, 403, 403, 302, "GET", 403),
]
EVERY_PAGE = pytest.mark.parametrize("entry", PAGES, ids=lambda entry: f"{entry.method} {entry.name}")


@dataclass
class Targets:
    """The objects that the addresses name."""

    acmes_customer: Customer
    ungranted_customer: Customer
    operation: Any
    report: Any
    job: Any

    def path(self, page: Page, customer: Customer) -> str:
        return page.path.format(
            customer=urlencode({"customer": customer.customer_id}),
            operation=self.operation,
            report=self.report,
            job=self.job,
            freeze=customer.freeze_records.get().pk,
        )


@pytest.fixture(scope="module")
def targets(acme: Partner, ann: User, ungranted: Partner) -> Targets:
    customer = factories.customer(acme)
    terms = BudgetTerms(BudgetType.ONE_TIME, Decimal(100))
    operation = review_budgets(Customer.objects.filter(pk=customer.pk), terms, operator=ann, unfreeze=False)
    imported = factories.report((customer, "2026-01", "1"), operator=ann, only=acme)
    job = Job.objects.create(operator=ann, title="Set Budget", task="budgets.tasks.confirm")
    return Targets(customer, factories.customer(ungranted), operation.pk, imported.report, job.pk)


def send(client: Client, page: Page, path: str, **headers: Any) -> Any:
    return getattr(client, page.method)(path, page.data or {}, **headers)


def addresses(patterns: Any = None, prefix: str = "") -> Iterator[str]:
    """The name of every address of the console, or its path if it has no name; without the pages of Django admin."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        path = f"{prefix}{pattern.pattern}"
        if isinstance(pattern, URLPattern):
            yield pattern.name or path
        elif path != "admin/":
            yield from addresses(pattern.url_patterns, path)


def test_the_table_has_every_address():
    assert {page.name for page in PAGES} == set(addresses())


@EVERY_PAGE
def test_without_signing_in_each_address_answers_as_listed(entry, targets, sign_in):
    response = send(sign_in(None), entry, targets.path(entry, targets.acmes_customer))
    assert response.status_code == entry.anonymous
    if entry.anonymous == 302:
        assert urlsplit(response["Location"]).path == "/sign-in/"


@EVERY_PAGE
@pytest.mark.parametrize("who", ["stranger", "ungranted", "viewer", "platform"])
def test_for_each_person_each_address_answers_as_listed(entry, who, targets, sign_in, request):
    person = request.getfixturevalue(
        {"stranger": "carl", "ungranted": "una", "viewer": "vera", "platform": "platform"}[who]
    )
    customer = targets.ungranted_customer if who == "ungranted" else targets.acmes_customer
    response = send(sign_in(person), entry, targets.path(entry, customer))
    assert response.status_code == getattr(entry, who)
    assert not AdjustmentRecord.objects.exists()


@EVERY_PAGE
def test_a_method_that_an_address_does_not_answer_is_refused(entry, targets, sign_in, ann):
    response = sign_in(ann).generic(entry.wrong_method, targets.path(entry, targets.acmes_customer))
    assert response.status_code == entry.wrong_status
    assert not AdjustmentRecord.objects.exists()


@EVERY_PAGE
def test_an_htmx_request_after_the_session_has_ended_leads_to_the_sign_in_page(entry, targets, sign_in):
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/customers/?q=x&page=2"}
    response = send(sign_in(None), entry, targets.path(entry, targets.acmes_customer), headers=headers)
    if entry.anonymous == 302:
        assert response.status_code == 204
        assert response["HX-Redirect"] == "/sign-in/?next=%2Fcustomers%2F%3Fq%3Dx%26page%3D2"
    else:
        assert response.status_code == entry.anonymous


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("who", "status"), [("carl", 404), ("una", 404), ("vera", 403), ("ann", 422)])
def test_404_comes_before_403_and_403_before_422(method, who, status, referral, sign_in, request):
    person = request.getfixturevalue(who)
    response = sign_in(person).generic(method, f"/budgets/set/?customer={referral.customer_id}")
    assert response.status_code == status


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize(("who", "status"), [("vera", 403), ("una", 403), ("ann", 422), ("dora", 422)])
def test_only_people_who_may_set_budgets_are_told_that_no_customer_was_given(method, who, status, sign_in, request):
    client = sign_in(request.getfixturevalue(who))
    assert getattr(client, method)("/budgets/set/").status_code == status


@pytest.mark.parametrize("path", ["/budgets/set/", "/budgets/records/", "/customers/detail/"])
@pytest.mark.parametrize("customer_id", ["none", "\0", "a\0b", "x" * 5000, "\N{ZERO WIDTH SPACE}", "' OR 1=1 --"])
def test_a_customer_id_that_nobody_has_is_answered_with_404(path, customer_id, ann, sign_in):
    assert sign_in(ann).get(path, {"customer": customer_id}).status_code == 404


@pytest.mark.parametrize("path", ["/budgets/set/", "/budgets/records/", "/customers/detail/"])
def test_a_customer_who_left_is_answered_with_404(path, targets, ann, sign_in):
    Customer.objects.filter(pk=targets.acmes_customer.pk).update(disassociated_on=timezone.now())
    assert sign_in(ann).get(path, {"customer": targets.acmes_customer.customer_id}).status_code == 404


def test_once_a_grant_is_revoked_the_reseller_is_refused_and_the_distributor_acts(targets, acme, ann, dora, sign_in):
    path = f"/budgets/set/?customer={targets.acmes_customer.customer_id}"
    reseller, distributor = sign_in(ann), sign_in(dora)
    assert (reseller.get(path).status_code, distributor.get(path).status_code) == (200, 403)
    give_grant(acme, monthly_quota=None, one_time_quota=None, operator=dora)
    assert (reseller.get(path).status_code, distributor.get(path).status_code) == (403, 200)
    responses = [client.post(path, MANUAL_BUDGET) for client in (reseller, distributor)]
    assert [response.status_code for response in responses] == [403, 302]
    assert AdjustmentRecord.objects.get().operator == dora


def test_a_reseller_without_a_grant_is_told_to_contact_its_distributor_by_name(targets, una, sign_in):
    response = sign_in(una).get(f"/budgets/set/?customer={targets.ungranted_customer.customer_id}")
    assert b"Contact your distributor Dora Distribution" in response.content


def test_a_customer_below_another_distributor_is_answered_with_404(targets, sign_in):
    other = factories.user("olga", factories.distributor("other-distribution"), User.Role.ADMINISTRATOR, is_staff=True)
    for path in ("/budgets/set/", "/budgets/records/", "/customers/detail/"):
        assert sign_in(other).get(path, {"customer": targets.acmes_customer.customer_id}).status_code == 404


def test_a_viewer_of_the_distributor_only_looks(targets, ungranted, dora_distribution, sign_in):
    client = sign_in(factories.user("dave", dora_distribution, User.Role.VIEWER))
    assert targets.ungranted_customer.customer_id in client.get("/customers/").content.decode()
    assert client.get("/budgets/set/", {"customer": targets.ungranted_customer.customer_id}).status_code == 403


def test_a_deactivated_user_is_signed_out_immediately(ann, sign_in):
    client = sign_in(ann)
    assert client.get("/customers/").status_code == 200
    User.objects.filter(pk=ann.pk).update(is_active=False)
    assert client.get("/customers/").status_code == 302


def test_a_solution_provider_needs_no_grant(sol, sol_solutions, sign_in):
    customer = factories.customer(sol_solutions)
    for budget_type in ("ONE_TIME", "MONTHLY"):
        data = {"customer": customer.customer_id, **MANUAL_BUDGET, "budget_type": budget_type}
        assert sign_in(sol).post("/budgets/set/", data).status_code == 302
    assert AdjustmentRecord.objects.count() == 2


def test_platform_staff_are_told_to_work_in_the_administration(platform, sign_in):
    response = sign_in(platform).get("/customers/")
    assert b"Platform staff work in Administration" in response.content
