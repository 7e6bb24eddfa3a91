"""The page of a batch: a row for each training, in the order that the address asks for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jobs.models import Job, State
from models_app.models import Sweep, TrainedModel
from models_app.sweeps import pruning
from models_app.sweeps.axes import as_key, text_of
from models_app.sweeps.judge import Parameter, batchable
from models_app.sweeps.scores import Metric, Score, metrics_of, scores_of

DIGITS = (3, 4, 6, 9, 17)  # significant ones of a long setting: the fewest that tell a column's values apart
LONG = 8  # characters
_ORDER = [
    state for one in State.values for state in ((one, "CANCELLING") if one == State.RUNNING else (one,))
]  # of the states in their column


@dataclass(frozen=True)
class Column:
    """One setting that varies. `key`: how the address names it; `texts`: by `as_key` of a value how it is shown."""

    key: str
    label: str
    is_number: bool
    texts: dict[str, str]


@dataclass(frozen=True)
class MetricColumns:
    """Best and last of one metric. `top`: the best that any training reached, None while there is none."""

    metric: Metric
    best: str
    last: str
    top: float | None


@dataclass(frozen=True)
class Cell:
    """`full`: where the text is shortened, all of it."""

    text: str
    is_number: bool
    full: str = ""


@dataclass(frozen=True)
class Row:
    """One training. `label`: its name without the batch's; `scores`: by metric, None where there is no value yet."""

    model: TrainedModel
    label: str
    values: list[Any]
    scores: list[Score | None]
    freed: int | None
    cells: list[Cell]

    @property
    def texts(self) -> list[str]:
        return ["—" if value is None else text_of(value) for value in self.values]

    @property
    def label_parts(self) -> list[str]:
        """A line may end after each of them."""
        return re.findall(r"[^_ ]*[_ ]?", self.label)[:-1]


class Table:
    """Every training of a batch with its settings and scores."""

    def __init__(self, sweep: Sweep) -> None:
        trainings = sweep.trainings.select_related("job", "project").order_by("pk")
        models = list(trainings)
        jobs = [model.job_id for model in models]
        self.metrics = metrics_of(sweep.kernel, jobs)
        scores = scores_of(jobs, self.metrics)
        self.names = _varying([str(axis["name"]) for axis in sweep.axes], models)
        self.is_log = {str(axis["name"]): bool(axis.get("log")) for axis in sweep.axes}
        known = {parameter.name: parameter for parameter in batchable(sweep.kernel.schema)}
        self.titles = {name: known.get(name, Parameter(name, {})).title for name in self.names}
        self.columns = [self._column(n, name, models) for n, name in enumerate(self.names)]
        self.rows = [self._row(sweep, model, scores.get(model.job_id, {})) for model in models]

    def _row(self, sweep: Sweep, model: TrainedModel, scores: dict[str, Score]) -> Row:
        values = [model.varied.get(name) for name in self.names]
        label = model.name.removeprefix(f"{sweep.name} ") or model.name
        own = [scores.get(metric.key) for metric in self.metrics]
        cells = [_cell(column, value) for column, value in zip(self.columns, values, strict=True)]
        return Row(model, label, values, own, pruning.freed(sweep, model), cells)

    def _column(self, n: int, name: str, models: list[TrainedModel]) -> Column:
        values = {as_key(value): value for model in models if (value := model.varied.get(name)) is not None}
        is_number = all(map(_is_number, values.values()))
        return Column(f"p{n}", self.titles[name], is_number, _short(values))

    @property
    def is_live(self) -> bool:
        return any(row.model.job.is_active for row in self.rows)

    @property
    def states(self) -> list[tuple[str, int]]:
        """How many trainings are in each state, in the order of a life."""
        counts = Counter(_state_of(row.model.job) for row in self.rows)
        return [(state, counts[state]) for state in _ORDER if counts[state]]

    @cached_property
    def metric_columns(self) -> list[MetricColumns]:
        return [MetricColumns(metric, f"b{n}", f"l{n}", self._top(n)) for n, metric in enumerate(self.metrics)]

    @property
    def tops(self) -> dict[int, float | None]:
        """By the number of a metric its best value."""
        return {n: column.top for n, column in enumerate(self.metric_columns)}

    def _top(self, n: int) -> float | None:
        row = self.best_by(n)
        score = _at(row, n) if row else None
        return score.best if score else None

    @property
    def best(self) -> Row | None:
        """The training with the best value of the primary metric so far."""
        return self.best_by(0)

    def best_by(self, n: int) -> Row | None:
        """The training with the best value of the metric with this number."""
        known = [(self.metrics[n].rank(score.best), row.model.pk, row) for row in self.rows if (score := _at(row, n))]
        return min(known, key=lambda found: found[:2])[2] if known else None

    @property
    def ranked(self) -> list[Row]:
        """The best by the primary metric first; those without a value last."""
        known = [(self.metrics[0].rank(score.best), row) for row in self.rows if (score := _at(row, 0))]
        best = [row for _rank, row in sorted(known, key=lambda found: found[0])]
        return best + [row for row in self.rows if not _at(row, 0)]

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
            "state": lambda row: _ORDER.index(_state_of(row.model.job)),
        }
        for n in range(len(self.names)):
            keys[f"p{n}"] = lambda row, n=n: row.values[n]  # type: ignore[misc]
        for n in range(len(self.metrics)):
            keys[f"b{n}"] = lambda row, n=n: score.best if (score := _at(row, n)) else None  # type: ignore[misc]
            keys[f"l{n}"] = lambda row, n=n: score.last if (score := _at(row, n)) else None  # type: ignore[misc]
        return keys.get(column)


def _at(row: Row, n: int) -> Score | None:
    return row.scores[n] if n < len(row.scores) else None


def _state_of(job: Job) -> str:
    """What its badge says, see `shown_state`."""
    return "CANCELLING" if job.is_cancelling else str(job.state)


def _varying(names: list[str], models: list[TrainedModel]) -> list[str]:
    """Those that have more than one value in this batch; all of them where none has."""
    found = [name for name in names if len({as_key(model.varied.get(name)) for model in models}) > 1]
    return found or names


def _short(values: dict[str, Any]) -> dict[str, str]:
    """Numbers with the fewest digits that tell them apart."""
    floats = {key: value for key, value in values.items() if isinstance(value, float) and len(text_of(value)) > LONG}
    digits = next((n for n in DIGITS if len({f"{value:.{n}g}" for value in floats.values()}) == len(floats)), 17)
    return {key: f"{value:.{digits}g}" if key in floats else text_of(value) for key, value in values.items()}


def _cell(column: Column, value: Any) -> Cell:
    if value is None:
        return Cell("—", column.is_number)
    short, full = column.texts[as_key(value)], text_of(value)
    return Cell(short, column.is_number, full if short != full or not column.is_number else "")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _comparable(value: Any) -> tuple[bool, float, str]:
    """Numbers before texts, so that values of different kinds can stand in one column."""
    return (False, float(value), "") if _is_number(value) else (True, 0.0, text_of(value))
