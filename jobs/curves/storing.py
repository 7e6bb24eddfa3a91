"""Rows of a metrics file become points, and what is known of their curves with them: all or nothing of it is stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from django.db import transaction
from django.db.models import Max, Min

from jobs.curves import bulk, levels
from jobs.metric_models import MetricCurve, MetricPoint
from jobs.models import Job

Row = tuple[float, float, Sequence[float | None]]  # x, t, one value a curve

TOLD = (
    "count", "known", "first_id", "last_id", "low", "low_x", "high", "high_x", "last", "last_x", "last_t",
    "covered", "covered_id",
)  # fmt: skip


def append(job: Job, chart: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Add rows of one chart, inside a transaction. `columns`: the x axis first, as `rows` have them, each name once."""
    x_name, names = columns[0], columns[1:]
    if not rows or not names:
        return
    columns_of_points = ("job_id", "chart", "series", "x", "t", "value")
    bulk.insert(MetricPoint, columns_of_points, _points(job.pk, chart, names, rows))
    curves = _curves(job, chart, x_name, names)
    _tell_ids(curves)
    for place, curve in enumerate(curves):
        _tell(curve, rows, place)
        levels.grow(curve)
    _save(curves)


def curves_of(*jobs: int) -> list[MetricCurve]:
    """Every curve of these jobs. Points that were stored before there were curves get theirs here."""
    found = list(MetricCurve.objects.filter(job__in=jobs))
    if untold := set(jobs) - {curve.job_id for curve in found}:
        older = MetricPoint.objects.filter(job__in=untold).order_by().values_list("job", flat=True).distinct()
        for job in older:
            found += _rebuild(job)
    return found


def forget(job: Job, chart: str) -> None:
    """Nothing of this chart is there any more, on no level."""
    MetricCurve.objects.filter(job=job, chart=chart).delete()
    MetricPoint.objects.filter(job=job, chart=chart).delete()


def forget_all(job: Job) -> None:
    MetricCurve.objects.filter(job=job).delete()
    MetricPoint.objects.filter(job=job).delete()


def _rebuild(job: int) -> list[MetricCurve]:
    """The curves and levels of a job out of its points."""
    with transaction.atomic():
        Job.objects.select_for_update().filter(pk=job).first()  # one at a time
        if found := list(MetricCurve.objects.filter(job=job)):
            return found
        names = MetricPoint.objects.filter(job=job).order_by().values_list("chart", "series").annotate(Min("pk"))
        curves: list[MetricCurve] = []
        for chart, series, first in sorted(names, key=lambda row: (row[0], row[2])):
            place = sum(1 for other in curves if other.chart == chart)
            curve = MetricCurve.objects.create(job_id=job, chart=chart, series=series, place=place, first_id=first)
            for page in levels.points(curve):
                _tell(curve, [(x, t, (value,)) for _pk, x, t, value in page], 0)
                curve.last_id = page[-1][0]
            levels.grow(curve)
            curves.append(curve)
        _save(curves)
        return curves


def _points(job: int, chart: str, names: Sequence[str], rows: Sequence[Row]) -> Iterator[tuple[object, ...]]:
    return chain.from_iterable(
        [(job, chart, name, x, t, value) for name, value in zip(names, values, strict=True)] for x, t, values in rows
    )


def _curves(job: Job, chart: str, x_name: str, names: Sequence[str]) -> list[MetricCurve]:
    """The curves of these columns; those that are not there yet are made."""
    stored = {curve.series: curve for curve in MetricCurve.objects.filter(job=job, chart=chart)}
    new = [
        MetricCurve(job=job, chart=chart, series=name, place=place, x_name=x_name)
        for place, name in enumerate(names)
        if name not in stored
    ]
    stored |= {curve.series: curve for curve in MetricCurve.objects.bulk_create(new)}
    return [stored[name] for name in names]


def _tell_ids(curves: list[MetricCurve]) -> None:
    """The ids of the chart's first and last point: those of its first and its last column."""
    found = {
        "last_id": levels.rows_of(curves[-1]).aggregate(found=Max("pk"))["found"],
        "first_id": curves[0].first_id or levels.rows_of(curves[0]).aggregate(found=Min("pk"))["found"],
    }
    for curve in curves:
        curve.first_id, curve.last_id = found["first_id"], found["last_id"]


def _tell(curve: MetricCurve, rows: Sequence[Row], place: int) -> None:
    """What new rows say of a curve whose value is their number `place`."""
    values = [row[2][place] for row in rows]
    known = [value for value in values if value is not None]
    curve.count += len(values)
    curve.known += len(known)
    if not known:
        return
    low, high = min(known), max(known)
    if curve.low is None or low < curve.low:
        curve.low, curve.low_x = low, rows[values.index(low)][0]
    if curve.high is None or high > curve.high:
        curve.high, curve.high_x = high, rows[values.index(high)][0]
    last = next(n for n in range(len(values) - 1, -1, -1) if values[n] is not None)
    curve.last, curve.last_x, curve.last_t = values[last], rows[last][0], rows[last][1]


def _save(curves: list[MetricCurve]) -> None:
    rows = [[*(getattr(curve, name) for name in TOLD), curve.pk] for curve in curves]
    bulk.update(MetricCurve, TOLD, rows)
