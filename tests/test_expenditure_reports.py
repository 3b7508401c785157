"""Reading files of expenditure reports: exact totals, bad lines that refuse the report, and months.

See sections 2, 8 (docs/rules.md).
"""

import csv
import gzip
import io
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgets.files.expenditure_reports import ReadReport, read_report
from budgets.months import (
    first_moment,
    first_moment_of_day,
    month_name,
    month_of,
    next_month,
    parse_month,
    previous_month,
)
from partnercenter.lib.csv_files import BadFile

SAMPLE = Path(__file__).resolve().parents[2] / "shared/data/focus/focus_sample.csv"
FOCUS = "SubAccountId,BillingPeriodStart,ListCost,BillingCurrency,ChargePeriodEnd"
COLUMNS = ["SubAccountId", "BillingPeriodStart", "ListCost", "BillingCurrency", "Tags"]
PLAIN = "customer_id,month,list_price_total"
NUMBERS = ["0.005", "-0.005", "0.004999999999", "8E-7", "1.5e+3", "+7", "-0", "0e9999", "1000e-14"]
LONG_NUMBERS = ["9999999999999.999999999999", "12.340000000000000", "00000000000000001"]
NOT_NUMBERS = ["NaN", "Infinity", "-inf", "1_000", "1.", ".5", "1 000", "0x10", "٣", "1e", "--1", "1e9999999999"]
OUT_OF_BOUNDS = ["10000000000000", "1e13", "1e999999999", "0.0000000000001", "-1e-13", "1e-999999999"]
IDS = ["acme", "510000000042", "/subscriptions/64e3/x", "ocid1.tenancy..aé"]
COSTS = st.decimals(-99999999999, 99999999999, places=12)
LINES = st.lists(st.tuples(st.sampled_from(IDS), st.sampled_from(["2026-08", "2026-09"]), COSTS), max_size=25)


def read(*contents: str | bytes, **options) -> ReadReport:
    """Read a report of files named 1.csv, 2.csv and so on."""
    parts = [text if isinstance(text, bytes) else text.encode(errors="surrogateescape") for text in contents]
    return read_report([(f"{n}.csv", io.BytesIO(part)) for n, part in enumerate(parts, 1)], **options)


def totals(*contents: str | bytes, **options) -> dict[tuple[str, int], int]:
    """The totals of a report in cents, by customer and month."""
    listed = [((customer, month), cents) for customer, month, cents in read(*contents, **options).totals()]
    assert len(listed) == len(dict(listed))
    return dict(listed)


def bad_lines(*contents: str | bytes, **options) -> list[str]:
    """The bad lines for which a report is refused."""
    with pytest.raises(BadFile) as error:
        read(*contents, **options)
    assert not error.value.more
    return [str(line) for line in error.value.bad_lines]


def focus(*lines: str) -> str:
    return "\n".join([FOCUS, *lines, ""])


def plain(*lines: str) -> str:
    return "\n".join([PLAIN, *lines, ""])


def focus_with_cost(text: str) -> str:
    """A FOCUS report with one line that costs this."""
    return focus(f"acme,2026-09-01,{text},USD,")


def focus_csv(lines, columns=COLUMNS) -> str:
    """A FOCUS report of customer, month and cost, with these columns."""
    out = io.StringIO()
    csv.writer(out).writerow(columns)
    for customer, month, amount in lines:
        cells = [customer, f"{month}-01T00:00:00Z", str(amount), "USD", 'a,"b"\nc']
        named = dict(zip(COLUMNS, cells, strict=True))
        csv.writer(out).writerow([named[column] for column in columns])
    return out.getvalue()


def in_cents(sums) -> dict[tuple[str, int], int]:
    return {pair: int(total.scaleb(2).quantize(Decimal(1), ROUND_HALF_UP)) for pair, total in sums.items()}


def expected_totals(lines) -> dict[tuple[str, int], int]:
    """An independent computation of the totals in cents."""
    sums: defaultdict[tuple[str, int], Decimal] = defaultdict(Decimal)
    for customer, month, amount in lines:
        sums[customer, int(month.replace("-", ""))] += amount
    return in_cents(sums)


@given(LINES)
def test_lines_are_summed_exactly_and_rounded_once_with_halves_away_from_zero(lines):
    assert totals(focus_csv(lines)) == expected_totals(lines)


@given(LINES, st.data())
def test_splitting_a_report_over_files_gives_the_same_totals(lines, data):
    # Files with the same lines would be taken for two exports of one month.
    lines = list(dict.fromkeys(lines))
    cut = data.draw(st.integers(0, len(lines)))
    assert totals(focus_csv(lines[:cut]), focus_csv(lines[cut:])) == totals(focus_csv(lines))


