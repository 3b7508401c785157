"""The benchmarks: the customers they measure on, and how goals are judged. `make bench` does the measuring."""

import pytest

from budgets.queries.integrity import differences
from customers.models import Customer
from customers.search import fold
from tests import factories
from tests.benchmarks.customers import fill
from tests.benchmarks.memory import account
from tests.benchmarks.pages import BY_DAY, PAGES, measurable
from tests.benchmarks.table import Row, growth, interleaved, markdown

ROW = Row("list page", 1_000_000, 0.030, "at 1,000", 0.029, 1.2)


def test_copied_customers_are_like_those_made_by_the_product(db):
    fill(3_000)
    assert Customer.objects.count() == 3_000
    for customer in Customer.objects.filter(pk__in=Customer.objects.order_by("-pk").values("pk")[:50]):
        assert customer.search == fold(customer.name, customer.account_name)
        assert set(customer.expenditures.values_list("account", flat=True)) <= {customer.customer_id}
    assert Customer.objects.filter(name__endswith=" 2").frozen().count() == Customer.objects.frozen().count() / 3
    assert not list(differences())


@pytest.mark.parametrize(("day", "left_out"), [("2026-09-02 12:00", set(BY_DAY)), ("2026-09-03 12:00", set())])
def test_pages_about_the_forecast_are_not_measured_while_no_budget_has_one(acme, ann, time_machine, day, left_out):
    time_machine.move_to(factories.moment(day))
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100")
    factories.report((customer, "2026-09", "10"))
    assert PAGES.keys() - measurable().keys() == left_out


def test_compared_functions_take_turns_after_a_warm_up_with_separate_preparation():
    turns: list[str] = []
    prepared = iter("abcdef" * 2)
    interleaved(
        lambda each: turns.append(f"A{each}"),
        lambda each: turns.append(f"B{each}"),
        prepare=lambda: next(prepared),
        rounds=2,
    )
    assert turns == ["Aa", "Bb", "Ac", "Bd", "Ae", "Bf"]


@pytest.mark.parametrize(
    ("row", "met"),
    [
        (ROW, True),
        (Row("list page", 1_000_000, 0.036, "at 1,000", 0.029, 1.2), False),
        (Row("the same report again", 1_000, 0, goal=0, unit="rows"), True),
        (Row("the same report again", 1_000, 1, goal=0, unit="rows"), False),
        (Row("requests", 1_000, 199, goal=200, unit="/s"), False),
        (Row("requests", 1_000, 200, goal=200, unit="/s"), True),
        (Row("requests", 1_000, 200, unit="/s"), None),
    ],
)
def test_a_goal_limits_the_ratio_or_the_figure(row, met):
    assert row.met is met


def test_the_table_shows_medians_ratio_and_goal():
    lines = markdown([ROW, Row("list page", 1_000_000, 0.03, "Django admin", 1.02, 1 / 30)]).splitlines()
    assert [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]] == [
        ["list page", "1,000,000", "30.0 ms", "29.0 ms at 1,000", "1.03x", "≤ 1.20x", "met"],
        ["list page", "1,000,000", "30.0 ms", "1.02 s Django admin", "1/34", "≤ 1/30", "met"],
    ]


def test_growth_is_computed_only_between_tenfold_numbers():
    rows = growth("set budgets", {1_000: [1.0, 0.5], 10_000: [12.0, 10], 50_000: [60.0, 50]})
    assert [(row.customers, row.value, row.met, row.beside) for row in rows] == [
        (10_000, 12.0, False, "for 1,000 (bare SQL grows 20.00x)")
    ]


def test_the_accounts_of_a_generated_report_are_all_different():
    assert len({account(n) for n in range(10_000)}) == 10_000
