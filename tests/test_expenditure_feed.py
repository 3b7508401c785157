"""What the command import_expenditure does with the files that a feed delivers: again, too late, twice, or wrong.

See rules 8.1, 8.3 (docs/rules.md).
"""

import gzip
import os
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.core import mail
from django.core.management import CommandError
from django.db import DatabaseError, transaction
from django.utils import timezone

from budgets.models import Expenditure, ExpenditureReport, ReportImport, ReportSum
from customers.models import AccountFreezing, Customer
from tests import factories
from tests.commands import run_command

pytestmark = pytest.mark.clock("2026-09-20 04:00")

FOCUS = "SubAccountId,BillingPeriodStart,ChargePeriodEnd,ListCost,BillingCurrency,ResourceId\n"
PLAIN = "customer_id,month,list_price_total\n"
REFUSED, NEEDS_CONFIRMATION, WRONG_ARGUMENTS = 1, 3, 2


@pytest.fixture
def customers(acme, ann) -> list[Customer]:
    """Thirty customers that are not frozen, each with an automatic budget of 100."""
    made = factories.customers(acme, 30)
    factories.budget(made, ann, "100", account_freezing=AccountFreezing.AUTOMATIC, unfreeze=True)
    return made


def focus(
    path: Path, customers: list[Customer], cost: str, *, until: str = "2026-09-20T03:00:00Z", lines: int = 1
) -> Path:
    """A FOCUS export in which each customer has this many lines of this cost, about usage until this time."""
    text = FOCUS + "".join(
        f"{customer.customer_id},2026-09-01,{until},{cost},USD,{customer.customer_id}/{line}/{until}\n"
        for customer in customers
        for line in range(lines)
    )
    path.write_text(text)
    return path


def plain(path: Path, customers: list[Customer], total: str, *, month: str = "2026-09") -> Path:
    path.write_text(PLAIN + "".join(f"{customer.customer_id},{month},{total}\n" for customer in customers))
    return path


def set_changed_at(path: Path, at: datetime) -> None:
    """Set when the file was last changed."""
    os.utime(path, (at.timestamp(), at.timestamp()))


def exit_status(*words: object) -> tuple[int, str]:
    """Run import_expenditure, which must not succeed; its exit status and what it says."""
    with pytest.raises(CommandError) as error:
        run_command("import_expenditure", *words)
    return error.value.returncode, str(error.value)


def stored_totals() -> set[Decimal]:
    return set(Expenditure.objects.values_list("total", flat=True))


# --- The same content again ---------------------------------------------------------------------------------------


def test_the_same_files_again_change_nothing_not_even_the_time(customers, tmp_path, clock):
    file = plain(tmp_path / "plain.csv", customers, "10")
    set_changed_at(file, factories.moment("2026-09-20 03:00"))
    run_command("import_expenditure", file)
    clock.move_to(factories.moment("2026-09-20 05:00"))
    set_changed_at(file, factories.moment("2026-09-20 04:30"))
    output = run_command("import_expenditure", file)
    assert "Already imported at 2026-09-20T04:00" in output
    assert set(Expenditure.objects.values_list("reported_at", flat=True)) == {factories.moment("2026-09-20 03:00")}
    assert ExpenditureReport.objects.count() == ReportImport.objects.count() == 1


def test_the_same_content_is_recognized_compressed_and_in_another_order(customers, tmp_path):
    one = plain(tmp_path / "one.csv", customers[:10], "10")
    two = plain(tmp_path / "two.csv", customers[10:], "20")
    run_command("import_expenditure", one, two)
    compressed = tmp_path / "one.csv.gz"
    compressed.write_bytes(gzip.compress(one.read_bytes()))
    assert "Already imported" in run_command("import_expenditure", two, compressed)


def test_the_same_content_stated_for_a_later_time_moves_the_times(customers, tmp_path):
    file = plain(tmp_path / "plain.csv", customers, "10")
    run_command("import_expenditure", file, "--reported-at", "2026-09-20T01:00:00Z")
    assert "Already imported" in run_command("import_expenditure", file, "--reported-at", "2026-09-20T01:00:00Z")
    run_command("import_expenditure", file, "--reported-at", "2026-09-20T02:00:00Z")
    assert set(Expenditure.objects.values_list("reported_at", flat=True)) == {factories.moment("2026-09-20 02:00")}


def test_content_from_before_the_last_report_is_compared_again(customers, tmp_path):
    first = plain(tmp_path / "first.csv", customers, "10")
    second = plain(tmp_path / "second.csv", customers, "11")
    run_command("import_expenditure", first, "--reported-at", "2026-09-20T01:00:00Z")
    run_command("import_expenditure", second, "--reported-at", "2026-09-20T02:00:00Z")
    output = run_command("import_expenditure", first, "--reported-at", "2026-09-20T03:00:00Z")
    assert "changed:        30" in output
    assert stored_totals() == {Decimal("10.00")}


