"""The forecast: the day on which a budget runs out at this month's daily expenditure, stored, listed and explained.

See rule 10.1 (docs/rules.md).
"""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from budgets.queries.integrity import differences
from customers.models import AccountFreezing
from partnercenter.models import BudgetType
from tests import factories

pytestmark = pytest.mark.clock("2026-09-15 10:00")

MONTHLY, ONE_TIME = BudgetType.MONTHLY, BudgetType.ONE_TIME


@pytest.fixture
def customer(acme):
    return factories.customer(acme, "run-out")


def runs_out_on(customer) -> date | None:
    """The stored day, after a check that all stored figures equal the derived ones."""
    assert list(differences()) == []
    return factories.stored(customer).runs_out_on


def test_a_budget_runs_out_when_its_remaining_part_is_spent_at_the_daily_expenditure(customer, ann):
    factories.budget(customer, ann, "100", ONE_TIME)
    factories.report((customer, "2026-09", "30.00"))
    # 2.00 a day, 70.00 left.
    assert runs_out_on(customer) == date(2026, 9, 15) + timedelta(days=35)


def test_a_monthly_budget_that_outlasts_the_month_has_no_forecast(customer, ann):
    factories.budget(customer, ann, "60", MONTHLY)
    factories.report((customer, "2026-09", "30.00"))
    assert runs_out_on(customer) == date(2026, 9, 30)
    factories.budget(customer, ann, "62", MONTHLY)
    assert runs_out_on(customer) is None


def test_a_one_time_budget_that_lasts_over_ten_years_has_no_forecast(customer, ann):
    factories.budget(customer, ann, "20000", ONE_TIME)
    factories.report((customer, "2026-09", "1.00"))
    assert runs_out_on(customer) is None


@pytest.mark.parametrize(("at", "has_forecast"), [("2026-09-02 15:00", False), ("2026-09-02 16:00", True)])
def test_there_is_no_forecast_before_the_third_day_of_the_month(at, has_forecast, customer, ann):
    """The third day begins in the billing time zone, eight hours ahead of UTC."""
    factories.budget(customer, ann, "100", ONE_TIME)
    factories.report((customer, "2026-09", "30.00"), at=factories.moment(at))
    assert (runs_out_on(customer) is not None) == has_forecast


@pytest.mark.parametrize("total", ["0.00", "-5.00", "100.00", "130.00"])
def test_there_is_no_forecast_without_expenditure_or_for_an_exhausted_budget(total, customer, ann):
    factories.budget(customer, ann, "100", ONE_TIME)
    factories.report((customer, "2026-09", total))
    assert runs_out_on(customer) is None


def test_the_forecast_follows_amount_type_and_expenditure(customer, ann):
    factories.report((customer, "2026-09", "30.00"))
    factories.budget(customer, ann, "50", ONE_TIME)
    assert runs_out_on(customer) == date(2026, 9, 25)
    factories.budget(customer, ann, "40", MONTHLY)
    assert runs_out_on(customer) == date(2026, 9, 20)
    factories.report((customer, "2026-09", "15.00"))
    assert runs_out_on(customer) is None
    factories.report((customer, "2026-09", "37.50"))
    assert runs_out_on(customer) == date(2026, 9, 16)


def test_a_late_report_of_an_earlier_month_lowers_the_remaining_part_but_not_the_rate(acme, ann, clock):
    clock.move_to(factories.moment("2026-08-20 10:00"))
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100", ONE_TIME)
    clock.move_to(factories.moment("2026-09-15 10:00"))
    factories.report((customer, "2026-09", "30.00"))
    assert runs_out_on(customer) == date(2026, 10, 20)
    factories.report((customer, "2026-08", "50.00"))
    assert runs_out_on(customer) == date(2026, 9, 25)


def test_the_same_total_on_a_later_day_is_a_lower_daily_rate(customer, ann, clock):
    factories.budget(customer, ann, "100", ONE_TIME)
    factories.report((customer, "2026-09", "30.00"))
    clock.move_to(factories.moment("2026-09-20 10:00"))
    factories.report((customer, "2026-09", "30.00"), at=factories.moment("2026-09-20 10:00"))
    assert runs_out_on(customer) == date(2026, 9, 20) + timedelta(days=46)


