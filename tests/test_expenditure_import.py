"""The command import_expenditure on real and made-up reports: totals, freezing, repeated and older reports.

See section 8 (docs/rules.md).
"""

import csv
import gzip
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError
from django.db import connection

from budgets.models import Budget, Expenditure, ExpenditureReport
from budgets.queries.standing import may_purchase
from customers.models import AccountFreezing, Customer, FreezeOrigin, FreezeRecord
from partnercenter.models import BudgetType
from tests import factories
from tests.commands import run_command

SAMPLE = Path(__file__).resolve().parents[2] / "shared/data/focus/focus_sample.csv"
REAL_DATA = pytest.mark.skipif(not SAMPLE.exists(), reason="the FOCUS sample data is not there")
# A day in the month of the sample.
SAMPLE_MONTH = pytest.mark.clock("2024-09-20 04:00")


def summary(output: str) -> dict[str, str]:
    """The figures that the command prints, by their names."""
    return {label: value.strip() for label, _, value in (line.partition(":") for line in output.splitlines())}


def totals_of_sample() -> dict[tuple[str, str], Decimal]:
    """An independent computation of what each sub-account spent in each month, to the cent."""
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    with SAMPLE.open(encoding="utf-8-sig", newline="") as file:
        for line in csv.DictReader(file):
            if line["SubAccountId"] not in ("", "NULL"):
                sums[line["SubAccountId"], line["BillingPeriodStart"][:7]] += Decimal(line["ListCost"])
    return {key: total.quantize(Decimal("0.01"), ROUND_HALF_UP) for key, total in sums.items()}


@REAL_DATA
@SAMPLE_MONTH
def test_the_totals_equal_an_independent_computation_for_every_sub_account(acme):
    expected = totals_of_sample()
    for account in {account for account, _month in expected}:
        factories.customer(acme, account)
    figures = summary(run_command("import_expenditure", SAMPLE))
    stored = {(row.account, f"{row.month // 100}-{row.month % 100:02}"): row.total for row in Expenditure.objects.all()}
    assert stored == expected
    assert len({account for account, _month in stored}) == 73
    assert figures["lines"] == "1000"
    assert figures["customers"] == "73"
    assert figures["totals"] == f"{sum(expected.values()):,.2f}"
    assert figures["unknown"] == "0"


@REAL_DATA
@SAMPLE_MONTH
def test_importing_the_same_report_again_changes_nothing(acme, ann):
    for account in {account for account, _month in totals_of_sample()}:
        factories.customer(acme, account)
    customers = list(Customer.objects.all())
    factories.budget(customers, ann, "0.01")
    first = summary(run_command("import_expenditure", SAMPLE, "--reported-at", "2024-09-20T03:00:00Z"))
    before = stored_rows()
    again = run_command("import_expenditure", SAMPLE, "--reported-at", "2024-09-20T03:00:00Z")
    assert stored_rows() == before
    assert int(first["frozen"]) > 0
    assert "Already imported" in again


def stored_rows() -> list[object]:
    """Every row that a report could write."""
    models = (Expenditure, ExpenditureReport, Budget, Customer, FreezeRecord)
    return [list(model.objects.order_by("pk").values()) for model in models]


@REAL_DATA
@SAMPLE_MONTH
def test_an_automatic_budget_below_the_total_freezes_exactly_that_account_once(acme, ann):
    month = {account: total for (account, month), total in totals_of_sample().items() if month == "2024-09"}
    account, total = max(month.items(), key=lambda pair: pair[1])
    for each in month:
        factories.customer(acme, each)
    others = Customer.objects.exclude(customer_id=account)
    customer = Customer.objects.get(customer_id=account)
    factories.budget(others, ann, "900.00")
    factories.budget(customer, ann, str(total - Decimal("0.01")))
    assert all(each < 900 for each in month.values() if each != total)

    figures = summary(run_command("import_expenditure", SAMPLE))
    run_command("import_expenditure", SAMPLE)

    assert figures["frozen"] == "1"
    assert list(Customer.objects.frozen().values_list("customer_id", flat=True)) == [account]
    frozen = factories.fresh(customer)
    assert frozen.freeze_origin == FreezeOrigin.BUDGET_EXHAUSTED
    record = frozen.freeze_records.get(operation=FreezeRecord.Operation.FREEZE, origin_after="BUDGET_EXHAUSTED")
    assert (record.used, record.amount) == (total, total - Decimal("0.01"))
    assert record.covers_until is not None
    assert not may_purchase(frozen).yearly_monthly

    factories.budget(customer, ann, str(total + 1), unfreeze=True)
    assert may_purchase(factories.fresh(customer)).yearly_monthly
    run_command("import_expenditure", SAMPLE)
    assert not factories.fresh(customer).is_frozen