def test_a_refused_report_is_not_taken_for_imported_when_it_comes_again(customers, tmp_path):
    file = tmp_path / "plain.csv"
    file.write_text(f"{PLAIN}{customers[0].customer_id},2026-09,10\nc-1,September,10\n")
    assert exit_status(file)[0] == REFUSED
    assert exit_status(file)[0] == REFUSED
    assert not ExpenditureReport.objects.exists()


# --- The time of a report -----------------------------------------------------------------------------------------


def test_the_time_is_the_latest_usage_that_is_not_in_the_future(customers, tmp_path):
    file = focus(tmp_path / "focus.csv", customers[:2], "10", until="2026-09-20T02:00:00Z")
    with file.open("a") as more:
        more.write(f"{customers[2].customer_id},2026-09-01,2026-10-01T00:00:00Z,1,USD,x\n")
    run_command("import_expenditure", file)
    report = ExpenditureReport.objects.get()
    assert report.reported_at == factories.moment("2026-09-20 02:00")
    assert report.covers_until == factories.moment("2026-10-01 00:00")


def test_without_a_usage_time_it_is_when_the_newest_file_was_changed(customers, tmp_path):
    one = plain(tmp_path / "one.csv", customers[:10], "10")
    two = plain(tmp_path / "two.csv", customers[10:], "20")
    set_changed_at(one, factories.moment("2026-09-19 01:00"))
    set_changed_at(two, factories.moment("2026-09-19 02:00"))
    run_command("import_expenditure", one, two)
    assert ExpenditureReport.objects.get().reported_at == factories.moment("2026-09-19 02:00")


def test_a_file_changed_in_the_future_counts_as_changed_now(customers, tmp_path):
    file = plain(tmp_path / "plain.csv", customers, "10")
    set_changed_at(file, factories.moment("2026-09-21 00:00"))
    run_command("import_expenditure", file)
    assert ExpenditureReport.objects.get().reported_at <= timezone.now()


def test_an_older_export_that_arrives_later_replaces_nothing(customers, tmp_path):
    newer = focus(tmp_path / "newer.csv", customers, "50", until="2026-09-20T02:00:00Z")
    older = focus(tmp_path / "older.csv", customers, "49", until="2026-09-20T01:00:00Z")
    run_command("import_expenditure", newer)
    output = run_command("import_expenditure", older)
    assert "older, ignored: 30" in output
    assert stored_totals() == {Decimal("50.00")}


# --- Two exports in one report ------------------------------------------------------------------------------------


def test_two_exports_of_one_month_are_refused_and_both_are_named(customers, tmp_path):
    morning = focus(tmp_path / "morning.csv", customers, "1", lines=5)
    noon = tmp_path / "noon.csv"
    more = "".join(f"{each.customer_id},2026-09-01,2026-09-20T03:30:00Z,1,USD,new\n" for each in customers)
    noon.write_text(morning.read_text() + more)
    status, text = exit_status(morning, noon)
    assert status == REFUSED
    assert "morning.csv and noon.csv" in text
    assert not Expenditure.objects.exists()


