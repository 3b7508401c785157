"""Each page asks the database as often for 3 rows as for 50 (house: three flows), and seldom."""

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

# Not while a month turns: the first to ask in the new one restores budgets, which takes more queries.
pytestmark = pytest.mark.clock("2026-09-20 04:00", tick=True)

FEW, MANY = 3, 50
MONTH = "2026-01"


class Cast(NamedTuple):
    """Who looks, and at whose customers."""

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
    """So many months before that: past ones, whatever day it is."""
    month = factories.stored(customer).counted_from
    for _each in range(number):
        month = previous_month(month)
    return month_name(month)


def customers_of_one(cast: Cast, number: int) -> None:
    """Frozen by their budgets, frozen from association, and free: what a list holds."""
    third = number // 3
    factories.customers(cast.reseller, third)
    free = factories.customers(cast.reseller, number - 2 * third)
    factories.budget(free, cast.ann, "100", BudgetType.MONTHLY)
    over = factories.customers(cast.reseller, third)
    factories.budget(over, cast.ann, "10")
    factories.report(*[(customer, this_month(over[0]), "12") for customer in over])


def customers_of_many(cast: Cast, number: int) -> None:
    """One customer each of so many resellers, some granted, some not."""
    for each in range(number):
        name = f"r-{Partner.objects.count()}"
        partner = factories.reseller(cast.distributor, name, quota=factories.MILLION if each % 2 else None)
        factories.customer(partner)


def unknown_accounts(cast: Cast, number: int) -> None:
    factories.report(*[(f"unknown-{cast.reseller.reports.count()}-{each}", MONTH, "1") for each in range(number)])


def budgets_again(cast: Cast, number: int) -> None:
    """So many adjustment records of one customer."""
    customer = Customer.objects.filter(customer_id="one").first() or factories.customer(cast.reseller, "one")
    for _each in range(number):
        factories.budget(customer, cast.ann, str(customer.adjustment_records.count() + 5))


def noted_again(cast: Cast, number: int) -> None:
    customer = Customer.objects.filter(customer_id="one").first() or factories.customer(cast.reseller, "one")
    for each in range(number):
        add_note(customer, f"Note {each}", operator=cast.ann)


def years_of_reports(cast: Cast, number: int) -> None:
    """Budgets and reports of so many months of one customer, whose account they freeze and unfreeze."""
    customer = Customer.objects.filter(customer_id="one").first() or factories.customer(cast.reseller, "one")
    for _each in range(number):
        made = customer.adjustment_records.count() + 1
        factories.budget(customer, cast.ann, str(made * 10))
        factories.report((customer, months_before(customer, made), "1"))
        factories.report((customer, this_month(customer), str(made * 10 + 1)))


def reports(cast: Cast, number: int) -> None:
    customer = Customer.objects.filter(customer_id="one").first() or factories.customer(cast.reseller, "one")
    for _each in range(number):
        total = str(customer.expenditures.count() + cast.reseller.reports.count() + 1)
        factories.report((customer, MONTH, total), operator=cast.ann, only=cast.reseller)


def saved(cast: Cast, number: int) -> None:
    first = SavedView.objects.count()
    SavedView.objects.bulk_create(SavedView(operator=cast.ann, name=f"{first + each}") for each in range(number))


def exports(cast: Cast, number: int) -> None:
    for _each in range(number):
        record_export(ExportRecord.What.LIST, query="", rows=1, operator=cast.ann, partner=cast.reseller)


def quotas_again(cast: Cast, number: int) -> None:
    for _each in range(number):
        quota = factories.MILLION + cast.reseller.grant_records.count()
        give_grant(cast.reseller, monthly_quota=quota, one_time_quota=None, operator=cast.dora)


def users(cast: Cast, number: int) -> None:
    rows = [User(username=f"u{User.objects.count() + each}", partner=cast.reseller) for each in range(number)]
    User.objects.bulk_create(rows)


EXPECTING = connection.vendor == "postgresql"


class Measured(NamedTuple):
    """A page, who looks, what fills it, and how many queries it takes, those of session and person included."""

    path: str
    who: str
    fill: Callable[[Cast, int], Any]
    queries: int


