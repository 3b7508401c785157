"""Each filter of the customer list selects the same customers in the list, its count, its export and *all matching*."""

from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.test import Client

from budgets.actions.freeze_terms import FreezeRequest
from budgets.actions.manual_freeze import freeze_now
from customers import agreement
from customers.listing.filters import BY_FLAGS, NARROW_BY, CustomerFilterForm
from customers.models import Customer, FreezeKind
from partnercenter.models import BudgetType
from tests import factories
from tests.pages import csv_rows, row_ids

pytestmark = pytest.mark.clock("2026-09-05 02:00")

NOW = factories.moment("2026-09-15 02:00")
# For each filter a value that some of the customers below match and others do not.
VALUES = {
    "q": "kest",
    "status": "FROZEN",
    "budget_type": "MONTHLY",
    "reseller": "acme-reseller",
    "usage_min": "50",
    "usage_max": "50",
    "auto_frozen": "1",
    "mtd_min": "50",
    "mtd_max": "50",
    "runs_out_after": "2026-09-20",
    "runs_out_before": "2026-09-20",
    "association_type": "REFERRAL",
    "associated_after": "2026-09-12",
    "associated_before": "2026-09-12",
    "retention": "7",
    "manager": "Li Lei",
    "tag": "vip",
}


@pytest.fixture
def customers(acme, ungranted, referral, ann, clock) -> None:
    """Customers in many states; those of acme were associated, spent and were frozen at different times."""
    old = factories.customer(acme, "old", account_name="kestwick", account_manager="Li Lei", tags=("vip",))
    factories.budget(old, ann, "100", BudgetType.MONTHLY)
    clock.move_to(NOW)
    spent, over = factories.customer(acme, "spent"), factories.customer(acme, "over")
    factories.budget([spent, over], ann, "100")
    factories.customer(ungranted, "others")
    factories.report((old, "2026-09", "80"), (spent, "2026-09", "40"), (over, "2026-09", "200"), at=NOW)
    resources = FreezeRequest(FreezeKind.ACCOUNT_AND_RESOURCE, "a reason", agreement.CURRENT_VERSION, freezes=True)
    freeze_now(Customer.objects.filter(pk=spent.pk), resources, operator=ann)
    clock.move_to(NOW + timedelta(days=9))


def listed(client: Client, query: dict[str, str]) -> set[str]:
    return set(row_ids(client.get("/customers/", query)))


def exported(client: Client, query: dict[str, str]) -> set[str]:
    return {row["customer_id"] for row in csv_rows(client.get("/customers/export/", query))}


def number_selected(client: Client, query: dict[str, str]) -> int:
    """How many customers Set Budget counts when all matching ones are selected."""
    dialog = client.post(f"/budgets/terms/?{urlencode(query)}", {"all_matching": "1"})
    return dialog.context["number"]


def test_every_filter_has_a_value_here_and_a_function_that_narrows_the_list():
    assert list(VALUES) == CustomerFilterForm.filter_names()
    assert set(VALUES) == set(NARROW_BY) | BY_FLAGS


@pytest.mark.parametrize("name", CustomerFilterForm.filter_names())
def test_a_filter_selects_the_same_customers_everywhere(name, customers, dora, sign_in):
    client, query = sign_in(dora), {name: VALUES[name]}
    found, page = listed(client, query), client.get("/customers/", query)
    assert set() < found < listed(client, {})
    assert page.context["counts"].customers == len(found)
    assert len(page.context["active_filters"]) == 1
    assert client.get("/customers/count/", query).content.decode() == str(len(found))
    assert exported(client, query) == found
    assert number_selected(client, query) == len(found)
