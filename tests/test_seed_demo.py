"""The command seed_demo: partners, people, quotas, customers and expenditure of the demo, and when it is refused."""

import csv
import gzip
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db.models import Count, Q, Sum

from budgets.management.demo import make_customers
from budgets.models import AdjustmentRecord, Budget, Expenditure, ExpenditureReport, expenditure_between
from budgets.months import first_moment, month_of
from customers.models import AccountFreezing, Customer, FreezeOrigin, FreezeRecord
from partnercenter.models import BudgetType, Grant, GrantRecord, Partner, User
from tests import factories

NUMBER = 50
LEFT_AT_LEAST = Decimal("10000000.00")


@pytest.fixture
def development(db: None, settings: Any, tmp_path: Path) -> Any:
    """The settings of an installation for development, which writes its files to a temporary folder."""
    settings.DEBUG = True
    settings.VAR = tmp_path
    return settings


def seed(number: int = NUMBER) -> str:
    """Run seed_demo with this many customers; what it prints."""
    output = StringIO()
    call_command("seed_demo", customers=number, stdout=output)
    return output.getvalue()


def test_partners_and_people_are_made_and_can_sign_in(development, sign_in):
    seed()
    kinds = dict(Partner.objects.values_list("account_name", "kind"))
    assert kinds == {
        "dora-distribution": "DISTRIBUTOR",
        "acme-reseller": "RESELLER",
        "borealis-reseller": "RESELLER",
        "sol-solutions": "SOLUTION_PROVIDER",
    }
    rows = User.objects.values_list("username", "partner__account_name", "role", "is_staff")
    people = {username: person for username, *person in rows}
    assert people == {
        "dora": ["dora-distribution", "ADMINISTRATOR", True],
        "ann": ["acme-reseller", "ADMINISTRATOR", False],
        "ben": ["acme-reseller", "OPERATOR", False],
        "vera": ["acme-reseller", "VIEWER", False],
        "carl": ["borealis-reseller", "ADMINISTRATOR", False],
        "sol": ["sol-solutions", "ADMINISTRATOR", False],
    }
    with_code = Partner.objects.filter(verification_required=True).values_list("account_name", flat=True)
    assert list(with_code) == ["borealis-reseller"]
    response = sign_in(None).post("/sign-in/", {"username": "vera", "password": "partner-center"})
    assert (response.status_code, response.headers.get("Location")) == (302, "/")
    assert User.objects.get(username="ben").check_password("partner-center")


@pytest.mark.parametrize("day", ["2026-02-01 00:30", "2026-02-15 12:00", "2026-03-31 23:59"])
def test_the_customers_have_the_same_mix_of_states_on_any_day_of_the_month(development, day):
    with time_machine.travel(factories.moment(day)):
        seed(100)
    frozen = Q(freeze_kind="ACCOUNT")
    fully_used = Q(budget__level=100)
    states = Customer.objects.aggregate(
        without_budget=Count("pk", filter=Q(budget=None) & frozen & Q(freeze_origin=FreezeOrigin.ASSOCIATION)),
        frozen=Count("pk", filter=fully_used & frozen & Q(freeze_origin=FreezeOrigin.BUDGET_EXHAUSTED)),
        exhausted=Count("pk", filter=fully_used & ~frozen),
        near=Count("pk", filter=Q(budget__level__in=[75, 90]) & ~frozen),
        below=Count("pk", filter=Q(budget__level=0) & ~frozen),
    )
    assert states == {"without_budget": 8, "frozen": 8, "exhausted": 4, "near": 12, "below": 68}


def test_there_are_budgets_of_both_types_and_policies_and_names_of_both_languages(development):
    seed()
    terms = set(Budget.objects.values_list("budget_type", "account_freezing"))
    assert terms == {(kind, policy) for kind in BudgetType.values for policy in ("AUTOMATIC", "MANUAL")}
    names = list(Customer.objects.values_list("name", flat=True))
    assert 0 < sum(name.isascii() for name in names) < len(names)
    ids = Customer.objects.values_list("customer_id", flat=True)
    assert {"/" if "/" in each else each[:4] if "ocid" in each else "" for each in ids} == {"", "/", "ocid"}
    assert not AdjustmentRecord.objects.filter(account_freezing_after=AccountFreezing.AUTOMATIC_WITH_RESOURCES).exists()


@pytest.mark.parametrize("number", [1, NUMBER, 600])
def test_each_reseller_has_a_grant_by_its_distributor_with_ten_million_of_each_quota_left(development, number):
    seed(number)
    for grant in Grant.objects.all():
        for kind in BudgetType.values:
            left = grant.pool(kind).left
            assert left is not None
            assert left >= LEFT_AT_LEAST
    assert set(GrantRecord.objects.values_list("partner__account_name", "operator_name")) == {
        ("acme-reseller", "dora"),
        ("borealis-reseller", "dora"),
    }


