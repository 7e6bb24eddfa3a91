"""What the graphs' script and the tables get: at most a thousand points a curve, and only what is new."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from django.db.models import Sum

from jobs.curves import storing, thinning
from jobs.curves.thinning import Window
from jobs.metric_models import METRICS, IngestCursor, MetricCurve, MetricPoint
from jobs.models import Job

POINTS = 1000  # of one curve in one answer
CURVES = 256  # in one answer; no screen shows more, and each curve's file can be had
PKS = 2**40  # a cursor is a generation times this, plus a point's id: below 2**53, which a browser still counts exactly
NO_SCORE = {"lr", "learning_rate", "epoch", "step"}  # curves that are neither better nor worse
NO_TIME = NO_SCORE - {"epoch", "step"} | {
    "recall",
    "precision",
    "threshold",
    "score",
    "confidence",
    "iou",
    "fpr",
    "tpr",
}

Goals = dict[tuple[str, str], str]  # min or max, by chart and curve
Scores = dict[str, dict[str, dict[str, Any]]]  # by chart and curve


@dataclass(frozen=True)
class Judging:
    """Which way is better, as the kernel says, and which metrics count most."""

    goals: Goals = field(default_factory=dict)  # in the order of importance, the primary metric first

    def goal(self, curve: MetricCurve) -> str:
        """Min or max; where the kernel does not say, by the name. "" for what is neither better nor worse."""
        is_score = is_timed(curve) and curve.series.lower() not in NO_SCORE
        return self.goals.get((curve.chart, curve.series)) or (goal_of(curve.series) if is_score else "")

    def rank(self, curve: MetricCurve) -> tuple[object, ...]:
        """The charts that the kernel names first, in its order; those that are not drawn over steps last."""
        named = list(dict.fromkeys(chart for chart, _series in self.goals))
        place = named.index(curve.chart) if curve.chart in named else len(named)
        return (place, not is_timed(curve), curve.chart, curve.place, curve.pk)


def judging(metrics: Iterable[dict[str, Any]]) -> Judging:
    """Out of a kernel's `x-metrics`."""
    goals: Goals = {}
    for entry in sorted(metrics, key=lambda entry: not entry.get("primary")):
        key = (str(entry.get("file", "")).removesuffix(".csv"), str(entry.get("column", "")))
        goals.setdefault(key, "min" if entry.get("goal") == "min" else "max")
    return Judging(goals)


def goal_of(series: str) -> str:
    """Loss and error are minimised, the rest maximised."""
    return "min" if any(word in series.lower() for word in ("loss", "error", "err", "lr")) else "max"


def is_timed(curve: MetricCurve) -> bool:
    """Whether it is drawn over something that goes on with the training."""
    return curve.x_name.lower() not in NO_TIME


def step(x: float | None) -> float | int | None:
    """A place on the x axis; a whole one is shown with all its digits, as steps are counted."""
    return int(x) if x is not None and x.is_integer() else x


# --- what is new ------------------------------------------------------------------------------------------------------
def since(job: Job, cursor: int, judged: Judging | None = None) -> dict[str, Any] | None:
    """What came after `cursor`, as the graphs' script takes it; None when nothing did.

    `replace` says that a chart starts again: on the first look, where its file was replaced, or much came at once.
    `names` are the charts that there are: others are gone.
    """
    judged = judged or Judging()
    generation = generations(job)[job.pk]  # first: what changes meanwhile is noticed at the next look
    curves = sorted(storing.curves_of(job.pk), key=judged.rank)
    now = cursor_of(curves, generation, cursor)
    if now == cursor:
        return None
    charts = by_chart(curves[:CURVES])
    return {
        "cursor": now,
        "active": job.is_active,
        "names": [chart[0].chart for chart in charts],
        "left_out": max(0, len(curves) - CURVES),
        "charts": [found for chart in charts if (found := news(chart, cursor, judged))],
    }


def generations(*jobs: Job) -> dict[int, int]:
    """By job a number that rises whenever a metrics file of it was replaced."""
    files = IngestCursor.objects.filter(job__in=jobs, file__startswith=METRICS).order_by()
    found = dict(files.values_list("job").annotate(Sum("generation")))
    return {job.pk: (found.get(job.pk, 0) + job.resumes) % 2**12 for job in jobs}


