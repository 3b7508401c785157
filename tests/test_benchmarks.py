"""The benchmark fills its databases with valid customers, measures alternately and judges goals correctly.

`make bench` does the measuring itself.
"""

import pytest

from budgets.queries.integrity import differences
from customers.models import Customer
from customers.search import fold
from tests import factories
from tests.benchmarks.customers import fill
from tests.benchmarks.memory import account
from tests.benchmarks.pages import PAGES, RUN_OUT_PAGES, measurable_pages
from tests.benchmarks.table import Row, growth_rows, markdown_table, median_seconds

ROW = Row("list page", 1_000_000, 0.030, "at 1,000", 0.029, 1.2)


def test_copies_are_as_valid_as_the_customers_that_the_product_makes(db):
    fill(3_000)
    assert Customer.objects.count() == 3_000
    for customer in Customer.objects.filter(pk__in=Customer.objects.order_by("-pk").values("pk")[:50]):
        assert customer.search == fold(customer.name, customer.account_name)
        assert set(customer.expenditures.values_list("account", flat=True)) <= {customer.customer_id}
    assert Customer.objects.filter(name__endswith=" 2").frozen().count() == Customer.objects.frozen().count() / 3
    assert not list(differences())


@pytest.mark.parametrize(
    ("now", "not_measured"), [("2026-09-02 12:00", set(RUN_OUT_PAGES)), ("2026-09-03 12:00", set())]
)
def test_pages_about_run_out_days_are_measured_only_if_a_budget_has_one(acme, ann, time_machine, now, not_measured):
    time_machine.move_to(factories.moment(now))
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100")
    factories.report((customer, "2026-09", "10"))
    assert PAGES.keys() - measurable_pages().keys() == not_measured


def test_functions_run_alternately_with_a_warm_up_round_and_get_what_prepare_returns():
    calls: list[str] = []
    prepared = iter("abcdef" * 2)
    median_seconds(
        lambda each: calls.append(f"A{each}"),
        lambda each: calls.append(f"B{each}"),
        prepare=lambda: next(prepared),
        rounds=2,
    )
    assert calls == ["Aa", "Bb", "Ac", "Bd", "Ae", "Bf"]


@pytest.mark.parametrize(
    ("row", "met"),
    [
        (ROW, True),
        (Row("list page", 1_000_000, 0.036, "at 1,000", 0.029, 1.2), False),
        (Row("same report again", 1_000, 0, goal=0, unit="rows"), True),
        (Row("same report again", 1_000, 1, goal=0, unit="rows"), False),
        (Row("requests", 1_000, 199, goal=200, unit="/s"), False),
        (Row("requests", 1_000, 200, goal=200, unit="/s"), True),
        (Row("requests", 1_000, 200, unit="/s"), None),
        (Row("updated in place", 1_000, 79.9, goal=80, unit="%"), False),
        (Row("updated in place", 1_000, 80, goal=80, unit="%"), True),
    ],
)
def test_a_goal_limits_the_ratio_or_without_a_baseline_the_figure(row, met):
    assert row.met is met


def test_the_table_shows_product_baseline_ratio_and_goal():
    lines = markdown_table([ROW, Row("list page", 1_000_000, 0.03, "Django admin", 1.02, 1 / 30)]).splitlines()
    assert [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]] == [
        ["list page", "1,000,000", "30.0 ms", "29.0 ms at 1,000", "1.03x", "≤ 1.20x", "met"],
        ["list page", "1,000,000", "30.0 ms", "1.02 s Django admin", "1/34", "≤ 1/30", "met"],
    ]


def test_growth_compares_only_sizes_of_which_one_is_ten_times_the_other():
    rows = growth_rows("set budgets", {1_000: [1.0, 0.5], 10_000: [12.0, 10], 50_000: [60.0, 50]})
    assert [(row.customers, row.value, row.met, row.baseline_name) for row in rows] == [
        (10_000, 12.0, False, "for 1,000 (bare SQL grows 20.00x)")
    ]


def test_the_accounts_in_the_report_of_the_memory_benchmark_all_differ():
    assert len({account(n) for n in range(10_000)}) == 10_000
