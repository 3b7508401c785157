"""Measure things alternately, and print the results as a table."""

import gc
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

ROUNDS, SECONDS = 15, 20
MORE_IS_BETTER = ("/s", "%")


@dataclass(frozen=True)
class Row:
    """One line of the table: a figure of the product, the baseline that it is compared with, and the goal.

    The goal is the largest product / baseline, or without a baseline the largest figure of the product itself. Only for
    the units "/s" and "%" it is the smallest. Without a goal (None) nothing is met or missed. `unit` is "s", "MB",
    "rows", "/s" or "%".
    """

    label: str
    customers: int
    product: float
    baseline_name: str = ""
    baseline: float | None = None
    goal: float | None = None
    unit: str = "s"

    @property
    def value(self) -> float:
        return self.product if self.baseline is None else self.product / self.baseline

    @property
    def met(self) -> bool | None:
        if self.goal is None:
            return None
        return self.value >= self.goal if self.unit in MORE_IS_BETTER else self.value <= self.goal

    def cells(self) -> list[str]:
        is_ratio = self.baseline is not None
        sign = "≥" if self.unit in MORE_IS_BETTER else "≤"
        goal = "" if self.goal is None else f"{sign} {_ratio(self.goal) if is_ratio else _figure(self.goal, self.unit)}"
        return [
            self.label,
            f"{self.customers:,}",
            _figure(self.product, self.unit),
            "" if self.baseline is None else f"{_figure(self.baseline, self.unit)} {self.baseline_name}",
            _ratio(self.value) if is_ratio else "",
            goal,
            {None: "", True: "met", False: "**missed**"}[self.met],
        ]


HEADINGS = ["measurement", "customers", "product", "baseline", "ratio", "goal", "result"]


def _figure(value: float, unit: str) -> str:
    if unit != "s":
        return f"{value:,.0f}{unit}" if unit == "/s" else f"{value:,.0f} {unit}"
    return f"{value * 1000:,.1f} ms" if value < 1 else f"{value:,.2f} s"


def _ratio(value: float) -> str:
    return f"1/{1 / value:.0f}" if value <= 0.1 else f"{value:.2f}x"


def median_seconds(
    *functions: Callable[..., object],
    prepare: Callable[[], Any] | Sequence[Callable[[], Any]] = tuple,
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
) -> list[float]:
    """The median seconds of each function. They run alternately (A B A B), after a warm-up round.

    There are at least three rounds, and no new one begins after `seconds`. `prepare`, one for all functions or one for
    each, runs before each call; it is not timed, and the function gets what it returns as arguments.
    """
    prepares = [prepare] * len(functions) if callable(prepare) else prepare
    measured: list[list[float]] = [[] for _function in functions]
    began = time.perf_counter()
    for turn in range(rounds + 1):
        if turn > 3 and time.perf_counter() - began > seconds:
            break
        for times, function, prepare_args in zip(measured, functions, prepares, strict=True):
            times.append(seconds_of(function, *prepare_args()))
    return [statistics.median(times[1:]) for times in measured]


def seconds_of(function: Callable[..., object], *args: Any) -> float:
    """The seconds that one call takes."""
    gc.collect()
    start = time.perf_counter()
    function(*args)
    return time.perf_counter() - start


def growth_rows(label: str, measured: dict[int, list[float]]) -> list[Row]:
    """A row for each two sizes of which one is ten times the other; `measured` has the seconds of product and SQL."""
    rows = []
    for size in sorted(measured):
        if before := measured.get(size // 10):
            name = f"for {size // 10:,} (bare SQL grows {_ratio(measured[size][1] / before[1])})"
            rows.append(Row(f"tenfold growth: {label}", size, measured[size][0], name, before[0], 11))
    return rows


def print_progress(row: Row) -> None:
    """Print a row on standard error as soon as it is measured."""
    print(" | ".join(row.cells()), file=sys.stderr, flush=True)


def markdown_table(rows: Iterable[Row]) -> str:
    cells = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])