def test_most_customers_belong_to_acme(development):
    seed(120)
    numbers = Customer.objects.values_list("partner__account_name").annotate(Count("pk"))
    assert dict(numbers.order_by()) == {"acme-reseller": 80, "borealis-reseller": 30, "sol-solutions": 10}


def test_twelve_months_are_imported_from_one_focus_report(development):
    with time_machine.travel(factories.moment("2026-03-15 12:00")):
        output = seed()
    report = ExpenditureReport.objects.get()
    assert report.format == "focus"
    assert report.covers_until == factories.moment("2026-03-15 12:00")
    assert report.summary["months"] == [
        *(f"2025-{month:02}" for month in range(4, 13)),
        "2026-01",
        "2026-02",
        "2026-03",
    ]
    assert report.summary["unknown"] == 3
    assert report.summary["unattributed_lines"] == 24
    assert f"{report.summary['lines']} lines of expenditure" in output
    with gzip.open(development.VAR / "demo" / "expenditure.csv.gz", "rt") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == report.summary["lines"]
    stated = sum(Decimal(line["ListCost"]) for line in lines if line["SubAccountId"])
    stored = Expenditure.objects.aggregate(total=Sum("total"))["total"]
    # Each total of a customer and month is rounded to cents once.
    assert abs(stated - stored) <= Decimal("0.005") * Expenditure.objects.count()
    assert any(len(line["ListCost"].partition(".")[2]) > 2 for line in lines)


@pytest.mark.parametrize("minutes", [0, 10, 40])
def test_usage_ends_within_the_month_even_where_it_begins_in_the_middle_of_a_utc_hour(development, minutes):
    development.BILLING_TIME_ZONE = "Asia/Kolkata"
    month_start = first_moment(202603)
    with time_machine.travel(month_start + timedelta(minutes=minutes)):
        seed(1)
    covered = ExpenditureReport.objects.get().covers_until
    assert covered is not None
    assert month_start <= covered <= month_start + timedelta(minutes=minutes)


def test_used_equals_the_expenditure_of_the_counted_months(development):
    seed()
    budgets = Budget.objects.annotate(
        sum=expenditure_between("counted_from", month_of(ExpenditureReport.objects.get().reported_at), "customer_id")
    )
    assert budgets.filter(used__gt=Decimal(0)).count() == Budget.objects.count() > 0
    assert [(each.used, each.sum) for each in budgets if each.used != each.sum] == []
    call_command("check_budgets", stdout=StringIO())


def test_accounts_frozen_by_their_budget_were_frozen_by_the_report(development):
    seed()
    frozen = Customer.objects.filter(freeze_origin=FreezeOrigin.BUDGET_EXHAUSTED)
    records = FreezeRecord.objects.filter(report=ExpenditureReport.objects.get().pk)
    assert {record.customer for record in records} == set(frozen)
    assert frozen.exists()


def stored_rows() -> dict[str, list[Any]]:
    models = (Partner, User, Grant, GrantRecord, Customer, Budget, AdjustmentRecord, FreezeRecord, Expenditure)
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in models}


def test_a_second_run_changes_nothing_says_so_and_prints_the_accounts_again(development):
    first = seed()
    before = stored_rows()
    second = seed(NUMBER + 10)
    assert "nothing was changed" in second
    assert stored_rows() == before
    accounts = [line.split() for line in second.splitlines() if line.endswith("partner-center")]
    assert ["ben", "Operator", "acme-reseller", "partner-center"] in accounts
    assert [line.split() for line in first.splitlines() if line.endswith("partner-center")] == accounts
    assert len(accounts) == 6


def test_the_command_is_refused_outside_debug(development):
    development.DEBUG = False
    with pytest.raises(CommandError, match="DEBUG"):
        seed()
    assert not Partner.objects.exists()
    assert not User.objects.exists()


def test_the_command_is_refused_without_customers(development):
    with pytest.raises(CommandError, match="at least 1"):
        seed(0)
    assert not Partner.objects.exists()


def test_the_same_number_gives_the_same_customers(development):
    assert make_customers(30) == make_customers(60)[:30]
    assert len({customer.customer_id for customer in make_customers(3000)}) == 3000


def test_a_demo_that_slept_for_two_months_wakes_up_in_this_one(development):
    with time_machine.travel(factories.moment("2026-02-15 12:00")):
        seed()
    with time_machine.travel(factories.moment("2026-04-10 12:00")):
        assert "already exists" in seed()
        call_command("check_budgets", stdout=StringIO())
    monthly = Budget.objects.filter(budget_type=BudgetType.MONTHLY).values_list("counted_from", "counted_to", "used")
    assert set(monthly) == {(202604, 202604, 0)}
