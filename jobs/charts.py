"""Metrics for graphs and tables: at most a thousand points a curve, spikes kept, thinned out in the database."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.db.models import Count, Max

from jobs.models import Job, MetricPoint
from kernels_app.contract.metrics import SERIES_LIMIT

POINTS = 1000  # of one curve in one answer
PKS = 2**40  # a cursor is a generation times this, plus a point's id: below 2**53, which a browser still counts exactly
NEW_LIMIT = 20_000  # new points in one answer


def since(job: Job, cursor: int) -> dict[str, Any] | None:
    """What came after the point with the id `cursor`, as the graphs' script takes it; None when nothing did.

    `replace` says that a chart starts again: on the first look, where a file was replaced, or much came at once.
    """
    newest = job.points.aggregate(newest=Max("pk"))["newest"] or 0
    generations = _generation(job)
    if newest <= cursor % PKS and generations == cursor // PKS:
        return None
    seen = cursor % PKS if generations == cursor // PKS else 0
    new = job.points.filter(pk__gt=seen)
    whole = seen == 0 or new.count() > NEW_LIMIT
    charts = _whole_charts(job) if whole else _new_points(new)
    return {"cursor": newest + generations * PKS, "active": job.is_active, "charts": charts}


def best_and_last(job: Job, goals: dict[tuple[str, str], str]) -> dict[str, dict[str, dict[str, Any]]]:
    """By chart and curve: `{"last", "best", "best_at", "goal", "count"}`; `goals` says min or max, else by the name."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for chart, series, count, low, low_at, high, high_at, last in _extremes(job):
        goal = goals.get((chart, series)) or goal_of(series)
        best, best_at = (low, low_at) if goal == "min" else (high, high_at)
        found.setdefault(chart, {})[series] = {
            "last": last, "best": best, "best_at": best_at, "goal": goal, "count": count,
        }  # fmt: skip
    return found


def goal_of(series: str) -> str:
    """Loss and error are minimised, the rest maximised."""
    return "min" if any(word in series.lower() for word in ("loss", "error", "err", "lr")) else "max"


def _extremes(job: Job) -> list[tuple[Any, ...]]:
    """Of each curve: chart, series, count, lowest value and where it was first, highest likewise, last value.

    One statement that scans the points once; window functions would sort them, which takes ten times as long.
    """
    table = MetricPoint._meta.db_table
    first = f"SELECT x FROM {table} WHERE job_id = %s AND chart = c.chart AND series = c.series AND value ="  # noqa: S608
    sql = f"""
        WITH c AS (
            SELECT chart, series, COUNT(*) AS points, MIN(value) AS low, MAX(value) AS high,
                MAX(CASE WHEN value IS NOT NULL THEN id END) AS newest
            FROM {table} WHERE job_id = %s GROUP BY chart, series
        )
        SELECT chart, series, points, low, ({first} low ORDER BY id LIMIT 1), high, ({first} high ORDER BY id LIMIT 1),
            (SELECT value FROM {table} WHERE id = newest)
        FROM c ORDER BY chart, series
    """  # noqa: S608 (the table's own name; every value is a parameter)
    with connection.cursor() as cursor:
        cursor.execute(sql, [job.pk] * 3)
        return list(cursor.fetchall())


def _generation(job: Job) -> int:
    """Rises whenever a metrics file of the job was replaced."""
    rows = job.cursors.filter(file__startswith="metrics/").values_list("generation", flat=True)
    return (sum(rows) + job.resumes) % 2**12


def _new_points(new: Any) -> list[dict[str, Any]]:
    curves: dict[str, dict[str, list[list[float | None]]]] = {}
    for chart, series, x, value in new.order_by("pk").values_list("chart", "series", "x", "value"):
        curves.setdefault(chart, {}).setdefault(series, []).append([x, value])
    return [_chart(name, curves[name], replace=False) for name in sorted(curves)]


def _whole_charts(job: Job) -> list[dict[str, Any]]:
    curves: dict[str, dict[str, list[list[float | None]]]] = {}
    rows = job.points.values("chart", "series").annotate(count=Count("pk"), first=Max("pk")).order_by("chart")
    for row in sorted(rows, key=lambda r: (r["chart"], r["first"]))[: 100 * SERIES_LIMIT]:
        curves.setdefault(row["chart"], {})[row["series"]] = curve(job, row["chart"], row["series"], row["count"])
    return [_chart(name, curves[name], replace=True) for name in sorted(curves)]


def _chart(name: str, curves: dict[str, list[list[float | None]]], *, replace: bool) -> dict[str, Any]:
    series = [{"name": series, "points": points} for series, points in curves.items()]
    return {"name": name, "x": "step", "replace": replace, "series": series}


def curve(job: Job, chart: str, series: str, count: int) -> list[list[float | None]]:
    """One curve as `[x, value]`, thinned to the lowest and highest value of each of POINTS / 2 stretches."""
    if count <= POINTS:
        points = job.points.filter(chart=chart, series=series).order_by("pk")
        return [[x, value] for x, value in points.values_list("x", "value")]
    table = MetricPoint._meta.db_table
    sql = f"""
        WITH numbered AS (
            SELECT id, x, value, (row_number() OVER (ORDER BY id) - 1) * %s / %s AS stretch
            FROM {table} WHERE job_id = %s AND chart = %s AND series = %s
        ), ranked AS (
            SELECT id, x, value,
                row_number() OVER (PARTITION BY stretch ORDER BY value, id) AS up,
                row_number() OVER (PARTITION BY stretch ORDER BY value DESC, id) AS down
            FROM numbered WHERE value IS NOT NULL
        )
        SELECT x, value FROM ranked WHERE up = 1 OR down = 1 ORDER BY id
    """  # noqa: S608 (the table's own name; every value is a parameter)
    with connection.cursor() as cursor:
        cursor.execute(sql, [POINTS // 2, count, job.pk, chart, series])
        return [[x, value] for x, value in cursor.fetchall()]
