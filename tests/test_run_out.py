"""The day a budget runs out: at the rate of this month, stored with what it follows from."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from budgets.queries.integrity import differences
from customers.models import AccountFreezing
from partnercenter.models import BudgetType
from tests import factories

MONTHLY, ONE_TIME = BudgetType.MONTHLY, BudgetType.ONE_TIME


@pytest.fixture(autouse=True)
def in_the_middle_of_september():
    with time_machine.travel(factories.moment("2026-09-15 10:00"), tick=False) as traveller:
        yield traveller


@pytest.fixture
def customer(acme):
    return factories.customer(acme, "run-out")


def day_of(customer) -> date | None:
    assert list(differences()) == []
    return factories.stored(customer).runs_out_on


def test_it_is_as_many_days_later_as_what_is_left_lasts_at_what_a_day_has_cost(customer, ann):
    factories.budget(customer, ann, "100", ONE_TIME)
    factories.report((customer, "2026-09", "30.00"))
    # 2.00 a day, 70.00 left.
    assert day_of(customer) == date(2026, 9, 15) + timedelta(days=35)


def test_a_monthly_budget_that_outlasts_the_month_has_none(customer, ann):
    factories.budget(customer, ann, "60", MONTHLY)
    factories.report((customer, "2026-09", "30.00"))
    assert day_of(customer) == date(2026, 9, 30)
    factories.budget(customer, ann, "62", MONTHLY)
    assert day_of(customer) is None


def test_a_one_time_budget_that_lasts_ten_years_has_none(customer, ann):
    factories.budget(customer, ann, "20000", ONE_TIME)
    factories.report((customer, "2026-09", "1.00"))
    assert day_of(customer) is None


@pytest.mark.parametrize(("at", "said"), [("2026-09-02 15:00", False), ("2026-09-02 16:00", True)])
def test_before_the_third_day_of_the_month_there_is_too_little_to_go_by(at, said, customer, ann):
    """In the billing time zone, eight hours ahead."""
    factories.budget(customer, ann, "100", ONE_TIME)
    factories.report((customer, "2026-09", "30.00"), at=factories.moment(at))
    assert (day_of(customer) is not None) == said


@pytest.mark.parametrize("total", ["0.00", "-5.00", "100.00", "130.00"])
def test_who_spends_nothing_or_has_used_up_the_budget_has_none(total, customer, ann):
    factories.budget(customer, ann, "100", ONE_TIME)
    factories.report((customer, "2026-09", total))
    assert day_of(customer) is None


def test_it_moves_with_the_amount_the_type_and_what_is_spent(customer, ann):
    factories.report((customer, "2026-09", "30.00"))
    factories.budget(customer, ann, "50", ONE_TIME)
    assert day_of(customer) == date(2026, 9, 25)
    factories.budget(customer, ann, "40", MONTHLY)
    assert day_of(customer) == date(2026, 9, 20)
    factories.report((customer, "2026-09", "15.00"))
    assert day_of(customer) is None
    factories.report((customer, "2026-09", "37.50"))
    assert day_of(customer) == date(2026, 9, 16)


def test_a_late_month_uses_up_a_one_time_budget_and_leaves_the_rate(acme, ann, in_the_middle_of_september):
    in_the_middle_of_september.move_to(factories.moment("2026-08-20 10:00"))
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100", ONE_TIME)
    in_the_middle_of_september.move_to(factories.moment("2026-09-15 10:00"))
    factories.report((customer, "2026-09", "30.00"))
    assert day_of(customer) == date(2026, 10, 20)
    factories.report((customer, "2026-08", "50.00"))
    assert day_of(customer) == date(2026, 9, 25)


def test_the_same_total_of_a_later_day_is_a_lower_rate(customer, ann, in_the_middle_of_september):
    factories.budget(customer, ann, "100", ONE_TIME)
    factories.report((customer, "2026-09", "30.00"))
    in_the_middle_of_september.move_to(factories.moment("2026-09-20 10:00"))
    factories.report((customer, "2026-09", "30.00"))
    assert day_of(customer) == date(2026, 9, 20) + timedelta(days=46)


def test_a_new_month_has_a_rate_of_its_own(customer, acme, ann, in_the_middle_of_september):
    monthly = factories.customer(acme)
    factories.budget(customer, ann, "100", ONE_TIME)
    factories.budget(monthly, ann, "50", MONTHLY)
    factories.report((customer, "2026-09", "30.00"), (monthly, "2026-09", "30.00"))
    in_the_middle_of_september.move_to(factories.moment("2026-10-01 10:00"))
    factories.report((customer, "2026-10", "5.00"))
    assert day_of(customer) is None
    assert day_of(monthly) is None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(BudgetType),
    amount=st.integers(1, 10**7),
    total=st.integers(-(10**5), 10**7),
    day=st.integers(1, 15),
    budget_first=st.booleans(),
)
def test_stored_is_what_plain_arithmetic_gives(acme, ann, kind, amount, total, day, budget_first):
    customer = factories.customer(acme)

    def give_budget() -> None:
        factories.budget(customer, ann, str(Decimal(amount).scaleb(-2)), kind, AccountFreezing.MANUAL)

    if budget_first:
        give_budget()
    at = factories.moment(f"2026-09-{day:02} 02:00")
    factories.report((customer, "2026-09", str(Decimal(total).scaleb(-2))), at=at)
    if not budget_first:
        give_budget()
    assert factories.stored(customer).runs_out_on == expected(kind, amount, total, day)


def expected(kind: BudgetType, amount: int, total: int, day: int) -> date | None:
    if total <= 0 or total >= amount or day < 3:
        return None
    left = (amount - total) * day // total
    if left > (30 - day if kind == MONTHLY else 3650):
        return None
    return date(2026, 9, day) + timedelta(days=left)


def test_the_customers_page_says_how_it_came_about_and_nothing_where_there_is_none(customer, ann, sign_in):
    factories.budget(customer, ann, "100", ONE_TIME)

    def said() -> str:
        return sign_in(ann).get("/customers/detail/?customer=run-out").content.decode()

    assert "Runs Out On" not in said()
    factories.report((customer, "2026-09", "30.00"))
    assert "2026-10-20" in said()
    assert "At 2.00 a day, the average from 2026-09-01 to 2026-09-15, with 70.00 left." in said()


@pytest.fixture
def crowd(acme, ann):
    """Two whose budgets run out, one whose does not, and one without a budget; by the day, the later first."""
    later, sooner, lasting, without = factories.customers(acme, 4)
    factories.budget([later, sooner], ann, "100", ONE_TIME)
    factories.budget(lasting, ann, "100", MONTHLY)
    factories.report((later, "2026-09", "30.00"), (sooner, "2026-09", "60.00"), (lasting, "2026-09", "1.00"))
    return later, sooner, lasting, without


def listed(sign_in, person, query: str) -> list[str]:
    page = sign_in(person).get(f"/customers/{query}").context["page"]
    return [row.customer_id for row in page.object_list]


@pytest.mark.parametrize("also", ["", "&q=account"])
def test_the_list_is_sorted_by_the_day_and_who_has_none_comes_last(also, crowd, ann, sign_in):
    later, sooner, lasting, without = (customer.customer_id for customer in crowd)
    assert listed(sign_in, ann, f"?sort=runs_out{also}")[:2] == [sooner, later]
    descending = listed(sign_in, ann, f"?sort=-runs_out{also}")
    assert descending[:2] == [later, sooner]
    assert set(descending[2:]) == {lasting, without}


def test_the_next_page_goes_on_by_the_day(crowd, ann, sign_in):
    later, sooner, _lasting, _without = (customer.customer_id for customer in crowd)
    first = f"2026-09-25~{crowd[1].pk}"
    assert listed(sign_in, ann, f"?sort=runs_out&after={first}")[0] == later
    assert listed(sign_in, ann, "?sort=runs_out&after=2026-13-45~1")[0] == sooner


def test_the_list_is_narrowed_by_the_day(crowd, ann, sign_in):
    later, sooner, _lasting, _without = (customer.customer_id for customer in crowd)
    assert listed(sign_in, ann, "?runs_out_before=2026-09-30") == [sooner]
    assert listed(sign_in, ann, "?runs_out_after=2026-09-30") == [later]
    assert set(listed(sign_in, ann, "?runs_out_after=2026-09-25&runs_out_before=2026-10-20")) == {sooner, later}
    page = sign_in(ann).get("/customers/?runs_out_before=2026-09-30")
    assert [(chip.name, chip.value) for chip in page.context["active_filters"]] == [("runs_out", "up to 2026-09-30")]
    assert b"Runs Out On" in page.content
    assert b"2026-09-25" in page.content
