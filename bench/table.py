"""The figures of a bench, and the table that shows them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


class MeasurementFailed(Exception):
    """A figure could not be measured; the message says why."""


@dataclass(frozen=True)
class Row:
    """One figure. `goal`: the most it should be; None for a figure that only explains another."""

    name: str
    value: float
    unit: str  # "s", "%", "x" (a ratio) or whatever stands behind the number
    goal: float | None = None

    @property
    def verdict(self) -> str:
        if self.goal is None:
            return ""
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
        most = "" if row.goal is None else f"≤ {number(row.goal, row.unit)}"
        cells.append((row.name, number(row.value, row.unit), most, row.verdict))
    name, value, goal = (max(len(cell[column]) for cell in cells) for column in range(3))
    return [f"{a:<{name}}  {b:>{value}}  {c:>{goal}}  {d}".rstrip() for a, b, c, d in cells]
