"""The main errand on real data: a report comes in by the command, accounts freeze, Unfreeze Now lets them purchase."""

import csv
import gzip
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from budgets.models import Budget, Expenditure, ExpenditureReport
from budgets.queries.standing import may_purchase
from customers.models import AccountFreezing, Customer, FreezeOrigin, FreezeRecord
from partnercenter.models import BudgetType
from tests import factories

SAMPLE = Path(__file__).resolve().parents[2] / "shared/data/focus/focus_sample.csv"
IN_THAT_MONTH = "2024-09-20T04:00:00Z"
real = pytest.mark.skipif(not SAMPLE.exists(), reason="the FOCUS sample data is not there")


def run(*words: object) -> str:
    out = StringIO()
    call_command(*map(str, words), stdout=out)
    return out.getvalue()


def summary(out: str) -> dict[str, str]:
    """The figures of the summary by their names."""
    return {label: value.strip() for label, _, value in (line.partition(":") for line in out.splitlines())}


def totals_of_sample() -> dict[tuple[str, str], Decimal]:
    """An independent computation: what each sub-account spent in each month, to the cent."""
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    with SAMPLE.open(encoding="utf-8-sig", newline="") as file:
        for line in csv.DictReader(file):
            if line["SubAccountId"] not in ("", "NULL"):
                sums[line["SubAccountId"], line["BillingPeriodStart"][:7]] += Decimal(line["ListCost"])
    return {key: total.quantize(Decimal("0.01"), ROUND_HALF_UP) for key, total in sums.items()}


@pytest.fixture
def clock(time_machine):
    time_machine.move_to(IN_THAT_MONTH, tick=False)
    return time_machine


@real
def test_the_totals_equal_an_independent_computation_for_every_sub_account(clock, acme):
    expected = totals_of_sample()
    for account in {account for account, _month in expected}:
        factories.customer(acme, account)
    said = summary(run("import_expenditure", SAMPLE))
    stored = {(row.account, f"{row.month // 100}-{row.month % 100:02}"): row.total for row in Expenditure.objects.all()}
    assert stored == expected
    assert len({account for account, _month in stored}) == 73
    assert said["lines"] == "1000"
    assert said["customers"] == "73"
    assert said["totals"] == f"{sum(expected.values()):,.2f}"
    assert said["unknown"] == "0"


@real
def test_taken_in_twice_nothing_changes(clock, acme, ann):
    for account in {account for account, _month in totals_of_sample()}:
        factories.customer(acme, account)
    customers = list(Customer.objects.all())
    factories.budget(customers, ann, "0.01")
    first = summary(run("import_expenditure", SAMPLE, "--reported-at", "2024-09-20T03:00:00Z"))
    before = everything()
    again = summary(run("import_expenditure", SAMPLE, "--reported-at", "2024-09-20T03:00:00Z"))
    assert everything() == before
    assert int(first["frozen"]) > 0
    assert (again["changed"], again["frozen"]) == ("0", "0")


def everything() -> list[object]:
    """Every row that a report could write."""
    models = (Expenditure, ExpenditureReport, Budget, Customer, FreezeRecord)
    return [list(model.objects.order_by("pk").values()) for model in models]


@real
def test_an_automatic_budget_below_the_total_freezes_exactly_that_account_once(clock, acme, ann):
    month = {account: total for (account, month), total in totals_of_sample().items() if month == "2024-09"}
    account, total = max(month.items(), key=lambda pair: pair[1])
    for each in month:
        factories.customer(acme, each)
    others = Customer.objects.exclude(customer_id=account)
    chosen = Customer.objects.get(customer_id=account)
    factories.budget(others, ann, "900.00")
    factories.budget(chosen, ann, str(total - Decimal("0.01")))
    assert all(each < 900 for each in month.values() if each != total)

    said = summary(run("import_expenditure", SAMPLE))
    run("import_expenditure", SAMPLE)

    assert said["frozen"] == "1"
    assert list(Customer.objects.frozen().values_list("customer_id", flat=True)) == [account]
    frozen = factories.fresh(chosen)
    assert frozen.freeze_origin == FreezeOrigin.BUDGET_EXHAUSTED
    record = frozen.freeze_records.get(operation=FreezeRecord.Operation.FREEZE, origin_after="BUDGET_EXHAUSTED")
    assert (record.used, record.amount) == (total, total - Decimal("0.01"))
    assert record.covers_until is not None
    assert not may_purchase(frozen).yearly_monthly

    factories.budget(chosen, ann, str(total + 1), unfreeze=True)
    assert may_purchase(factories.fresh(chosen)).yearly_monthly
    run("import_expenditure", SAMPLE)
    assert not factories.fresh(chosen).is_frozen


