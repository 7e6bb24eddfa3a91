"""What the graphs' script and the tables get: at most a thousand points a curve, and only what is new."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from jobs.curves import storing, thinning
from jobs.curves.thinning import Window
from jobs.metric_models import MetricCurve, MetricPoint
from jobs.models import Job

POINTS = 1000  # of one curve in one answer
CURVES = 256  # in one answer; no screen shows more, and each curve's file can be had
PKS = 2**40  # a cursor is a generation times this, plus a point's id: below 2**53, which a browser still counts exactly
NO_TIME = {
    "recall",
    "precision",
    "threshold",
    "score",
    "confidence",
    "iou",
    "fpr",
    "tpr",
    "fppi",
    "lr",
    "learning_rate",
}

Goals = dict[tuple[str, str], str]  # min or max, by chart and curve


@dataclass(frozen=True)
class Judging:
    """Which way is better, as the kernel says, and which metric counts most."""

    goals: Goals = field(default_factory=dict)
    primary: tuple[str, str] = ("", "")

    def goal(self, curve: MetricCurve) -> str:
        """Min or max; where the kernel does not say, by the name."""
        return self.goals.get((curve.chart, curve.series)) or goal_of(curve.series)

    def rank(self, curve: MetricCurve) -> tuple[object, ...]:
        """The chart of the primary metric first, those that are not drawn over steps last, else by name."""
        return (curve.chart != self.primary[0], curve.x_name.lower() in NO_TIME, curve.chart, curve.place, curve.pk)


def judging(metrics: Iterable[dict[str, Any]]) -> Judging:
    """Out of a kernel's `x-metrics`."""
    named = [
        (str(entry.get("file", "")).removesuffix(".csv"), str(entry.get("column", "")), entry) for entry in metrics
    ]
    first = next((entry for entry in named if entry[2].get("primary")), named[0] if named else ("", "", {}))
    goals = {(chart, series): "min" if entry.get("goal") == "min" else "max" for chart, series, entry in named}
    return Judging(goals, first[:2])


def goal_of(series: str) -> str:
    """Loss and error are minimised, the rest maximised."""
    return "min" if any(word in series.lower() for word in ("loss", "error", "err", "lr")) else "max"


def since(job: Job, cursor: int, judged: Judging | None = None, most: int = POINTS) -> dict[str, Any] | None:
    """What came after `cursor`, as the graphs' script takes it; None when nothing did.

    `replace` says that a chart starts again: on the first look, where its file was replaced, or much came at once.
    `names` are the charts that there are: others are gone.
    """
    judged = judged or Judging()
    generation = _generation(job)  # first: what changes meanwhile is noticed at the next look
    curves = sorted(storing.curves_of(job.pk), key=judged.rank)
    newest, seen = max((curve.last_id for curve in curves), default=0), cursor % PKS
    if newest <= seen and generation == cursor // PKS:
        return None
    charts = [list(group) for _name, group in groupby(curves[:CURVES], key=lambda curve: curve.chart)]
    return {
        "cursor": max(newest, seen) + generation * PKS,
        "active": job.is_active,
        "names": [chart[0].chart for chart in charts],
        "left_out": max(0, len(curves) - CURVES),
        "charts": [news for chart in charts if (news := _news(chart, seen, judged, most))],
    }


def window_of(query: Mapping[str, Any]) -> Window | None:
    """The part of the x axis that an address asks for with `from` and `to`; None where it asks for none."""
    try:
        low, high = float(query.get("from", "")), float(query.get("to", ""))
    except ValueError:
        return None
    return (low, high) if math.isfinite(low) and math.isfinite(high) and low <= high else None


def window(job: Job, chart: str, part: Window, judged: Judging | None = None, most: int = POINTS) -> dict[str, Any]:
    """One chart where x lies in `part`, in more detail; the rest of it is left out where it is long."""
    judged = judged or Judging()
    curves = [curve for curve in sorted(storing.curves_of(job.pk), key=judged.rank) if curve.chart == chart][:CURVES]
    return {"charts": [_whole(curves, judged, most, part)] if curves else []}


def best_and_last(job: Job, goals: Goals, primary: tuple[str, str] = ("", "")) -> dict[str, dict[str, dict[str, Any]]]:
    """By chart and curve: `{"last", "best", "best_at", "goal", "count"}`; `goals` says min or max, else by the name."""
    judged = Judging(goals, primary)
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for curve in sorted(storing.curves_of(job.pk), key=judged.rank):
        goal = judged.goal(curve)
        best, best_at = (curve.low, curve.low_x) if goal == "min" else (curve.high, curve.high_x)
        found.setdefault(curve.chart, {})[curve.series] = {
            "last": curve.last, "best": best, "best_at": best_at, "goal": goal, "count": curve.count,
        }  # fmt: skip
    return found


def _generation(job: Job) -> int:
    """Rises whenever a metrics file of the job was replaced."""
    rows = job.cursors.filter(file__startswith="metrics/").values_list("generation", flat=True)
    return (sum(rows) + job.resumes) % 2**12


def _news(curves: list[MetricCurve], seen: int, judged: Judging, most: int) -> dict[str, Any] | None:
    """What of one chart came after the point with the id `seen`."""
    newest = max(curve.last_id for curve in curves)
    if newest <= seen:
        return None
    if min(curve.first_id for curve in curves) > seen:
        return _whole(curves, judged, most)
    points = MetricPoint.objects.filter(job_id=curves[0].job_id, chart=curves[0].chart, pk__lte=newest)
    new: dict[str, list[thinning.Seen]] = {}
    for curve in curves:
        rows = points.filter(series=curve.series, pk__gt=seen).order_by("pk").values_list("x", "value", "t")[: most + 1]
        if len(rows) > most:
            return _whole(curves, judged, most)
        new[curve.series] = [list(row) for row in rows if row[1] is not None or not curve.is_sparse]
    series = [_described(curve, judged) | {"points": new[curve.series]} for curve in curves]
    return _chart(curves[0], series, replace=False)


def _whole(curves: list[MetricCurve], judged: Judging, most: int, part: Window | None = None) -> dict[str, Any]:
    series = []
    for curve in curves:
        found = thinning.thinned(curve, most, part)
        thin = {} if found.is_whole else {"means": found.means, "thin": True}
        series.append(_described(curve, judged) | {"points": found.points} | thin)
    return _chart(curves[0], series, replace=True)


def _chart(first: MetricCurve, series: list[dict[str, Any]], *, replace: bool) -> dict[str, Any]:
    x = first.x_name
    return {"name": first.chart, "x": x, "timed": x.lower() not in NO_TIME, "replace": replace, "series": series}


def _described(curve: MetricCurve, judged: Judging) -> dict[str, Any]:
    """What stays the same of a curve, whatever of it is sent."""
    return {"name": curve.series, "goal": judged.goal(curve), "sparse": curve.is_sparse}
