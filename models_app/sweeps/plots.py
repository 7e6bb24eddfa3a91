"""Pictures of a batch as numbers for an SVG: parallel coordinates, and one setting against one metric.

Coordinates are in the units of the view box, as texts, so that no language changes their decimal point.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from models_app.sweeps.axes import as_key, text_of
from models_app.sweeps.scores import Metric
from models_app.sweeps.table import Row, Table

TONES = 5  # classes `tone-1` (best) … `tone-5`
LABELS_MOST = 9  # of one axis
LABEL_MOST = 16  # characters
WIDTH, HEIGHT = 720, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 64, 44, 40  # room for labels


@dataclass(frozen=True)
class Tick:
    at: str
    label: str


@dataclass(frozen=True)
class Scale:
    """Where values stand on an axis: numbers by their size or its logarithm, others side by side."""

    title: str
    low: float
    high: float
    is_log: bool
    places: tuple[str, ...] = ()  # of values that are no numbers

    def part(self, value: Any) -> float:
        """0 at the low end, 1 at the high end."""
        if self.places:
            key = as_key(value)
            return 0.5 if len(self.places) == 1 else self.places.index(key) / (len(self.places) - 1)
        low, high, here = (math.log(v) if self.is_log else v for v in (self.low, self.high, float(value)))
        return 0.5 if low == high else (here - low) / (high - low)


@dataclass(frozen=True)
class AxisView:
    at: str
    title: str
    full_title: str
    ticks: list[Tick]


@dataclass(frozen=True)
class Mark:
    """One training in a picture: a line's points, or a point."""

    url: str
    text: str
    tone: int
    is_best: bool
    points: str = ""
    x: str = ""
    y: str = ""


@dataclass(frozen=True)
class Picture:
    """`axes`: the upright ones of parallel coordinates; x and y of a scatter."""

    axes: list[AxisView]
    marks: list[Mark]
    width: int = WIDTH
    height: int = HEIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM
    left: int = LEFT
    right: int = WIDTH - RIGHT


def parallel(table: Table, n: int) -> Picture | None:
    """An upright axis for each setting, the last one for metric `n`; None while no training has a value."""
    rows, metric = _known(table, n), _metric(table, n)
    if not rows or metric is None or not table.names:
        return None
    columns = [[row.values[at] for row in rows] for at in range(len(table.names))]
    scales = [
        _scale(table.titles[name], values, is_log=table.is_log[name])
        for name, values in zip(table.names, columns, strict=True)
    ]
    scales.append(_scale(metric.series, [_best(row, n) for row in rows]))
    width = max(WIDTH, LEFT + RIGHT + 130 * (len(scales) - 1))
    xs = [LEFT + (width - LEFT - RIGHT) * at / (len(scales) - 1) for at in range(len(scales))]
    bottom = HEIGHT - BOTTOM
    views = [
        AxisView(_number(x), _cut(scale.title), scale.title, _ticks(scale, [*values], bottom, TOP))
        for x, scale, values in zip(xs, scales, [*columns, [_best(row, n) for row in rows]], strict=True)
    ]
    marks = []
    for row, tone, is_best in _toned(table, rows, n):
        ends = zip(xs, scales, [*row.values, _best(row, n)], strict=True)
        line = " ".join(f"{_number(x)},{_number(_place(scale, value, bottom, TOP))}" for x, scale, value in ends)
        marks.append(Mark(row.model.get_absolute_url(), _words(table, row, n), tone, is_best, points=line))
    return Picture(views, marks, width=width, right=width - RIGHT)


def scatter(table: Table, name: str, n: int) -> Picture | None:
    """One setting against metric `n`; None while no training has a value."""
    rows, metric = _known(table, n), _metric(table, n)
    if not rows or metric is None or name not in table.names:
        return None
    at = table.names.index(name)
    xs, ys = [row.values[at] for row in rows], [_best(row, n) for row in rows]
    across = _scale(table.titles[name], xs, is_log=table.is_log[name])
    up = _scale(metric.series, ys)
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    views = [
        AxisView(_number(bottom), across.title, across.title, _ticks(across, xs, LEFT + 12, right - 12)),
        AxisView(_number(LEFT), _cut(up.title), up.title, _ticks(up, ys, bottom - 12, TOP)),
    ]
    marks = [
        Mark(
            row.model.get_absolute_url(), _words(table, row, n), tone, is_best,
            x=_number(_place(across, row.values[at], LEFT + 12, right - 12)),
            y=_number(_place(up, _best(row, n), bottom - 12, TOP)),
        )
        for row, tone, is_best in _toned(table, rows, n)
    ]  # fmt: skip
    return Picture(views, marks)


def _known(table: Table, n: int) -> list[Row]:
    return [row for row in table.rows if n < len(row.scores) and row.scores[n]]


def _metric(table: Table, n: int) -> Metric | None:
    return table.metrics[n] if n < len(table.metrics) else None


def _best(row: Row, n: int) -> float:
    score = row.scores[n]
    return score.best if score else math.nan


def _scale(title: str, values: Sequence[Any], *, is_log: bool = False) -> Scale:
    numbers = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) < len(values):
        return Scale(title, 0, 1, False, tuple(dict.fromkeys(map(as_key, values))))
    return Scale(title, min(numbers), max(numbers), is_log and min(numbers) > 0)


def _place(scale: Scale, value: Any, first: float, last: float) -> float:
    return first + (last - first) * scale.part(value)


def _ticks(scale: Scale, values: Sequence[Any], first: float, last: float) -> list[Tick]:
    """The values themselves where they are few, else some of them at even distances."""
    each = {as_key(value): value for value in values}
    chosen = sorted(each.values(), key=scale.part)
    if len(chosen) > LABELS_MOST:
        chosen = _even(scale, chosen)
    apart = 1 / (2 * LABELS_MOST)
    kept: list[Any] = []
    for value in chosen:
        if not kept or scale.part(value) - scale.part(kept[-1]) >= apart:
            kept.append(value)
    return [Tick(_number(_place(scale, value, first, last)), _cut(_label(value))) for value in kept]


def _even(scale: Scale, values: list[Any]) -> list[Any]:
    """Of sorted values those nearest to five even places."""
    wanted = [place / 4 for place in range(5)]
    near = [min(values, key=lambda value: abs(scale.part(value) - place)) for place in wanted]
    return list({as_key(value): value for value in near}.values())


def _toned(table: Table, rows: list[Row], n: int) -> list[tuple[Row, int, bool]]:
    """Every row with its tone, 1 for the best fifth; the best last, that it is drawn over the others."""
    metric, best = table.metrics[n], table.best_by(n)
    in_order = sorted(rows, key=lambda row: metric.rank(_best(row, n)))
    toned = [(row, 1 + TONES * at // len(in_order), row is best) for at, row in enumerate(in_order)]
    return toned[::-1]


def _words(table: Table, row: Row, n: int) -> str:
    """What a pointer at a mark shows."""
    settings = ", ".join(f"{table.titles[name]} {text}" for name, text in zip(table.names, row.texts, strict=True))
    text = _("%(name)s: %(settings)s; %(metric)s %(value)s")
    score = f"{_best(row, n):.3g}"
    return text % {"name": row.model.name, "settings": settings, "metric": table.metrics[n].series, "value": score}


def _label(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else text_of(value)


def _cut(text: str) -> str:
    return text if len(text) <= LABEL_MOST else f"{text[: LABEL_MOST - 1]}…"


def _number(value: float) -> str:
    return f"{value:.1f}"