def cursor_of(curves: Iterable[MetricCurve], generation: int, seen: int) -> int:
    """The cursor of who has seen all of these curves of one job, and what `seen` says before."""
    return max([seen % PKS, *(curve.last_id for curve in curves)]) + generation * PKS


def by_chart(curves: Iterable[MetricCurve]) -> list[list[MetricCurve]]:
    """Curves in their order, those of a chart together."""
    return [list(group) for _name, group in groupby(curves, key=lambda curve: curve.chart)]


def news(curves: list[MetricCurve], cursor: int, judged: Judging, most: int = POINTS) -> dict[str, Any] | None:
    """What of one chart, or of some of its curves, came after `cursor`."""
    newest, seen = max(curve.last_id for curve in curves), cursor % PKS
    if newest <= seen:
        return None
    if min(curve.first_id for curve in curves) > seen:
        return whole(curves, judged, most)
    points = MetricPoint.objects.filter(job_id=curves[0].job_id, chart=curves[0].chart, pk__lte=newest)
    new: dict[str, list[thinning.Seen]] = {}
    for curve in curves:
        rows = points.filter(series=curve.series, pk__gt=seen).order_by("pk").values_list("x", "value", "t")[: most + 1]
        if len(rows) > most:
            return whole(curves, judged, most)
        new[curve.series] = [list(row) for row in rows if row[1] is not None or not curve.is_sparse]
    series = [_described(curve, judged) | {"points": new[curve.series]} for curve in curves]
    return _chart(curves[0], series, replace=False)


# --- all, or a part ---------------------------------------------------------------------------------------------------
def window_of(query: Mapping[str, Any]) -> Window | None:
    """The part of the x axis that an address asks for with `from` and `to`; None where it asks for none."""
    try:
        low, high = float(query.get("from", "")), float(query.get("to", ""))
    except ValueError:
        return None
    return (low, high) if math.isfinite(low) and math.isfinite(high) and low <= high else None


def window(job: Job, chart: str, part: Window, judged: Judging | None = None) -> dict[str, Any]:
    """One chart where x lies in `part`, in more detail; the rest of it is left out where it is long."""
    judged = judged or Judging()
    curves = [curve for curve in sorted(storing.curves_of(job.pk), key=judged.rank) if curve.chart == chart][:CURVES]
    return {"charts": [whole(curves, judged, POINTS, part)] if curves else []}


def whole(curves: list[MetricCurve], judged: Judging, most: int = POINTS, part: Window | None = None) -> dict[str, Any]:
    """All of one chart, or of some of its curves, or its part in the window."""
    series = []
    for curve in curves:
        found = thinning.thinned(curve, most, part)
        thin = {} if found.is_whole else {"means": found.means, "thin": True}
        series.append(_described(curve, judged) | {"points": found.points} | thin)
    return _chart(curves[0], series, replace=True)


def _chart(first: MetricCurve, series: list[dict[str, Any]], *, replace: bool) -> dict[str, Any]:
    return {
        "name": first.chart, "x": first.x_name, "timed": is_timed(first), "replace": replace, "series": series,
    }  # fmt: skip


def _described(curve: MetricCurve, judged: Judging) -> dict[str, Any]:
    """What stays the same of a curve, whatever of it is sent."""
    return {"name": curve.series, "goal": judged.goal(curve), "sparse": curve.is_sparse}


# --- in figures -------------------------------------------------------------------------------------------------------
def best_and_last(job: Job, goals: Goals) -> Scores:
    """Of each curve `last`, `best`, `best_at` on its axis `x`, `goal` and `count`; `goals` as in `Judging`."""
    judged = Judging(goals)
    found: Scores = {}
    for curve in sorted(storing.curves_of(job.pk), key=judged.rank):
        found.setdefault(curve.chart, {})[curve.series] = score_of(curve, judged.goal(curve))
    return found


def score_of(curve: MetricCurve, goal: str) -> dict[str, Any]:
    best, best_at = {"min": (curve.low, curve.low_x), "max": (curve.high, curve.high_x)}.get(goal, (None, None))
    return {
        "last": curve.last, "best": best, "best_at": step(best_at), "goal": goal, "count": curve.count,
        "x": curve.x_name,
    }  # fmt: skip