# Each page of a partner's people asks for the current month.
# The list asks an index for the keys of its page and then for these customers, and whose data may be deleted soon. A
# distributor's asks for its resellers first, and whether one of them holds no grant.
# Whoever is searched for is counted and sorted in one, before which PostgreSQL is asked how many it expects.
PAGES = {
    "list of a reseller": Measured("/customers/", "ann", customers_of_one, 7),
    "list sorted and searched": Measured("/customers/?sort=-usage&q=a", "ann", customers_of_one, 6 + EXPECTING),
    "list of a distributor": Measured("/customers/", "dora", customers_of_many, 10),
    "list of one of its resellers": Measured("/customers/?reseller=acme-reseller", "dora", customers_of_one, 10),
    "saved views": Measured("/customers/saved-views/", "ann", saved, 4),
    "resellers' customers": Measured("/customers/resellers/", "dora", customers_of_many, 7),
    "accounts nobody knows": Measured("/customers/unassociated/", "platform", unknown_accounts, 4),
    "records": Measured("/budgets/records/?customer=one", "ann", budgets_again, 6),
    "set budget": Measured("/budgets/set/?customer=one", "ann", budgets_again, 6),
    # Month, customer, row of the list, expenditure and budgets in force, why frozen; operators, number and records.
    "customer": Measured("/customers/detail/?customer=one", "ann", years_of_reports, 12),
    "customer, freeze records": Measured("/customers/detail/?customer=one&tab=freezes", "ann", years_of_reports, 12),
    "customer, notes": Measured("/customers/detail/?customer=one&tab=notes", "ann", noted_again, 10),
    "customer of a distributor's reseller": Measured("/customers/detail/?customer=one", "dora", years_of_reports, 13),
    "freeze": Measured("/customers/freeze/?customer=one", "ann", budgets_again, 6),
    "unfreeze": Measured("/customers/unfreeze/?customer=one", "ann", budgets_again, 6),
    "expenditure": Measured("/customers/expenditure/", "ann", reports, 7),
    "export history": Measured("/customers/exports/", "ann", exports, 5),
    "partner information as reseller": Measured("/partner-information/", "ann", customers_of_one, 3),
    "partner information as distributor": Measured("/partner-information/", "dora", customers_of_many, 3),
    "overview": Measured("/", "ann", customers_of_one, 2),
    "grants in admin": Measured("/admin/partnercenter/grant/", "dora", customers_of_many, 5),
    "partners in admin": Measured("/admin/partnercenter/partner/", "dora", customers_of_many, 5),
    "users in admin": Measured("/admin/partnercenter/user/", "dora", users, 5),
    "grant records in admin": Measured("/admin/partnercenter/grantrecord/", "dora", quotas_again, 5),
    "all users in admin": Measured("/admin/partnercenter/user/", "platform", users, 5),
    "customers in admin": Measured("/admin/customers/customer/", "platform", customers_of_one, 5),
    "freeze records in admin": Measured("/admin/customers/freezerecord/", "platform", customers_of_one, 5),
    "adjustment records in admin": Measured("/admin/budgets/adjustmentrecord/", "platform", budgets_again, 5),
}


def queries(client: Client, path: str) -> int:
    assert client.get(path).status_code == 200
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


def few_and_many(measured: Measured, cast: Cast, client: Client) -> tuple[int, int]:
    measured.fill(cast, FEW)
    few = queries(client, measured.path)
    measured.fill(cast, MANY - FEW)
    return few, queries(client, measured.path)


@pytest.mark.parametrize("name", PAGES)
def test_the_number_of_queries_is_that_of_the_page_not_of_its_rows(name, cast, sign_in):
    measured = PAGES[name]
    client = sign_in(getattr(cast, measured.who))
    assert few_and_many(measured, cast, client) == (measured.queries, measured.queries)


@pytest.mark.parametrize("name", ["list of a reseller", "list of a distributor", "records", "set budget", "customer"])
def test_showing_names_costs_the_record_of_it_alone(name, cast, sign_in):
    measured = PAGES[name]
    client = sign_in(getattr(cast, measured.who))
    client.post("/customers/names/", {"shown": "1"})
    assert few_and_many(measured, cast, client) == (measured.queries + 1, measured.queries + 1)


def test_a_report_with_the_accounts_it_froze(cast, sign_in):
    counted = []
    for number in (FEW, MANY):
        customers = factories.customers(cast.reseller, number)
        factories.budget(customers, cast.ann, "10")
        lines = [(customer, this_month(customers[0]), "12") for customer in customers]
        taken = factories.report(*lines, operator=cast.ann, only=cast.reseller)
        assert taken.frozen == number
        counted.append(queries(sign_in(cast.ann), f"/customers/expenditure/{taken.report}/"))
    assert counted == [6, 6]