@REAL_DATA
@SAMPLE_MONTH
def test_parts_of_an_export_are_one_report_gzipped_or_not(acme, tmp_path):
    head, *lines = SAMPLE.read_text(encoding="utf-8").splitlines(keepends=True)
    parts = [tmp_path / "one.csv", tmp_path / "two.csv"]
    parts[0].write_text(head + "".join(lines[:300]), encoding="utf-8")
    parts[1].write_bytes(gzip.compress((head + "".join(lines[300:])).encode()))
    run_command("import_expenditure", *parts)
    split = {(row.account, row.month): row.total for row in Expenditure.objects.all()}
    run_command("import_expenditure", SAMPLE)
    assert {(row.account, row.month): row.total for row in Expenditure.objects.all()} == split


def test_a_file_with_bad_lines_is_refused_as_a_whole_with_their_numbers(acme, tmp_path):
    factories.customer(acme, "c-1")
    bad = tmp_path / "bad.csv"
    bad.write_text("customer_id,month,list_price_total\nc-1,2026-09,10\nc-1,2026-13,10\nc-2,2026-09,NaN\n")
    with pytest.raises(CommandError) as error:
        run_command("import_expenditure", bad)
    assert "bad.csv, line 3" in str(error.value)
    assert "bad.csv, line 4" in str(error.value)
    assert error.value.returncode == 1
    assert not Expenditure.objects.exists()


def test_a_report_with_a_time_in_the_future_is_refused(acme, tmp_path):
    file = tmp_path / "plain.csv"
    file.write_text("customer_id,month,list_price_total\nc-1,2026-09,10\n")
    with pytest.raises(CommandError, match="future"):
        run_command("import_expenditure", file, "--reported-at", "2999-01-01")
    assert not Expenditure.objects.exists()


def test_a_missing_file_is_reported_as_missing(db):
    with pytest.raises(CommandError, match=r"nowhere\.csv: No such file"):
        run_command("import_expenditure", "nowhere.csv")


@pytest.mark.clock("2026-09-20 04:00")
def test_expenditure_of_unknown_accounts_is_kept_and_counts_once_they_are_associated(acme, ann, tmp_path):
    file = tmp_path / "plain.csv"
    file.write_text("customer_id,month,list_price_total\nnewcomer,2026-09,70\nnewcomer,2026-08,500\n")
    output = run_command("import_expenditure", file)
    assert summary(output)["unknown"] == "1"
    assert "  newcomer" in output.splitlines()
    newcomer = factories.customer(acme, "newcomer")
    factories.budget(newcomer, ann, "100.00", BudgetType.ONE_TIME, AccountFreezing.MANUAL)
    assert factories.stored(newcomer).used == Decimal("70.00")


@pytest.mark.clock("2026-09-20 04:00")
def test_the_same_report_again_writes_no_row(acme, ann):
    customer = factories.customer(acme)
    factories.budget(customer, ann, "100")
    at = factories.moment("2026-09-01 00:00")
    factories.report((customer, "2026-09", "10"), at=at)
    reports, before = ExpenditureReport.objects.count(), row_versions()
    result = factories.report((customer, "2026-09", "10"), at=at)
    assert result.report is None
    assert (ExpenditureReport.objects.count(), row_versions()) == (reports, before)


def row_versions() -> list[object]:
    """The stored rows; on PostgreSQL with their physical position, which changes with every write."""
    if connection.vendor != "postgresql":
        return stored_rows()
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, ctid::text FROM budgets_expenditure ORDER BY id")
        return [stored_rows(), cursor.fetchall()]


def test_a_newer_report_with_an_equal_total_moves_its_time_so_an_older_one_is_ignored(acme, ann):
    customer = factories.customer(acme)
    factories.report((customer, "2026-09", "100"), at=factories.moment("2026-09-10 01:00"))
    factories.report((customer, "2026-09", "100"), at=factories.moment("2026-09-10 03:00"))
    older = factories.report((customer, "2026-09", "90"), at=factories.moment("2026-09-10 02:00"))
    assert older.older == 1
    assert Expenditure.objects.get().total == Decimal("100.00")
    assert Expenditure.objects.get().reported_at == factories.moment("2026-09-10 03:00")
