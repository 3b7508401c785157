"""Measuring side by side, and the table of what came out."""

import gc
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

ROUNDS, SECONDS = 15, 20


@dataclass(frozen=True)
class Row:
    """One line: what the product took, what it is compared with, and what of it the goal bounds.

    The goal bounds product / other, or where there is no other the product's figure itself; None: there is no goal.
    `unit` is "s", "MB", "rows" or "/s"; only for "/s" a goal is a least.
    """

    what: str
    customers: int
    product: float
    beside: str = ""
    other: float | None = None
    goal: float | None = None
    unit: str = "s"

    @property
    def value(self) -> float:
        return self.product if self.other is None else self.product / self.other

    @property
    def met(self) -> bool | None:
        if self.goal is None:
            return None
        return self.value >= self.goal if self.unit == "/s" else self.value <= self.goal

    def cells(self) -> list[str]:
        is_ratio = self.other is not None
        sign = "≥" if self.unit == "/s" else "≤"
        goal = "" if self.goal is None else f"{sign} {_ratio(self.goal) if is_ratio else _figure(self.goal, self.unit)}"
        return [
            self.what,
            f"{self.customers:,}",
            _figure(self.product, self.unit),
            "" if self.other is None else f"{_figure(self.other, self.unit)} {self.beside}",
            _ratio(self.value) if is_ratio else "",
            goal,
            {None: "", True: "met", False: "**missed**"}[self.met],
        ]


HEAD = ["what", "customers", "product", "beside", "ratio", "goal", ""]


def _figure(value: float, unit: str) -> str:
    if unit != "s":
        return f"{value:,.0f}{unit}" if unit == "/s" else f"{value:,.0f} {unit}"
    return f"{value * 1000:,.1f} ms" if value < 1 else f"{value:,.2f} s"


def _ratio(value: float) -> str:
    return f"1/{1 / value:.0f}" if value <= 0.1 else f"{value:.2f}x"


def interleaved(
    *ways: Callable[..., object],
    prepare: Callable[[], Any] | Sequence[Callable[[], Any]] = tuple,
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
) -> list[float]:
    """The median seconds of each way, run in turns A B A B after one turn for warmth.

    At least three rounds; no further one is begun after `seconds`. What `prepare`, one for all ways or one for each,
    gives before each is handed to it and not timed.
    """
    prepares = [prepare] * len(ways) if callable(prepare) else prepare
    taken: list[list[float]] = [[] for _way in ways]
    began = time.perf_counter()
    for turn in range(rounds + 1):
        if turn > 3 and time.perf_counter() - began > seconds:
            break
        for times, way, given in zip(taken, ways, prepares, strict=True):
            times.append(timed(way, *given()))
    return [statistics.median(times[1:]) for times in taken]


def timed(way: Callable[..., object], *given: Any) -> float:
    """How many seconds it takes, once."""
    gc.collect()
    start = time.perf_counter()
    way(*given)
    return time.perf_counter() - start


def growth(what: str, taken: dict[int, list[float]]) -> list[Row]:
    """A row for each tenfold number of customers; `taken` has the seconds of the product and of bare SQL."""
    rows = []
    for size in sorted(taken):
        if before := taken.get(size // 10):
            beside = f"for {size // 10:,} (bare SQL grows {_ratio(taken[size][1] / before[1])})"
            rows.append(Row(f"growth tenfold: {what}", size, taken[size][0], beside, before[0], 11))
    return rows


def tell(row: Row) -> None:
    """While it goes on, on standard error."""
    print(" | ".join(row.cells()), file=sys.stderr, flush=True)


def markdown(rows: Iterable[Row]) -> str:
    cells = [HEAD, *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])
