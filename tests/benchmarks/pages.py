"""The customer list over HTTP (Django's test client: the whole stack but the socket), beside Django admin's."""

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
from tests.benchmarks.table import Row, interleaved, timed

MILLION = 1_000_000
PAGES = {
    "first page": "",
    "page 20": "?page=20",
    "last page": "?page=99999",
    **{f"sort={sign}{key}": f"?sort={sign}{key}" for key in SORTS for sign in ("", "-")},
    **{f"status={each}": f"?status={each}" for each in Status.values},
    **{f"budget_type={each}": f"?budget_type={each}" for each in (*BudgetType.values, "NONE")},
    "status=FROZEN, sort=-usage": "?status=FROZEN&sort=-usage",
    "a day it runs out": "?runs_out_after=2020-01-01",
}
BY_DAY = ("sort=runs_out", "sort=-runs_out", "a day it runs out")
RESTRICTED_PAGES = (
    "first page",
    "page 20",
    "sort=-usage",
    "status=FROZEN",
    "status=EXHAUSTED",
    "status=FROZEN, sort=-usage",
)
ADMIN_PAGES = {"first page": "", "last page": "?p=LAST", "sort=-usage": "?o=-7"}
COUNTS = re.compile(r"\bcount\(", re.IGNORECASE)
COMMON = ("alder", "wick", "foods", "gmbh", "levin", "网络科技", "有限公司", "disco")
NONE = ("zzyzx", "没有这家公司")


def client_of(username: str) -> Client:
    """A browser in which this person is signed in, to the database in use."""
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.get(username=username), "partnercenter.permissions.GrantBackend")
    return client


def getter(database: Database, username: str, path: str) -> Callable[[], Any]:
    """Getting the page from this database."""
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
    """The list at each size beside that at the smallest, beside admin; its count; search."""
    smallest, *larger = by_size
    by_size[smallest].use()
    listed = measurable()
    for size in larger:
        for name, query in listed.items():
            ways = [getter(by_size[each], "ann", f"/customers/{query}") for each in (size, smallest)]
            product, other = interleaved(*ways)
            yield Row(f"list page, {name}", size, product, f"at {smallest:,}", other, 1.2)
        yield from _counted(by_size[size], by_size[smallest])
    largest = by_size[max(by_size)]
    yield from _restricted(largest)
    yield from _beside_admin(largest)
    yield from _search(largest)


def measurable() -> dict[str, str]:
    """All pages but those about days where no budget has a day it runs out, as in the first two days of a month."""
    if Budget.objects.exclude(runs_out_on=None).exists():
        return PAGES
    print(f"left out, as no budget has a day it runs out today: {', '.join(BY_DAY)}", file=sys.stderr, flush=True)
    return {name: query for name, query in PAGES.items() if name not in BY_DAY}


def _counted(database: Database, smallest: Database) -> Iterator[Row]:
    """What the page spends on counting: a capped or maintained count takes no longer for a million."""
    for name in ("first page", "status=NORMAL"):
        ways = [getter(each, "ann", f"/customers/{PAGES[name]}") for each in (database, smallest)]
        product, other = (statistics.median(_counting(way) for _turn in range(5)) for way in ways)
        if product and other:
            yield Row(f"counting on the page, {name}", database.size, product, f"at {smallest.size:,}", other, 1.2)


def _counting(get: Callable[[], Any]) -> float:
    spent = 0.0

    def stopwatch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal spent
        start = time.perf_counter()
        result = execute(sql, params, many, context)
        spent += time.perf_counter() - start if COUNTS.search(sql) else 0
        return result

    get()
    with connection.execute_wrapper(stopwatch):
        get()
    return spent


def _restricted(database: Database) -> Iterator[Row]:
    """With the reseller restricted, so that all its customers are frozen, beside the same page without."""

    def making(status: Partner.Status) -> Callable[[], tuple[()]]:
        def make() -> tuple[()]:
            reseller = Partner.objects.get(users__username="ann")
            set_partner_status(reseller, status=status, reason="Measured", operator=None)
            return ()

        return make

    prepare = [making(Partner.Status.RESTRICTED), making(Partner.Status.NORMAL)]
    for name in RESTRICTED_PAGES:
        get = getter(database, "ann", f"/customers/{PAGES[name]}")
        product, other = interleaved(get, get, prepare=prepare)
        yield Row(f"reseller restricted, {name}", database.size, product, "not restricted", other, 1.2)


def _beside_admin(database: Database) -> Iterator[Row]:
    last = database.size // 50
    goal = 1 / 30 if database.size >= MILLION else None
    for name, query in ADMIN_PAGES.items():
        admin = getter(database, "root", f"/bench/customers/customer/{query.replace('LAST', str(last))}")
        product, other = interleaved(getter(database, "ann", f"/customers/{PAGES[name]}"), admin)
        yield Row(f"list page, {name}", database.size, product, "Django admin", other, goal)


def _search(database: Database) -> Iterator[Row]:
    """Common and rare texts and some that nobody has, by name and account name, each five times in turns."""
    database.use()
    step = database.size // 8
    rare = Customer.objects.filter(pk__in=[step * n + 7 for n in range(7)])
    texts = [*COMMON, *NONE, *(c.account_name for c in rare), *(c.name for c in rare)]
    gets = [getter(database, "ann", f"/customers/?q={text}") for text in texts]
    times = [timed(get) for _turn in range(5) for get in gets]
    yield Row("search over HTTP, p95", database.size, statistics.quantiles(times, n=20)[-1], goal=0.05)
    yield Row("search over HTTP, slowest", database.size, max(times), goal=0.5)
    admin = getter(database, "root", "/bench/customers/customer/?q=alder")
    product, other = interleaved(gets[0], admin)
    yield Row("search over HTTP, common", database.size, product, "Django admin", other)
