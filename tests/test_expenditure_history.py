"""The last twelve months of a customer: expenditure, the budget in force in each month, and the chart of them.

See rules 3.2, 3.5, 10.4 (docs/rules.md).
"""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgets.chart import HEIGHT, MOST_LINES, WIDTH, Chart, chart_of
from budgets.models import Expenditure
from budgets.queries.history import Month, last_months
from customers.models import AccountFreezing, Customer
from partnercenter.models import BudgetType
from tests import factories

# Before all the months of the tests: the month in the database never goes back.
pytestmark = pytest.mark.clock("2025-02-10 04:00")

MONTHLY, ONE_TIME = BudgetType.MONTHLY, BudgetType.ONE_TIME


@pytest.fixture
def customer(acme) -> Customer:
    """Associated before all the months of the tests."""
    return factories.customer(acme)


def history(customer: Customer, current: int = 202609) -> dict[str, Month]:
    return {month.name: month for month in last_months(customer, current)}


def test_the_history_is_the_current_month_and_the_eleven_before_it(customer):
    names = list(history(customer))
    assert (names[0], names[3], names[-1], len(names)) == ("2025-10", "2026-01", "2026-09", 12)
    assert [month.is_current for month in history(customer).values()] == [False] * 11 + [True]


def test_a_month_without_a_report_shows_no_figure_not_zero(customer, clock):
    clock.move_to(factories.moment("2026-09-20 04:00"))
    factories.report(
        (customer, "2026-08", "0"), (customer, "2026-09", "12.50"), at=factories.moment("2026-09-20 03:00")
    )
    months = history(customer)
    assert [months[name].total for name in ("2026-07", "2026-08", "2026-09")] == [None, Decimal(0), Decimal("12.50")]
    assert months["2026-09"].as_of == factories.moment("2026-09-20 03:00")


def test_older_and_future_months_are_not_shown(customer, clock):
    clock.move_to(factories.moment("2026-09-20 04:00"))
    factories.report((customer, "2025-09", "1"), (customer, "2026-10", "2"))
    assert {month.total for month in history(customer).values()} == {None}


def test_a_late_report_of_last_month_shows_that_month_as_exceeded(customer, ann, clock):
    clock.move_to(factories.moment("2026-08-20 04:00"))
    factories.budget(customer, ann, "100", MONTHLY)
    clock.move_to(factories.moment("2026-09-20 04:00"))
    factories.report((customer, "2026-08", "130.25"), (customer, "2026-09", "40"))
    months = history(customer)
    assert months["2026-08"].exceeded_by == Decimal("30.25")
    assert (months["2026-09"].used, months["2026-09"].is_exceeded) == (Decimal(40), False)
    assert not factories.fresh(customer).is_frozen


def test_a_budget_used_up_exactly_is_exceeded_by_zero(customer, ann, clock):
    clock.move_to(factories.moment("2026-09-20 04:00"))
    factories.budget(customer, ann, "100", MONTHLY)
    factories.report((customer, "2026-09", "100"))
    month = history(customer)["2026-09"]
    assert (month.is_exceeded, month.exceeded_by) == (True, Decimal(0))


def test_each_month_is_compared_with_the_budget_in_force_at_its_end(customer, ann, clock):
    clock.move_to(factories.moment("2026-07-10 04:00"))
    factories.budget(customer, ann, "100", MONTHLY)
    # The last minute of July and the first of August in the billing time zone.
    clock.move_to(factories.moment("2026-07-31 15:59"))
    factories.budget(customer, ann, "200", MONTHLY)
    clock.move_to(factories.moment("2026-07-31 16:00"))
    factories.budget(customer, ann, "300", MONTHLY)
    clock.move_to(factories.moment("2026-09-20 04:00"))
    amounts = [month.amount for month in history(customer).values()]
    assert amounts == [None] * 9 + [Decimal(200), Decimal(300), Decimal(300)]


def test_a_one_time_budget_counts_from_the_month_in_which_it_was_set(customer, ann, clock):
    clock.move_to(factories.moment("2026-07-10 04:00"))
    factories.budget(customer, ann, "100", ONE_TIME, AccountFreezing.MANUAL)
    clock.move_to(factories.moment("2026-09-20 04:00"))
    factories.report((customer, "2026-06", "500"), (customer, "2026-07", "60"), (customer, "2026-09", "45"))
    months = history(customer)
    assert [months[f"2026-0{n}"].used for n in (6, 7, 8, 9)] == [None, Decimal(60), Decimal(60), Decimal(105)]
    assert [months[f"2026-0{n}"].is_exceeded for n in (7, 8, 9)] == [False, False, True]


def test_a_one_time_budget_counts_expenditure_from_before_the_twelve_months(customer, ann, clock):
    clock.move_to(factories.moment("2025-03-10 04:00"))
    factories.budget(customer, ann, "100", ONE_TIME)
    clock.move_to(factories.moment("2026-09-20 04:00"))
    factories.report((customer, "2025-03", "70"), (customer, "2026-09", "20"))
    assert history(customer)["2025-10"].used == Decimal(70)


