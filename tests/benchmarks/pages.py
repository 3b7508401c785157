"""The customer list over HTTP, compared with fewer customers and with Django admin.

HTTP means Django's test client: the whole stack except the socket.
"""

import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection
from django.test import Client

from budgets.models import Budget
from customers.listing.filters import SORTS
from customers.listing.status import Status
from customers.models import Customer
from partnercenter.actions.partners import set_partner_status
from partnercenter.models import BudgetType, Partner, User
from tests.benchmarks.databases import Database
from tests.benchmarks.table import Row, median_seconds, seconds_of

MILLION = 1_000_000
PAGES = {
    "first page": "",
    "page 20": "?page=20",
    "last page": "?page=99999",
    **{f"sort={sign}{key}": f"?sort={sign}{key}" for key in SORTS for sign in ("", "-")},
    **{f"status={each}": f"?status={each}" for each in Status.values},
    **{f"budget_type={each}": f"?budget_type={each}" for each in (*BudgetType.values, "NONE")},
    "status=FROZEN, sort=-usage": "?status=FROZEN&sort=-usage",
    "with a run-out day": "?runs_out_after=2020-01-01",
}
RUN_OUT_PAGES = ("sort=runs_out", "sort=-runs_out", "with a run-out day")
RESTRICTED_PAGES = (
    "first page",
    "page 20",
    "sort=-usage",
    "status=FROZEN",
    "status=EXHAUSTED",
    "status=FROZEN, sort=-usage",
)
ADMIN_PAGES = {"first page": "", "last page": "?p=LAST", "sort=-usage": "?o=-7"}
COUNT_QUERY = re.compile(r"\bcount\(", re.IGNORECASE)
COMMON_WORDS = ("alder", "wick", "foods", "gmbh", "levin", "网络科技", "有限公司", "disco")
UNKNOWN_WORDS = ("zzyzx", "没有这家公司")


def client_of(username: str) -> Client:
    """A client of the database in use, signed in as this person."""
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.get(username=username), "partnercenter.permissions.GrantBackend")
    return client


def getter(database: Database, username: str, path: str) -> Callable[[], Any]:
    """A function that gets the page from this database."""
    database.use()
    client = client_of(username)

    def get() -> Any:
        database.use()
        response = client.get(path)
        if response.status_code != 200:
            raise AssertionError(f"{path}: {response.status_code}")
        return response

    return get


def measure(by_size: dict[int, Database]) -> Iterator[Row]:
    """The list at each size compared with the smallest, its count queries, a restricted reseller, admin, and search."""
    smallest, *larger = by_size
    by_size[smallest].use()
    measured = measurable_pages()
    for size in larger:
        for name, query in measured.items():
            gets = [getter(by_size[each], "ann", f"/customers/{query}") for each in (size, smallest)]
            product, baseline = median_seconds(*gets)
            yield Row(f"list page, {name}", size, product, f"at {smallest:,}", baseline, 1.2)
        yield from _count_queries(by_size[size], by_size[smallest])
    largest = by_size[max(by_size)]
    yield from _restricted_reseller(largest)
    yield from _django_admin(largest)
    yield from _search(largest)


def measurable_pages() -> dict[str, str]:
    """All pages, without those about run-out days if no budget has one, as in the first two days of a month."""
    if Budget.objects.exclude(runs_out_on=None).exists():
        return PAGES
    print(f"not measured, because no budget has a run-out day: {', '.join(RUN_OUT_PAGES)}", file=sys.stderr, flush=True)
    return {name: query for name, query in PAGES.items() if name not in RUN_OUT_PAGES}


def _count_queries(database: Database, smallest: Database) -> Iterator[Row]:
    """The time that the page spends on counting, which is limited and so takes no longer for a million customers."""
    for name in ("first page", "status=NORMAL"):
        gets = [getter(each, "ann", f"/customers/{PAGES[name]}") for each in (database, smallest)]
        product, baseline = (statistics.median(_seconds_of_counting(get) for _turn in range(5)) for get in gets)
        if product and baseline:
            yield Row(f"counting on the page, {name}", database.size, product, f"at {smallest.size:,}", baseline, 1.2)


def _seconds_of_counting(get: Callable[[], Any]) -> float:
    seconds = 0.0

    def stopwatch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal seconds
        start = time.perf_counter()
        result = execute(sql, params, many, context)
        seconds += time.perf_counter() - start if COUNT_QUERY.search(sql) else 0
        return result

    get()
    with connection.execute_wrapper(stopwatch):
        get()
    return seconds


def _restricted_reseller(database: Database) -> Iterator[Row]:
    """Pages of a restricted reseller, all of whose customers are frozen, compared with the same pages without that."""

    def setting(status: Partner.Status) -> Callable[[], tuple[()]]:
        def set_status() -> tuple[()]:
            reseller = Partner.objects.get(users__username="ann")
            set_partner_status(reseller, status=status, reason="Measured", operator=None)
            return ()

        return set_status

    prepare = [setting(Partner.Status.RESTRICTED), setting(Partner.Status.NORMAL)]
    for name in RESTRICTED_PAGES:
        get = getter(database, "ann", f"/customers/{PAGES[name]}")
        product, baseline = median_seconds(get, get, prepare=prepare)
        yield Row(f"reseller restricted, {name}", database.size, product, "not restricted", baseline, 1.2)


def _django_admin(database: Database) -> Iterator[Row]:
    last = database.size // 50
    goal = 1 / 30 if database.size >= MILLION else None
    for name, query in ADMIN_PAGES.items():
        admin = getter(database, "root", f"/bench/customers/customer/{query.replace('LAST', str(last))}")
        product, baseline = median_seconds(getter(database, "ann", f"/customers/{PAGES[name]}"), admin)
        yield Row(f"list page, {name}", database.size, product, "Django admin", baseline, goal)


def _search(database: Database) -> Iterator[Row]:
    """Search for common words, unknown words, and names and account names of single customers, each five times."""
    database.use()
    step = database.size // 8
    rare = Customer.objects.filter(pk__in=[step * n + 7 for n in range(7)])
    texts = [*COMMON_WORDS, *UNKNOWN_WORDS, *(c.account_name for c in rare), *(c.name for c in rare)]
    gets = [getter(database, "ann", f"/customers/?q={text}") for text in texts]
    times = [seconds_of(get) for _turn in range(5) for get in gets]
    yield Row("search over HTTP, p95", database.size, statistics.quantiles(times, n=20)[-1], goal=0.05)
    yield Row("search over HTTP, slowest", database.size, max(times), goal=0.5)
    admin = getter(database, "root", "/bench/customers/customer/?q=alder")
    product, baseline = median_seconds(gets[0], admin)
    yield Row("search over HTTP, a common word", database.size, product, "Django admin", baseline)
