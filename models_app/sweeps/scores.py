"""Best and last value of each metric for every training of a batch: two statements, however many there are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from jobs import charts
from jobs.curves import storing
from kernels_app.models import Kernel

MOST = 8  # metrics that a table shows


@dataclass(frozen=True)
class Metric:
    """One curve; `goal`: min or max."""

    chart: str
    series: str
    goal: str

    @property
    def key(self) -> str:
        return f"{self.chart}/{self.series}"

    def rank(self, value: float) -> float:
        """Smaller is better."""
        return value if self.goal == "min" else -value


@dataclass(frozen=True)
class Score:
    best: float
    last: float


Scores = dict[int, dict[str, Score]]  # by job, by metric key


def metrics_of(kernel: Kernel, jobs: Iterable[int]) -> list[Metric]:
    """The kernel's `x-metrics`, the primary one first; where it names none, the curves that are there."""
    named = sorted(kernel.metrics, key=lambda entry: not entry.get("primary"))
    found = [
        Metric(str(entry.get("file", "")).removesuffix(".csv"), str(entry.get("column", "")), _goal(entry))
        for entry in named
    ]
    return (list(dict.fromkeys(found)) or _written(jobs))[:MOST]


def scores_of(jobs: Iterable[int], metrics: Iterable[Metric]) -> Scores:
    """What the trainings have reached; a metric without a value is not there."""
    known = {(metric.chart, metric.series): metric for metric in metrics}
    found: Scores = {}
    for curve in storing.curves_of(*jobs):
        metric = known.get((curve.chart, curve.series))
        if metric is not None and curve.known:
            best = curve.low if metric.goal == "min" else curve.high
            found.setdefault(curve.job_id, {})[metric.key] = Score(best or 0.0, curve.last or 0.0)
    return found


def _goal(entry: dict[str, object]) -> str:
    return "min" if entry.get("goal") == "min" else "max"


def _written(jobs: Iterable[int]) -> list[Metric]:
    """The curves of the first trainings; what grows when it gets better goes first."""
    curves = sorted({(curve.chart, curve.series) for curve in storing.curves_of(*jobs)})
    found = [Metric(chart, series, charts.goal_of(series)) for chart, series in curves]
    return sorted(found, key=lambda metric: metric.goal != "max")
