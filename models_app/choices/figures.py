"""How good a model is, in one figure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from jobs import charts
from jobs.models import State
from models_app.models import Operation, TrainedModel, Validation
from projects_app.models import Project

LOOKED_AT = 200  # validations


@dataclass(frozen=True)
class Figure:
    """How good a model is. `on`: the datasets it was judged by, without which it says nothing; empty: its training."""

    name: str
    value: float
    on: str
    model: TrainedModel


def best_by(field: str, project: Project, **about: object) -> dict[int, Figure]:
    """By the model's `field` (`pk`, `kernel_id`): the highest key number among the last validations."""
    judged = Validation.objects.filter(
        project=project, operation=Operation.VALIDATION, job__state=State.SUCCEEDED, **about
    )
    found: dict[int, Figure] = {}
    for one in judged.select_related("model").prefetch_related("datasets").order_by("-pk")[:LOOKED_AT]:
        name, value = next(iter(one.headline), ("", math.nan))
        key, before = getattr(one.model, field), found.get(getattr(one.model, field))
        if math.isfinite(value) and (before is None or before.value < value):
            found[key] = Figure(name, value, ", ".join(sorted(d.name for d in one.datasets.all())), one.model)
    return found


def last_of(models: Iterable[TrainedModel]) -> dict[int, Figure]:
    """By the model's id the first key number of its last validation, for the models of one page."""
    by_id = {model.pk: model for model in models}
    # which succeeded is asked here, not there: a database would rather begin with all jobs that did
    rows = Validation.objects.filter(model__in=list(by_id), operation=Operation.VALIDATION).order_by("pk")
    states = rows.values_list("model", "pk", "job__state")
    newest = {model: pk for model, pk, state in states if state == State.SUCCEEDED}
    found: dict[int, Figure] = {}
    for one in Validation.objects.filter(pk__in=newest.values()).prefetch_related("datasets"):
        name, value = next(iter(one.headline), ("", math.nan))
        if math.isfinite(value):
            on = ", ".join(sorted(dataset.name for dataset in one.datasets.all()))
            found[one.model_id] = Figure(name, value, on, by_id[one.model_id])
    return found


def best_in_training(model: TrainedModel) -> Figure | None:
    """The best value of the metric that its kernel is judged by."""
    metrics = sorted(model.kernel.metrics, key=lambda entry: not entry.get("primary"))
    if not metrics:
        return None
    chart, column = str(metrics[0].get("file", "")).removesuffix(".csv"), str(metrics[0].get("column", ""))
    best = charts.best_and_last(model.job, model.goals).get(chart, {}).get(column, {}).get("best")
    return None if best is None else Figure(column, best, "", model)
