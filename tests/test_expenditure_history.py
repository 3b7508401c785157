"""The last twelve months of a customer: what was spent, of which budget, and the picture of it.

See rules 3.2, 3.5 (docs/rules.md).
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

MONTHLY, ONE_TIME = BudgetType.MONTHLY, BudgetType.ONE_TIME


class Clock:
    """Days on which something was done; the month never goes back."""

    def __init__(self, time_machine: Any) -> None:
        self._move_to = time_machine.move_to

    def on(self, moment: str) -> None:
        self._move_to(factories.moment(moment), tick=False)


@pytest.fixture
def clock(time_machine) -> Clock:
    return Clock(time_machine)


@pytest.fixture
def long_ago(clock) -> None:
    """Before anything below."""
    clock.on("2025-02-10 04:00")


@pytest.fixture
def customer(long_ago, acme) -> Customer:
    return factories.customer(acme)


def history(customer: Customer, current: int = 202609) -> dict[str, Month]:
    return {month.name: month for month in last_months(customer, current)}


def test_the_months_are_the_current_one_and_the_eleven_before_it(customer):
    names = list(history(customer))
    assert (names[0], names[3], names[-1], len(names)) == ("2025-10", "2026-01", "2026-09", 12)
    assert [month.is_current for month in history(customer).values()] == [False] * 11 + [True]


def test_what_was_not_reported_is_nothing_and_not_zero(customer, clock):
    clock.on("2026-09-20 04:00")
    factories.report(
        (customer, "2026-08", "0"), (customer, "2026-09", "12.50"), at=factories.moment("2026-09-20 03:00")
    )
    months = history(customer)
    assert [months[name].total for name in ("2026-07", "2026-08", "2026-09")] == [None, Decimal(0), Decimal("12.50")]
    assert months["2026-09"].as_of == factories.moment("2026-09-20 03:00")


def test_months_before_and_to_come_are_not_shown(customer, clock):
    clock.on("2026-09-20 04:00")
    factories.report((customer, "2025-09", "1"), (customer, "2026-10", "2"))
    assert {month.total for month in history(customer).values()} == {None}


def test_a_late_report_of_last_month_shows_that_month_as_exceeded(customer, ann, clock):
    clock.on("2026-08-20 04:00")
    factories.budget(customer, ann, "100", MONTHLY)
    clock.on("2026-09-20 04:00")
    factories.report((customer, "2026-08", "130.25"), (customer, "2026-09", "40"))
    months = history(customer)
    assert months["2026-08"].exceeded_by == Decimal("30.25")
    assert (months["2026-09"].used, months["2026-09"].is_exceeded) == (Decimal(40), False)
    assert not factories.fresh(customer).is_frozen


def test_a_budget_that_was_just_used_up_is_exceeded_by_nothing(customer, ann, clock):
    clock.on("2026-09-20 04:00")
    factories.budget(customer, ann, "100", MONTHLY)
    factories.report((customer, "2026-09", "100"))
    month = history(customer)["2026-09"]
    assert (month.is_exceeded, month.exceeded_by) == (True, Decimal(0))


def test_each_month_is_held_against_the_budget_in_force_at_its_end(customer, ann, clock):
    clock.on("2026-07-10 04:00")
    factories.budget(customer, ann, "100", MONTHLY)
    # The last moment of July and the first of August where the vendor bills.
    clock.on("2026-07-31 15:59")
    factories.budget(customer, ann, "200", MONTHLY)
    clock.on("2026-07-31 16:00")
    factories.budget(customer, ann, "300", MONTHLY)
    clock.on("2026-09-20 04:00")
    amounts = [month.amount for month in history(customer).values()]
    assert amounts == [None] * 9 + [Decimal(200), Decimal(300), Decimal(300)]


def test_a_one_time_budget_counts_from_its_own_month_on(customer, ann, clock):
    clock.on("2026-07-10 04:00")
    factories.budget(customer, ann, "100", ONE_TIME, AccountFreezing.MANUAL)
    clock.on("2026-09-20 04:00")
    factories.report((customer, "2026-06", "500"), (customer, "2026-07", "60"), (customer, "2026-09", "45"))
    months = history(customer)
    assert [months[f"2026-0{n}"].used for n in (6, 7, 8, 9)] == [None, Decimal(60), Decimal(60), Decimal(105)]
    assert [months[f"2026-0{n}"].is_exceeded for n in (7, 8, 9)] == [False, False, True]


def test_a_one_time_budget_counts_what_lies_before_the_twelve_months(customer, ann, clock):
    clock.on("2025-03-10 04:00")
    factories.budget(customer, ann, "100", ONE_TIME)
    clock.on("2026-09-20 04:00")
    factories.report((customer, "2025-03", "70"), (customer, "2026-09", "20"))
    assert history(customer)["2025-10"].used == Decimal(70)


def test_a_refund_below_zero_frees_what_it_gave_back(customer, ann, clock):
    clock.on("2026-08-10 04:00")
    factories.budget(customer, ann, "100", ONE_TIME, AccountFreezing.MANUAL)
    clock.on("2026-09-20 04:00")
    factories.report((customer, "2026-08", "110"), (customer, "2026-09", "-30.50"))
    months = history(customer)
    assert (months["2026-08"].is_exceeded, months["2026-09"].used) == (True, Decimal("79.50"))
    assert not months["2026-09"].is_exceeded


def test_the_current_month_is_used_as_the_budget_itself_says(customer, ann, clock):
    clock.on("2026-07-10 04:00")
    factories.budget(customer, ann, "1000", ONE_TIME)
    clock.on("2026-09-20 04:00")
    factories.report((customer, "2026-07", "60"), (customer, "2026-09", "45.10"))
    for budget_type in (ONE_TIME, MONTHLY, ONE_TIME):
        factories.budget(customer, ann, "1000", budget_type)
        assert history(customer)["2026-09"].used == factories.stored(customer).used


def test_it_takes_three_queries_however_much_there_is(customer, ann, clock, django_assert_num_queries):
    clock.on("2026-09-20 04:00")
    for number in range(1, 15):
        factories.budget(customer, ann, str(number * 10), MONTHLY)
        factories.report((customer, f"2026-{number % 9 + 1:02}", str(number)))
    with django_assert_num_queries(3):
        last_months(customer, 202609)


def drawn(*totals: str | None, **more: Any) -> Chart:
    months = [
        Month(202601 + n, is_current=n + 1 == len(totals), total=None if total is None else Decimal(total), **more)
        for n, total in enumerate(totals)
    ]
    chart = chart_of(months)
    assert chart is not None
    return chart


def test_there_is_no_picture_of_nothing():
    assert chart_of([Month(202609, is_current=True)]) is None


def test_bars_are_as_high_as_what_was_spent_and_stand_on_the_line_of_zero():
    chart = drawn("50", "100", None, "0")
    half, full, nothing, zero = chart.bars
    assert full.height == 2 * half.height
    assert full.y + full.height == chart.zero
    assert (nothing.height, zero.height) == (0, 0)


def test_the_smallest_expenditure_can_be_seen():
    assert drawn("1000000", "0.01", "-0.01").bars[1].height == 1


def test_a_month_below_zero_hangs_from_the_line_of_zero():
    chart = drawn("100", "-50")
    above, below = chart.bars
    assert above.y + above.height == below.y == chart.zero
    assert below.height > 0
    assert chart.lines[0].label.startswith("-")


def test_a_monthly_budget_is_drawn_at_its_amount():
    chart = drawn("50", "100", budget_type=MONTHLY, amount=Decimal(100))
    assert {bar.budget_y for bar in chart.bars} == {chart.bars[1].y}


@pytest.mark.parametrize(("budget_type", "amount"), [(MONTHLY, "100000"), (ONE_TIME, "100")])
def test_a_budget_far_beyond_or_of_several_months_is_not_drawn(budget_type, amount):
    chart = drawn("50", "100", budget_type=budget_type, amount=Decimal(amount))
    assert not chart.has_budgets
    assert chart.bars[1].height > 50


def test_amounts_at_the_lines_are_round():
    assert [line.label for line in drawn("7699.22").lines] == ["0", "2,000", "4,000", "6,000", "8,000"]
    assert [line.label for line in drawn("0.40").lines][:2] == ["0", "0.20"]


AMOUNTS = st.none() | st.integers(-(10**16), 10**16).map(lambda cents: Decimal(cents).scaleb(-2))


@given(st.lists(AMOUNTS, min_size=12, max_size=12), st.none() | st.integers(1, 10**12).map(Decimal))
def test_whatever_was_spent_the_picture_holds_it(totals, amount):
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


def test_the_page_of_a_customer_that_was_associated_later_has_what_waited_for_it(acme, clock):
    clock.on("2026-09-20 04:00")
    factories.report(("late", "2026-08", "12.00"))
    assert Expenditure.objects.get().customer is None
    assert history(factories.customer(acme, "late"))["2026-08"].total == Decimal(12)
