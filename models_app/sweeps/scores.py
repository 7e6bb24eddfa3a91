"""Best and last value of each metric for every training of a batch: two statements, however many there are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Max, Min, Q

from jobs import charts
from jobs.models import MetricPoint
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
    series = [name for _chart, name in known]
    points = MetricPoint.objects.filter(job__in=list(jobs), series__in=series).exclude(value=None).order_by()
    rows = points.values_list("job", "chart", "series").annotate(Min("value"), Max("value"), Max("pk"))
    wanted = [
        (job, known[chart, name], low, high, pk) for job, chart, name, low, high, pk in rows if (chart, name) in known
    ]
    last = dict(MetricPoint.objects.filter(pk__in=[pk for *_rest, pk in wanted]).values_list("pk", "value"))
    found: Scores = {}
    for job, metric, low, high, pk in wanted:
        found.setdefault(job, {})[metric.key] = Score(low if metric.goal == "min" else high, last[pk] or 0.0)
    return found


def _goal(entry: dict[str, object]) -> str:
    return "min" if entry.get("goal") == "min" else "max"


def _written(jobs: Iterable[int]) -> list[Metric]:
    """The curves of the first trainings; what grows when it gets better goes first."""
    curves = MetricPoint.objects.filter(Q(job__in=list(jobs))).order_by("chart", "series")
    found = [
        Metric(chart, series, charts.goal_of(series))
        for chart, series in curves.values_list("chart", "series").distinct()
    ]
    return sorted(found, key=lambda metric: metric.goal != "max")
