"""Several models column by column: what they reached in each metric, and which settings differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from jobs import charts
from kernels_app import schema as schemas
from models_app.comparing.chosen import Chosen, Look
from models_app.comparing.graphs import Curves, Key
from models_app.models import TrainedModel
from models_app.sweeps.axes import as_key, text_of

METRICS = 100  # rows


@dataclass(frozen=True)
class Column:
    """One model, and the addresses of the page without it, and measured by it."""

    model: TrainedModel
    look: Look
    is_base: bool
    without: str
    as_base: str


@dataclass(frozen=True)
class Cell:
    """What a model reached. `delta`: of its best value to the base's; `is_good`: whether that is better."""

    score: dict[str, Any]
    delta: float | None
    is_good: bool
    is_best: bool
    is_worst: bool


@dataclass(frozen=True)
class MetricRow:
    """`cells`: None where a model has no such curve, or no value yet."""

    chart: str
    series: str
    goal: str
    csv: str
    cells: list[Cell | None]


@dataclass(frozen=True)
class Value:
    """`is_other`: it is not what the base has. `address`: of its page; `seconds`: a time that took so long."""

    text: str
    is_other: bool = False
    address: str = ""
    seconds: float | None = None


@dataclass(frozen=True)
class Row:
    """One setting or fact. `name`: the key in model.json, where it is one."""

    title: str
    name: str
    cells: list[Value]
    differs: bool


class Table:
    """Everything that the page shows of the chosen models beside their graphs."""

    def __init__(self, chosen: Chosen) -> None:
        self.chosen = chosen
        self.columns = [
            Column(
                model, chosen.looks[model.pk], model == chosen.base, chosen.address(without=model),
                chosen.address(base=model),
            )
            for model in chosen.models
        ]  # fmt: skip
        curves = Curves(chosen)
        self.metrics = [self._metric(curves, key) for key in list(curves.by_key)[:METRICS] if curves.goal(key)]
        rows = {"facts": list(self._facts()), "settings": list(self._settings())}
        self.toggled = chosen.address(only=not chosen.only)
        self.hidden = sum(not row.differs for found in rows.values() for row in found)
        self.facts, self.settings = (
            [row for row in found if row.differs or not chosen.only] for found in rows.values()
        )

    # --- metrics ----------------------------------------------------------------------------------------------------
    def _metric(self, curves: Curves, key: Key) -> MetricRow:
        goal = curves.goal(key)
        scores = {
            model: score for model, curve in curves.by_key[key] if (score := charts.score_of(curve, goal))["count"]
        }
        values = {model: score["best"] for model, score in scores.items() if score["best"] is not None}
        best, worst = (min, max) if goal == "min" else (max, min)
        tops = (best(values.values()), worst(values.values())) if len(set(values.values())) > 1 else (None, None)
        base = values.get(self.chosen.base) if self.chosen.base else None
        cells = [
            _cell(scores[model], goal, base if model != self.chosen.base else None, tops) if model in values else None
            for model in self.chosen.models
        ]
        chart, series = key
        return MetricRow(chart, series, goal, self.chosen.address("compare_csv", chart=f"{chart}/{series}"), cells)

    # --- facts and settings -----------------------------------------------------------------------------------------
    def _facts(self) -> Iterator[Row]:
        models = self.chosen.models
        yield self._row(_("Model type"), [Value(model.model_type.code) for model in models])
        kernels = [Value(str(model.kernel), address=model.kernel.address(model.project)) for model in models]
        yield self._row(_("Kernel"), kernels)
        bases = [model.base_model for model in models]
        yield self._row(
            _("Base model"),
            [Value(base.name, address=base.get_absolute_url()) if base else Value("—") for base in bases],
        )
        yield self._row(_("Training datasets"), [_names(model.train_datasets.all()) for model in models])
        yield self._row(_("Validation datasets"), [_names(model.validation_datasets.all()) for model in models])
        yield self._row(_("Data category"), [Value(model.data_category or "—") for model in models])
        yield self._row(_("Devices"), [Value(str(model.devices)) for model in models])
        took = [
            Value("", seconds=model.job.elapsed) if model.job.elapsed is not None else Value("—") for model in models
        ]
        yield self._row(_("Took"), took)
        yield self._row(_("Started by"), [Value(str(model.created_by or "—")) for model in models])

    def _settings(self) -> Iterator[Row]:
        """Every setting that one of them has, in the order of the kernels' schemas, by the title of the form."""
        titles: dict[str, str] = {}
        for model in self.chosen.models:
            parts = schemas.params_schema(model.kernel.schema).get("properties", {})
            for name, part in parts.items():
                titles.setdefault(name, schemas.title(schemas.resolve(part, model.kernel.schema), name))
        given = [model.params for model in self.chosen.models]
        names = dict.fromkeys([name for name in titles if any(name in params for params in given)])
        names |= dict.fromkeys(name for params in given for name in params)
        for name in names:
            values = [Value(_text(params[name]) if name in params else "—") for params in given]
            keys = [as_key(params[name]) if name in params else "" for params in given]
            yield self._row(titles.get(name, name), values, keys, name)

    def _row(self, title: str, cells: list[Value], keys: list[str] | None = None, name: str = "") -> Row:
        keys = keys or [f"{cell.text}{cell.address}{_whole(cell.seconds)}" for cell in cells]
        base = keys[self.chosen.models.index(self.chosen.base)] if self.chosen.base else ""
        marked = [
            Value(cell.text, key != base, cell.address, cell.seconds) for cell, key in zip(cells, keys, strict=True)
        ]
        return Row(title, name, marked, len(set(keys)) > 1)


def _whole(seconds: float | None) -> object:
    """As the page says it: two trainings that took 2.1 and 1.9 s took as long."""
    return None if seconds is None else round(seconds)


def _cell(score: dict[str, Any], goal: str, base: float | None, tops: tuple[Any, Any]) -> Cell:
    delta = None if base is None else score["best"] - base
    is_good = delta is not None and (delta < 0 if goal == "min" else delta > 0)
    return Cell(score, delta, is_good, score["best"] == tops[0], score["best"] == tops[1])


def _names(datasets: Any) -> Value:
    return Value(", ".join(sorted(dataset.name for dataset in datasets)) or "—")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return text_of(value)