def test_a_new_month_starts_without_a_forecast(customer, acme, ann, clock):
    monthly = factories.customer(acme)
    factories.budget(customer, ann, "100", ONE_TIME)
    factories.budget(monthly, ann, "50", MONTHLY)
    factories.report((customer, "2026-09", "30.00"), (monthly, "2026-09", "30.00"))
    clock.move_to(factories.moment("2026-10-01 10:00"))
    factories.report((customer, "2026-10", "5.00"))
    assert runs_out_on(customer) is None
    assert runs_out_on(monthly) is None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(BudgetType),
    amount=st.integers(1, 10**7),
    total=st.integers(-(10**5), 10**7),
    day=st.integers(1, 15),
    budget_first=st.booleans(),
)
def test_the_stored_day_equals_an_independent_computation(acme, ann, kind, amount, total, day, budget_first):
    customer = factories.customer(acme)

    def give_budget() -> None:
        factories.budget(customer, ann, str(Decimal(amount).scaleb(-2)), kind, AccountFreezing.MANUAL)

    if budget_first:
        give_budget()
    at = factories.moment(f"2026-09-{day:02} 02:00")
    factories.report((customer, "2026-09", str(Decimal(total).scaleb(-2))), at=at)
    if not budget_first:
        give_budget()
    assert factories.stored(customer).runs_out_on == expected_day(kind, amount, total, day)


def expected_day(kind: BudgetType, amount: int, total: int, day: int) -> date | None:
    """An independent computation, with amounts in cents."""
    if total <= 0 or total >= amount or day < 3:
        return None
    left = (amount - total) * day // total
    if left > (30 - day if kind == MONTHLY else 3650):
        return None
    return date(2026, 9, day) + timedelta(days=left)


def test_the_customers_page_explains_the_forecast_where_there_is_one(customer, ann, sign_in):
    factories.budget(customer, ann, "100", ONE_TIME)

    def page() -> str:
        return sign_in(ann).get("/customers/detail/?customer=run-out").content.decode()

    assert "Runs Out On" not in page()
    factories.report((customer, "2026-09", "30.00"))
    assert "2026-10-20" in page()
    assert "At 2.00 a day, the average from 2026-09-01 to 2026-09-15, with 70.00 left." in page()


@pytest.fixture
def four_customers(acme, ann):
    """Two customers whose budgets run out (the later first), one whose budget lasts, and one without a budget."""
    later, sooner, lasting, without = factories.customers(acme, 4)
    factories.budget([later, sooner], ann, "100", ONE_TIME)
    factories.budget(lasting, ann, "100", MONTHLY)
    factories.report((later, "2026-09", "30.00"), (sooner, "2026-09", "60.00"), (lasting, "2026-09", "1.00"))
    return later, sooner, lasting, without


def listed_ids(sign_in, person, query: str) -> list[str]:
    page = sign_in(person).get(f"/customers/{query}").context["page"]
    return [row.customer_id for row in page.object_list]


@pytest.mark.parametrize("search", ["", "&q=account"])
def test_the_list_sorts_by_the_day_with_customers_without_a_forecast_last(search, four_customers, ann, sign_in):
    later, sooner, lasting, without = (customer.customer_id for customer in four_customers)
    assert listed_ids(sign_in, ann, f"?sort=runs_out{search}")[:2] == [sooner, later]
    descending = listed_ids(sign_in, ann, f"?sort=-runs_out{search}")
    assert descending[:2] == [later, sooner]
    assert set(descending[2:]) == {lasting, without}


def test_the_next_page_continues_in_the_order_of_the_days(four_customers, ann, sign_in):
    later, sooner, _lasting, _without = (customer.customer_id for customer in four_customers)
    cursor = f"2026-09-25~{four_customers[1].pk}"
    assert listed_ids(sign_in, ann, f"?sort=runs_out&after={cursor}")[0] == later
    assert listed_ids(sign_in, ann, "?sort=runs_out&after=2026-13-45~1")[0] == sooner


def test_the_list_is_filtered_by_the_day(four_customers, ann, sign_in):
    later, sooner, _lasting, _without = (customer.customer_id for customer in four_customers)
    assert listed_ids(sign_in, ann, "?runs_out_before=2026-09-30") == [sooner]
    assert listed_ids(sign_in, ann, "?runs_out_after=2026-09-30") == [later]
    assert set(listed_ids(sign_in, ann, "?runs_out_after=2026-09-25&runs_out_before=2026-10-20")) == {sooner, later}
    page = sign_in(ann).get("/customers/?runs_out_before=2026-09-30")
    assert [(each.name, each.value) for each in page.context["active_filters"]] == [("runs_out", "up to 2026-09-30")]
    assert b"Runs Out On" in page.content
    assert b"2026-09-25" in page.content
