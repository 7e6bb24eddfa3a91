"""The page of a batch: a row for each training, in the order that the address asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jobs.models import State
from models_app.models import Sweep, TrainedModel
from models_app.sweeps import pruning
from models_app.sweeps.axes import text_of
from models_app.sweeps.judge import Parameter, batchable
from models_app.sweeps.scores import Metric, Score, metrics_of, scores_of


@dataclass(frozen=True)
class Column:
    """`key`: how the address names it."""

    key: str
    label: str
    is_number: bool


@dataclass(frozen=True)
class MetricColumns:
    """Best and last of one metric."""

    metric: Metric
    best: str
    last: str


@dataclass(frozen=True)
class Row:
    """One training. `label`: its name without the batch's; `scores`: by metric, None where there is no value yet."""

    model: TrainedModel
    label: str
    values: list[Any]
    scores: list[Score | None]
    freed: int | None

    @property
    def texts(self) -> list[str]:
        return ["—" if value is None else text_of(value) for value in self.values]


class Table:
    """Every training of a batch with its settings and scores."""

    def __init__(self, sweep: Sweep) -> None:
        trainings = sweep.trainings.select_related("job", "project").order_by("pk")
        models = list(trainings)
        jobs = [model.job_id for model in models]
        self.metrics = metrics_of(sweep.kernel, jobs)
        scores = scores_of(jobs, self.metrics)
        self.names = [str(axis["name"]) for axis in sweep.axes]
        self.is_log = {str(axis["name"]): bool(axis.get("log")) for axis in sweep.axes}
        self.rows = [self._row(sweep, model, scores.get(model.job_id, {})) for model in models]
        known = {parameter.name: parameter for parameter in batchable(sweep.kernel.schema)}
        self.titles = {name: known.get(name, Parameter(name, {})).title for name in self.names}

    def _row(self, sweep: Sweep, model: TrainedModel, scores: dict[str, Score]) -> Row:
        values = [model.varied.get(name) for name in self.names]
        label = model.name.removeprefix(f"{sweep.name} ") or model.name
        own = [scores.get(metric.key) for metric in self.metrics]
        return Row(model, label, values, own, pruning.freed(sweep, model))

    @property
    def is_live(self) -> bool:
        return any(row.model.job.is_active for row in self.rows)

    @property
    def states(self) -> list[tuple[str, int]]:
        """How many trainings are in each state, in the order of a life."""
        counts = Counter(row.model.job.state for row in self.rows)
        return [(state, counts[state]) for state in State.values if counts[state]]

    @property
    def columns(self) -> list[Column]:
        """Those of what varies."""
        found = []
        for n, name in enumerate(self.names):
            is_number = all(_is_number(row.values[n]) for row in self.rows)
            found.append(Column(f"p{n}", self.titles[name], is_number))
        return found

    @property
    def metric_columns(self) -> list[MetricColumns]:
        return [MetricColumns(metric, f"b{n}", f"l{n}") for n, metric in enumerate(self.metrics)]

    @property
    def best(self) -> Row | None:
        """The training with the best value of the primary metric so far."""
        return self.best_by(0)

    def best_by(self, n: int) -> Row | None:
        """The training with the best value of the metric with this number."""
        known = [(self.metrics[n].rank(score.best), row.model.pk, row) for row in self.rows if (score := _at(row, n))]
        return min(known, key=lambda found: found[:2])[2] if known else None

    def ordered(self, sort: str) -> tuple[list[Row], str]:
        """The rows by a column, a minus for descending; what has no value comes last, either way. And that order."""
        key = self._key(sort.removeprefix("-"))
        if key is None:
            return self.rows, ""
        known = [row for row in self.rows if key(row) is not None]
        rest = [row for row in self.rows if key(row) is None]
        return sorted(known, key=lambda row: _comparable(key(row)), reverse=sort.startswith("-")) + rest, sort

    def _key(self, column: str) -> Callable[[Row], Any] | None:
        keys: dict[str, Callable[[Row], Any]] = {
            "name": lambda row: row.model.name,
            "state": lambda row: State.values.index(row.model.job.state),
        }
        for n in range(len(self.names)):
            keys[f"p{n}"] = lambda row, n=n: row.values[n]  # type: ignore[misc]
        for n in range(len(self.metrics)):
            keys[f"b{n}"] = lambda row, n=n: score.best if (score := _at(row, n)) else None  # type: ignore[misc]
            keys[f"l{n}"] = lambda row, n=n: score.last if (score := _at(row, n)) else None  # type: ignore[misc]
        return keys.get(column)


def _at(row: Row, n: int) -> Score | None:
    return row.scores[n] if n < len(row.scores) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _comparable(value: Any) -> tuple[bool, float, str]:
    """Numbers before texts, so that values of different kinds can stand in one column."""
    return (False, float(value), "") if _is_number(value) else (True, 0.0, text_of(value))
