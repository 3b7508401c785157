"""Money is exact: cents in the database, two decimals in Python, and strictly parsed amounts in forms.

See section 2 (docs/rules.md).
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django import forms
from django.core import serializers
from django.core.exceptions import FieldError, ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.models import Case, Exists, ExpressionWrapper, F, Max, Min, OuterRef, Q, Subquery, Sum, When
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone, translation
from hypothesis import given
from hypothesis import strategies as st

from budgets.models import Budget, Expenditure, ExpenditureReport
from partnercenter.lib.money import LARGEST_BUDGET, AmountField, MoneyField, from_cents, money, show_amount, to_cents
from partnercenter.models import BudgetType, Grant, Partner, User
from tests import factories

TOTALS = {"a": "0.10", "b": "0.20", "c": "0.30", "d": "1234.56", "e": "-5.00"}
BIGINT = 2**63 - 1


def amount(text: str) -> Decimal:
    return Decimal(text)


@pytest.fixture
def totals(db: None) -> Any:
    """A queryset with the expenditure of the accounts a to e."""
    now = timezone.now()
    report = ExpenditureReport.objects.create(
        reported_at=now, imported_at=now, operator_name="system", sources=[], format="plain"
    )
    common = {"month": 202609, "reported_at": now, "report": report}
    Expenditure.objects.bulk_create(
        Expenditure(account=name, total=amount(total), **common) for name, total in TOTALS.items()
    )
    return Expenditure.objects.order_by("account")


def accounts(rows: Any) -> list[str]:
    return [row.account for row in rows]


# --- In the database --------------------------------------------------------------------------------------------------


def test_an_amount_is_stored_as_cents_and_read_with_two_decimals(totals: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT total FROM budgets_expenditure ORDER BY account")
        assert [row[0] for row in cursor.fetchall()] == [10, 20, 30, 123456, -500]
    assert [str(row.total) for row in totals] == list(TOTALS.values())


def test_filters_compare_amounts(totals: Any) -> None:
    assert accounts(totals.filter(total=amount("0.30"))) == ["c"]
    assert accounts(totals.filter(total__in=[amount("0.10"), amount("-5.00")])) == ["a", "e"]
    assert accounts(totals.filter(total__range=(amount("0.10"), amount("0.20")))) == ["a", "b"]
    assert accounts(totals.filter(total__gte=amount("0.30"))) == ["c", "d"]
    assert accounts(totals.filter(total__lt=0)) == ["e"]
    assert accounts(totals.filter(total__lt=F("total") * 2)) == ["a", "b", "c", "d"]


def test_aggregates_give_amounts(totals: Any) -> None:
    small = Q(total__gt=0, total__lt=1)
    found = totals.aggregate(
        all=Sum("total"),
        small=Sum("total", filter=small),
        none=Sum("total", filter=Q(account="z"), default=money(0)),
        most=Max("total"),
        least=Min("total"),
    )
    assert {name: str(value) for name, value in found.items()} == {
        "all": "1230.16", "small": "0.60", "none": "0.00", "most": "1234.56", "least": "-5.00",
    }  # fmt: skip


def test_a_sum_in_the_database_is_exact(totals: Any) -> None:
    assert totals.filter(account__in="ab").aggregate(sum=Sum("total"))["sum"] == amount("0.30")


def test_arithmetic_on_amounts_gives_amounts(totals: Any) -> None:
    double = ExpressionWrapper(F("total") + F("total"), output_field=MoneyField())
    assert totals.annotate(double=double).get(account="c").double == amount("0.60")
    other = totals.filter(account="b").values("total")
    assert totals.annotate(other=Subquery(other)).get(account="a").other == amount("0.20")
    assert totals.annotate(own=Coalesce(Sum("total"), money(0))).get(account="e").own == amount("-5.00")
    assert totals.annotate(most=Greatest("total", money("0.25"))).get(account="a").most == amount("0.25")
    assert accounts(totals.filter(~Exists(totals.filter(total__gt=OuterRef("total"))))) == ["d"]


@pytest.mark.parametrize(
    "unclear",
    [
        lambda: F("total") - F("total"),
        lambda: Coalesce(Sum("total"), Decimal("1.00")),
        lambda: Greatest(F("total"), Decimal("1.00")),
    ],
)
def test_an_expression_that_mixes_amounts_and_bare_numbers_is_refused(unclear: Callable[[], Any], totals: Any) -> None:
    with pytest.raises(FieldError):
        list(totals.annotate(unclear=unclear()))


def test_updates_write_amounts(totals: Any) -> None:
    totals.filter(account="a").update(total=amount("7.77"))
    totals.filter(account="b").update(total=F("total") + money("1.00"))
    totals.filter(account="c").update(total=Case(When(total=amount("0.30"), then=money("5")), default=F("total")))
    row = totals.get(account="d")
    row.total = amount("0.01")
    Expenditure.objects.bulk_update([row], ["total"])
    assert [str(row.total) for row in totals] == ["7.77", "1.20", "5.00", "0.01", "-5.00"]


@pytest.mark.parametrize(
    "bare",
    [
        lambda: F("total") + Decimal("1.00"),
        lambda: Case(When(total__gt=0, then=Decimal(5)), default=F("total")),
        lambda: Case(When(total__gt=0, then=Decimal(5)), default=F("total"), output_field=MoneyField()),
    ],
)
def test_an_update_with_a_bare_amount_is_refused(bare: Callable[[], Any], totals: Any) -> None:
    """The number would be read as cents: 0.30 + 1.00 would become 0.31."""
    with pytest.raises(TypeError, match=r"wrap amounts in money\(\)"), transaction.atomic():
        totals.update(total=bare())
    assert [str(row.total) for row in totals] == list(TOTALS.values())


def test_an_amount_survives_a_dump(totals: Any) -> None:
    (loaded,) = serializers.deserialize("json", serializers.serialize("json", totals.filter(account="d")))
    row: Any = loaded.object
    assert row.total == amount("1234.56")


@pytest.mark.parametrize("out_of_bounds", ["0.00", "-0.01", "2147483647.01"])
def test_the_database_refuses_budgets_out_of_bounds(out_of_bounds: str, acme: Partner, ann: User) -> None:
    customer = factories.customer(acme)
    factories.budget(customer, ann, "1.00")
    with pytest.raises(IntegrityError, match="budget_amount_in_bounds"), transaction.atomic():
        Budget.objects.update(amount=amount(out_of_bounds))
    assert factories.stored(customer).amount == amount("1.00")


@pytest.mark.parametrize("bound", [amount("0.01"), LARGEST_BUDGET])
def test_the_smallest_and_the_largest_amount_can_be_set(bound: Decimal, sol_solutions: Partner, sol: User) -> None:
    customer = factories.customer(sol_solutions)
    factories.budget(customer, sol, str(bound))
    assert factories.stored(customer).amount == bound


@pytest.mark.parametrize(("second", "exhausted"), [("0.19", False), ("0.20", True)])
def test_amounts_without_an_exact_binary_fraction_exhaust_a_budget_of_their_sum(
    second: str, exhausted: bool, acme: Partner, ann: User
) -> None:
    """0.10 + 0.20 is not 0.30 in floating point."""
    with time_machine.travel(factories.moment("2026-09-15 10:00"), tick=False) as clock:
        customer = factories.customer(acme)
        factories.budget(customer, ann, "0.30")
        factories.report((customer, "2026-09", "0.10"))
        clock.move_to(factories.moment("2026-10-15 10:00"))
        factories.report((customer, "2026-10", second))
    budget = factories.stored(customer)
    assert budget.used == amount("0.10") + amount(second)
    assert (budget.exhausted, budget.level == 100, factories.fresh(customer).is_frozen) == (exhausted,) * 3


# --- In Python --------------------------------------------------------------------------------------------------------


@given(st.integers(-BIGINT, BIGINT))
def test_converting_cents_to_an_amount_and_back_gives_the_same_cents(cents: int) -> None:
    assert to_cents(from_cents(cents)) == cents
    assert from_cents(cents).as_tuple().exponent == -2


@pytest.mark.parametrize("finer", ["0.001", "1.005", "8E-7", "1." + "0" * 40 + "1"])
def test_fractions_of_a_cent_are_refused_and_never_rounded(finer: str) -> None:
    with pytest.raises(ValueError, match="fractions of a cent"):
        to_cents(amount(finer))


@pytest.mark.parametrize("text", ["NaN", "Infinity"])
def test_nan_and_infinity_are_not_amounts(text: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        to_cents(amount(text))


@pytest.mark.parametrize("text", ["1E+2", "100", "100.000"])
def test_the_notation_of_a_number_does_not_matter(text: str) -> None:
    assert to_cents(amount(text)) == 10_000


def test_a_float_is_refused_as_an_amount(db: None) -> None:
    with pytest.raises(TypeError, match="must not be a float"):
        Expenditure.objects.filter(total=0.3).exists()
    with pytest.raises(ValidationError):
        MoneyField().to_python(0.3)


@pytest.mark.parametrize(
    ("value", "shown"),
    [("12345.6", "12,345.60"), ("0", "0.00"), ("-5", "-5.00"), ("2147483647", "2,147,483,647.00")],
)
def test_an_amount_is_shown_with_two_decimals_and_separators(value: str, shown: str) -> None:
    assert show_amount(amount(value)) == shown


def test_a_missing_amount_is_shown_as_dashes() -> None:
    assert show_amount(None) == "--"


# --- In forms ---------------------------------------------------------------------------------------------------------

LANGUAGES = pytest.mark.parametrize("language", ["en", "zh-hans", "de"])


@LANGUAGES
@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("1200", "1200"),
        ("1,234.50", "1234.50"),
        ("12,345,678.9", "12345678.9"),
        (" 12 ", "12"),
        ("\u00a012\u3000", "12"),
        ("\uff11\uff12\uff0e\uff15\uff10", "12.50"),
        ("\uff11\uff0c\uff12\uff13\uff14", "1234"),
        ("0.01", "0.01"),
        ("007", "7"),
        ("2147483647.00", "2147483647.00"),
    ],
)
def test_an_amount_is_accepted_in_the_forms_people_type(typed: str, expected: str, language: str) -> None:
    with translation.override(language):
        assert AmountField().clean(typed) == amount(expected)


@LANGUAGES
@pytest.mark.parametrize(
    "typed",
    [
        "12,34", "1,2345", ",123", "1,234,56", "1e3", "1_000", "\u0661\u0662", "\u0967", "1.005", "1.", ".5", "1 000",
        "1.000,50", "+1", "-1", "$5", "0x10", "NaN", "Infinity", "twelve", "1" * 33, "1\x00",
    ],
)  # fmt: skip
def test_text_that_is_not_a_plain_amount_is_refused(typed: str, language: str) -> None:
    with translation.override(language), pytest.raises(ValidationError):
        AmountField().clean(typed)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("0", "greater than 0"),
        ("0.00", "greater than 0"),
        ("2147483647.01", "at most 2,147,483,647.00"),
        ("9" * 30, "at most 2,147,483,647.00"),
        ("1e3", "with at most two decimal places"),
        ("", "required"),
    ],
)
def test_the_error_says_what_is_wrong_with_an_amount(typed: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        AmountField(largest=LARGEST_BUDGET).clean(typed)


def test_a_quota_may_be_larger_than_the_largest_budget() -> None:
    assert AmountField().clean("2,000,000,000,000") == Decimal(2_000_000_000_000)


def test_an_optional_amount_may_be_left_empty() -> None:
    assert AmountField(required=False).clean("") is None


@LANGUAGES
@given(cents=st.integers(1, int(LARGEST_BUDGET * 100)))
def test_an_amount_is_accepted_as_it_is_shown(language: str, cents: int) -> None:
    field = AmountField()
    with translation.override(language):
        assert field.clean(field.prepare_value(from_cents(cents))) == from_cents(cents)


@pytest.mark.parametrize(("typed", "changed"), [("1,200.00", False), ("1200", False), ("1200.01", True), ("x", True)])
def test_the_same_amount_in_another_notation_is_not_a_change(typed: str, changed: bool) -> None:
    assert AmountField().has_changed(amount("1200.00"), typed) is changed


def test_a_model_form_shows_and_accepts_amounts_not_cents(acme: Partner) -> None:
    form_class = forms.modelform_factory(Grant, fields=["monthly_quota"])
    grant = Grant.objects.get(partner=acme)
    assert 'value="1,000,000.00"' in str(form_class(instance=grant)["monthly_quota"])
    form = form_class({"monthly_quota": "1,200.50"}, instance=grant)
    assert form.is_valid()
    form.save()
    assert Grant.objects.get(partner=acme).pool(BudgetType.MONTHLY).granted == amount("1200.50")
