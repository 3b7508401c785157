"""Months of expenditure as a picture: where each bar, line and label of it goes, in units of its view box."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

from budgets.queries.history import Month
from partnercenter.lib.money import show_amount, show_number
from partnercenter.models import BudgetType

WIDTH, HEIGHT = 720, 240
TOP, BOTTOM, GAP = 16, 40, 8
BAR_SHARE = Decimal("0.56")
CHARACTER_WIDTH = Decimal("6.4")
MOST_LINES = 5
# A budget so many times higher than any bar is left out: the bars would be flat beneath it.
FITS = 3


class Line(NamedTuple):
    """A line across the picture at a round amount."""

    y: int
    label: str


class Bar(NamedTuple):
    """A month: its bar, the names below it, and where a monthly budget reaches to (None: nowhere in the picture)."""

    month: Month
    x: int
    y: int
    width: int
    height: int
    left: int
    middle: int
    right: int
    label: str
    year: str
    total: str
    budget_y: int | None


@dataclass(frozen=True)
class Chart:
    """The picture. All numbers are whole and below a thousand, so that no language writes them its own way."""

    left: int
    zero: int
    lines: tuple[Line, ...]
    bars: tuple[Bar, ...]
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def has_exceeded(self) -> bool:
        return any(bar.month.is_exceeded for bar in self.bars)

    @property
    def has_budgets(self) -> bool:
        return any(bar.budget_y is not None for bar in self.bars)


def chart_of(months: Iterable[Month]) -> Chart | None:
    """The picture of these months; None where nothing was reported of any."""
    shown = list(months)
    totals = [month.total for month in shown if month.total is not None]
    if not totals:
        return None
    limit = max(map(abs, totals)) * FITS
    budgets = [amount for month in shown if (amount := _monthly(month)) is not None and amount <= limit]
    amounts = _round_amounts(min(Decimal(0), *totals), max(Decimal(1), *totals, *budgets))
    labels = [show_number(int(amount)) if amount == int(amount) else show_amount(amount) for amount in amounts]
    left = GAP + int(max(map(len, labels)) * CHARACTER_WIDTH)
    lines = tuple(Line(_y(amount, amounts), label) for amount, label in zip(amounts, labels, strict=True))
    bars = tuple(_bar(place, month, shown, left, amounts) for place, month in enumerate(shown))
    return Chart(left, _y(Decimal(0), amounts), lines, bars)


def _monthly(month: Month) -> Decimal | None:
    return month.amount if month.budget_type == BudgetType.MONTHLY else None


def _round_amounts(lowest: Decimal, highest: Decimal) -> list[Decimal]:
    """Round amounts at even distances, the first at or below the lowest, the last at or above the highest."""
    least = (highest - lowest) / MOST_LINES
    power = Decimal(1).scaleb(least.adjusted())
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least)
    first = int((lowest / step).to_integral_value(ROUND_FLOOR))
    last = int((highest / step).to_integral_value(ROUND_CEILING))
    return [step * place for place in range(first, last + 1)]


def _y(amount: Decimal, amounts: list[Decimal]) -> int:
    share = (amount - amounts[0]) / (amounts[-1] - amounts[0])
    return HEIGHT - BOTTOM - round(share * (HEIGHT - BOTTOM - TOP))


def _bar(place: int, month: Month, shown: list[Month], left: int, amounts: list[Decimal]) -> Bar:
    slot = Decimal(WIDTH - left - GAP) / len(shown)
    begin = left + GAP + int(slot * place)
    width = int(slot * BAR_SHARE)
    x = begin + int(slot - width) // 2
    zero, end = _y(Decimal(0), amounts), _y(month.total or Decimal(0), amounts)
    amount, year = _monthly(month), month.name[:4]
    return Bar(
        month,
        x=x,
        y=min(zero, end),
        width=width,
        # Whatever was spent can be seen.
        height=max(abs(zero - end), 1 if month.total else 0),
        left=x - 5,
        middle=x + width // 2,
        right=x + width + 5,
        label=month.name[5:],
        year=year if place == 0 or month.name.endswith("-01") else "",
        total=show_amount(month.total),
        budget_y=None if amount is None or amount > amounts[-1] else _y(amount, amounts),
    )
