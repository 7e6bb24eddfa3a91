"""Metrics files: `save/metrics/*.csv`, one graph a file.

Header first; the first column is the x axis, each further column one curve. Whole lines are appended and flushed.
An empty cell, `nan` or `inf` is a gap.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path

SERIES_LIMIT = 64  # curves in one file


class MetricsWriter:
    """The kernel's side: appends rows to `<folder>/<name>.csv`; the header is written when the file is new."""

    def __init__(self, folder: Path, name: str, columns: list[str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{name}.csv"
        self._columns = columns
        if not self.path.exists() or not self.path.stat().st_size:  # a kill may fall between creating and writing
            self._append(",".join(_quoted(name) for name in columns))

    def row(self, values: Mapping[str, float | None]) -> None:
        """One row; `values` by column name, a column without a value is a gap."""
        self._append(",".join(_cell(values.get(column)) for column in self._columns))

    def _append(self, line: str) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def cut_back(folder: Path, last: float) -> None:
    """Drop the rows after x = `last` from every metrics file below `folder`: a resumed kernel goes on from there.

    Each file is replaced by rename, so that a reader sees the old one or the new one.
    """
    for path in sorted(folder.glob("*.csv")):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for n, line in enumerate(lines) if n == 0 or (line.endswith("\n") and _x(line) <= last)]
        if kept != lines:
            temporary = path.with_name(f".{path.name}.tmp")
            temporary.write_text("".join(kept), encoding="utf-8")
            temporary.replace(path)


def parse_header(line: str) -> list[str]:
    """Column names of a header line, x axis first; at most 1 + SERIES_LIMIT of them, empty names numbered.

    None at all where the line is no CSV.
    """
    cells = _cells(line)
    return [cell.strip() or f"column {n}" for n, cell in enumerate(cells[: 1 + SERIES_LIMIT])]


def parse_row(line: str, columns: int) -> tuple[float, list[float | None]] | None:
    """x and one value a curve (None is a gap), or None where the line is no row of numbers."""
    cells = line.split(",") if '"' not in line else _cells(line)
    if not 1 < len(cells) <= columns:
        return None
    try:
        values = _numbers(cells)
    except ValueError:
        return None
    x = values[0]
    return None if x is None else (x, values[1:] + [None] * (columns - len(cells)))


def number(cell: str) -> float | None:
    """A cell's value; None for a gap. Raises ValueError for text."""
    cell = cell.strip()
    value = float(cell) if cell else math.nan
    return value if math.isfinite(value) else None


def _numbers(cells: list[str]) -> list[float | None]:
    """As `number` of each, fast where all are numbers, which is the usual case."""
    try:
        values = list(map(float, cells))
    except ValueError:
        return [number(cell) for cell in cells]
    if math.isfinite(sum(values)):
        return values  # type: ignore[return-value]  # a list of floats is one of floats and gaps
    return [value if math.isfinite(value) else None for value in values]


def _quoted(name: str) -> str:
    """A column's name as a CSV cell on one line."""
    name = " ".join(name.split())
    return '"' + name.replace('"', '""') + '"' if "," in name or '"' in name else name


def _cells(line: str) -> list[str]:
    """No cells where csv refuses the line, as one with a field of 128 KB."""
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return []


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.8g}"


def _x(line: str) -> float:
    try:
        return float(line.split(",", 1)[0])
    except ValueError:
        return math.inf