def test_a_month_with_a_negative_total_lowers_used(customer, ann, clock):
    clock.move_to(factories.moment("2026-08-10 04:00"))
    factories.budget(customer, ann, "100", ONE_TIME, AccountFreezing.MANUAL)
    clock.move_to(factories.moment("2026-09-20 04:00"))
    factories.report((customer, "2026-08", "110"), (customer, "2026-09", "-30.50"))
    months = history(customer)
    assert (months["2026-08"].is_exceeded, months["2026-09"].used) == (True, Decimal("79.50"))
    assert not months["2026-09"].is_exceeded


def test_used_in_the_current_month_equals_the_budgets_own_figure(customer, ann, clock):
    clock.move_to(factories.moment("2026-07-10 04:00"))
    factories.budget(customer, ann, "1000", ONE_TIME)
    clock.move_to(factories.moment("2026-09-20 04:00"))
    factories.report((customer, "2026-07", "60"), (customer, "2026-09", "45.10"))
    for budget_type in (ONE_TIME, MONTHLY, ONE_TIME):
        factories.budget(customer, ann, "1000", budget_type)
        assert history(customer)["2026-09"].used == factories.stored(customer).used


def test_the_history_takes_three_queries_however_many_records_there_are(
    customer, ann, clock, django_assert_num_queries
):
    clock.move_to(factories.moment("2026-09-20 04:00"))
    for number in range(1, 15):
        factories.budget(customer, ann, str(number * 10), MONTHLY)
        factories.report((customer, f"2026-{number % 9 + 1:02}", str(number)))
    with django_assert_num_queries(3):
        last_months(customer, 202609)


def draw(*totals: str | None, **more: Any) -> Chart:
    """The chart of months with these totals; None: no report."""
    months = [
        Month(202601 + n, is_current=n + 1 == len(totals), total=None if total is None else Decimal(total), **more)
        for n, total in enumerate(totals)
    ]
    chart = chart_of(months)
    assert chart is not None
    return chart


def test_there_is_no_chart_without_any_report():
    assert chart_of([Month(202609, is_current=True)]) is None


def test_bars_are_proportional_to_expenditure_and_stand_on_the_zero_line():
    chart = draw("50", "100", None, "0")
    half, full, not_reported, zero = chart.bars
    assert full.height == 2 * half.height
    assert full.y + full.height == chart.zero
    assert (not_reported.height, zero.height) == (0, 0)


def test_even_the_smallest_expenditure_is_visible():
    assert draw("1000000", "0.01", "-0.01").bars[1].height == 1


def test_the_bar_of_a_negative_month_hangs_below_the_zero_line():
    chart = draw("100", "-50")
    above, below = chart.bars
    assert above.y + above.height == below.y == chart.zero
    assert below.height > 0
    assert chart.lines[0].label.startswith("-")


def test_a_monthly_budget_is_drawn_at_its_amount():
    chart = draw("50", "100", budget_type=MONTHLY, amount=Decimal(100))
    assert {bar.budget_y for bar in chart.bars} == {chart.bars[1].y}


@pytest.mark.parametrize(("budget_type", "amount"), [(MONTHLY, "100000"), (ONE_TIME, "100")])
def test_a_budget_far_above_expenditure_or_for_several_months_is_not_drawn(budget_type, amount):
    chart = draw("50", "100", budget_type=budget_type, amount=Decimal(amount))
    assert not chart.has_budgets
    assert chart.bars[1].height > 50


def test_the_amounts_at_grid_lines_are_round():
    assert [line.label for line in draw("7699.22").lines] == ["0", "2,000", "4,000", "6,000", "8,000"]
    assert [line.label for line in draw("0.40").lines][:2] == ["0", "0.20"]


AMOUNTS = st.none() | st.integers(-(10**16), 10**16).map(lambda cents: Decimal(cents).scaleb(-2))


@given(st.lists(AMOUNTS, min_size=12, max_size=12), st.none() | st.integers(1, 10**12).map(Decimal))
def test_bars_and_budget_lines_always_stay_inside_the_chart(totals, amount):
    months = [
        Month(202600 + n, n == 12, total, budget_type=MONTHLY if amount else None, amount=amount)
        for n, total in enumerate(totals, 1)
    ]
    chart = chart_of(months)
    if chart is None:
        assert set(totals) == {None}
        return
    assert 2 <= len(chart.lines) <= MOST_LINES + 2
    for bar in chart.bars:
        assert chart.left <= bar.x <= bar.x + bar.width <= WIDTH
        assert 0 <= bar.y <= bar.y + bar.height <= HEIGHT
        assert bar.width > 0
        assert bar.budget_y is None or 0 <= bar.budget_y <= HEIGHT


def test_a_customer_associated_later_has_the_expenditure_reported_before(acme, clock):
    clock.move_to(factories.moment("2026-09-20 04:00"))
    factories.report(("late", "2026-08", "12.00"))
    assert Expenditure.objects.get().customer is None
    assert history(factories.customer(acme, "late"))["2026-08"].total == Decimal(12)
