"""A curve in at most so many points: the lowest, the highest and the first gap of each stretch; all of a short one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Max, Min

from jobs.curves import levels
from jobs.curves.levels import Bucket, Point
from jobs.metric_models import MetricCurve

Seen = list[float | None]  # x, value (None is a gap), t
Window = tuple[float, float]  # of x


@dataclass
class Thinned:
    """What is drawn. `means`: of each stretch, for a smoothed curve, where `points` are not all that there are."""

    points: list[Seen] = field(default_factory=list)
    means: list[Seen] = field(default_factory=list)
    is_whole: bool = True


def thinned(curve: MetricCurve, most: int, window: Window | None = None) -> Thinned:
    """The curve in at most `most` points, `means` included. `window`: of a long one the part where x lies in it."""
    parts = 4 if _shows_gaps(curve) and curve.known < curve.count else 3  # low, high, mean; and a gap
    count = (most - 1) // parts
    start, end = 0, curve.count
    if window is not None and end > most:
        start, end = _places(curve, window, count)
    if end - start <= most:
        raw = _raw(curve, start, end)
        seen = [_seen(point) for point in raw if point[3] is not None or _shows_gaps(curve)]
        return Thinned(seen, is_whole=end - start == curve.count)
    found = Thinned(is_whole=False)
    for stretch in _stretches(curve, start, end, count):
        found.points += _marks(stretch, gaps=_shows_gaps(curve))
        if stretch.known:
            x, t = (stretch.x_min + stretch.x_max) / 2, (stretch.t_min + stretch.t_max) / 2
            found.means.append([x, stretch.total / stretch.known, t])
    last = [_seen(point) for point in _raw(curve, end - 1, end) if point[3] is not None]
    return Thinned(found.points + [seen for seen in last if seen not in found.points[-3:]], found.means, False)


def _shows_gaps(curve: MetricCurve) -> bool:
    """Whether a missing value interrupts the line."""
    return not curve.is_sparse


def _stretches(curve: MetricCurve, start: int, end: int, count: int) -> list[Bucket]:
    """At most `count` buckets that tell all of the points from `start` to `end`."""
    level = _level(end - start, count)
    if not level:
        raw = _raw(curve, start, end)
        return [levels.of_points(raw[a:b], start + a) for a, b in _shares(len(raw), count)]
    buckets = _pieces(curve, start, end, level)
    return [levels.of_buckets(buckets[a:b]) for a, b in _shares(len(buckets), count)]


def _shares(whole: int, count: int) -> list[tuple[int, int]]:
    """`whole` things in at most `count` shares, as equal as can be: from where to where."""
    count = min(count, whole)
    return [(whole * n // count, whole * (n + 1) // count) for n in range(count)]


def _level(points: int, buckets: int) -> int:
    """The coarsest level of which `points` fill at least so many buckets; 0: the points themselves."""
    level = 0
    while points // levels.size_of(level + 1) >= buckets:
        level += 1
    return level


def _pieces(curve: MetricCurve, start: int, end: int, level: int) -> list[Bucket]:
    """The points in buckets of `level` and, where the last whole one ends, of the finer levels; the rest in one."""
    found: list[Bucket] = []
    while level:
        size = levels.size_of(level)
        first, last = start // size, min(curve.covered, end) // size
        for page in levels.stored(curve, level, first, last):
            found += page
        start = max(start, last * size)
        level -= 1
    rest = _raw(curve, start, end)
    return found + ([levels.of_points(rest, start)] if rest else [])


def _raw(curve: MetricCurve, start: int, end: int) -> Sequence[Point]:
    """The points themselves; those between two buckets are found by the ids that these remember."""
    if start >= end:
        return []
    first = start // levels.SPAN
    after, up_to = _last_id(curve, first), curve.last_id
    if end <= curve.covered:
        up_to = _last_id(curve, -(-end // levels.SPAN))
    rows = [point for page in levels.points(curve, after, up_to) for point in page]
    skip = start - min(first * levels.SPAN, curve.covered)
    return rows[skip : skip + end - start]


def _last_id(curve: MetricCurve, number: int) -> int:
    """The id of the last point before bucket `number` of the lowest level; 0 before the first one."""
    if number * levels.SPAN >= curve.covered:
        return curve.covered_id
    page = next(levels.stored(curve, 1, number - 1, number), []) if number else []
    return page[0].last_id if page else 0


def _places(curve: MetricCurve, window: Window, count: int) -> tuple[int, int]:
    """From which point to which the curve lies in the window, with one that leads in and one that leads out."""
    low, high = window
    places: list[int] = []
    start = 0
    for level in range(max(1, _level(curve.count, count)), 0, -1):
        size = levels.size_of(level)
        inside = curve.buckets.filter(level=level, number__gte=start // size, x_max__gte=low, x_min__lte=high)
        found = inside.aggregate(first=Min("number"), last=Max("number"))
        if found["first"] is not None:
            places += [found["first"] * size, (found["last"] + 1) * size - 1]
        start = curve.covered // size * size
    places += [start + n for n, point in enumerate(_raw(curve, start, curve.count)) if low <= point[1] <= high]
    return (max(0, min(places) - 1), min(curve.count, max(places) + 2)) if places else (0, 0)


def _marks(stretch: Bucket, *, gaps: bool) -> list[Seen]:
    """What of a stretch is drawn, in its order."""
    marks: list[tuple[Any, ...]] = []
    if stretch.known:
        marks.append((stretch.low_n, stretch.low_x, stretch.low, stretch.low_t))
        if stretch.high_n != stretch.low_n:
            marks.append((stretch.high_n, stretch.high_x, stretch.high, stretch.high_t))
    if gaps and stretch.gap_n is not None:
        marks.append((stretch.gap_n, stretch.gap_x, None, stretch.gap_t))
    return [list(mark[1:]) for mark in sorted(marks)]


def _seen(point: Point) -> Seen:
    return [point[1], point[3], point[2]]
