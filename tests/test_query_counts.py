"""Each page makes the same small number of database queries for 3 rows as for 50.

See "Three flows" in docs/architecture.md.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from budgets.months import month_name, previous_month
from customers.actions.audit import record_export
from customers.actions.notes import add_note
from customers.models import Customer, ExportRecord, SavedView
from partnercenter.actions.partners import give_grant
from partnercenter.models import BudgetType, Partner, User
from tests import factories

# In the middle of a month: the first request of a new month restores budgets, which takes more queries.
pytestmark = pytest.mark.clock("2026-09-20 04:00", tick=True)

FEW, MANY = 3, 50
MONTH = "2026-01"


class Cast(NamedTuple):
    """The people who open the pages, and the partners whose customers they see."""

    distributor: Partner
    reseller: Partner
    dora: User
    ann: User
    platform: User


@pytest.fixture
def cast(dora_distribution: Partner, acme: Partner, dora: User, ann: User, platform: User) -> Cast:
    return Cast(dora_distribution, acme, dora, ann, platform)


def this_month(customer: Customer) -> str:
    return month_name(factories.stored(customer).counted_from)


def months_before(customer: Customer, number: int) -> str:
    """The month this many months before the one in which the customer's budget was set."""
    month = factories.stored(customer).counted_from
    for _each in range(number):
        month = previous_month(month)
    return month_name(month)


def customers_of_one(cast: Cast, number: int) -> None:
    """Customers of one reseller: frozen by their budgets, frozen since association, and not frozen."""
    third = number // 3
    factories.customers(cast.reseller, third)
    unfrozen = factories.customers(cast.reseller, number - 2 * third)
    factories.budget(unfrozen, cast.ann, "100", BudgetType.MONTHLY)
    exhausted = factories.customers(cast.reseller, third)
    factories.budget(exhausted, cast.ann, "10")
    factories.report(*[(customer, this_month(exhausted[0]), "12") for customer in exhausted])


def customers_of_many(cast: Cast, number: int) -> None:
    """One customer of each of this many resellers, every other one with a grant."""
    for each in range(number):
        name = f"r-{Partner.objects.count()}"
        partner = factories.reseller(cast.distributor, name, quota=factories.MILLION if each % 2 else None)
        factories.customer(partner)


def unknown_accounts(cast: Cast, number: int) -> None:
    factories.report(*[(f"unknown-{cast.reseller.reports.count()}-{each}", MONTH, "1") for each in range(number)])


def more_budgets(cast: Cast, number: int) -> None:
    """This many adjustment records of one customer."""
    customer = Customer.objects.filter(customer_id="one").first() or factories.customer(cast.reseller, "one")
    for _each in range(number):
        factories.budget(customer, cast.ann, str(customer.adjustment_records.count() + 5))


def more_notes(cast: Cast, number: int) -> None:
    customer = Customer.objects.filter(customer_id="one").first() or factories.customer(cast.reseller, "one")
    for each in range(number):
        add_note(customer, f"Note {each}", operator=cast.ann)


def more_months_of_reports(cast: Cast, number: int) -> None:
    """Budgets and reports of one customer for this many months; they freeze and unfreeze the account."""
    customer = Customer.objects.filter(customer_id="one").first() or factories.customer(cast.reseller, "one")
    for _each in range(number):
        nth = customer.adjustment_records.count() + 1
        factories.budget(customer, cast.ann, str(nth * 10))
        factories.report((customer, months_before(customer, nth), "1"))
        factories.report((customer, this_month(customer), str(nth * 10 + 1)))


def more_reports(cast: Cast, number: int) -> None:
    customer = Customer.objects.filter(customer_id="one").first() or factories.customer(cast.reseller, "one")
    for _each in range(number):
        total = str(customer.expenditures.count() + cast.reseller.reports.count() + 1)
        factories.report((customer, MONTH, total), operator=cast.ann, only=cast.reseller)


def more_saved_views(cast: Cast, number: int) -> None:
    first = SavedView.objects.count()
    SavedView.objects.bulk_create(SavedView(operator=cast.ann, name=f"{first + each}") for each in range(number))


def more_exports(cast: Cast, number: int) -> None:
    for _each in range(number):
        record_export(ExportRecord.What.LIST, query="", rows=1, operator=cast.ann, partner=cast.reseller)


def more_quotas(cast: Cast, number: int) -> None:
    for _each in range(number):
        quota = factories.MILLION + cast.reseller.grant_records.count()
        give_grant(cast.reseller, monthly_quota=quota, one_time_quota=None, operator=cast.dora)


def more_users(cast: Cast, number: int) -> None:
    rows = [User(username=f"u{User.objects.count() + each}", partner=cast.reseller) for each in range(number)]
    User.objects.bulk_create(rows)


# On PostgreSQL one more query estimates how many customers a search finds.
ESTIMATE = connection.vendor == "postgresql"


class MeasuredPage(NamedTuple):
    """A page, who opens it, what fills it, and how many queries it takes, including those for session and user."""

    path: str
    person: str
    fill: Callable[[Cast, int], Any]
    queries: int


