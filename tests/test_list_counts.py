"""The counts above the customer list stop at a thousand, and no query reads all customers."""

from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import factories
from tests.pages import get_page
from tests.sql import count_queries

pytestmark = pytest.mark.clock("2026-09-15 02:00")

NOW = factories.moment("2026-09-15 02:00")


@pytest.mark.parametrize(("number", "count"), [(999, "999"), (1_000, "1,000"), (1_001, "1,000+"), (1_200, "1,000+")])
def test_a_count_is_exact_up_to_a_thousand_and_then_ends_in_a_plus_sign(number, count, acme, client):
    factories.bulk_customers(acme, number)
    content = client.get("/customers/").content.decode()
    assert f"Total: {count}<" in content
    assert f"<dt>Customers</dt><dd>{count}</dd>" in content


def test_neither_counts_nor_pages_read_all_customers(acme, client):
    """Every query of the customers has a limit, reads them by key, or only asks for a plan."""
    factories.bulk_customers(acme, 60)
    client.get("/customers/")
    with CaptureQueriesContext(connection) as captured:
        client.get("/customers/?sort=usage&status=NORMAL&q=man")
    queries = [query["sql"] for query in captured if 'FROM "customers_customer"' in query["sql"]]
    assert queries
    assert [
        sql for sql in queries if not any(each in sql for each in ("LIMIT", "unnest(", "json_each", "EXPLAIN"))
    ] == []


def test_the_status_budget_used_up_starts_at_exactly_100_percent(acme, ann, client):
    customers = factories.customers(acme, 5)
    factories.budget(customers, ann, "100")
    totals = ("99.99", "100.00", "100.01", "-0.01", "99.50")
    factories.report(*[(each, "2026-09", total) for each, total in zip(customers, totals, strict=True)])
    ids, _page = get_page(client, "?status=EXHAUSTED")
    assert set(ids) == {customers[1].customer_id, customers[2].customer_id}
    assert client.get("/customers/").context["counts"].exhausted == 2


def test_the_number_of_queries_does_not_grow_with_the_number_of_customers(acme, ann, client):
    factories.budget(factories.customers(acme, 3), ann, "100")
    counts = []
    for prefix, number in (("few", 60), ("many", 2_000)):
        factories.bulk_customers(acme, number, prefix=prefix)
        for path in ("/customers/", "/customers/?sort=-usage", "/customers/?size=100"):
            client.get(path)
            counts.append(count_queries(partial(client.get, path)))
    assert counts[:3] == counts[3:]
