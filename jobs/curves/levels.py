"""Coarser levels of a curve: a bucket of level k stands for SPAN · FACTOR^(k-1) points in a row, spikes and gaps kept.

Only whole buckets are stored, so that none ever changes: points are only added, or all of a chart go. What follows the
last whole bucket of a level is told by the finer levels, and what follows the finest by fewer than SPAN points.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, cast

from django.db.models import QuerySet

from jobs.curves import bulk
from jobs.metric_models import MetricBucket, MetricCurve, MetricPoint

SPAN = 32  # points of a bucket of level 1
FACTOR = 4  # buckets of a level in one of the next
PAGE = 256 * SPAN  # points or buckets read at a time

Point = tuple[int, float, float, float | None]  # id, x, t, value


class Bucket(NamedTuple):
    """As `MetricBucket`, in the order of its columns."""

    number: int
    last_id: int
    known: int
    total: float
    x_min: float
    x_max: float
    t_min: float
    t_max: float
    low: float | None
    low_x: float | None
    low_t: float | None
    low_n: int | None
    high: float | None
    high_x: float | None
    high_t: float | None
    high_n: int | None
    gap_x: float | None
    gap_t: float | None
    gap_n: int | None


def size_of(level: int) -> int:
    """Points of one bucket; level 0 are the points themselves."""
    return SPAN * FACTOR ** (level - 1) if level else 1


def of_points(points: Sequence[Point], first: int, number: int = 0) -> Bucket:
    """One bucket out of points, the first of which is number `first` of its curve."""
    _ids, xs, ts, values = zip(*points, strict=True)
    known = values if None not in values else [value for value in values if value is not None]
    low: tuple[Any, ...] = (None,) * 4
    high = low
    gap: tuple[Any, ...] = (None,) * 3
    if known:
        low, high = ((at, xs[n], ts[n], first + n) for at in (min(known), max(known)) for n in (values.index(at),))
    if len(known) < len(values):
        n = values.index(None)
        gap = (xs[n], ts[n], first + n)
    bounds = (min(xs), max(xs), min(ts), max(ts))
    return Bucket(number, points[-1][0], len(known), _sum(known), *bounds, *low, *high, *gap)


def of_buckets(buckets: Sequence[Bucket], number: int = 0) -> Bucket:
    """One bucket out of buckets that follow each other."""
    told = [bucket for bucket in buckets if bucket.known]
    lowest = min(told, key=lambda bucket: cast(float, bucket.low), default=buckets[0])
    highest = max(told, key=lambda bucket: cast(float, bucket.high), default=buckets[0])
    gap = next((bucket for bucket in buckets if bucket.gap_n is not None), buckets[0])
    return Bucket(
        number,
        buckets[-1].last_id,
        sum(bucket.known for bucket in buckets),
        _sum(bucket.total for bucket in buckets),
        min(bucket.x_min for bucket in buckets),
        max(bucket.x_max for bucket in buckets),
        min(bucket.t_min for bucket in buckets),
        max(bucket.t_max for bucket in buckets),
        *lowest[8:12],
        *highest[12:16],
        *gap[16:19],
    )


def grow(curve: MetricCurve) -> None:
    """Store the buckets that have become whole, on every level; sets `covered` and `covered_id`, saves neither."""
    if curve.count - curve.covered < SPAN:
        return
    before = curve.covered
    _insert(curve, 1, _from_points(curve))
    level = 2
    while curve.covered // size_of(level) > before // size_of(level):
        _insert(curve, level, _from_level(curve, level, before // size_of(level)))
        level += 1


def rows_of(curve: MetricCurve) -> QuerySet[MetricPoint]:
    return MetricPoint.objects.filter(job_id=curve.job_id, chart=curve.chart, series=curve.series)


def points(curve: MetricCurve, after: int = 0, up_to: int | None = None) -> Iterator[list[Point]]:
    """The curve's points with an id above `after`, page by page."""
    rows = rows_of(curve).order_by("pk")
    rows = rows if up_to is None else rows.filter(pk__lte=up_to)
    while True:
        page = bulk.fetched(rows.filter(pk__gt=after).values_list("pk", "x", "t", "value")[:PAGE])
        if page:
            yield page
        if len(page) < PAGE:
            return
        after = page[-1][0]


def stored(curve: MetricCurve, level: int, start: int, end: int) -> Iterator[list[Bucket]]:
    """The buckets of one level with numbers from `start` up to, without, `end`, page by page."""
    rows = MetricBucket.objects.filter(curve=curve, level=level).order_by("number")
    for at in range(start, end, PAGE):
        page = rows.filter(number__gte=at, number__lt=min(at + PAGE, end))
        yield list(map(Bucket._make, bulk.fetched(page.values_list(*Bucket._fields))))


def _sum(values: Iterable[float]) -> float:
    """Never infinite: two infinities would make a NaN, which no database takes for a number."""
    return min(max(sum(values), -sys.float_info.max), sys.float_info.max)


def _from_points(curve: MetricCurve) -> Iterator[Bucket]:
    for page in points(curve, curve.covered_id):
        for at in range(0, len(page) - SPAN + 1, SPAN):
            span = page[at : at + SPAN]
            yield of_points(span, curve.covered, curve.covered // SPAN)
            curve.covered += SPAN
            curve.covered_id = span[-1][0]


def _from_level(curve: MetricCurve, level: int, first: int) -> Iterator[Bucket]:
    end = curve.covered // size_of(level)
    for page in stored(curve, level - 1, first * FACTOR, end * FACTOR):
        for at in range(0, len(page), FACTOR):
            yield of_buckets(page[at : at + FACTOR], first + at // FACTOR)
        first += len(page) // FACTOR


def _insert(curve: MetricCurve, level: int, buckets: Iterable[Bucket]) -> None:
    while page := list(islice(buckets, PAGE)):
        rows = ((curve.pk, level, *bucket) for bucket in page)
        bulk.insert(MetricBucket, ("curve_id", "level", *Bucket._fields), rows)
