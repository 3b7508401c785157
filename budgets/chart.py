"""The bar chart of monthly expenditure: positions of bars, lines and labels, in units of the SVG view box."""

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
# A budget more than this many times as high as the highest bar is left out: it would flatten the bars.
BUDGET_LIMIT = 3


class Line(NamedTuple):
    """A grid line at a round amount."""

    y: int
    label: str


class Bar(NamedTuple):
    """The bar of a month, its labels, and the height of its monthly budget (None if none or left out)."""

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
    """The chart for its template. All positions are integers below 1,000, which all languages format alike."""

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
    """Draw the chart of these months; None if nothing was reported for any of them."""
    months = list(months)
    totals = [month.total for month in months if month.total is not None]
    if not totals:
        return None
    limit = max(map(abs, totals)) * BUDGET_LIMIT
    budgets = [amount for month in months if (amount := _monthly_budget(month)) is not None and amount <= limit]
    amounts = _grid_amounts(min(Decimal(0), *totals), max(Decimal(1), *totals, *budgets))
    labels = [show_number(int(amount)) if amount == int(amount) else show_amount(amount) for amount in amounts]
    left = GAP + int(max(map(len, labels)) * CHARACTER_WIDTH)
    lines = tuple(Line(_y(amount, amounts), label) for amount, label in zip(amounts, labels, strict=True))
    slot = Decimal(WIDTH - left - GAP) / len(months)
    bars = tuple(_bar(place, month, slot, left, amounts) for place, month in enumerate(months))
    return Chart(left, _y(Decimal(0), amounts), lines, bars)


def _monthly_budget(month: Month) -> Decimal | None:
    return month.amount if month.budget_type == BudgetType.MONTHLY else None


def _grid_amounts(lowest: Decimal, highest: Decimal) -> list[Decimal]:
    """Evenly spaced round amounts, the first at or below the lowest, the last at or above the highest."""
    least = (highest - lowest) / MOST_LINES
    power = Decimal(1).scaleb(least.adjusted())
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least)
    first = int((lowest / step).to_integral_value(ROUND_FLOOR))
    last = int((highest / step).to_integral_value(ROUND_CEILING))
    return [step * place for place in range(first, last + 1)]


def _y(amount: Decimal, amounts: list[Decimal]) -> int:
    """The vertical position of an amount between the lowest and the highest grid line."""
    share = (amount - amounts[0]) / (amounts[-1] - amounts[0])
    return HEIGHT - BOTTOM - round(share * (HEIGHT - BOTTOM - TOP))


def _bar(place: int, month: Month, slot: Decimal, left: int, amounts: list[Decimal]) -> Bar:
    begin = left + GAP + int(slot * place)
    width = int(slot * BAR_SHARE)
    x = begin + int(slot - width) // 2
    zero, end = _y(Decimal(0), amounts), _y(month.total or Decimal(0), amounts)
    budget, year = _monthly_budget(month), month.name[:4]
    return Bar(
        month,
        x=x,
        y=min(zero, end),
        width=width,
        # Even the smallest expenditure is visible.
        height=max(abs(zero - end), 1 if month.total else 0),
        left=x - 5,
        middle=x + width // 2,
        right=x + width + 5,
        label=month.name[5:],
        year=year if place == 0 or month.name.endswith("-01") else "",
        total=show_amount(month.total),
        budget_y=None if budget is None or budget > amounts[-1] else _y(budget, amounts),
    )