@given(LINES, st.permutations(COLUMNS))
def test_columns_may_come_in_any_order(lines, columns):
    assert totals(focus_csv(lines, columns)) == totals(focus_csv(lines))


@pytest.mark.parametrize("text", NUMBERS + LONG_NUMBERS)
def test_a_number_may_have_a_sign_an_exponent_twelve_decimals_and_extra_zeros(text):
    assert totals(focus_with_cost(text)) == in_cents({("acme", 202609): Decimal(text)})


@pytest.mark.parametrize("text", NOT_NUMBERS)
def test_text_that_is_not_a_number_refuses_the_report(text):
    assert bad_lines(focus_with_cost(text)) == [f"1.csv, line 2: {text!r} is not a number"]


@pytest.mark.parametrize("text", OUT_OF_BOUNDS)
def test_a_number_that_is_too_large_or_too_fine_refuses_the_report(text):
    assert bad_lines(focus_with_cost(text)) == [
        f"1.csv, line 2: {text} has over 13 digits before or 12 after the decimal point"
    ]


def test_small_amounts_are_rounded_only_after_they_are_summed():
    assert totals(focus(*["acme,2026-09-01,0.001,USD,"] * 5)) == {("acme", 202609): 1}


def test_credits_lower_a_total_and_may_make_it_negative():
    assert totals(focus("acme,2026-09-01,1,USD,", "acme,2026-09-01,-3.50,USD,")) == {("acme", 202609): -250}


@pytest.mark.parametrize("absent", ["", "NULL", "null", "  "])
def test_lines_without_a_sub_account_are_counted_and_summed_but_not_attributed(absent):
    report = read(focus("acme,2026-09-01,1,USD,", *[f"{absent},2026-09-01,0.0025,USD,"] * 2))
    assert (report.lines, report.unattributed_lines, report.unattributed_total) == (3, 2, Decimal("0.01"))
    assert list(report.totals()) == [("acme", 202609, 100)] == list(report.totals())


@pytest.mark.skipif(not SAMPLE.exists(), reason="the FOCUS sample data is not there")
def test_totals_of_real_data_equal_an_independent_computation():
    with SAMPLE.open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    costs = [(line["SubAccountId"], line["BillingPeriodStart"][:7], Decimal(line["ListCost"])) for line in lines]
    report = read(SAMPLE.read_bytes())
    assert {(customer, month): cents for customer, month, cents in report.totals()} == expected_totals(costs)
    assert len({customer for customer, month, cents in report.totals()}) == 73
    assert (report.format, report.lines, report.unattributed_lines) == ("focus", 1000, 0)
    assert report.covers_until == datetime(2024, 10, 1, tzinfo=UTC)


def test_the_header_of_each_file_decides_its_format():
    assert read(focus(), focus()).format == "focus"
    assert read(plain("acme,2026-09,1")).format == "plain"
    mixed = read(focus("acme,2026-09-01,1,USD,"), plain("bolt,2026-09,2"))
    assert (mixed.format, mixed.sources) == ("mixed", ["1.csv", "2.csv"])
    assert sorted(mixed.totals()) == [("acme", 202609, 100), ("bolt", 202609, 200)]


def test_a_plain_file_may_have_its_columns_in_any_order_and_other_columns_too():
    text = "\ufefflist_price_total , note,month,customer_id\r\n1.50,x,2026-09, acme \r\n\r\n"
    assert totals(text) == {("acme", 202609): 150}


def test_a_requested_format_must_match_every_header():
    assert totals(plain("acme,2026-09,1"), format="plain") == {("acme", 202609): 100}
    assert bad_lines(focus(), plain(), format="focus") == [
        "2.csv, line 1: missing columns: SubAccountId, BillingPeriodStart, ListCost, BillingCurrency"
    ]


@pytest.mark.parametrize(
    "header", ["", "\ufeff", "a,b,c\n", "SubAccountId,ListCost,BillingCurrency\n", f"{PLAIN},month\n"]
)
def test_a_missing_header_or_one_with_a_missing_or_repeated_column_is_a_bad_line_1(header):
    assert [line.split(": ")[0] for line in bad_lines(header)] == ["1.csv, line 1"]


@pytest.mark.parametrize("period", ["2026-09-30", "2026-09-01 00:00:00", "2026-09-01T00:00:00-12:00"])
def test_the_month_of_a_focus_line_is_taken_as_stated_without_conversion(period):
    assert totals(focus(f"acme,{period},1,USD,")) == {("acme", 202609): 100}


