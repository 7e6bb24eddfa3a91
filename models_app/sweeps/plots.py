"""Pictures of a batch as numbers for an SVG: parallel coordinates, and one setting against one metric.

Coordinates are in the units of the view box, as texts, so that no language changes their decimal point.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from models_app.sweeps.axes import as_key, text_of
from models_app.sweeps.scores import Metric
from models_app.sweeps.table import Row, Table

TONES = 5  # classes `tone-1` (best) … `tone-5`
LABELS_MOST = 9  # of one axis
LABEL_MOST = 13  # columns of a letter; Hangul takes two
TITLE_MOST = 16
COLUMN = 6.2  # units that a letter of a label takes
LINE = 15  # units between labels above each other
WIDTH, HEIGHT = 540, 280
LEFT, RIGHT, TOP, BOTTOM = 84, 76, 44, 44  # room for labels
APART = 116  # upright axes
RADIUS, RADIUS_MOST = 5.0, 16.0
NAMED = 5  # trainings at one point that are named; the rest are counted


Toned = tuple[Row, int, bool]  # a training, its tone, whether it is the best one


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
    """One training in a picture: a line's points, or a point; of `count` that share one, the best."""

    url: str
    text: str
    tone: int
    is_best: bool
    points: str = ""
    x: str = ""
    y: str = ""
    count: int = 1

    @property
    def radius(self) -> str:
        """The area grows with the count."""
        return _number(min(RADIUS * math.sqrt(self.count) + (2 if self.count > 1 or self.is_best else 0), RADIUS_MOST))


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
    width = max(WIDTH, LEFT + RIGHT + APART * (len(scales) - 1))
    xs = [LEFT + (width - LEFT - RIGHT) * at / (len(scales) - 1) for at in range(len(scales))]
    bottom = HEIGHT - BOTTOM
    views = [
        AxisView(_number(x), _cut(scale.title, TITLE_MOST), scale.title, _ticks(scale, [*values], bottom, TOP))
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
        AxisView(_number(bottom), across.title, across.title, _ticks(across, xs, LEFT + 20, right - 20)),
        AxisView(_number(LEFT), _cut(up.title, TITLE_MOST), up.title, _ticks(up, ys, bottom - 20, TOP)),
    ]
    points: dict[tuple[str, str], list[Toned]] = {}
    for toned in _toned(table, rows, n):
        x = _place(across, toned[0].values[at], LEFT + 20, right - 20)
        y = _place(up, _best(toned[0], n), bottom - 20, TOP)
        points.setdefault((_number(x), _number(y)), []).append(toned)
    return Picture(views, [_point(table, n, place, found) for place, found in points.items()])


def _point(table: Table, n: int, place: tuple[str, str], found: list[Toned]) -> Mark:
    """One or more trainings at the same place: it leads to the best of them and names them."""
    row, tone, is_best = found[-1]
    return Mark(
        row.model.get_absolute_url(), _all_words(table, n, [one for one, *_rest in found[::-1]]), tone, is_best,
        x=place[0], y=place[1], count=len(found),
    )  # fmt: skip


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
    kept: list[tuple[float, str]] = []
    for value in chosen:
        here = _place(scale, value, first, last), _cut(_label(value), LABEL_MOST)
        if not kept or abs(here[0] - kept[-1][0]) >= _room(kept[-1][1], here[1], is_upright=first > last):
            kept.append(here)
    return [Tick(_number(place), text) for place, text in kept]


def _room(one: str, other: str, *, is_upright: bool) -> float:
    """How far apart two labels stand at least."""
    return LINE if is_upright else COLUMN * (_columns(one) + _columns(other)) / 2 + COLUMN


def _even(scale: Scale, values: list[Any]) -> list[Any]:
    """Of sorted values those nearest to five even places."""
    wanted = [place / 4 for place in range(5)]
    near = [min(values, key=lambda value: abs(scale.part(value) - place)) for place in wanted]
    return list({as_key(value): value for value in near}.values())


def _toned(table: Table, rows: list[Row], n: int) -> list[Toned]:
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


def _all_words(table: Table, n: int, rows: list[Row]) -> str:
    """The same for trainings at one point, the best first."""
    if len(rows) == 1:
        return _words(table, rows[0], n)
    names = "; ".join(_words(table, row, n) for row in rows[:NAMED])
    text = ngettext("%(n)s training here: %(names)s", "%(n)s trainings here: %(names)s", len(rows))
    return text % {"n": len(rows), "names": names if len(rows) <= NAMED else f"{names}; …"}


def _label(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else text_of(value)


def _cut(text: str, most: int) -> str:
    """At most so many columns."""
    if _columns(text) <= most:
        return text
    while _columns(text) > most - 1:
        text = text[:-1]
    return f"{text}…"


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _number(value: float) -> str:
    return f"{value:.1f}"