@real
def test_parts_of_an_export_gzipped_or_not_are_one_report(clock, acme, tmp_path):
    head, *lines = SAMPLE.read_text(encoding="utf-8").splitlines(keepends=True)
    parts = [tmp_path / "one.csv", tmp_path / "two.csv"]
    parts[0].write_text(head + "".join(lines[:300]), encoding="utf-8")
    parts[1].write_bytes(gzip.compress((head + "".join(lines[300:])).encode()))
    run("import_expenditure", *parts)
    split = {(row.account, row.month): row.total for row in Expenditure.objects.all()}
    run("import_expenditure", SAMPLE)
    assert {(row.account, row.month): row.total for row in Expenditure.objects.all()} == split


def test_a_bad_file_is_refused_whole_with_its_line_numbers(acme, tmp_path):
    factories.customer(acme, "c-1")
    bad = tmp_path / "bad.csv"
    bad.write_text("customer_id,month,list_price_total\nc-1,2026-09,10\nc-1,2026-13,10\nc-2,2026-09,NaN\n")
    with pytest.raises(CommandError) as refused:
        run("import_expenditure", bad)
    assert "bad.csv, line 3" in str(refused.value)
    assert "bad.csv, line 4" in str(refused.value)
    assert refused.value.returncode == 1
    assert not Expenditure.objects.exists()


def test_a_report_of_the_future_is_refused(acme, tmp_path):
    file = tmp_path / "plain.csv"
    file.write_text("customer_id,month,list_price_total\nc-1,2026-09,10\n")
    with pytest.raises(CommandError, match="future"):
        run("import_expenditure", file, "--reported-at", "2999-01-01")
    assert not Expenditure.objects.exists()


def test_a_missing_file_is_said_to_be_missing(db):
    with pytest.raises(CommandError, match=r"nowhere\.csv: No such file"):
        run("import_expenditure", "nowhere.csv")


def test_what_unknown_accounts_spent_is_kept_and_counts_once_they_are_associated(acme, ann, tmp_path, time_machine):
    time_machine.move_to("2026-09-20T04:00:00Z", tick=False)
    file = tmp_path / "plain.csv"
    file.write_text("customer_id,month,list_price_total\nnewcomer,2026-09,70\nnewcomer,2026-08,500\n")
    said = run("import_expenditure", file)
    assert summary(said)["unknown"] == "1"
    assert "  newcomer" in said.splitlines()
    newcomer = factories.customer(acme, "newcomer")
    factories.budget(newcomer, ann, "100.00", BudgetType.ONE_TIME, AccountFreezing.MANUAL)
    assert factories.stored(newcomer).used == Decimal("70.00")


def test_the_same_report_writes_no_row_at_all(acme, ann, time_machine):
    time_machine.move_to("2026-09-20T04:00:00Z", tick=False)
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100")
    at = factories.moment("2026-09-01 00:00")
    factories.report((customer, "2026-09", "10"), at=at)
    reports, before = ExpenditureReport.objects.count(), row_versions()
    taken = factories.report((customer, "2026-09", "10"), at=at)
    assert taken.report is None
    assert (ExpenditureReport.objects.count(), row_versions()) == (reports, before)


def row_versions() -> list[object]:
    """The rows as they are; on PostgreSQL with their place, which every write moves."""
    if connection.vendor != "postgresql":
        return everything()
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, ctid::text FROM budgets_expenditure ORDER BY id")
        return [everything(), cursor.fetchall()]


def test_a_newer_report_with_an_equal_total_moves_its_time_so_that_an_older_one_is_ignored(acme, ann):
    customer = factories.customer(acme)
    factories.report((customer, "2026-09", "100"), at=factories.moment("2026-09-10 01:00"))
    factories.report((customer, "2026-09", "100"), at=factories.moment("2026-09-10 03:00"))
    late = factories.report((customer, "2026-09", "90"), at=factories.moment("2026-09-10 02:00"))
    assert late.older == 1
    assert Expenditure.objects.get().total == Decimal("100.00")
    assert Expenditure.objects.get().reported_at == factories.moment("2026-09-10 03:00")