# Each page of a partner's people queries the current month.
# The list queries an index for the keys of its page, then these customers, then how many customers' data may be deleted
# soon. A distributor's list first queries its resellers, and whether one of them has no grant.
# The results of a search are counted and sorted in one query.
PAGES = {
    "list of a reseller": MeasuredPage("/customers/", "ann", customers_of_one, 7),
    "list sorted and searched": MeasuredPage("/customers/?sort=-usage&q=a", "ann", customers_of_one, 6 + ESTIMATE),
    "list of a distributor": MeasuredPage("/customers/", "dora", customers_of_many, 10),
    "list of one of its resellers": MeasuredPage("/customers/?reseller=acme-reseller", "dora", customers_of_one, 10),
    "saved views": MeasuredPage("/customers/saved-views/", "ann", more_saved_views, 4),
    "resellers' customers": MeasuredPage("/customers/resellers/", "dora", customers_of_many, 7),
    "unassociated accounts": MeasuredPage("/customers/unassociated/", "platform", unknown_accounts, 4),
    "records": MeasuredPage("/budgets/records/?customer=one", "ann", more_budgets, 6),
    "set budget": MeasuredPage("/budgets/set/?customer=one", "ann", more_budgets, 6),
    # Month, customer, row of the list, expenditure, budgets in force, cause of freeze; operators, count and records.
    "customer": MeasuredPage("/customers/detail/?customer=one", "ann", more_months_of_reports, 12),
    "customer, freeze records": MeasuredPage(
        "/customers/detail/?customer=one&tab=freezes", "ann", more_months_of_reports, 12
    ),
    "customer, notes": MeasuredPage("/customers/detail/?customer=one&tab=notes", "ann", more_notes, 10),
    "customer of a distributor's reseller": MeasuredPage(
        "/customers/detail/?customer=one", "dora", more_months_of_reports, 13
    ),
    "freeze": MeasuredPage("/customers/freeze/?customer=one", "ann", more_budgets, 6),
    "unfreeze": MeasuredPage("/customers/unfreeze/?customer=one", "ann", more_budgets, 6),
    "expenditure": MeasuredPage("/customers/expenditure/", "ann", more_reports, 8),
    "export history": MeasuredPage("/customers/exports/", "ann", more_exports, 5),
    "partner information as reseller": MeasuredPage("/partner-information/", "ann", customers_of_one, 3),
    "partner information as distributor": MeasuredPage("/partner-information/", "dora", customers_of_many, 3),
    "overview": MeasuredPage("/", "ann", customers_of_one, 3),
    "grants in admin": MeasuredPage("/admin/partnercenter/grant/", "dora", customers_of_many, 5),
    "partners in admin": MeasuredPage("/admin/partnercenter/partner/", "dora", customers_of_many, 5),
    "users in admin": MeasuredPage("/admin/partnercenter/user/", "dora", more_users, 5),
    "grant records in admin": MeasuredPage("/admin/partnercenter/grantrecord/", "dora", more_quotas, 5),
    "all users in admin": MeasuredPage("/admin/partnercenter/user/", "platform", more_users, 5),
    "customers in admin": MeasuredPage("/admin/customers/customer/", "platform", customers_of_one, 5),
    "freeze records in admin": MeasuredPage("/admin/customers/freezerecord/", "platform", customers_of_one, 5),
    "adjustment records in admin": MeasuredPage("/admin/budgets/adjustmentrecord/", "platform", more_budgets, 5),
}


def count_queries(client: Client, path: str) -> int:
    """The queries of the second request for a page; the first one fills caches."""
    assert client.get(path).status_code == 200
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


def few_and_many(page: MeasuredPage, cast: Cast, client: Client) -> tuple[int, int]:
    page.fill(cast, FEW)
    few = count_queries(client, page.path)
    page.fill(cast, MANY - FEW)
    return few, count_queries(client, page.path)


@pytest.mark.parametrize("name", PAGES)
def test_the_number_of_queries_of_a_page_does_not_grow_with_its_rows(name, cast, sign_in):
    page = PAGES[name]
    client = sign_in(getattr(cast, page.person))
    assert few_and_many(page, cast, client) == (page.queries, page.queries)


@pytest.mark.parametrize("name", ["list of a reseller", "list of a distributor", "records", "set budget", "customer"])
def test_showing_names_takes_one_more_query_for_its_record(name, cast, sign_in):
    page = PAGES[name]
    client = sign_in(getattr(cast, page.person))
    client.post("/customers/names/", {"shown": "1"})
    assert few_and_many(page, cast, client) == (page.queries + 1, page.queries + 1)


def test_the_number_of_queries_of_a_reports_page_does_not_grow_with_the_accounts_it_froze(cast, sign_in):
    counted = []
    for number in (FEW, MANY):
        customers = factories.customers(cast.reseller, number)
        factories.budget(customers, cast.ann, "10")
        lines = [(customer, this_month(customers[0]), "12") for customer in customers]
        result = factories.report(*lines, operator=cast.ann, only=cast.reseller)
        assert result.frozen == number
        counted.append(count_queries(sign_in(cast.ann), f"/customers/expenditure/{result.report}/"))
    assert counted == [7, 7]