@pytest.mark.parametrize("lines", [3_000, 12_000], ids=["small files", "sampled files"])
def test_two_exports_are_recognized_at_any_size_and_parts_of_one_are_not(acme, tmp_path, lines):
    def part(name: str, first: int) -> Path:
        rows = (f"c-{n % 50},2026-09-01,2026-09-20T03:00:00Z,0.01,USD,r{n}\n" for n in range(first, first + lines))
        path = tmp_path / name
        path.write_text(FOCUS + "".join(rows))
        return path

    run_command("import_expenditure", part("one.csv", 0), part("two.csv", lines))
    assert Expenditure.objects.count() == 50
    assert exit_status(part("old.csv", 0), part("new.csv", lines // 4))[0] == REFUSED


# --- Plausibility -------------------------------------------------------------------------------------------------


def test_totals_that_fall_below_four_fifths_need_a_confirmation(customers, tmp_path):
    run_command("import_expenditure", plain(tmp_path / "a.csv", customers, "50"))
    status, text = exit_status(plain(tmp_path / "b.csv", customers, "39.99"))
    assert status == NEEDS_CONFIRMATION
    assert "30 totals: 1,500.00 stored, 1,199.70 in this report" in text
    assert stored_totals() == {Decimal("50.00")}


def test_totals_that_rise_above_three_times_and_the_month_before_need_a_confirmation(customers, tmp_path):
    run_command("import_expenditure", plain(tmp_path / "before.csv", customers, "40", month="2026-08"))
    run_command("import_expenditure", plain(tmp_path / "a.csv", customers, "10"))
    status, text = exit_status(plain(tmp_path / "b.csv", customers, "100"))
    assert status == NEEDS_CONFIRMATION
    assert "Accounts that it would freeze: 30." in text
    assert f"{min(each.customer_id for each in customers)}: 10.00 > 100.00" in text
    assert not Customer.objects.frozen().exists()


def test_the_confirmation_is_for_exactly_this_content(customers, tmp_path):
    run_command("import_expenditure", plain(tmp_path / "a.csv", customers, "10"))
    file = plain(tmp_path / "b.csv", customers, "100")
    confirmation = exit_status(file)[1].rpartition(" ")[2]
    assert exit_status(plain(tmp_path / "c.csv", customers, "101"), "--confirm", confirmation)[0] == REFUSED
    assert stored_totals() == {Decimal("10.00")}
    run_command("import_expenditure", file, "--confirm", confirmation)
    assert stored_totals() == {Decimal("100.00")}
    assert Customer.objects.frozen().count() == 30
    assert ReportImport.objects.get(state="IMPORTED", sources=["b.csv"]).confirmed_by == "system"


@pytest.mark.parametrize(
    ("before", "first", "second"),
    [
        ("0", "3.30", "1"),  # below the floor: 99.00 in all
        ("60", "10", "59"),  # more than three times, but less than the month before
        ("0", "50", "40"),  # exactly four fifths
        ("0", "10", "30"),  # exactly three times
    ],
)
def test_ordinary_changes_need_no_confirmation(customers, tmp_path, before, first, second):
    run_command("import_expenditure", plain(tmp_path / "before.csv", customers, before, month="2026-08"))
    run_command("import_expenditure", plain(tmp_path / "a.csv", customers, first))
    run_command("import_expenditure", plain(tmp_path / "b.csv", customers, second))
    assert Expenditure.objects.filter(month=202609, total=Decimal(second)).count() == 30


def test_few_totals_and_two_feeds_in_turn_need_no_confirmation(customers, tmp_path):
    for number, (total, other) in enumerate([("90", "10"), ("95", "11"), ("99", "12")]):
        run_command("import_expenditure", plain(tmp_path / f"a{number}.csv", customers[:15], total))
        run_command("import_expenditure", plain(tmp_path / f"b{number}.csv", customers[15:], other))
    run_command("import_expenditure", plain(tmp_path / "one.csv", customers[:1], "1"))
    run_command("import_expenditure", plain(tmp_path / "few.csv", customers[:19], "1"))
    assert stored_totals() == {Decimal("1.00"), Decimal("12.00")}


@pytest.mark.clock("2026-09-20 04:00", tick=True)
def test_the_platform_hears_of_a_refusal_once(customers, tmp_path, settings):
    settings.ADMINS = [("", "platform@example.com")]
    run_command("import_expenditure", plain(tmp_path / "a.csv", customers, "50"))
    file = plain(tmp_path / "b.csv", customers, "1")
    for _turn in range(3):
        exit_status(file)
    assert [message.to for message in mail.outbox] == [["platform@example.com"]]
    assert "b.csv" in mail.outbox[0].subject
    assert "1,500.00 stored, 30.00 in this report" in mail.outbox[0].body
    assert ReportImport.objects.filter(state="NEEDS_CONFIRMATION").count() == 1


# --- What is kept of a report -------------------------------------------------------------------------------------


def test_sums_by_month_and_partner_are_kept_beside_the_totals_before(acme, borealis, customers, tmp_path):
    theirs = factories.customer(borealis, "theirs")
    run_command("import_expenditure", plain(tmp_path / "a.csv", [*customers, theirs], "10"))
    lines = (f"{each.customer_id},2026-09,{cost}\n" for cost, each in enumerate(customers))
    text = PLAIN + "".join(lines)
    (tmp_path / "b.csv").write_text(f"{text}theirs,2026-09,12\nnobody,2026-08,5\n")
    run_command("import_expenditure", tmp_path / "b.csv")
    report = ExpenditureReport.objects.latest("imported_at")
    sums = ReportSum.objects.filter(report=report).order_by("month", "total")
    rows = [(each.partner, each.month, each.total, each.total_before, each.risen, each.fallen) for each in sums]
    assert rows == [
        (None, 202608, 5, 0, 1, 0),
        (borealis, 202609, 12, 10, 1, 0),
        (acme, 202609, 435, 300, 19, 10),
    ]


def test_the_stored_report_can_neither_be_changed_nor_deleted(customers, tmp_path):
    run_command("import_expenditure", plain(tmp_path / "a.csv", customers, "10"))
    report = ExpenditureReport.objects.get()
    forbidden = [
        lambda: ExpenditureReport.objects.update(reported_at=timezone.now()),
        lambda: ExpenditureReport.objects.update(content_hash="", summary={}),
        lambda: ReportSum.objects.update(total=1),
        lambda: ReportSum.objects.all()._raw_delete("default"),
        lambda: ExpenditureReport.objects.filter(pk=report.pk)._raw_delete("default"),
    ]
    for change in forbidden:
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            change()
    ExpenditureReport.objects.update(summary=report.summary)


def test_files_or_a_directory_must_be_named(db, tmp_path):
    assert exit_status()[0] == WRONG_ARGUMENTS
    assert exit_status(tmp_path / "a.csv", "--directory", tmp_path)[0] == WRONG_ARGUMENTS