@pytest.mark.parametrize("period", ["2026-09", "2026-09-31", "1999-12-01", "3000-01-01", "09/01/2026", "2026-09-01x"])
def test_an_invalid_date_is_a_bad_month_in_a_focus_file(period):
    assert len(bad_lines(focus(f"acme,{period},1,USD,"))) == 1


@pytest.mark.parametrize("month", ["2026-9", "2026-13", "2026-09-01", "202609", "1999-12", "3000-01", "٢٠٢٦-09"])
def test_an_invalid_month_is_a_bad_line_in_a_plain_file(month):
    assert len(bad_lines(plain(f"acme,{month},1"))) == 1


def test_a_report_covers_usage_until_the_latest_charge_period_end():
    ends = ["2026-09-03 01:00:00", "2026-09-03T10:00:00+08:00", "soon", "NULL", "9999-12-31T23:00:00-12:00"]
    report = read(focus(*[f"acme,2026-09-01,1,USD,{end}" for end in ends]))
    assert report.covers_until == datetime(2026, 9, 3, 2, tzinfo=UTC)
    assert read(focus("acme,2026-09-01,1,USD,")).covers_until is None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("acme,2026-09-01,1,EUR,", "the currency is 'EUR', it must be USD"),
        ("acme,2026-09-01,1,NULL,", "BillingCurrency is missing"),
        ("acme,NULL,1,USD,", "BillingPeriodStart is missing"),
        ("acme,2026-09-01,,USD,", "ListCost is missing"),
        (",2026-09-01,,USD,", "ListCost is missing"),
        ("acme,2026-09-01,x\x1b[2J,USD,", r"'x\x1b[2J' is not a number"),
        ("acme,2026-09-01,1,USD", "expected 5 cells as in the header, found 4"),
        ("acme,2026-09-01,1,USD,,", "expected 5 cells as in the header, found 6"),
        ("ac\u200bme,2026-09-01,1,USD,", r"'ac\u200bme' is not a customer ID"),
        ("a" * 129 + ",2026-09-01,1,USD,", f"'{'a' * 60}' is not a customer ID"),
        ('"ac"me,2026-09-01,1,USD,', "broken quoting, or a cell too long"),
        ("acme,2026-09-01,1\0,USD,", "contains a NUL character"),
        ("gr\udcf6sse,2026-09-01,1,USD,", "not UTF-8 text"),
        ("x" * 2**22, "longer than 1 MiB: a line end is missing, or a quote is never closed"),
    ],
)
def test_a_bad_line_is_listed_with_file_number_and_reason_and_reading_continues(line, reason):
    text = focus("acme,2026-09-01,1,USD,", line, "acme,2026-09-01,no,USD,")
    assert bad_lines(focus(), text) == [f"2.csv, line 3: {reason}", "2.csv, line 4: 'no' is not a number"]


def test_the_currency_must_be_that_of_the_installation(settings):
    settings.CURRENCY = "EUR"
    assert totals(focus("acme,2026-09-01,1,EUR,")) == {("acme", 202609): 100}
    assert bad_lines(focus_with_cost("1")) == ["1.csv, line 2: the currency is 'USD', it must be EUR"]


def test_a_plain_total_may_be_stated_only_once_in_all_files_and_not_with_focus_lines():
    once, twice = "acme,2026-09,1", "acme is stated twice for 2026-09"
    assert bad_lines(plain(once, once)) == [f"1.csv, line 3: {twice}"]
    assert bad_lines(plain(once), plain(once)) == [f"2.csv, line 2: {twice}"]
    assert (
        bad_lines(plain(once), focus_with_cost("1"))
        == bad_lines(focus_with_cost("1"), plain(once))
        == [f"2.csv, line 2: {twice}"]
    )
    assert len(totals(plain(once, "acme,2026-08,1"))) == 2


@pytest.mark.parametrize("line", [",2026-09,1", "NULL,2026-09,1", "acme,,1", "acme,2026-09,NULL"])
def test_a_plain_line_needs_customer_month_and_total(line):
    assert "is missing" in bad_lines(plain(line))[0]


def test_a_record_over_several_lines_has_the_number_of_its_first_line():
    text = f'{FOCUS},Tags\n\nacme,2026-09-01,1,USD,,"a\nb\nc"\nacme,2026-09-01,no,USD,,"a\nb"\n'
    assert bad_lines(text) == ["1.csv, line 6: 'no' is not a number"]


