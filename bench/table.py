"""The figures of a bench, and the table that shows them."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass


class MeasurementFailed(Exception):
    """A figure could not be measured; the message says why."""


@dataclass(frozen=True)
class Row:
    """One figure. `goal`: the most it should be, or with `is_least` the least; None for a figure that only explains
    another."""

    name: str
    value: float
    unit: str  # "s", "%", "x" (a ratio) or whatever stands behind the number
    goal: float | None = None
    is_least: bool = False

    @property
    def verdict(self) -> str:
        if self.goal is None:
            return ""
        if self.is_least:
            return "ok" if self.value >= self.goal else "under"
        return "ok" if self.value <= self.goal else "over"


def percentile(values: Sequence[float], percent: float) -> float:
    """Linear between the two nearest ranks, as numpy's default. Raises MeasurementFailed without values."""
    if not values:
        raise MeasurementFailed("there is nothing to take a percentile of")
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    low, high = math.floor(place), math.ceil(place)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def median(values: Sequence[float]) -> float:
    return percentile(values, 50)


def number(value: float, unit: str) -> str:
    """Two decimals, three for ratios and for what is below one; whole numbers of anything that is counted."""
    if float(value).is_integer() and unit not in ("s", "%", "x"):
        return f"{value:.0f} {unit}".strip()
    digits = 3 if unit == "x" or abs(value) < 1 else 2
    return f"{value:.{digits}f}" + (unit if unit in ("%", "x") else f" {unit}")


def lines(rows: Sequence[Row]) -> list[str]:
    """The table: name, value, goal, verdict; numbers to the right."""
    cells = [("", "value", "goal", "")]
    for row in rows:
        goal = "" if row.goal is None else f"{'≥' if row.is_least else '≤'} {number(row.goal, row.unit)}"
        cells.append((row.name, number(row.value, row.unit), goal, row.verdict))
    widths = [max(len(cell[column]) for cell in cells) for column in range(3)]
    return [f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}  {d}".rstrip() for a, b, c, d in cells]


def say(text: str) -> None:
    """Beside the table, at once."""
    print(text, file=sys.stderr, flush=True)


def load() -> str:
    """Of this machine, over 1, 5 and 15 minutes."""
    return " ".join(f"{number:.2f}" for number in os.getloadavg())


def show(rows: Sequence[Row], failed: Sequence[str]) -> int:
    """Print it all. The exit code: 1 where a figure could not be measured; a missed goal is no failure."""
    if rows:
        print("\n".join(lines(rows)), flush=True)
    say(f"load at the end {load()}")
    for line in failed:
        say(f"not measured: {line}")
    return 1 if failed else 0
