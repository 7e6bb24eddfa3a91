"""The models to start from, and what starting from one means for its classes."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet

from jobs.models import TERMINAL
from kernels_app.models import Kernel
from models_app.choices.figures import Figure, best_by, best_in_training
from models_app.models import TrainedModel
from projects_app.models import ModelType, Project

LOOKED_AT = 200  # models


@dataclass(frozen=True)
class BaseChoice:
    """A model to start from. `known`: how many of the `total` classes of the model type it has learnt."""

    model: TrainedModel
    known: int
    total: int
    is_same_type: bool
    is_chosen: bool = False


@dataclass(frozen=True)
class BaseCard:
    """The base model, and what starting from it means: classes it `known`s already, `new` ones, and those `lost`."""

    model: TrainedModel
    known: list[str]
    new: list[str]
    lost: list[str]
    best: Figure | None
    other_kernel: bool


def base_models(project: Project, model_type: ModelType | None, chosen: int | None = None) -> list[BaseChoice]:
    """Models of the training type whose training ended and left weights; the same model type first, then the newest."""
    if model_type is None:
        return []
    ended = _startable(project, model_type)
    found = list(ended.order_by("-pk")[:LOOKED_AT])
    if chosen and chosen not in {model.pk for model in found}:
        found += ended.filter(pk=chosen)
    classes = set(model_type.class_codes())
    rows = [
        BaseChoice(
            model,
            known=len(classes & set(model.classes)),
            total=len(classes),
            is_same_type=model.model_type_id == model_type.pk,
            is_chosen=model.pk == chosen,
        )
        for model in found
        if model.has_checkpoint
    ]
    return sorted(rows, key=lambda row: not row.is_same_type)


def base_card(model: TrainedModel, model_type: ModelType, kernel: Kernel | None) -> BaseCard:
    """`kernel`: the one that is to train; another one may not understand the weights."""
    wanted = model_type.class_codes()
    best = best_by("pk", model.project, model=model).get(model.pk) or best_in_training(model)
    return BaseCard(
        model,
        known=[code for code in wanted if code in model.classes],
        new=[code for code in wanted if code not in model.classes],
        lost=[code for code in model.classes if code not in wanted],
        best=best,
        other_kernel=kernel is not None and kernel.name != model.kernel.name,
    )


def _startable(project: Project, model_type: ModelType) -> QuerySet[TrainedModel]:
    models = TrainedModel.objects.filter(project=project, job__state__in=TERMINAL)
    return models.filter(model_type__training_type=model_type.training_type).select_related(
        "job", "kernel", "model_type", "project"
    )