def test_an_unclosed_quote_is_reported_at_the_line_where_it_began():
    text = focus('acme,2026-09-01,1,USD,"', "b,2026-09-01,1,USD,")
    assert bad_lines(text) == ["1.csv, line 2: broken quoting, or a cell too long (this record runs on to line 3)"]


def test_an_unclosed_quote_is_cut_off_and_the_lines_after_it_are_read():
    lines = ['acme,2026-09-01,1,USD,"', *["b,2026-09-01,1,USD,"] * 10_000, "acme,2026-09-01,no,USD,"]
    assert bad_lines(focus(*lines)) == [
        "1.csv, line 2: broken quoting, or a cell too long (this record runs on to line 6556)",
        "1.csv, line 10003: 'no' is not a number",
    ]


def test_a_record_that_runs_on_over_many_cells_is_cut_off():
    with pytest.raises(BadFile) as error:
        read(focus() + 'acme,2026-09-01,1,USD,"' + '\n","' * 300_000)
    assert str(error.value.bad_lines[0]).startswith("1.csv, line 2: longer than 1 MiB")


def test_reading_stops_after_a_hundred_bad_lines_over_all_files():
    wrong = ["acme,2026-09-01,no,USD,"] * 60
    with pytest.raises(BadFile) as error:
        read(focus(*wrong), focus(*wrong))
    assert (len(error.value.bad_lines), error.value.more) == (100, True)
    assert len(bad_lines(focus(*wrong), focus(*wrong[:40]))) == 100


def test_gzip_is_recognized_by_its_content_even_with_several_members():
    text = focus("acme,2026-09-01,1,USD,", "bolt,2026-09-01,2,USD,").encode()
    assert totals(gzip.compress(text[:90]) + gzip.compress(text[90:])) == totals(text)


def test_gzip_that_is_damaged_or_cut_off_refuses_the_report():
    data = gzip.compress(focus(*[f"acme{n},2026-09-01,{n}.5,USD," for n in range(50_000)]).encode())
    for damaged in (data[:-9], data[:60] + b"????" + data[64:], data + b"????", data[:2] + b"????"):
        assert sum("the gzip data is damaged or cut off" in line for line in bad_lines(damaged)) == 1


@pytest.mark.parametrize("packed", [False, True])
def test_progress_is_reported_in_bytes_and_the_files_stay_open(packed):
    data = focus_with_cost("1").encode()
    content, progress = io.BytesIO(gzip.compress(data) if packed else data), list[int]()
    read_report([("a", content)], progress=progress.append)
    assert sum(progress) == len(content.getvalue())


def test_a_time_belongs_to_its_month_in_the_billing_time_zone(settings):
    settings.BILLING_TIME_ZONE = "Asia/Shanghai"
    assert month_of(datetime(2026, 8, 31, 15, 59, 59, tzinfo=UTC)) == 202608
    assert month_of(datetime(2026, 8, 31, 16, tzinfo=UTC)) == 202609
    assert first_moment(202609) == datetime(2026, 8, 31, 16, tzinfo=UTC)
    settings.BILLING_TIME_ZONE = "America/New_York"
    assert month_of(first_moment(202611)) == 202611
    with pytest.raises(ValueError, match="without a time zone"):
        month_of(first_moment(202609).replace(tzinfo=None))


def test_a_day_whose_first_hour_occurs_twice_begins_once(settings):
    settings.BILLING_TIME_ZONE = "America/Havana"
    midnight = datetime(2026, 11, 1, 4, tzinfo=UTC)
    for elapsed in (timedelta(0), timedelta(minutes=30), timedelta(minutes=90), timedelta(hours=24)):
        # Compared in UTC: a local time that occurs twice is not equal to any time of another zone.
        assert first_moment_of_day(midnight + elapsed).astimezone(UTC) == midnight


@given(st.integers(2000, 2998), st.integers(1, 12))
def test_months_are_consecutive_and_parsed_as_they_are_written(year, number):
    month = year * 100 + number
    assert parse_month(month_name(month)) == month
    assert month < next_month(month) == (month + 1 if number < 12 else (year + 1) * 100 + 1)
    assert previous_month(next_month(month)) == month


def test_a_total_that_is_too_large_is_a_bad_line():
    one = "c,2026-09-01T00:00:00Z,9999999999999,USD"
    header = "SubAccountId,BillingPeriodStart,ListCost,BillingCurrency"
    with pytest.raises(BadFile, match=r"line 3: the total of this customer and month is 10,000,000,000,000 or more"):
        read_report([("large.csv", io.BytesIO(f"{header}\n{one}\n{one}".encode()))])
